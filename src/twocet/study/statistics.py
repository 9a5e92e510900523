"""What is estimated from answers. Every model is statsmodels', scipy's or krippendorff's; intervals are crossed.

Answers of one rater resemble each other, and so do those to one face: both raters and targets are drawn from more that
could have been asked and shown. :func:`crossed` therefore lets errors depend within raters and within targets (two-way
cluster-robust covariance: Cameron, Gelbach & Miller 2011, doi:10.1198/jbes.2010.07136).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import krippendorff
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse.csgraph import connected_components
from statsmodels.api import GLM, OLS, families
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups
from statsmodels.tools.sm_exceptions import ModelWarning

from twocet.metrics import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_RESAMPLES = 1000
_LARGEST = 15.0
"""A log-odds beyond this is one that runs away, since some answer was always or never given."""


class CannotEstimateError(Exception):
    """The answers do not determine this; the text says why, as the rest of a sentence."""


class Clusters(NamedTuple):
    """Whose answers they are: numbers, one for each answer."""

    raters: Ints
    targets: Ints

    @property
    def degrees(self) -> int:
        """Degrees of freedom of t: the smaller number of clusters, less one."""
        return min(len(np.unique(self.raters)), len(np.unique(self.targets))) - 1


class Difference(NamedTuple):
    """One method against another."""

    first: int
    second: int
    estimate: Estimate
    """First less second."""
    p: float
    p_holm: float
    """Adjusted for the number of differences (Holm)."""


def outliers(scores: Floats, groups: Ints) -> NDArray[np.bool_]:
    """The paper's rule: scores more than three standard deviations from the mean of their group (Sec. 4.5)."""
    far = np.zeros(len(scores), bool)
    for group in np.unique(groups):
        own = groups == group
        if np.ptp(scores[own]) > 0:
            far[own] = np.abs(stats.zscore(scores[own])) > 3
    return far


def means(scores: Floats, methods: Ints, number: int, clusters: Clusters) -> list[Estimate]:
    """The mean score of each of ``number`` methods. Raises CannotEstimateError."""
    return crossed(_by_method(scores, methods, number), np.eye(number), clusters)


def differences(scores: Floats, methods: Ints, number: int, clusters: Clusters) -> list[Difference]:
    """Every two methods' means compared. Raises CannotEstimateError."""
    pairs = [(i, j) for i in range(number) for j in range(i + 1, number)]
    if not pairs:
        return []
    contrasts = np.zeros((len(pairs), number))
    for row, (i, j) in enumerate(pairs):
        contrasts[row, i], contrasts[row, j] = 1, -1
    estimates = crossed(_by_method(scores, methods, number), contrasts, clusters)
    p = [_p_value(estimate, clusters.degrees) for estimate in estimates]
    holm = multipletests(p, method="holm")[1]
    return [Difference(*pair, e, x, float(h)) for pair, e, x, h in zip(pairs, estimates, p, holm, strict=True)]


def ordinal(responses: Ints, methods: Ints, number: int, clusters: Clusters) -> list[Estimate]:
    """Log-odds of a higher answer than for method 0, of the methods 1, 2, ...: the proportional-odds model.

    logit P(answer > k | method m) = beta_m - theta_k (McCullagh 1980), with no distance between answers assumed.
    Raises CannotEstimateError.
    """
    levels, answers = np.unique(responses, return_inverse=True)
    if len(levels) < 2:
        raise CannotEstimateError("all answers are the same one")
    if number < 2:
        raise CannotEstimateError("there is one method only")
    _check_all_answered(methods, number)
    with warnings.catch_warnings():
        # Whether it converged is asked below.
        warnings.simplefilter("ignore", ModelWarning)
        results = OrderedModel(answers, np.eye(number)[methods][:, 1:], distr="logit").fit(method="bfgs", disp=False)
    if not results.mle_retvals["converged"] or np.abs(results.params[: number - 1]).max() > _LARGEST:
        raise CannotEstimateError("the ordinal model did not converge: some method always got the same answer")
    return crossed(results, np.eye(len(results.params))[: number - 1], clusters)


class Strengths(NamedTuple):
    """The Bradley-Terry model's."""

    methods: list[Estimate]
    """Log-odds of being preferred to method 0, of the methods 1, 2, ..."""
    left: Estimate | None
    """Log-odds that the left one is preferred to an equal one; None where nothing stood at a side."""


