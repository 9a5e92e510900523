"""Cutting the face crop out of a photo."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from twocet.photo.align import apply, invert
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_MOST_SHRINKING = 8
"""By more, the photo is first averaged in blocks: in one step, the crop of a long, narrow photo would need a square of
its length, padded."""


def crop(pixels: Pixels, photo_to_crop: Floats, size: int, *, outside: str = "edge", supersample: int = 2) -> Pixels:
    """The square crop, (size, size, 3) uint8; free of aliasing however much the photo is shrunk.

    ``outside`` is numpy.pad's mode for what lies beyond the photo: "edge" repeats the border, "constant" is black.
    ``supersample`` squared places make one pixel where the photo is shrunk: 2 is sharper than 1, and slower.
    """
    crop_to_photo = invert(photo_to_crop)
    step = float(np.sqrt(abs(np.linalg.det(crop_to_photo[:, :2])))) / size
    supersample = supersample if step > 1 else 1
    factor = int(step / supersample / _MOST_SHRINKING)
    if factor > 1:
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(factor))
        crop_to_photo, step = crop_to_photo / factor, step / factor
    window, origin = _window(pixels, crop_to_photo, margin=4 + 4 * step, outside=outside)
    # As bytes, and with the channels last in memory, shrinking is several times as fast.
    image = torch.from_numpy(window).permute(2, 0, 1)[None]
    shrink = max(1.0, step / supersample)
    if shrink > 1:
        sides = [max(1, round(side / shrink)) for side in window.shape[:2]]
        image = interpolate(image, size=sides, mode="bicubic", antialias=True)
    ratio = np.array(image.shape[:1:-1]) / window.shape[1::-1]
    to_window = np.column_stack([crop_to_photo[:, :2], crop_to_photo[:, 2] - origin]) * ratio[:, None]
    sampled = _sampled(image.float(), to_window, size * supersample)
    averaged = avg_pool2d(sampled, supersample) if supersample > 1 else sampled
    result: Pixels = averaged.round_().clamp_(0, 255).to(torch.uint8)[0].permute(1, 2, 0).contiguous().numpy()
    return result


def _sampled(image: Tensor, crop_to_image: Floats, size: int) -> Tensor:
    """(1, 3, size, size): bicubic samples of ``image`` (1, 3, H, W) at the pixels of a crop."""
    ticks = (np.arange(size) + 0.5) / size
    # grid_sample counts from -1 to 1.
    scale = 2 / np.array(image.shape[:1:-1])
    x, y = (row[0] * ticks + (row[1] * ticks[:, None] + row[2]) for row in crop_to_image * scale[:, None])
    grid = torch.from_numpy(np.stack([x, y], axis=-1)[None] - 1).float()
    return grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _window(pixels: Pixels, crop_to_photo: Floats, *, margin: float, outside: str) -> tuple[Pixels, Floats]:
    """A copy of what the crop needs of the photo, padded where it leaves the photo, and its upper left corner."""
    corners = apply(crop_to_photo, [(0, 0), (1, 0), (0, 1), (1, 1)])
    low = np.floor(corners.min(axis=0) - margin).astype(int)
    high = np.ceil(corners.max(axis=0) + margin).astype(int)
    limit = np.array((pixels.shape[1], pixels.shape[0]))
    # A crop wholly beside the photo still needs one photo pixel to repeat.
    inner_low, inner_high = np.clip(low, 0, limit - 1), np.clip(high, 1, limit)
    inner = pixels[inner_low[1] : inner_high[1], inner_low[0] : inner_high[0]]
    before, after = np.maximum(inner_low - low, 0), np.maximum(high - inner_high, 0)
    if before.any() or after.any():
        padding = ((before[1], after[1]), (before[0], after[0]), (0, 0))
        return np.pad(inner, padding, mode=outside), low.astype(np.float64)  # type: ignore[call-overload]
    return inner.copy(), low.astype(np.float64)
