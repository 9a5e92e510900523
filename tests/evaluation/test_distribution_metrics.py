"""Measures of whole sets against other implementations' numbers, values worked out by hand, and laws.

Stored numbers were computed from the same seeded arrays with torch-fidelity 0.4.0, torchmetrics 1.9.0 and
scikit-learn 1.9.1.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from twocet import metrics


def made(seed, rows, columns, shift=0.0, scale=1.0):
    mixing = np.random.default_rng(99).normal(size=(columns, columns)) / columns**0.5
    return np.random.default_rng(seed).normal(shift, scale, (rows, columns)) @ mixing


def by_square_root(a, b):
    """The formula as it is printed."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    return ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(first + second - 2 * root)


A, B = made(1, 60, 24), made(2, 60, 24, 0.3, 1.2)


def test_frechet_distance_is_torch_fidelitys_and_scipys():
    assert metrics.frechet_distance(A, B) == pytest.approx(8.05124376, abs=1e-7)
    assert metrics.frechet_distance(A, B) == pytest.approx(by_square_root(A, B), rel=1e-8)
    assert metrics.frechet_distance(A[:50], B[:37]) == pytest.approx(by_square_root(A[:50], B[:37]), rel=1e-8)


def test_frechet_distance_of_normal_distributions():
    """N(0, I) and N(1, 9 I) in four dimensions: 4 + 4 (1 + 9 - 2 * 3) = 20."""
    first, second = np.random.default_rng(0).normal(size=(2, 200_000, 4))
    assert metrics.frechet_distance(first, 1 + 3 * second) == pytest.approx(20, abs=0.15)


def test_frechet_distance_of_fewer_pictures_than_features():
    """Two pictures each: the covariances have rank 1, and their product may be 0, where sqrtm fails."""
    first = np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    second = np.array([[0, 2.0, 0, 0], [0, -2.0, 0, 0]])
    assert metrics.frechet_distance(first, second) == pytest.approx(2 + 8)
    assert metrics.frechet_distance(first, 3 * first) == pytest.approx(2 + 18 - 2 * 6)
    few = made(3, 8, 200)
    assert metrics.frechet_distance(few, few + 0.5) == pytest.approx(200 * 0.25)


def test_frechet_distance_obeys_its_laws():
    assert metrics.frechet_distance(A, A) == pytest.approx(0, abs=1e-10)
    assert metrics.frechet_distance(A, A[::-1]) == pytest.approx(0, abs=1e-10)
    assert metrics.frechet_distance(A, B) == pytest.approx(metrics.frechet_distance(B, A))
    shuffled = np.random.default_rng(0).permutation(B)
    assert metrics.frechet_distance(A, shuffled) == pytest.approx(metrics.frechet_distance(A, B))
    assert metrics.frechet_distance(3 * A, 3 * B) == pytest.approx(9 * metrics.frechet_distance(A, B))
    assert metrics.frechet_distance(A.astype(np.float32), B) == pytest.approx(metrics.frechet_distance(A, B), rel=1e-5)


def test_kernel_distance_is_torch_fidelitys_and_torchmetrics():
    assert metrics.kernel_distance(A, B) == pytest.approx(0.3165089386772783)


def test_kernel_distance_of_unequal_sets_by_loops():
    first, second = A[:7], B[:5]

    def kernel(x, y):
        return (x @ y / 24 + 1) ** 3

    within = np.mean([kernel(first[i], first[j]) for i in range(7) for j in range(7) if i != j])
    other = np.mean([kernel(second[i], second[j]) for i in range(5) for j in range(5) if i != j])
    between = np.mean([kernel(x, y) for x in first for y in second])
    assert metrics.kernel_distance(first, second) == pytest.approx(within + other - 2 * between)


