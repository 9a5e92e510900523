"""Which photos are neutral, where nobody says it.

The landmark runtime's blendshapes give a first guess: faces at rest read low. Its makers trained it to know rest, so
this is not free of supervision, and it misses what it reads badly, such as frowns and sneers. Where people are known, a
linear discriminant of landmarks and readings (Fisher 1936), as differences from the person's own mean, then learns from
the guess what sets these faces apart, chooses again, and so on: what is at rest looks alike in many people, mistakes do
not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twocet.errors import check
from twocet.photo.align import TEMPLATE_LANDMARKS, apply, fit_similarity
from twocet.photo.faces import BLENDSHAPE_NAMES
from twocet.runtime.arrays import Floats

FEWEST = 20
"""Photos that it takes."""
_READ = [k for k, name in enumerate(BLENDSHAPE_NAMES) if not name.startswith(("_neutral", "eyeLook"))]
"""The blendshapes that say something of the expression: all but where the eyes look."""
_AXES = 40
"""Principal components of landmarks that are looked at, or fewer: a fifth of the number of photos."""
_FLOOR = 0.1
"""Added to the spread of a blendshape: one that hardly moves says little."""
_LOWEST = 0.1
"""The share of a person's readings that is taken for their reading at rest; of strangers, the share of neutral ones."""
_ROUNDS = 6
_NOISE = 1e-3
"""Added to the variances."""


def placed(landmarks: Floats) -> Floats:
    """Landmarks (k, 3) in pixels of any photo, laid on the template of eyes and nose: (k, 3)."""
    matrix = fit_similarity(landmarks[list(TEMPLATE_LANDMARKS), :2])
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    depth = (landmarks[:, 2:] - landmarks[:, 2:].mean()) * scale
    return np.hstack([apply(matrix, landmarks[:, :2]), depth])


def doubts(blendshapes: Floats, shapes: Floats, people: Sequence[str] | None) -> Floats:
    """(n,) below 0 for faces that are taken for neutral, near 0 for borderline ones.

    Where people are known: the logarithm of the odds that a face is not neutral. Of strangers, the tenth most at rest
    is taken: those should be neutral, and others may be, as the paper's expressive set holds any face.

    Args:
        blendshapes: (n, 52) readings in [0, 1], in the order of ``BLENDSHAPE_NAMES``.
        shapes: (n, k, 3) landmarks, see :func:`placed`.
        people: Who each one is, or None where that is not known.

    Raises:
        UserError: there are too few photos.
    """
    num = len(shapes)
    check(num >= FEWEST, f"neutral photos can be found among {FEWEST} or more, not {num}: name them instead")
    owner = np.zeros(num, int) if people is None else np.unique(list(people), return_inverse=True)[1]
    readings = blendshapes[:, _READ]
    spread = readings.std(axis=0) + _FLOOR
    rest = np.stack([np.quantile(readings[owner == who], _LOWEST, axis=0) for who in range(owner.max() + 1)])[owner]
    score = np.square(np.maximum(readings - rest, 0) / spread).sum(axis=1)
    if people is None:
        return np.asarray(score / np.quantile(score, _LOWEST) - 1 - _NOISE)
    features = np.hstack([_components(shapes), readings / spread])
    features -= _means(features, owner)
    for _ in range(_ROUNDS):
        score = _discriminant(features, _lowest(score, owner))
    return _log_odds(score, _lowest(score, owner))


def _components(shapes: Floats) -> Floats:
    """(n, r) principal components, each of variance 1."""
    rows = shapes.reshape(len(shapes), -1) - shapes.reshape(len(shapes), -1).mean(axis=0)
    left, _, _ = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(left[:, : min(_AXES, len(rows) // 5)] * np.sqrt(len(rows)))


def _means(features: Floats, owner: NDArray[np.int_]) -> Floats:
    """(n, f) the mean of each one's owner; of all where somebody has one photo alone."""
    counts = np.bincount(owner)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, owner, features)
    means = np.where(counts[:, None] > 1, sums / counts[:, None], features.mean(axis=0))
    return np.asarray(means[owner])


def _lowest(score: Floats, owner: NDArray[np.int_]) -> NDArray[np.bool_]:
    """(n,) whether it is the lowest one of its owner."""
    order = np.lexsort([score, owner])
    first = np.append(True, np.diff(owner[order]) > 0)
    chosen = np.zeros(len(score), np.bool_)
    chosen[order[first]] = True
    return chosen


def _discriminant(features: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """(n,) Fisher's linear discriminant, lower for what is like the chosen ones."""
    others = features[~chosen]
    covariance = np.cov(others.T) + _NOISE * np.eye(features.shape[1])
    direction = np.linalg.solve(covariance, others.mean(axis=0) - features[chosen].mean(axis=0))
    return np.asarray(features @ direction)


def _log_odds(score: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """(n,) that a face is of the others: of a mixture of two normal distributions, begun with the chosen ones."""
    share = chosen.astype(float)
    for _ in range(30):
        weights = np.stack([share, 1 - share])
        totals = weights.sum(axis=1) + 1e-9
        means = (weights @ score) / totals
        deviations = np.sqrt((weights * np.square(score - means[:, None])).sum(axis=1) / totals + _NOISE)
        logs = -0.5 * np.square((score - means[:, None]) / deviations[:, None]) - np.log(deviations / totals)[:, None]
        # A wide normal distribution would have the lowest ones too.
        logs[1, score < means[0]] = np.minimum(logs[1], logs[0] - 1)[score < means[0]]
        odds = np.clip(logs[1] - logs[0], -500, 500)
        share = 1 / (1 + np.exp(odds))
    return np.asarray(odds)
