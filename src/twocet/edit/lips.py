"""The lips as four curves, and the mouth's own coordinates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twocet.edit.curve import height
from twocet.runtime.arrays import Floats

CURVES = np.array(
    [
        (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
        (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
        (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
        (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    ]
)
"""(4, 11) landmarks of the upper lip's outer and inner border, the lower lip's inner and outer border, each from the
corner on the left of the picture to the other one."""
UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER = range(4)
CLOSED = 0.012
"""A mouth with a smaller opening counts as closed, see :func:`opening_of`."""
_SAMPLES = 129


class MouthFrame(NamedTuple):
    """Coordinates of a mouth: x along the line between its corners, y down the chin, both in mouth widths."""

    centre: Floats
    """(2,) the middle between the corners."""
    along: Floats
    """(2,) unit vector from the corner on the left of the picture to the other one."""
    width: float

    def enter(self, points: npt.ArrayLike) -> Floats:
        """(..., 2) points of the picture in mouth coordinates."""
        away = (np.asarray(points, np.float64) - self.centre) / self.width
        x, y = self.along
        return np.stack([away @ (x, y), away @ (-y, x)], axis=-1)

    def leave(self, points: npt.ArrayLike) -> Floats:
        """(..., 2) mouth coordinates as points of the picture."""
        point = np.asarray(points, np.float64) * self.width
        x, y = self.along
        return np.stack([point @ (x, -y), point @ (y, x)], axis=-1) + self.centre


class Slit:
    """The inner borders of the lips as heights along the mouth, in mouth coordinates."""

    def __init__(self, curves: Floats) -> None:
        """``curves``: (4, 11, 2) in mouth coordinates."""
        self.left, self.right = (float(x) for x in curves[UPPER_INNER, [0, -1], 0])
        self._xs = np.linspace(self.left, self.right, _SAMPLES)
        self._upper, self._lower = (height(self._xs, curves[border]) for border in (UPPER_INNER, LOWER_INNER))

    def upper(self, x: Floats) -> Floats:
        """y of the upper lip's border at ``x``; level beyond the corners."""
        return np.interp(x, self._xs, self._upper)

    def lower(self, x: Floats) -> Floats:
        """y of the lower lip's border."""
        return np.interp(x, self._xs, self._lower)

    def levelness(self, x: Floats) -> Floats:
        """Cosine of the steeper border's slope at ``x``: by so much nearer than straight up or down is a border."""
        slopes: Floats = np.gradient(np.stack([self._upper, self._lower]), self._xs, axis=1)
        cosine: Floats = 1 / np.hypot(1, np.abs(slopes).max(axis=0))
        return np.interp(x, self._xs, cosine)


def frame_of(curves: Floats) -> MouthFrame:
    """The coordinates of the mouth with these lips (4, 11, 2)."""
    left, right = curves[UPPER_OUTER, 0], curves[UPPER_OUTER, -1]
    width = float(np.hypot(*(right - left)))
    return MouthFrame((left + right) / 2, (right - left) / width, width)


def gap_of(curves: Floats) -> Floats:
    """(11, 2) from the upper to the lower lip's inner border, in mouth coordinates."""
    entered = frame_of(curves).enter(curves)
    gap: Floats = entered[LOWER_INNER] - entered[UPPER_INNER]
    return gap


def opening_of(curves: Floats) -> float:
    """Area between the inner borders of the lips (4, 11, 2) in squared mouth widths."""
    x, y = np.concatenate([curves[UPPER_INNER], curves[LOWER_INNER, -2:0:-1]]).T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    return float(area / frame_of(curves).width ** 2)