def test_kernel_distance_obeys_its_laws():
    assert metrics.kernel_distance(A, B) == pytest.approx(metrics.kernel_distance(B, A))
    assert metrics.kernel_distance(A[::-1], B) == pytest.approx(metrics.kernel_distance(A, B))
    values = [metrics.kernel_distance(made(k, 20, 24), made(k + 500, 20, 24)) for k in range(200)]
    assert np.mean(values) == pytest.approx(0, abs=4 * np.std(values) / 200**0.5), "unbiased"
    assert min(values) < 0 < max(values)


def test_kernel_distance_estimate_has_the_distances_value_and_counts_people():
    people = np.repeat(np.arange(12), 5)
    estimate = metrics.kernel_distance_estimate(A, B, people, people)
    assert estimate.value == metrics.kernel_distance(A, B)
    assert estimate.low < estimate.value < estimate.high
    assert estimate == metrics.kernel_distance_estimate(A, B, people + 7, people + 7)
    chosen = np.random.default_rng(1).permutation(60)
    moved = metrics.kernel_distance_estimate(A[chosen], B, people[chosen], people)
    assert moved == pytest.approx(estimate), "the order of pictures does not matter"


def test_kernel_distance_estimates_interval_is_that_of_repeated_experiments():
    """100 draws of 40 people: 95 % of the differences from the true value lie within the interval's half width."""
    people = np.arange(40)
    values, widths = [], []
    for k in range(100):
        sample, reference = made(k, 40, 8), made(k + 1000, 40, 8, 0.8)
        estimate = metrics.kernel_distance_estimate(sample, reference, people, people)
        values.append(estimate.value)
        widths.append(estimate.high - estimate.low)
    assert np.median(widths) == pytest.approx(2 * 1.96 * np.std(values), rel=0.35)


def test_kernel_distance_estimate_of_sets_of_the_same_people_holds_its_value():
    """Pictures of one person in both sets are alike; leaving people out in halves would shift the distance."""
    people = np.arange(30)
    sample = made(7, 30, 12)
    estimate = metrics.kernel_distance_estimate(sample, sample + 0.01, people, people)
    assert estimate.low < estimate.value < estimate.high


def test_kernel_distance_estimate_of_few_people_has_no_interval():
    estimate = metrics.kernel_distance_estimate(A, B, np.arange(60) % 3, np.arange(60) % 3)
    assert estimate.value == metrics.kernel_distance(A, B)
    assert np.isnan(estimate.low)
    assert np.isnan(estimate.high)


def probabilities():
    logits = 3 * np.random.default_rng(3).normal(size=(120, 10))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def test_inception_score_is_torch_fidelitys():
    assert metrics.inception_score(probabilities()) == pytest.approx((3.7210837642132133, 0))
    assert metrics.inception_score(probabilities(), 4) == pytest.approx((3.5752713356825643, 0.11510692313232147))


def test_inception_score_of_known_sets():
    assert metrics.inception_score(np.eye(5)) == pytest.approx((5, 0)), "certain, and every class once"
    assert metrics.inception_score(np.full((7, 5), 0.2)) == pytest.approx((1, 0)), "nothing recognised"
    assert metrics.inception_score(np.eye(5)[np.zeros(9, int)]) == pytest.approx((1, 0)), "one class alone"


def test_batch_inception_score_is_bounded_by_its_batch():
    every = np.eye(100)
    assert metrics.inception_score(every).mean == pytest.approx(100)
    assert metrics.batch_inception_score(every) == pytest.approx((50, 0))
    rest = metrics.batch_inception_score(every, batch=30)
    assert rest == pytest.approx((25, np.std([30, 30, 30, 10]))), "the rest of 10 counts as the others do"
    assert metrics.batch_inception_score(np.eye(8)) == pytest.approx((8, 0)), "one batch that is not full"


def test_batch_inception_score_shuffles_with_its_seed():
    sorted_set = np.eye(2)[np.repeat([0, 1], 50)]
    assert metrics.inception_score(sorted_set, 2).mean == pytest.approx(1), "not shuffled"
    score = metrics.batch_inception_score(sorted_set)
    assert score.mean == pytest.approx(2, abs=0.2)
    assert score == metrics.batch_inception_score(sorted_set, seed=0)
    assert score != metrics.batch_inception_score(sorted_set, seed=1)


