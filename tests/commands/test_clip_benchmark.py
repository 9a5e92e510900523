"""``benchmarks/clip.py``: what it says of films."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("starlette")

FPS = 25


@pytest.fixture(scope="module")
def clip(load_benchmark):
    return load_benchmark("clip")


def path_of_points(course):
    """(frames, 478, 2) landmarks that move by ``course`` (broadcast), with eyes 100 pixels apart."""
    points = np.zeros((len(course), 478, 2))
    points[:, 263, 0] = 100
    return points + course


def test_jitter_is_what_is_left_of_parabolas(clip):
    t = np.arange(50.0)
    assert clip.jitter(path_of_points((3 * t - 0.1 * t**2)[:, None, None]), FPS) == pytest.approx(0, abs=1e-9)
    # The middle weight of Savitzky and Golay's five is 17 / 35: noise of variance 1 keeps 18 / 35, on two axes.
    noise = path_of_points(np.random.default_rng(0).normal(size=(80, 478, 2)))
    assert clip.jitter(noise, FPS) == pytest.approx(np.sqrt(2 * 18 / 35) / 100, rel=0.03)


@pytest.mark.parametrize("late", [-1.5, 0, 0.4, 2])
def test_lag_is_told_between_frames_and_past_lost_frames(clip, late):
    t = np.arange(75.0)
    given, made = (0.5 + 0.5 * np.sin(2 * np.pi * 1.3 * (t - d) / FPS) for d in (0, late))
    made[40] = np.nan
    found, correlation = clip.lag(given, made)
    assert found == pytest.approx(late, abs=0.1)
    assert correlation > 0.95
