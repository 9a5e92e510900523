"""How far one set of pictures is from another, or how varied it is, in the features of some network.

The functions do not know which network: whoever calls them puts its name into the result's name (``kid_mobilenetv2``,
``fid_inception``). Values of different networks cannot be compared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twocet.metrics.intervals import Estimate
from twocet.runtime.arrays import Floats

PAPER_BATCH = 50
"""Pictures in a batch of the paper's inception score."""
_LEAST_PEOPLE = 4
"""With fewer people an interval says nothing."""


class Scores(NamedTuple):
    """Inception scores of the parts of a set."""

    mean: float
    std: float
    """Population standard deviation over the parts; 0 for one part."""


def frechet_distance(features: Floats, reference: Floats) -> float:
    """Frechet distance of the normal distributions with the means and covariances of two sets (Heusel et al. 2017).

    |m - m'|^2 + tr C + tr C' - 2 tr (C C')^(1/2). With centred features X, X' (rows divided by sqrt(n - 1)) the last
    trace is the sum of the singular values of X X'^T: no square root of a product that is singular for fewer pictures
    than features, no imaginary parts, and no squared condition numbers.

    The smaller a set, the larger its distance (a bias of the order of 1 / n): compare equal numbers alone.

    Args:
        features: (n, D), n >= 2.
        reference: (m, D), m >= 2.
    """
    first, second = _centred(features), _centred(reference)
    shift = features.mean(axis=0) - reference.mean(axis=0)
    cross = np.linalg.svd(_reduced(first) @ _reduced(second).T, compute_uv=False).sum()
    distance = shift @ shift + (first**2).sum() + (second**2).sum() - 2 * cross
    return max(float(distance), 0.0)


def _centred(features: Floats) -> Floats:
    """Rows whose product X^T X is the covariance."""
    values = np.asarray(features, dtype=np.float64)
    return np.asarray((values - values.mean(axis=0)) / np.sqrt(len(values) - 1))


def _reduced(rows: Floats) -> Floats:
    """At most as many rows as columns, with the same X^T X: singular values of products do not change."""
    return np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows


def polynomial_kernel(features: Floats, other: Floats) -> Floats:
    """(x y / D + 1)^3 of all pairs: (n, D) and (m, D) to (n, m)."""
    product = features.astype(np.float64) @ other.astype(np.float64).T
    return np.asarray((product / features.shape[1] + 1) ** 3)


def kernel_distance(features: Floats, reference: Floats) -> float:
    """KID: the unbiased squared maximum mean discrepancy with the polynomial kernel (Binkowski et al. 2018, eq. 4).

    Does not depend on the sets' sizes in expectation; may be slightly negative for sets of one distribution.

    Args:
        features: (n, D), n >= 2.
        reference: (m, D), m >= 2.
    """
    every, every_reference = np.zeros(len(features), np.int64), np.zeros(len(reference), np.int64)
    return float(_Blocks.of(features, reference, every, every_reference, 1).distances(np.ones((1, 1)))[0])


def kernel_distance_estimate(
    features: Floats, reference: Floats, people: NDArray[np.int64], reference_people: NDArray[np.int64]
) -> Estimate:
    """:func:`kernel_distance` with a 95 % interval over people: 1.96 standard errors of the jackknife on either side.

    A bootstrap would draw people twice and pair pictures with themselves, which the unbiased form must not; the
    jackknife leaves out one person at a time, from both sets (Efron & Stein 1981).

    Args:
        features: (n, D).
        reference: (m, D).
        people: (n,) whose each picture is; for an output, the target's person.
        reference_people: (m,) likewise.
    """
    value = kernel_distance(features, reference)
    names, numbers = np.unique(np.concatenate([people, reference_people]), return_inverse=True)
    num = len(names)
    blocks = _Blocks.of(features, reference, numbers[: len(people)], numbers[len(people) :], num)
    without = blocks.distances(1 - np.eye(num))
    if num < _LEAST_PEOPLE or not np.isfinite(without).all():
        return Estimate(value, float("nan"), float("nan"))
    half = 1.96 * float(np.sqrt((num - 1) / num * ((without - without.mean()) ** 2).sum()))
    return Estimate(value, value - half, value + half)


