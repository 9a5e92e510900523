"""``benchmarks/rendered_mouths.py``: what it says of mouths."""

import numpy as np
import pytest


@pytest.fixture
def mouths(load_benchmark):
    return load_benchmark("rendered_mouths")


def test_the_part_is_the_mouths(mouths):
    pixels = np.zeros((1, 128, 128, 3), np.uint8)
    pixels[0, 58, 32] = 1, 2, 3
    assert mouths.part(pixels).shape == (1, 64, 64, 3)
    assert mouths.part(pixels)[0, 0, 0].tolist() == [1, 2, 3]


def test_stripes_are_sharp_in_one_direction(mouths):
    striped = np.zeros((1, 64, 64, 3), np.uint8)
    striped[:, ::2] = 100
    assert mouths.sharpness(striped) == 50
    assert mouths.sharpness(np.full_like(striped, 100)) == 0


def test_differences_are_summed_over_bytes(mouths):
    dark, light = (np.full((2, 4, 4, 3), value, np.uint8) for value in (10, 250))
    assert mouths.difference(dark, light) == 240 * 2 * 4 * 4 * 3