def bradley_terry(
    first: Ints, second: Ints, preferred: Floats, left: Floats | None, number: int, clusters: Clusters
) -> Strengths:
    """Strengths of ``number`` methods from comparisons (Bradley & Terry 1952).

    logit P(i preferred to j) = lambda_i - lambda_j, plus the side's where there is one. A tie is half a win for each.

    Args:
        first: The methods i.
        second: The methods j.
        preferred: 1 where the first is preferred, 0 where the second is, 0.5 where neither.
        left: 1 where the first stood at the left, -1 where at the right; None where there were no sides.
        number: Of methods.
        clusters: Of the comparisons.

    Raises:
        CannotEstimateError: some methods were always preferred to others: there are no finite strengths (Ford 1957).
    """
    wins = np.zeros((number, number))
    np.add.at(wins, (first, second), preferred)
    np.add.at(wins, (second, first), 1 - preferred)
    if connected_components(wins > 0, connection="strong")[0] > 1:
        raise CannotEstimateError("some method was always preferred to another, or never compared with it")
    sides = [left[:, None]] if left is not None else []
    design = np.hstack([(np.eye(number)[first] - np.eye(number)[second])[:, 1:], *sides])
    results = GLM(preferred, design, family=families.Binomial()).fit()
    estimates = crossed(results, np.eye(design.shape[1]), clusters)
    return Strengths(estimates[: number - 1], estimates[-1] if sides else None)


def agreement(responses: Ints, items: Ints, options: int) -> Estimate:
    """Krippendorff's alpha for ordinal answers, with an interval by resampling items. Raises CannotEstimateError.

    Args:
        responses: From 1 to ``options``.
        items: What was judged, one number for each answer.
        options: How many there are.
    """
    _, rows = np.unique(items, return_inverse=True)
    counts = np.zeros((rows.max() + 1, options), int)
    np.add.at(counts, (rows, responses - 1), 1)
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        raise CannotEstimateError("no picture was judged by two raters")
    if (counts.sum(axis=0) > 0).sum() < 2:
        raise CannotEstimateError("all answers are the same one")

    def alpha(chosen: Ints) -> float:
        used = counts[chosen]
        if (used.sum(axis=0) > 0).sum() < 2:
            return float("nan")
        domain = np.arange(options)
        return float(krippendorff.alpha(value_counts=used, value_domain=domain, level_of_measurement="ordinal"))

    everything = np.arange(len(counts))
    rng = np.random.default_rng(0)
    drawn = [alpha(rng.choice(everything, len(everything))) for _ in range(_RESAMPLES)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(alpha(everything), float(low), float(high))


def crossed(results: Any, contrasts: Floats, clusters: Clusters) -> list[Estimate]:
    """Linear combinations of a fitted model's parameters with 95 % intervals crossed over raters and targets.

    The variance is that of two-way clusters, and not less than that of raters or of targets alone, which it can fall
    under by chance; t has as many degrees of freedom as the smaller number of clusters, less one.

    Args:
        results: Of a statsmodels model.
        contrasts: (C, parameters).
        clusters: Of the model's observations.

    Raises:
        CannotEstimateError: there are fewer than two raters or targets.
    """
    if clusters.degrees < 1:
        raise CannotEstimateError("an interval over raters and targets needs two raters and two targets or more")
    covariances = cov_cluster_2groups(results, clusters.raters, clusters.targets)
    values = contrasts @ np.asarray(results.params)
    variances = np.max([np.einsum("ci,ij,cj->c", contrasts, c, contrasts) for c in covariances], axis=0)
    reach = stats.t.ppf(0.975, clusters.degrees) * np.sqrt(np.maximum(variances, 0))
    return [Estimate(float(v), float(v - r), float(v + r)) for v, r in zip(values, reach, strict=True)]


def _by_method(scores: Floats, methods: Ints, number: int) -> Any:
    _check_all_answered(methods, number)
    return OLS(scores, np.eye(number)[methods]).fit()


def _check_all_answered(methods: Ints, number: int) -> None:
    if lacking := set(range(number)) - set(methods.tolist()):
        raise CannotEstimateError(f"{len(lacking)} of {number} methods have no answers")


def _p_value(estimate: Estimate, degrees: int) -> float:
    """Two-sided p of no difference."""
    reach = (estimate.high - estimate.low) / 2
    if reach == 0:
        return float(estimate.value == 0)
    return float(2 * stats.t.sf(abs(estimate.value) / reach * stats.t.ppf(0.975, degrees), degrees))


def shares(responses: Ints, options: int) -> list[float]:
    """How often each option was chosen, as a share."""
    counts = np.bincount(responses - 1, minlength=options)
    return [float(count) / max(1, len(responses)) for count in counts]