class _Blocks(NamedTuple):
    """Kernel sums over the pictures of pairs of people, (P, P) each, and what the unbiased form needs."""

    own: Floats
    reference: Floats
    cross: Floats
    own_diagonal: Floats
    """(P,) sums of k(x, x)."""
    reference_diagonal: Floats
    own_count: Floats
    """(P,)."""
    reference_count: Floats

    @classmethod
    def of(
        cls, features: Floats, reference: Floats, people: NDArray[np.int64], other: NDArray[np.int64], num: int
    ) -> _Blocks:
        first, second = np.eye(num)[people], np.eye(num)[other]
        own, referred = polynomial_kernel(features, features), polynomial_kernel(reference, reference)
        return cls(
            first.T @ own @ first,
            second.T @ referred @ second,
            first.T @ polynomial_kernel(features, reference) @ second,
            first.T @ own.diagonal(),
            second.T @ referred.diagonal(),
            first.sum(axis=0),
            second.sum(axis=0),
        )

    def distances(self, chosen: Floats) -> Floats:
        """The distance for each row of ``chosen`` (K, P), 1 for the people who count; NaN for too few pictures."""
        n, m = chosen @ self.own_count, chosen @ self.reference_count

        def total(sums: Floats) -> Floats:
            return np.asarray(((chosen @ sums) * chosen).sum(axis=1))

        with np.errstate(divide="ignore", invalid="ignore"):
            own = (total(self.own) - chosen @ self.own_diagonal) / (n * (n - 1))
            reference = (total(self.reference) - chosen @ self.reference_diagonal) / (m * (m - 1))
            distances = own + reference - 2 * total(self.cross) / (n * m)
        return np.where((n > 1) & (m > 1), distances, np.nan)


def inception_score(probabilities: Floats, parts: int = 1) -> Scores:
    """exp of the mean KL divergence of the pictures' class probabilities from their mean (Salimans et al. 2016).

    Args:
        probabilities: (n, K), rows sum to 1.
        parts: Equal parts, in the order of the rows, each with a mean of its own; published scores often use 10. More
            parts give lower scores.
    """
    return _scores(np.array_split(probabilities, parts))


def area_under_curve(positive: Floats, negative: Floats) -> float:
    """How often a score of ``positive`` (n,) is above one of ``negative`` (m,), ties counting half: the ROC's area.

    1: always, 0.5: they are alike, NaN without scores.
    """
    if not len(positive) or not len(negative):
        return float("nan")
    above = np.sign(np.asarray(positive, np.float64)[:, None] - np.asarray(negative, np.float64)).mean()
    return float(0.5 + above / 2)


def batch_inception_score(probabilities: Floats, batch: int = PAPER_BATCH, seed: int = 0) -> Scores:
    """The inception score as the paper's authors compute it: of every batch of shuffled pictures, then averaged.

    Every batch has a mean of its own, which bounds the score by its size: values cannot be compared with
    :func:`inception_score`. The last batch is what is left, and counts as much as the others.

    Args:
        probabilities: (n, K), rows sum to 1.
        batch: Pictures in a batch.
        seed: Of the order.
    """
    shuffled = np.random.default_rng(seed).permutation(probabilities)
    return _scores([shuffled[start : start + batch] for start in range(0, len(shuffled), batch)])


def _scores(parts: list[Floats]) -> Scores:
    scores = [_score(part) for part in parts]
    return Scores(float(np.mean(scores)), float(np.std(scores)))


def _score(probabilities: Floats) -> float:
    # The smallest positive number instead of 0 makes 0 log 0 = 0.
    log = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    log_mean = np.log(np.maximum(probabilities.mean(axis=0), np.finfo(np.float64).tiny))
    return float(np.exp((probabilities * (log - log_mean)).sum(axis=1).mean()))
