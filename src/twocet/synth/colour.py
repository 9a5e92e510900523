"""Colour curves and small array tools shared by the renderer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Array = NDArray[Any]


def srgb_to_linear(value: ArrayLike) -> NDArray[np.float32]:
    """From sRGB in [0, 1] to linear light (IEC 61966-2-1); float32, same shape."""
    encoded = np.asarray(value, np.float32)
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_to_srgb(light: Array) -> Array:
    """Linear light to sRGB (IEC 61966-2-1). Negative light counts as 0; values above 1 are left above 1."""
    light = np.clip(light, 0, None)
    # The lower bound only keeps the unused branch of the curve away from a power of zero.
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(np.maximum(light, 1e-8), 1 / 2.4) - 0.055)


def resized(plane: Array, size: tuple[int, int], method: Image.Resampling) -> Array:
    """One plane (h, w), float32 or uint8, resized to ``size`` = (width, height)."""
    return np.asarray(Image.fromarray(plane).resize(size, method))


def blurred(plane: Array, times: int) -> Array:
    """``times`` passes of the separable kernel (1, 2, 1) / 4; the borders wrap."""
    for _ in range(times):
        for axis in (0, 1):
            plane = (np.roll(plane, 1, axis) + 2 * plane + np.roll(plane, -1, axis)) / 4
    return plane


def value_noise(rng: np.random.Generator, height: int, width: int, cell: float) -> Array:
    """Smooth noise (height, width) of unit standard deviation; ``cell`` is the grain in pixels."""
    grid_shape = (max(2, int(height / cell) + 2), max(2, int(width / cell) + 2))
    grid = rng.standard_normal(grid_shape).astype(np.float32)
    noise = resized(grid, (width, height), Image.Resampling.BICUBIC)
    unit: Array = noise / (noise.std() + 1e-6)
    return unit
