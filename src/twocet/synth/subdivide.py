"""Catmull-Clark subdivision of a patch of quads: a smooth surface from a coarse mesh, linear in its vertices.

Catmull and Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes", 1978. The patch's border
stays where it is, so that the patch fits the coarse mesh around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Subdivision:
    """One step: n vertices, e edges and f quads become n + e + f vertices, in this order, and 4 f quads."""

    quads: NDArray[np.int32]  # (f, 4): before
    edges: NDArray[np.int32]  # (e, 2)
    edge_quads: NDArray[np.int32]  # (e, 2): the quads on both sides of an edge, equal on the border
    corners: NDArray[np.int32]  # (n, most): the quad corners (4 * quad + corner) at each vertex
    share: NDArray[np.float32]  # (n, most, 1): 1 / valence for each of them, 0 for padding
    valence: NDArray[np.float32]  # (n, 1): 0 on the border
    finer: NDArray[np.int32]  # (4 f, 4): after

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Values (n, k) of the vertices -> (n + e + f, k) of those of the finer mesh."""
        c = [values[self.quads[:, k]] for k in range(4)]
        faces = (c[0] + c[1] + c[2] + c[3]) / 4
        middles = (values[self.edges[:, 0]] + values[self.edges[:, 1]]) / 2
        beside = (faces[self.edge_quads[:, 0]] + faces[self.edge_quads[:, 1]]) / 2
        inside = self.edge_quads[:, :1] != self.edge_quads[:, 1:]
        edges = np.where(inside, (middles + beside) / 2, middles)
        # A vertex P of valence n goes to (F + N + (n - 2) P) / n: F is the mean of the quads around it, N that of its
        # neighbours. (The paper's F + 2 R + (n - 3) P, with R the mean of the edges' middles, is the same.)
        around = np.stack([faces + (c[k - 1] + c[(k + 1) % 4]) / 2 for k in range(4)], 1).reshape(-1, values.shape[1])
        mean = sum(around[self.corners[:, k]] * self.share[:, k] for k in range(self.corners.shape[1]))
        valence = np.maximum(self.valence, 1)
        moved = np.where(self.valence > 0, (mean + (valence - 2) * values) / valence, values)
        return np.concatenate([moved, edges, faces]).astype(np.float32)


def subdivision(quads: Array, num_vertices: int) -> Subdivision:
    """The step for ``quads`` (f, 4) over vertices 0 .. num_vertices - 1, each of them used."""
    num_quads = len(quads)
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], 2).reshape(-1, 2)  # side c of a quad leads from corner c
    edges, first, edge_of_side, times = np.unique(
        np.sort(sides, axis=1), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    edge_of_side = edge_of_side.reshape(num_quads, 4)
    edge_quads = np.repeat(first[:, None] // 4, 2, axis=1)
    last = np.zeros(len(edges), int)
    last[edge_of_side.ravel()] = np.arange(4 * num_quads)
    edge_quads[:, 1] = last // 4
    corners, share, valence = _corners_of(quads, num_vertices, np.unique(edges[times == 1]))
    edge, face = num_vertices + edge_of_side, num_vertices + len(edges) + np.arange(num_quads)
    finer = [np.stack([quads[:, c], edge[:, c], face, edge[:, c - 1]], 1) for c in range(4)]
    return Subdivision(
        *(quads.astype(np.int32), edges.astype(np.int32), edge_quads.astype(np.int32)),
        *(corners, share, valence, np.concatenate(finer).astype(np.int32)),
    )


def _corners_of(quads: Array, num_vertices: int, border: Array) -> tuple[Array, Array, Array]:
    count = np.bincount(quads.ravel(), minlength=num_vertices)
    order = np.argsort(quads.ravel(), kind="stable")
    place = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    corners = np.zeros((num_vertices, count.max()), np.int32)
    share = np.zeros((num_vertices, count.max(), 1), np.float32)
    corners[quads.ravel()[order], place] = order
    share[quads.ravel()[order], place, 0] = 1 / np.repeat(count, count)
    valence = count.astype(np.float32)
    valence[border] = 0
    return corners, share, valence[:, None]
