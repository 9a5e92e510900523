"""Every statistic against published worked examples; crossed intervals against their formula and their promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS

from twocet.study.statistics import (
    CannotEstimateError,
    Clusters,
    agreement,
    bradley_terry,
    crossed,
    differences,
    means,
    ordinal,
    outliers,
)

CHEESE = np.array([
    [0, 0, 1, 7, 8, 8, 19, 8, 1],
    [6, 9, 12, 11, 7, 6, 1, 0, 0],
    [1, 1, 6, 8, 23, 7, 5, 1, 0],
    [0, 0, 0, 1, 3, 7, 14, 16, 11],
])  # fmt: skip
"""52 ratings, from 1 (strong dislike) to 9, of each of four cheeses: McCullagh & Nelder (1989), Sec. 5.6."""
CITATIONS = np.array([[714, 730, 498, 221], [33, 425, 68, 17], [320, 813, 1072, 142], [284, 276, 325, 188]])
"""Rows: cited, columns: citing; Biometrika, Communications in Statistics, JASA, JRSS-B (Stigler 1994)."""
RELIABILITY = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 ."""
"""Four observers, twelve units: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, part C."""


def apart(number):
    """Clusters in which every answer stands alone."""
    return Clusters(np.arange(number), np.arange(number))


def expanded(counts):
    """Rows of counts as (row, column) of every single case."""
    rows, columns = np.nonzero(counts)
    times = counts[rows, columns]
    return np.repeat(rows, times), np.repeat(columns, times)


def test_ordinal_model_is_the_published_one_of_the_cheeses():
    """SAS/STAT documentation, PROC LOGISTIC, example "Ordinal Logistic Regression": logit P(rating <= k), cheese 4 as
    reference: 1.6128 (0.3778), 4.9646 (0.4741), 3.3227 (0.4251). Ours are log-odds of a *higher* rating."""
    cheese, rating = expanded(CHEESE[[3, 0, 1, 2]])
    found = ordinal(rating + 1, cheese, 4, apart(len(cheese)))
    assert [e.value for e in found] == pytest.approx([-1.6128, -4.9646, -3.3227], abs=1e-3)
    reach = stats.t.ppf(0.975, len(cheese) - 1)
    errors = [(e.high - e.low) / 2 / reach for e in found]
    # These are robust errors and those are the model's: near each other where the model holds.
    assert errors == pytest.approx([0.3778, 0.4741, 0.4251], rel=0.2)


def test_bradley_terry_is_the_published_one_of_the_journals():
    """BradleyTerry2's documentation (Turner & Firth 2012), ``citations``: abilities against Biometrika."""
    first, second = (axis.ravel() for axis in np.indices(CITATIONS.shape))
    counts = CITATIONS.ravel() * (first != second)
    i, j = np.repeat(first, counts), np.repeat(second, counts)
    found = bradley_terry(i, j, np.ones(len(i)), None, 4, apart(len(i)))
    assert [e.value for e in found.methods] == pytest.approx([-2.94907, -0.47957, 0.26895], abs=1e-4)
    errors = [(e.high - e.low) / 2 / stats.t.ppf(0.975, len(i) - 1) for e in found.methods]
    assert errors == pytest.approx([0.10255, 0.06059, 0.07083], rel=0.05)
    assert found.left is None


def test_a_tie_is_half_a_win_for_each_and_the_side_is_told_apart():
    """Two methods: preferred in 30 of 40, ties halved, is a strength of log 3; the left side's is log 2."""
    preferred = np.repeat([1.0, 0.0, 0.5], [20, 0, 20])
    first, second = np.zeros(40, int), np.ones(40, int)
    found = bradley_terry(first, second, preferred, None, 2, apart(40))
    assert found.methods[0].value == pytest.approx(-np.log(3), abs=1e-6)
    # Odds of the first: 3 x 2 at the left, 3 / 2 at the right.
    wins = np.repeat([1.0, 0.0, 1.0, 0.0], [60, 10, 60, 40])
    left = np.repeat([1.0, -1.0], [70, 100])
    found = bradley_terry(np.zeros(170, int), np.ones(170, int), wins, left, 2, apart(170))
    assert found.methods[0].value == pytest.approx(-np.log(3), abs=1e-6)
    assert found.left.value == pytest.approx(np.log(2), abs=1e-6)


def test_bradley_terry_refuses_a_method_that_always_wins():
    first, second, preferred = np.array([0, 0, 1, 1]), np.array([1, 2, 2, 2]), np.array([1.0, 1.0, 1.0, 0.0])
    with pytest.raises(CannotEstimateError, match="always preferred"):
        bradley_terry(first, second, preferred, None, 3, apart(4))


