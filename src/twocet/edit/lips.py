"""The lips as four curves, and the mouth's own system of coordinates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twocet.photo.align import Floats

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
OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
CLOSED = 0.012
"""A mouth whose opening is smaller counts as closed, see :func:`opening_of`."""


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
        return self.centre + self.turn(points)

    def turn(self, vectors: npt.ArrayLike) -> Floats:
        """(..., 2) vectors in mouth coordinates as vectors of the picture."""
        vector = np.asarray(vectors, np.float64) * self.width
        x, y = self.along
        return np.stack([vector @ (x, -y), vector @ (y, x)], axis=-1)


def frame_of(landmarks: Floats) -> MouthFrame:
    """The mouth's coordinates by the corners of (468 or more, 2) landmarks."""
    left, right = landmarks[CURVES[UPPER_OUTER, 0]], landmarks[CURVES[UPPER_OUTER, -1]]
    width = float(np.hypot(*(right - left)))
    return MouthFrame((left + right) / 2, (right - left) / width, width)


def gap_of(landmarks: Floats) -> Floats:
    """(11, 2) from the upper to the lower lip's inner border, in mouth coordinates."""
    upper, lower = landmarks[CURVES[UPPER_INNER]], landmarks[CURVES[LOWER_INNER]]
    frame = frame_of(landmarks)
    return frame.enter(lower) - frame.enter(upper)


def opening_of(landmarks: Floats) -> float:
    """Area between the inner borders of the lips in squared mouth widths: below 0.012 a mouth counts as closed."""
    points = landmarks[list(INNER)]
    x, y = points.T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    return float(area / frame_of(landmarks).width ** 2)
