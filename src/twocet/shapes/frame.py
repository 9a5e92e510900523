"""Place, size and rotation taken out of point sets, and put back: what is left is shape.

Every set is moved, scaled and turned (Umeyama 1991, no reflection) so that it lies as well as it can on a mean set.
Points that expressions move far count less in this: otherwise an opened mouth would make the whole face smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twocet.runtime.arrays import Floats

_ROUNDS = 8
"""The mean and the weights depend on each other; they hardly change after a few rounds."""


class Placement(NamedTuple):
    """Where a set of n shapes lies: ``points = scale * shape @ rotation.T + centre``, each for every one of them."""

    centre: Floats
    """(n, 1, d)."""
    scale: Floats
    """(n, 1, 1)."""
    rotation: Floats
    """(n, d, d)."""

    def there(self, movements: Floats) -> Floats:
        """Movements of shapes (n, k, d) as movements of the points."""
        return np.asarray(self.scale * movements @ self.rotation.transpose(0, 2, 1))

    def back(self, shapes: Floats) -> Floats:
        """Shapes (n, k, d) at their places."""
        return self.there(shapes) + self.centre


class Frame(NamedTuple):
    """The mean that shapes are laid on."""

    mean: Floats
    """(k, d), centred, of root mean square 1 (over points)."""
    weights: Floats
    """(k,) positive, of mean 1: how much each point counts."""

    def place(self, points: Floats) -> tuple[Floats, Placement]:
        """Point sets (n, k, d) as shapes, and where they lay."""
        share = (self.weights / self.weights.sum())[:, None]
        centre = (share * points).sum(axis=1, keepdims=True)
        centred = points - centre
        left, values, right = np.linalg.svd((share * centred).transpose(0, 2, 1) @ self.mean)
        signs = np.ones_like(values)
        signs[:, -1] = np.sign(np.linalg.det(left @ right))
        rotation = (left * signs[:, None]) @ right
        scale = (share * centred**2).sum(axis=(1, 2)) / (values * signs).sum(axis=1)
        placement = Placement(centre, scale[:, None, None], rotation)
        return np.asarray(centred @ rotation / placement.scale), placement


def fit(neutral: Floats, expressive: Floats) -> Frame:
    """The mean of ``neutral`` (n, k, d), and weights by how still each point is in ``expressive`` (m, k, d).

    The mean is turned as the neutral sets are on the average. Weights are inverse to the points' mean squared distances
    from the mean, to which all points' mean is added: else the stillest point would be laid upon itself, and have it
    all. Raises ValueError for sets in which all points are one.
    """
    first = neutral[0] - neutral[0].mean(axis=0)
    if not np.square(first).sum():
        raise ValueError("all points of a set are the same")
    frame = Frame(_unit(first), np.ones(len(first)))
    for _ in range(_ROUNDS):
        rested, moved = frame.place(neutral)[0], frame.place(expressive)[0]
        mean = rested.mean(axis=0)
        variance = np.square(moved - mean).sum(axis=2).mean(axis=0)
        weights = 1 / (variance + variance.mean())
        weights /= weights.mean()
        frame = Frame(_unit(mean - (weights[:, None] * mean).sum(axis=0) / weights.sum()), weights)
    turn = _typical(frame.place(neutral)[1].rotation)
    return Frame(frame.mean @ turn.T, frame.weights)


def _unit(points: Floats) -> Floats:
    return np.asarray(points / np.sqrt(np.square(points).sum() / len(points)))


def _typical(rotations: Floats) -> Floats:
    """The rotation closest to the mean of these (n, d, d)."""
    left, _, right = np.linalg.svd(rotations.mean(axis=0))
    signs = np.ones(len(left))
    signs[-1] = np.sign(np.linalg.det(left @ right))
    return np.asarray((left * signs) @ right)
