"""Triangle rasterisation: nearest opaque surface, shadow depth, and blended hair cards.

Every kernel samples at pixel centres (+0.5). Screens have y downwards; ``screen`` rows are (x, y, 1 / distance),
because 1 / distance is linear on the screen and so can be interpolated with plain barycentric weights.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, fastmath=True)
def pixel_range(a: float, b: float, c: float, limit: int) -> tuple[int, int]:
    """First and last pixel, along one axis of length ``limit``, whose centre lies within the span of a, b and c."""
    return max(0, math.ceil(min(a, b, c) - 0.5)), min(limit - 1, math.floor(max(a, b, c) - 0.5))


@njit(cache=True, fastmath=True)
def sample_texture(texture: Array, u: float, v: float, out: Array) -> None:
    """Bilinear sample of ``texture`` (h, w, channels) at (u, v) in [0, 1], edges repeated, into ``out``."""
    height, width = texture.shape[0], texture.shape[1]
    x = u * width - 0.5
    y = v * height - 0.5
    x0 = math.floor(x)
    y0 = math.floor(y)
    tx = x - x0
    ty = y - y0
    left, right = min(max(x0, 0), width - 1), min(max(x0 + 1, 0), width - 1)
    top, bottom = min(max(y0, 0), height - 1), min(max(y0 + 1, 0), height - 1)
    for channel in range(texture.shape[2]):
        out[channel] = (texture[top, left, channel] * (1 - tx) + texture[top, right, channel] * tx) * (1 - ty) + (
            texture[bottom, left, channel] * (1 - tx) + texture[bottom, right, channel] * tx
        ) * ty


@njit(cache=True, fastmath=True)
def rasterise_depth(x: Array, y: Array, z: Array, triangles: Array, depth: Array) -> None:
    """Orthographic depth map for shadows: the largest z (nearest to the light) of each pixel, into ``depth``."""
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1, x2, y2 = x[a], y[a], x[b], y[b], x[c], y[c]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left, right = pixel_range(x0, x1, x2, width)
        top, bottom = pixel_range(y0, y1, y2, height)
        if left > right or top > bottom:
            continue
        inverse = 1.0 / area
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) * inverse
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) * inverse
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                near = w0 * z[a] + w1 * z[b] + w2 * z[c]
                if near > depth[row, column]:
                    depth[row, column] = near


@njit(cache=True, fastmath=True)
def rasterise(screen: Array, triangles: Array, one_sided: Array, nearness: Array, hit: Array, weights: Array) -> None:
    """Nearest surface of each pixel: its 1 / distance into ``nearness``, triangle into ``hit``, corner ``weights``.

    ``weights`` are the barycentric ones of the second and third corner. ``nearness`` starts at 0, ``hit`` at -1.
    Triangles of which ``one_sided`` is true are dropped when seen from behind.
    """
    height, width = nearness.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        if one_sided[t] and area > 0:
            continue
        left, right = pixel_range(x0, x1, x2, width)
        top, bottom = pixel_range(y0, y1, y2, height)
        inverse = 1.0 / area
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) * inverse
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) * inverse
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                near = w0 * screen[a, 2] + w1 * screen[b, 2] + w2 * screen[c, 2]
                if near > nearness[row, column]:
                    nearness[row, column] = near
                    hit[row, column] = t
                    weights[row, column, 0] = w1
                    weights[row, column, 1] = w2


@njit(cache=True, fastmath=True)
def blend_cards(
    screen: Array,
    triangles: Array,
    uv: Array,
    opacity: Array,
    order: Array,
    irradiance: Array,
    texture: Array,
    tint: Array,
    density: float,
    nearness: Array,
    bias: float,
    canvas: Array,
) -> None:
    """Blend hair, brow or lash cards over ``canvas`` (linear light), in ``order`` (far to near), seen from both sides.

    ``texture`` is (h, w, 4): brightness in channel 0, coverage in channel 3, multiplied by ``density`` and by the
    vertices' ``opacity``. ``bias`` lifts the cards a little towards the camera, so that brows are not buried in a
    raised brow ridge.
    """
    height, width = nearness.shape
    texel = np.zeros(4, np.float32)
    for q in range(order.shape[0]):
        t = order[q]
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left, right = pixel_range(x0, x1, x2, width)
        top, bottom = pixel_range(y0, y1, y2, height)
        inverse = 1.0 / area
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) * inverse
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) * inverse
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                near = w0 * screen[a, 2] + w1 * screen[b, 2] + w2 * screen[c, 2]
                if near * (1 + bias) < nearness[row, column]:
                    continue
                u = w0 * uv[t, 0] + w1 * uv[t, 2] + w2 * uv[t, 4]
                v = w0 * uv[t, 1] + w1 * uv[t, 3] + w2 * uv[t, 5]
                sample_texture(texture, u, v, texel)
                alpha = min(1.0, texel[3] * density) * (w0 * opacity[a] + w1 * opacity[b] + w2 * opacity[c])
                if alpha < 0.004:  # below one grey level: skip the work
                    continue
                for k in range(3):
                    light = w0 * irradiance[a, k] + w1 * irradiance[b, k] + w2 * irradiance[c, k]
                    canvas[row, column, k] = canvas[row, column, k] * (1 - alpha) + alpha * tint[k] * texel[0] * light
