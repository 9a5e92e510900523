"""The face crop: every pixel from the right place, without aliasing, inside the photo and beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from similarities import similarity

from twocet.photo import align, resample


def test_the_whole_picture_as_crop_is_identical(noise):
    square = np.ascontiguousarray(noise[:64, :64])
    assert np.array_equal(resample.crop(square, align.square_to_crop(64, 64), 64), square)


def test_a_quarter_turn_is_exact(noise):
    square = np.ascontiguousarray(noise[:64, :64])
    turned = similarity(1 / 64, 90, (1, 0))
    assert np.array_equal(resample.crop(square, turned, 64), np.rot90(square, -1))


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 3.0, 11.0])
def test_a_linear_ramp_is_sampled_at_the_right_place(scale):
    size, degrees = 32, 25
    y, x = np.mgrid[:400, :400] + 0.5
    photo = np.stack([x * 0.6, y * 0.6, np.full_like(x, 77)], axis=-1).round().astype(np.uint8)
    crop_to_photo = similarity(scale * size, degrees, (200, 200))
    crop_to_photo[:, 2] -= crop_to_photo[:, :2] @ (0.5, 0.5)
    crop = resample.crop(photo, align.invert(crop_to_photo), size).astype(float)
    ticks = (np.arange(size) + 0.5) / size
    wanted = align.apply(crop_to_photo, np.stack(np.meshgrid(ticks, ticks), axis=-1)) * 0.6
    inside = ((wanted > 6) & (wanted < 234)).all(axis=-1)
    assert inside.mean() > 0.6
    assert np.abs(crop[..., :2] - wanted)[inside].max() < 1.15
    assert np.abs(crop[..., 2] - 77).max() <= 1


def test_shrinking_does_not_alias():
    checks = ((np.indices((512, 512)).sum(axis=0) % 2) * 255).astype(np.uint8)
    photo = np.repeat(checks[..., None], 3, axis=2)
    crop = resample.crop(photo, similarity(1 / 450, 10, (0.0, 0.05)), 64)
    inner = crop[8:-8, 8:-8].astype(float)
    assert inner.mean() == pytest.approx(127.5, abs=2)
    assert inner.std() < 6


def test_outside_the_photo_the_border_is_repeated_or_black():
    photo = np.full((40, 40, 3), 200, np.uint8)
    beside = similarity(1 / 40, 0, (2.0, 0.0))
    assert resample.crop(photo, beside, 32).min() == 200
    assert resample.crop(photo, beside, 32, outside="constant").max() == 0
