"""Smooth curves through a few points, as heights over a line."""

from __future__ import annotations

import numpy as np

from twocet.runtime.arrays import Floats


def height(x: Floats, points: Floats) -> Floats:
    """y of the smooth curve through ``points`` (11, 2) at ``x``; level beyond its ends."""
    xs = np.maximum.accumulate(points[:, 0] + np.arange(len(points)) * 1e-9)
    return _pchip(np.clip(x, xs[0], xs[-1]), xs, points[:, 1])


def _pchip(x: Floats, xs: Floats, ys: Floats) -> Floats:
    """Monotone cubic interpolation (Fritsch and Carlson 1980; slopes as Fritsch and Butland 1984)."""
    h, step = np.diff(xs), np.diff(ys)
    slope = step / np.maximum(h, 1e-9)
    inner = np.zeros_like(ys)
    same = slope[:-1] * slope[1:] > 0
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inner[1:-1] = np.where(same, (w1 + w2) / (w1 / slope[:-1] + w2 / slope[1:]), 0)
    inner[0], inner[-1] = slope[0], slope[-1]
    k = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(h) - 1)
    t = (x - xs[k]) / np.maximum(h[k], 1e-9)
    a, b = ys[k], ys[k + 1]
    p, q = inner[k] * h[k], inner[k + 1] * h[k]
    value: Floats = a + t * (p + t * (3 * (b - a) - 2 * p - q + t * (p + q - 2 * (b - a))))
    return value
