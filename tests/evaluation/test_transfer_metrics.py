"""Each measure against values worked out by hand, and the laws it must obey."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from twocet import metrics


def pictures(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 20, 20, 3), dtype=np.uint8)


def test_face_box_is_the_documented_part_of_the_crop():
    assert metrics.face_box(np.zeros((2, 100, 100, 3), np.uint8)).shape == (2, 88, 80, 3)
    marked = np.zeros((100, 100, 3), np.uint8)
    marked[12, 10], marked[99, 89] = 1, 2
    box = metrics.face_box(marked)
    assert (box[0, 0, 0], box[-1, -1, 0]) == (1, 2)
    assert box.sum() == 9


def test_pixel_error_of_known_pictures():
    black, grey = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 51, np.uint8)
    grey[1] = 255
    assert metrics.pixel_error(black, grey) == pytest.approx([0.2, 1.0])
    assert metrics.pixel_error(grey, black) == pytest.approx([0.2, 1.0])


def test_pixel_error_counts_single_values():
    one = np.zeros((1, 2, 2, 3), np.uint8)
    one[0, 1, 0, 2] = 255
    assert metrics.pixel_error(one, np.zeros_like(one)) == pytest.approx([1 / 12])


def test_gain_of_a_copy_is_0_and_of_the_truth_1():
    neutral, truth = pictures(0, 5), pictures(1, 5)
    copy_error = metrics.pixel_error(neutral, truth)
    assert metrics.gain(metrics.pixel_error(neutral, truth), copy_error) == 0
    assert metrics.gain(metrics.pixel_error(truth, truth), copy_error) == 1


def test_gain_sums_over_the_set_before_dividing():
    assert metrics.gain(np.array([1.0, 0.0]), np.array([3.0, 1.0])) == pytest.approx(0.75)
    assert metrics.gain(np.array([8.0, 0.0]), np.array([3.0, 1.0])) == pytest.approx(-1.0)


def test_gain_does_not_depend_on_the_order_of_cases():
    generator = np.random.default_rng(2)
    output, copy = generator.random(30), generator.random(30)
    order = generator.permutation(30)
    assert metrics.gain(output[order], copy[order]) == pytest.approx(metrics.gain(output, copy))


def test_expression_agreement_is_pearsons_correlation():
    generator = np.random.default_rng(3)
    change, wanted = generator.normal(size=(2, 4, 51))
    expected = [stats.pearsonr(a, b).statistic for a, b in zip(change, wanted, strict=True)]
    assert metrics.expression_agreement(change, wanted) == pytest.approx(expected)


def test_expression_agreement_of_same_opposite_and_no_change():
    wanted = np.array([0.0, 0.2, 0.8])
    assert metrics.expression_agreement(0.5 * wanted, wanted) == pytest.approx(1)
    assert metrics.expression_agreement(-wanted, wanted) == pytest.approx(-1)
    assert metrics.expression_agreement(np.zeros(3), wanted) == 0


def test_blendshape_error_by_hand():
    assert metrics.blendshape_error(
        np.array([[0.1, 0.5], [0.0, 0.0]]), np.array([[0.3, 0.1], [0, 0]])
    ) == pytest.approx([0.3, 0.0])


def test_identity_distance_and_share_kept():
    distance = metrics.identity_distance(np.array([[3.0, 0.0], [0.0, 0.1]]), np.array([[0.0, 4.0], [0.0, 0.0]]))
    assert distance == pytest.approx([5.0, 0.1])
    assert metrics.identity_kept(np.array([0.1, 0.59, 0.6, 0.7])) == 0.5


def test_movement_is_the_share_of_the_way():
    start, end = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[2.0, 0.0], [1.0, 3.0]])
    series = np.stack([start, start + 0.25 * (end - start), end])
    assert metrics.movement(series) == pytest.approx([0, 0.25, 1])


def test_movement_ignores_jitter_across_the_way():
    series = np.array([[[0.0, 0.0]], [[0.5, 9.0]], [[1.0, 0.0]]])
    assert metrics.movement(series) == pytest.approx([0, 0.5, 1])


def test_movement_of_a_still_face_and_of_no_face_is_0():
    assert metrics.movement(np.ones((3, 2, 2))) == pytest.approx([0, 0, 0])
    lost = np.stack([np.zeros((2, 2)), np.full((2, 2), np.nan), np.ones((2, 2))])
    assert metrics.movement(lost) == pytest.approx([0, 0, 0])


def test_linearity_of_straight_curved_and_still_responses():
    strength = np.linspace(0, 1, 11)
    assert metrics.linearity(strength, 0.3 * strength + 2) == pytest.approx(1)
    assert metrics.linearity(strength, np.zeros(11)) == 0
    response = np.array([0.0, 0.0, 1.0])
    expected = stats.linregress([0, 1, 2], response).rvalue ** 2
    assert metrics.linearity(np.array([0.0, 1.0, 2.0]), response) == pytest.approx(expected)
    assert expected == pytest.approx(0.75)


def test_monotonicity_counts_rising_steps():
    assert metrics.monotonicity(np.array([0.0, 0.1, 0.3])) == 1
    assert metrics.monotonicity(np.array([0.0, 0.2, 0.1, 0.1, 0.5])) == 0.5
    assert metrics.monotonicity(np.zeros(4)) == 0


def test_mean_pairwise_distance_by_hand_and_order():
    features = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 4.0]])
    assert metrics.mean_pairwise_distance(features) == pytest.approx((0.5 + 2 + 2.5) / 3)
    assert metrics.mean_pairwise_distance(features[[2, 0, 1]]) == metrics.mean_pairwise_distance(features)
    assert metrics.mean_pairwise_distance(np.ones((4, 3))) == 0


def test_bootstrap_resamples_people_not_cases():
    """With two people who differ and cases that do not, only whole people move the mean: to 0, 0.5 or 1."""
    values, people = np.repeat([0.0, 1.0], 50), np.repeat([0, 1], 50)
    seen = []

    def mean(sample):
        seen.append(float(sample.mean()))
        return seen[-1]

    estimate = metrics.bootstrap(mean, [values], people, resamples=200)
    assert set(seen) == {0.0, 0.5, 1.0}
    assert estimate == (0.5, 0.0, 1.0)


def test_bootstrap_interval_matches_theory():
    values = np.random.default_rng(5).normal(10, 2, size=400)
    estimate = metrics.bootstrap(lambda sample: float(sample.mean()), [values], np.arange(400), resamples=2000)
    half = 1.96 * values.std() / 20
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.02)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_keeps_columns_together_and_repeats_with_its_seed():
    first = np.random.default_rng(6).random(60)
    people = np.repeat(np.arange(20), 3)

    def ratio(a, b):
        return float(a.sum() / b.sum())

    assert metrics.bootstrap(ratio, [first, 2 * first], people) == pytest.approx((0.5, 0.5, 0.5))
    other = np.random.default_rng(7).random(60)
    assert metrics.bootstrap(ratio, [first, other], people) == metrics.bootstrap(ratio, [first, other], people)
    assert metrics.bootstrap(ratio, [first, other], people, seed=1) != metrics.bootstrap(ratio, [first, other], people)


def test_quick_bootstraps_are_the_slow_one():
    generator = np.random.default_rng(8)
    output, copy, people = generator.random(90), 1 + generator.random(90), generator.integers(15, size=90)
    slow = metrics.bootstrap(metrics.gain, [output, copy], people, seed=0)
    assert metrics.gain_estimate(output, copy, people) == pytest.approx(slow)
    assert slow.low < slow.value < slow.high
    mean = metrics.bootstrap(lambda sample: float(sample.mean()), [output], people, seed=0)
    assert metrics.bootstrap_mean(output, people) == pytest.approx(mean)
