"""Lips as a smooth surface: the part of the body's mesh around the mouth that is drawn subdivided.

Lengths are those of the base mesh, decimetres: 0.01 is a millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .subdivide import Subdivision, subdivision

Array = NDArray[Any]

NUM_STEPS = 2  # of subdivision: edges of about a millimetre, 4 pixels of a portrait of 1024
LIP_LINE = (
    *(474, 2869, 2868, 2867, 2866, 4289, 2865, 2819, 2818, 2833, 3914, 2831, 2832, 3889, 2844, 2837, 2870, 2876, 2882),
    *(493, 487, 481, 475, 437, 444, 1570, 432, 431, 1595, 433, 418, 419, 469, 1987, 470, 471, 472, 473),
)
"""Vertices of the body on which closed lips meet, a closed line: from the middle of the upper lip by the person's left
corner to that of the lower lip, and back on the other side."""
THROAT = 710  # a vertex at the very back


def rounder_jaw_drop(position: Array, drop: Array) -> NDArray[np.float32]:
    """What is added to jawOpen's ``drop`` (n, 3) of vertices at ``position`` (n, 3).

    As shipped, the lower lip of a dropped jaw hangs in a V from corner to corner; its sides go down too.
    """
    x, y = np.abs(position[:, 0]), position[:, 1]
    sides = np.exp(-(((x - 0.155) / 0.055) ** 2))
    near_lip = np.exp(-(((y - 6.57) / 0.09) ** 2)) * np.clip((-drop[:, 1] - 0.10) / 0.10, 0, 1)
    lower = np.zeros_like(drop)
    lower[:, 1] = -0.045 * sides * near_lip
    return lower.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Patch:
    """The lips and what is around them, as a part of the body that is subdivided."""

    quads: NDArray[np.bool_]  # (q,): which quads of the body
    vertices: NDArray[np.int64]  # (n,): of the body
    steps: tuple[Subdivision, ...]
    in_mouth: NDArray[np.float32]  # (num_body,): 0 outside, 1 from three rows of quads behind the lips on
    uv: NDArray[np.float32]  # (f, 4, 2) of the finest quads

    @property
    def num_new(self) -> int:
        """Vertices that subdivision adds."""
        return int(self.steps[-1].finer.max()) + 1 - len(self.vertices)

    def refine(self, values: Array) -> NDArray[np.float32]:
        """Values (num_body, k) of the body -> (n + num_new, k): first those of ``vertices``, smoothed."""
        fine = values[self.vertices].astype(np.float32)
        for step in self.steps:
            fine = step(fine)
        return fine

    def drawn(self, body: Array) -> NDArray[np.float32]:
        """The vertices (num_body, 3) of a ``body``, those of the lips where they are drawn."""
        smooth: NDArray[np.float32] = body.astype(np.float32)
        smooth[self.vertices] = self.refine(body)[: len(self.vertices)]
        return smooth

    def triangles(self, first_new: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Triangles (t, 3) of body vertices and new ones, which count from ``first_new``; and their UV (t, 6)."""
        number = np.concatenate([self.vertices, first_new + np.arange(self.num_new)])
        quads = number[self.steps[-1].finer]
        corners = np.concatenate([self.uv[:, [0, 1, 2]], self.uv[:, [0, 2, 3]]])
        return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32), corners.reshape(-1, 6)


def lip_patch(base: Array, quads: Array, uv: Array) -> Patch:
    """The patch of a body with vertices ``base`` (n, 3), ``quads`` (q, 4) and the quads' ``uv`` (q, 4, 2)."""
    x, y, z = np.moveaxis(base[quads], 2, 0)
    inside = ((np.abs(x) < 0.37) & (y > 6.42) & (y < 6.80) & (z > 1.2)).all(1)
    vertices, renumbered = np.unique(quads[inside], return_inverse=True)
    own: Array = renumbered.reshape(-1, 4)
    corners = uv[inside]
    steps, num = [], len(vertices)
    for _ in range(NUM_STEPS):
        steps.append(subdivision(own, num))
        own, num = steps[-1].finer, num + len(steps[-1].edges) + len(own)
        after, before = np.roll(corners, -1, axis=1), np.roll(corners, 1, axis=1)
        middle = np.broadcast_to(corners.mean(1, keepdims=True), corners.shape)
        split = np.stack([corners, (corners + after) / 2, middle, (corners + before) / 2], 2)
        corners = np.concatenate([split[:, c] for c in range(4)])
    return Patch(inside, vertices, tuple(steps), _in_mouth(quads, len(base)), corners.astype(np.float32))


def _in_mouth(quads: Array, num_body: int) -> NDArray[np.float32]:
    """How far inside the mouth each vertex lies: rows of quads behind LIP_LINE, in thirds, at most 1."""
    line = np.zeros(num_body, bool)
    line[list(LIP_LINE)] = True
    inside = np.zeros(num_body, bool)
    inside[THROAT] = True
    while (grown := _with_neighbours(inside, quads) & ~line).sum() > inside.sum():
        inside = grown
    first = _with_neighbours(line, quads)
    second = _with_neighbours(first, quads)
    return np.where(inside, np.where(first, 1 / 3, np.where(second, 2 / 3, 1)), 0).astype(np.float32)


def _with_neighbours(chosen: Array, quads: Array) -> Array:
    """Vertices (n,) that share a quad with a ``chosen`` one."""
    grown: Array = chosen.copy()
    grown[quads[chosen[quads].any(1)]] = True
    return grown