def test_alpha_is_the_published_one():
    """Ordinal data: alpha = 0.815."""
    table = np.array([[0 if x == "." else int(x) for x in line.split()] for line in RELIABILITY.split("\n")[1:]])
    units = np.tile(np.arange(12), (4, 1))
    found = agreement(table[table > 0], units[table > 0], 5)
    assert found.value == pytest.approx(0.815, abs=5e-4)
    assert found.low < found.value < found.high <= 1


@pytest.mark.parametrize(
    ("responses", "items", "reason"), [([1, 2, 3], [0, 1, 2], "two raters"), ([5] * 6, [0, 0, 1, 1, 2, 2], "same one")]
)
def test_alpha_refuses_what_has_none(responses, items, reason):
    with pytest.raises(CannotEstimateError, match=reason):
        agreement(np.array(responses), np.array(items), 5)


def test_outliers_are_beyond_three_deviations_of_their_group():
    """The farthest score of n lies at most sqrt(n - 1) deviations away: 3 with ten scores, more with eleven."""
    scores = np.array([5.0] * 9 + [0] + [5.0] * 10 + [0])
    groups = np.repeat([0, 1], [10, 11])
    assert np.flatnonzero(outliers(scores, groups)).tolist() == [20]
    assert not outliers(np.full(4, 2.5), np.zeros(4, int)).any()


def answers(rng, raters=20, targets=30, effect=0.0):
    """Scores of two methods, crossed, with deviations of raters and of targets that differ between the methods too."""
    rater, target, method = (axis.ravel() for axis in np.indices((raters, targets, 2)))
    both = 0.7 * (rng.standard_normal((raters, 2))[rater, method] + rng.standard_normal((targets, 2))[target, method])
    return both + rng.standard_normal(len(rater)) + effect * method, method, Clusters(rater, target)


def test_crossed_errors_are_those_of_raters_and_targets_less_the_shared_part():
    """Cameron, Gelbach & Miller (2011), eq. 2.13, computed by hand: V = V_raters + V_targets - V_cells."""
    scores, method, clusters = answers(np.random.default_rng(0))
    design = np.eye(2)[method]
    fit = OLS(scores, design).fit()
    inverse, residual = np.linalg.inv(design.T @ design), scores - design @ fit.params

    def middle(groups):
        sums = np.stack([(design * residual[:, None])[groups == group].sum(axis=0) for group in np.unique(groups)])
        number, n, k = len(sums), *design.shape
        return inverse @ sums.T @ sums @ inverse * number / (number - 1) * (n - 1) / (n - k)

    cells = clusters.raters * 1000 + clusters.targets
    variance = middle(clusters.raters) + middle(clusters.targets) - middle(cells)
    contrast = np.array([[1.0, -1.0]])
    expected = np.sqrt((contrast @ variance @ contrast.T).item()) * stats.t.ppf(0.975, 19)
    (found,) = crossed(fit, contrast, clusters)
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 300 made-up studies with a known difference 95 % should; naive intervals of independent answers do not."""
    rng = np.random.default_rng(1)
    held, naive = 0, 0
    for _ in range(300):
        scores, method, clusters = answers(rng, effect=0.5)
        (estimate,) = crossed(OLS(scores, np.eye(2)[method]).fit(), np.array([[-1.0, 1.0]]), clusters)
        held += estimate.low <= 0.5 <= estimate.high
        low, high = OLS(scores, np.stack([np.ones(len(method)), method], axis=1)).fit().conf_int()[1]
        naive += low <= 0.5 <= high
    assert 0.91 <= held / 300 <= 0.985
    assert naive / 300 < 0.6


def test_differences_are_of_means_and_their_p_fits_the_interval():
    scores, method, clusters = answers(np.random.default_rng(2), effect=1.0)
    first, second = means(scores, method, 2, clusters)
    assert first.value == pytest.approx(scores[method == 0].mean())
    (found,) = differences(scores, method, 2, clusters)
    assert found.estimate.value == pytest.approx(first.value - second.value)
    assert found.p == found.p_holm
    assert (found.p < 0.05) == (found.estimate.high < 0 or found.estimate.low > 0)


def test_one_rater_has_no_interval_and_a_method_without_answers_no_mean():
    alone = Clusters(np.zeros(4, int), np.arange(4))
    with pytest.raises(CannotEstimateError, match="two raters"):
        means(np.arange(4.0), np.array([0, 0, 1, 1]), 2, alone)
    with pytest.raises(CannotEstimateError, match="1 of 3 methods"):
        means(np.arange(4.0), np.array([0, 0, 1, 1]), 3, apart(4))


@pytest.mark.parametrize(
    ("responses", "reason"), [([3] * 8, "same one"), ([1, 2, 3, 4, 5, 5, 5, 5], "did not converge")]
)
def test_ordinal_model_refuses_what_has_no_estimate(responses, reason):
    with pytest.raises(CannotEstimateError, match=reason):
        ordinal(np.array(responses), np.repeat([0, 1], 4), 2, apart(8))
