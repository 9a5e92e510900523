from __future__ import annotations

import math
import weakref

import numpy as np
import pytest

from twocet.video.smooth import OneEuro, local_weights, neighbourhoods


def test_one_euro_against_hand_values():
    smooth = OneEuro(min_cutoff=1.0, beta=0.5, derivative_cutoff=1.0)
    assert smooth(0.0, 0.0) == 0
    # r = 2 pi * 0.1, share r / (r + 1) = 0.385870 for the speed: 0.385870 * 10.
    # Cut-off 1 + 0.5 * 3.85870 = 2.92935 Hz, r = 1.840564, share 0.647957.
    assert float(smooth(1.0, 0.1)) == pytest.approx(0.647957, abs=2e-6)
    # Speed 3.85870 + 0.385870 * ((1 - 0.647957) / 0.1 - 3.85870) = 3.728173; cut-off 2.864087, share 0.642801.
    assert float(smooth(1.0, 0.2)) == pytest.approx(0.647957 + 0.642801 * 0.352043, abs=2e-6)
    smooth.reset()
    assert smooth(5.0, 0.3) == 5


def test_one_euro_without_smoothing_is_the_identity():
    smooth = OneEuro(min_cutoff=math.inf, beta=1.0)
    values = np.random.default_rng(0).normal(size=(20, 4))
    assert np.allclose([smooth(value, k / 25) for k, value in enumerate(values)], values, rtol=0, atol=1e-12)


def test_one_euro_takes_jitter_out_and_follows_a_jump():
    random = np.random.default_rng(1)
    smooth = OneEuro(min_cutoff=1.0, beta=1.0)
    still = np.array([float(smooth(value, k / 25)) for k, value in enumerate(random.normal(0, 0.01, 200))])
    assert still[50:].std() < 0.005
    after = [float(smooth(1.0, 8 + k / 25)) for k in range(5)]
    assert after[4] > 0.95


def test_local_weights_against_savitzky_and_golay():
    weights = local_weights(np.arange(-2, 3), reach=1e4)
    assert weights == pytest.approx(np.array([-3, 12, 17, 12, -3]) / 35, abs=1e-6)


@pytest.mark.parametrize("first", [-3, -1, 0])
def test_local_weights_keep_parabolas_and_take_noise_out(first):
    offsets = np.arange(first, 4) * 0.04
    weights = local_weights(offsets, reach=0.16)
    assert weights @ np.ones(len(offsets)) == pytest.approx(1)
    assert weights @ (3 + 2 * offsets - 50 * offsets**2) == pytest.approx(3)
    assert np.square(weights).sum() < (1 if first == 0 else 0.7)


def test_local_weights_count_less_with_distance_and_nothing_at_the_end():
    weights = local_weights([-0.16, -0.12, -0.04, 0, 0.04, 0.12, 0.16], reach=0.16)
    assert weights[[0, 6]] == pytest.approx([0, 0], abs=1e-12)
    assert weights == pytest.approx(weights[::-1])
    assert weights[3] > weights[2] > weights[1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_values_stay_as_they_are(count):
    weights = local_weights(np.arange(count) * 0.1 - 0.1 * (count > 1), reach=0.16)
    assert weights == pytest.approx([0, 1, 0][:count] if count > 1 else [1])


@pytest.mark.parametrize("reach", [0, 0.1, 0.5, 100])
def test_neighbourhoods_are_those_within_reach(reach):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 40)).tolist()
    expected = [(now, [t for t in times if abs(t - now) < reach or t == now]) for now in times]
    assert list(neighbourhoods(times, lambda t: t, reach)) == expected


def test_nothing_has_no_neighbourhood():
    assert list(neighbourhoods([], float, 1)) == []


class Picture:
    def __init__(self, seconds):
        self.seconds = seconds


def test_neighbourhoods_read_no_further_than_they_must_and_forget():
    alive = weakref.WeakSet()

    def film():
        for k in range(100):
            picture = Picture(k / 10)
            alive.add(picture)
            yield picture

    for now, near in neighbourhoods(film(), lambda picture: picture.seconds, 0.25):
        assert now in near
        assert max(picture.seconds for picture in alive) < now.seconds + 0.35
        assert len(alive) <= 7
