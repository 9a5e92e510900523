"""Values with intervals, by resampling people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twocet.runtime.arrays import Floats


class Estimate(NamedTuple):
    """A value with its 95 % interval over people; the limits are NaN where there are too few people for one."""

    value: float
    low: float
    high: float


def bootstrap(
    statistic: Callable[..., float],
    columns: Sequence[Floats],
    groups: NDArray[np.int64],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """A statistic of cases with its 95 % percentile interval, resampling whole groups.

    Cases of one person resemble each other, so people are drawn with replacement and each brings all of their cases.

    Args:
        statistic: Function of as many (N,) arrays as there are columns.
        columns: (N,) values per case.
        groups: (N,) the person of each case.
        resamples: How many sets of people are drawn.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    values = np.empty(resamples)
    for k in range(resamples):
        drawn = np.concatenate([members[i] for i in generator.integers(len(members), size=len(members))])
        values[k] = statistic(*(column[drawn] for column in columns))
    low, high = np.percentile(values, [2.5, 97.5])
    return Estimate(statistic(*columns), float(low), float(high))


def bootstrap_ratio(
    top: Floats, bottom: Floats, groups: NDArray[np.int64], *, resamples: int = 1000, seed: int = 0
) -> Estimate:
    """:func:`bootstrap` of sum(top) / sum(bottom), hundreds of times quicker: a group's two sums are all that counts.

    Args:
        top: (N,).
        bottom: (N,), with a positive sum in every group.
        groups: (N,) the person of each case.
        resamples: How many sets of people are drawn.
        seed: Of the draws, which are those of :func:`bootstrap`.
    """
    _, numbers = np.unique(groups, return_inverse=True)
    tops, bottoms = np.bincount(numbers, top), np.bincount(numbers, bottom)
    drawn = np.random.default_rng(seed).integers(len(tops), size=(resamples, len(tops)))
    low, high = np.percentile(tops[drawn].sum(axis=1) / bottoms[drawn].sum(axis=1), [2.5, 97.5])
    return Estimate(float(top.sum() / bottom.sum()), float(low), float(high))


def bootstrap_mean(values: Floats, groups: NDArray[np.int64]) -> Estimate:
    """The mean of (N,) values with its interval."""
    return bootstrap_ratio(values, np.ones(len(values)), groups)
