"""The one scale between pixels (uint8, 0..255) and what networks see (float32 in [-1, 1])."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twocet.photo.images import Pixels

HALF_RANGE = 127.5
"""Levels of 255 in one unit of an image."""


def to_unit(levels: Tensor) -> Tensor:
    """Levels 0..255 of any shape and dtype to float32 in [-1, 1], on the same device."""
    return levels.float() / HALF_RANGE - 1


def to_levels(image: Tensor) -> Tensor:
    """Floats in [-1, 1] of any shape to uint8, rounded; values beyond the range are clipped."""
    return ((image + 1) * HALF_RANGE).round().clamp(0, 255).to(torch.uint8)


def to_image(pixels: Pixels) -> Tensor:
    """uint8 (H, W, 3) or (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).reshape(-1, *pixels.shape[-3:])
    return to_unit(batch.permute(0, 3, 1, 2))


def to_pixels(image: Tensor) -> Pixels:
    """float (3, H, W) or (1, 3, H, W) in [-1, 1] to uint8 (H, W, 3); values beyond the range are clipped."""
    single = image.detach().reshape(image.shape[-3:]).float().cpu()
    return np.ascontiguousarray(to_levels(single).permute(1, 2, 0).numpy())
