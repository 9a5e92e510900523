"""Teeth on the skull and on the jaw, gums, and the tongue between them.

Lengths are those of the base mesh, decimetres: 0.01 is a millimetre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lips import LIP_LINE

Array = NDArray[Any]

UPPER_LIP, LOWER_LIP = LIP_LINE[0], LIP_LINE[19]
UPPER_LIP_EDGE = (509, 468, 474, 520)  # from front to back: the lowest of them hides what is above
BEHIND_UPPER_LIP, BEHIND_LOWER_LIP = 571, 574  # vertices on the lips' backs

# The mandible turns about its condyles. This axis and angle carry the incisors along with the lower lip, as in life:
# jawOpen drops the lip by 34 mm at weight 1.
JAW_AXIS = (0.0, 0.27, -0.95)  # from the edges of the lower incisors
JAW_ANGLE = np.radians(22.0)
JAW_SHIFTS: Mapping[str, tuple[float, float, float]] = {
    "jawForward": (0.0, -0.013, 0.073),
    "jawLeft": (0.056, 0.0, 0.027),
    "jawRight": (-0.056, 0.0, 0.027),
}
TONGUE_OUT = (0.0, -0.02, 0.217)

BEHIND_LIPS = 0.048  # from the lips' backs to the upper incisors
LOWER_EDGE = 0.016  # of the lower incisors below the line of closed lips; the upper ones reach farther down
GUM_BACK = 0.028  # gums are drawn back by this: as shipped, they hide a third of the crowns
CROWN_GROWTH = 0.07  # of every tooth's width, to close the gaps that drawn-back gums leave
TONGUE_LOWERED = 0.055  # from where the mesh has it, against the palate


def jaw_movement(points: Array, incisor: Array, units: Mapping[str, float]) -> NDArray[np.float32]:
    """How far ``points`` (n, 3) of the jaw move: linear in the weights of ``units``, a turn at weight 1 of jawOpen.

    ``incisor`` (3,): a point on the edge of the lower incisors.
    """
    _, up, ahead = (points - incisor - np.array(JAW_AXIS)).T
    turn = np.zeros_like(points)
    turn[:, 1] = up * (np.cos(JAW_ANGLE) - 1) - ahead * np.sin(JAW_ANGLE)
    turn[:, 2] = up * np.sin(JAW_ANGLE) + ahead * (np.cos(JAW_ANGLE) - 1)
    moved = turn * units.get("jawOpen", 0)
    for unit, shift in JAW_SHIFTS.items():
        moved += np.array(shift, np.float32) * units.get(unit, 0)
    return moved.astype(np.float32)


@dataclass(frozen=True, eq=False)
class TeethMap:
    """What each vertex (n,) of the mesh of teeth and gums belongs to."""

    tooth: NDArray[np.int64]  # number of the tooth; 0 = gums
    on_jaw: NDArray[np.bool_]
    central: NDArray[np.bool_]  # the four central incisors


def teeth_map(vertices: Array, triangles: Array, on_jaw: Array) -> TeethMap:
    """The map of a mesh (n, 3), (t, 3) in which each tooth is a piece of its own and the gums are the largest."""
    piece = np.arange(len(vertices))
    while True:
        joined = piece.copy()
        np.minimum.at(joined, triangles.ravel(), np.repeat(piece[triangles].min(1), 3))
        joined = joined[joined]
        if np.array_equal(joined, piece):
            break
        piece = joined
    _, number, size = np.unique(piece, return_inverse=True, return_counts=True)
    by_size = np.argsort(np.argsort(-size, kind="stable"), kind="stable")
    tooth = by_size[number]
    reaches_middle = np.unique(tooth[np.abs(vertices[:, 0]) < 0.002])
    return TeethMap(tooth, on_jaw, np.isin(tooth, reaches_middle) & (tooth > 0))


class Dentition:
    """Teeth, gums and tongue of one identity: where its lips want them at rest, and how they move."""

    def __init__(self, parts: TeethMap, teeth: Array, tongue: Array, body: Array, show: float) -> None:
        """Meshes ``teeth`` (n, 3) and ``tongue`` (m, 3) are placed by the lips of ``body`` at rest.

        ``show``: how far the upper incisors reach below the upper lip.
        """
        upper, lower = teeth[parts.central & ~parts.on_jaw], teeth[parts.central & parts.on_jaw]
        line = (body[UPPER_LIP, 1] + body[LOWER_LIP, 1]) / 2
        backs = (body[BEHIND_UPPER_LIP, 2] + body[BEHIND_LOWER_LIP, 2]) / 2
        ahead = backs - BEHIND_LIPS - upper[:, 2].max()
        upper_shift = np.array([0, body[list(UPPER_LIP_EDGE), 1].min() - show - upper[:, 1].min(), ahead], np.float32)
        lower_shift = np.array([0, line - LOWER_EDGE - lower[:, 1].max(), ahead], np.float32)
        self.on_jaw = parts.on_jaw
        self.teeth = _with_bare_crowns(teeth + np.where(self.on_jaw[:, None], lower_shift, upper_shift), parts)
        self.incisor = lower[lower[:, 1].argmax()] + lower_shift
        self.tongue = _rounded_tongue(tongue + lower_shift)

    def moved(self, units: Mapping[str, float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Teeth (n, 3) and tongue (m, 3) with face ``units``, linear in their weights: no other units move them."""
        teeth = self.teeth.copy()
        teeth[self.on_jaw] += jaw_movement(teeth[self.on_jaw], self.incisor, units)
        out = np.array(TONGUE_OUT, np.float32) * units.get("tongueOut", 0)
        return teeth, self.tongue + jaw_movement(self.tongue, self.incisor, units) + out


def _with_bare_crowns(teeth: Array, parts: TeethMap) -> NDArray[np.float32]:
    """Gums drawn back, except between the central incisors, and teeth a little wider and thicker."""
    size = np.bincount(parts.tooth)
    middle = np.stack([np.bincount(parts.tooth, teeth[:, axis]) / size for axis in range(3)], 1)[parts.tooth]
    grown = teeth + (teeth - middle) * np.array([CROWN_GROWTH, 0, CROWN_GROWTH])
    back = GUM_BACK * (1 - 0.8 * np.exp(-((teeth[:, 0] / 0.015) ** 2)))
    gums = teeth + np.outer(np.where(parts.on_jaw, -back, back), [0, 1, 0])
    bare: NDArray[np.float32] = np.where(parts.tooth[:, None] == 0, gums, grown).astype(np.float32)
    return bare


def _rounded_tongue(tongue: Array) -> NDArray[np.float32]:
    """Lying on the floor of the mouth, with lower sides and a furrow along the middle."""
    x = tongue[:, 0]
    rounded: NDArray[np.float32] = tongue.astype(np.float32)
    rounded[:, 1] -= TONGUE_LOWERED + 1.2 * x**2 + 0.02 * np.exp(-((x / 0.04) ** 2))
    return rounded
