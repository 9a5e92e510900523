"""What the networks see of point sets: their shapes, as principal components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twocet.runtime.arrays import Floats
from twocet.shapes import frame as frames
from twocet.shapes.frame import Frame, Placement

_MOST = 5_000
"""Shapes that the components are computed from, at most; more change nothing that can be seen."""


class Space(NamedTuple):
    """Point sets (k, d) as r numbers."""

    frame: Frame
    axes: Floats
    """(r, k * d), orthonormal."""
    units: Floats
    """(r,) what one is in each number, as distance of shapes."""

    def numbers(self, points: Floats) -> tuple[Floats, Placement]:
        """(n, r) of point sets (n, k, d), and where these lie."""
        shapes, placement = self.frame.place(points)
        return np.asarray((shapes - self.frame.mean).reshape(len(shapes), -1) @ self.axes.T / self.units), placement

    def moved(self, points: Floats, placement: Placement, change: Floats) -> Floats:
        """Point sets (n, k, d) whose numbers change by ``change`` (n, r). Where that is 0 they stay as they are."""
        movement = (change * self.units @ self.axes).reshape(points.shape)
        return np.asarray(points + placement.there(movement))


def fit(neutral: Floats, expressive: Floats, components: int, *, noise: float, evenness: float) -> Space:
    """The space of both domains' point sets (n, k, d): the first components about the neutral mean.

    ``noise`` is that of the points, per coordinate of a shape. ``evenness`` from 0 to 1: whether the numbers are
    distances of shapes, as the points' coordinates are, or of equal variance, so that small movements count as much as
    large ones, or in between.
    """
    frame = frames.fit(neutral, expressive)
    shapes = np.concatenate([frame.place(neutral)[0], frame.place(expressive)[0]]) - frame.mean
    rows = shapes[:: -(-len(shapes) // _MOST)].reshape(-1, frame.mean.size)
    _, _, axes = np.linalg.svd(rows, full_matrices=False)
    axes = axes[: min(components, len(rows))]
    spread = np.sqrt(np.square(rows @ axes.T).mean(axis=0) + noise**2)
    unit = np.sqrt(np.square(spread).mean())
    return Space(frame, axes, unit * (spread / unit) ** evenness)
