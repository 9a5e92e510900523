"""Smooth movements through scattered points: thin-plate splines."""

from __future__ import annotations

import numpy as np

from twocet.runtime.arrays import Floats


def thin_plate(points: Floats, values: Floats, at: Floats, smoothing: float = 0.0) -> Floats:
    """The smoothest surface through ``values`` (n, c) at ``points`` (n, 2), read ``at`` (m, 2) places: (m, c).

    Bookstein's thin-plate spline (1989) with an affine part; ``smoothing`` 0 meets the values exactly, more trades
    exactness for smoothness (points should be spread over about a unit).
    """
    n = len(points)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _bending(points, points) + smoothing * np.eye(n)
    system[:n, n:] = np.column_stack([np.ones(n), points])
    system[n:, :n] = system[:n, n:].T
    weights = np.linalg.solve(system, np.concatenate([values, np.zeros((3, values.shape[1]))]))
    affine: Floats = np.column_stack([np.ones(len(at)), at]) @ weights[n:]
    return affine + _bending(at, points) @ weights[:n]


def _bending(at: Floats, points: Floats) -> Floats:
    """(m, n): r² log r of the distances."""
    squared = (at[:, None, 0] - points[:, 0]) ** 2 + (at[:, None, 1] - points[:, 1]) ** 2
    bending: Floats = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return bending
