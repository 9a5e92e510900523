"""What the codes of an encoder are like: spread, and whether one label's codes lie together (paper, report.txt)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twocet.runtime.arrays import Floats


class CodeStatistics(NamedTuple):
    """Spread of codes. Standard deviations are those of the codes themselves (divided by n), as the authors have it."""

    std_between: float
    """Of each number of the code over the images, averaged over the numbers."""
    std_inside: float
    """Of the numbers inside one image's code, averaged over the images."""
    mean: float
    """Of all numbers."""


def code_statistics(codes: Floats) -> CodeStatistics:
    """The statistics of (N, d) codes."""
    return CodeStatistics(float(codes.std(axis=0).mean()), float(codes.std(axis=1).mean()), float(codes.mean()))


def mean_statistics(statistics: Sequence[CodeStatistics]) -> CodeStatistics:
    """The means of several groups' statistics, each group counting alike: what the authors report of the classes."""
    return CodeStatistics(*(float(number) for number in np.mean(statistics, axis=0)))


def class_means(codes: Floats, labels: Sequence[str]) -> tuple[list[str], Floats]:
    """The labels in alphabetical order, and the mean code of each: (N, d) to (K, d)."""
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    return [str(name) for name in names], np.stack([codes[numbers == k].mean(axis=0) for k in range(len(names))])


def distances(points: Floats) -> Floats:
    """Euclidean distances of all pairs: (N, d) to (N, N), exactly 0 on the diagonal."""
    squares = (points**2).sum(axis=1)
    squared = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(squared, 0.0)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def silhouettes(codes: Floats, labels: Sequence[str]) -> Floats:
    """Silhouette of every code by label (Rousseeuw 1987), with Euclidean distances.

    (b - a) / max(a, b), where a is the mean distance to the other codes of the same label and b the least mean distance
    to the codes of another one: 1 where labels are far apart, 0 where they touch, negative where a code lies among
    those of another label. 0 for a label's only code.

    Args:
        codes: (N, d).
        labels: N labels, at least two different ones.

    Returns:
        (N,) in [-1, 1].
    """
    _, numbers = np.unique(np.asarray(labels), return_inverse=True)
    member: NDArray[np.float64] = np.eye(numbers.max() + 1)[numbers]
    counts, sums = member.sum(axis=0), distances(codes) @ member
    own_count = counts[numbers]
    own = sums[np.arange(len(codes)), numbers] / np.maximum(own_count - 1, 1)
    nearest = np.where(member > 0, np.inf, sums / counts).min(axis=1)
    largest = np.maximum(own, nearest)
    scores = np.divide(nearest - own, largest, out=np.zeros_like(own), where=largest > 0)
    return np.where(own_count > 1, scores, 0.0)