CODES = np.random.default_rng(4).normal(size=(14, 5))
LABELS = list("aaabbbbccccdab")
CODES[[i for i, label in enumerate(LABELS) if label == "b"]] += 2


def test_silhouettes_are_scikit_learns():
    expected = [0.006783968, -0.35349647, -0.093836714, 0.147755979, 0.291758668, -0.07853805, 0.286680404,
                0.298405744, 0.255761844, -0.062391517, 0.268814483, 0.0, -0.113533206, 0.146708601]  # fmt: skip
    assert metrics.silhouettes(CODES, LABELS) == pytest.approx(expected, abs=1e-8)


def test_silhouettes_of_tight_and_of_mixed_labels():
    tight = np.array([[0.0, 0], [0, 0], [5, 0], [5, 0]])
    assert metrics.silhouettes(tight, list("aabb")) == pytest.approx([1, 1, 1, 1])
    assert metrics.silhouettes(tight, list("abab")) == pytest.approx([-0.5] * 4)
    assert metrics.silhouettes(np.zeros((4, 2)), list("aabb")) == pytest.approx([0] * 4)


def test_class_means_and_their_distances():
    codes = np.array([[0.0, 0], [3, 4], [0, 2], [3, 4]])
    names, means = metrics.class_means(codes, ["sad", "happy", "sad", "happy"])
    assert names == ["happy", "sad"]
    assert means == pytest.approx(np.array([[3, 4], [0, 1]]))
    assert metrics.distances(means) == pytest.approx(np.array([[0, 18**0.5], [18**0.5, 0]]))


def test_code_statistics_by_hand():
    codes = np.array([[1.0, 3.0, 2.0], [3.0, 3.0, 6.0]])
    between = np.mean([1, 0, 2])
    inside = np.mean([(2 / 3) ** 0.5, 2**0.5])
    both = metrics.code_statistics(codes)
    assert both == pytest.approx((between, inside, 3))
    one = metrics.code_statistics(codes[:1])
    assert one == pytest.approx((0, (2 / 3) ** 0.5, 2))
    assert metrics.mean_statistics([both, one]) == pytest.approx((between / 2, (inside + one.std_inside) / 2, 2.5))


def test_area_under_the_curve_counts_pairs():
    assert metrics.area_under_curve(np.array([2.0, 3]), np.array([0.0, 1])) == 1
    assert metrics.area_under_curve(np.array([0.0, 2]), np.array([1.0, 2])) == pytest.approx(1.5 / 4), "a tie is half"
    assert np.isnan(metrics.area_under_curve(np.array([]), np.array([1.0])))


def test_perceptual_distance_by_hand():
    """Equal directions are 0 apart, orthogonal ones 2, opposite ones 4, whatever their lengths."""
    maps = np.zeros((3, 2, 1, 2))
    maps[0, 0], maps[1, 0], maps[2, 1] = 1, 5, 2
    assert metrics.mean_pairwise_perceptual_distance([maps]) == pytest.approx((0 + 2 + 2) / 3)
    maps[1, 0, 0, 1] = -5
    assert metrics.mean_pairwise_perceptual_distance([maps]) == pytest.approx((2 + 2 + 2) / 3)
    one_sided = np.ones((3, 4, 2, 2))
    assert metrics.mean_pairwise_perceptual_distance([maps, one_sided]) == pytest.approx(1)


def test_perceptual_distance_of_equal_pictures_and_of_another_order():
    stages = [np.random.default_rng(5).normal(size=(4, 3, 5, 5)), np.random.default_rng(6).normal(size=(4, 6, 2, 2))]
    assert metrics.mean_pairwise_perceptual_distance([maps[[1, 1, 1]] for maps in stages]) == pytest.approx(0, abs=1e-9)
    assert metrics.mean_pairwise_perceptual_distance([maps[[3, 1, 0, 2]] for maps in stages]) == pytest.approx(
        metrics.mean_pairwise_perceptual_distance(stages)
    )
