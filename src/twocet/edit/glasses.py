"""Glasses: found by their bridge, and kept from bending."""

from __future__ import annotations

import numpy as np
import torch

from twocet.edit.skin import around
from twocet.networks.colours import LUMA
from twocet.photo.images import Pixels
from twocet.photo.resample import crop
from twocet.runtime.arrays import Floats

_CORNERS = ((33, 133), (362, 263))
"""Of the eyes."""

# All in crop sides unless said otherwise.
_ABOVE, _BELOW = 0.10, 0.09
"""How far above and below the eyes' inner corners a bridge is looked for."""
_HALF = 0.22
"""Half the width of the strip that is looked at, in distances between these corners."""
_SIZE, _BESIDE, _BEND = 256, 7, 3
"""Pixels of the crop that is looked at, from a bridge to the skin beside it, and by which bridges bend."""
_BRIDGE = 0.3
"""What a bridge is darker than the skin above and below it, in its own brightness: 0.45 and more in three photos of a
man with thin metal frames, at most 0.11 in 193 photos without glasses."""
_DARKEST = 20.0
_UP, _DOWN, _SOFT = 0.18, 0.15, 0.03
"""How far above and below the eyes frames reach, brows with them, and how softly that ends."""
_WIDE = 2.2
"""Half the width of a face beside the eyes, in halves of their distance."""


def glasses_on(pixels: Pixels, photo_to_crop: Floats, points: Floats, size: int) -> torch.Tensor | None:
    """(1, 1, size, size) how much each place of a face's crop belongs to glasses, 0..1; None where there are none.

    Frames without a dark bridge, as rimless ones, are not found.

    Args:
        pixels: (H, W, 3) the photo.
        photo_to_crop: Where its face is.
        points: (468 or more, 2) landmarks of it, crop sides.
        size: Of the crop.
    """
    return _region(points, size) if bridge_of(crop(pixels, photo_to_crop, _SIZE), points) > _BRIDGE else None


def bridge_of(face: Pixels, points: Floats) -> float:
    """How much darker the darkest line across the root of the nose is than what is above and below it.

    ``face``: (256, 256, 3) crop; ``points``: its landmarks in crop sides. In shares of the line's own brightness.
    """
    left, right = points[_CORNERS[0][1]], points[_CORNERS[1][0]]
    (x, y), half = (left + right) / 2, _HALF * float(np.hypot(*(right - left)))
    columns = slice(max(int((x - half) * _SIZE), 0), int((x + half) * _SIZE) + 1)
    rows = slice(max(int((y - _ABOVE) * _SIZE), 0), int((y + _BELOW) * _SIZE))
    level = face[rows, columns] @ np.array(LUMA)
    if level.shape[1] < 3 or len(level) <= 2 * (_BESIDE + _BEND):
        return 0.0
    return float(np.min([_dips(third.mean(axis=1)) for third in np.array_split(level, 3, axis=1)], axis=0).max())


def _dips(profile: Floats) -> Floats:
    """How much darker the darkest line near each height is than the skin beside it, in its own brightness."""
    smooth = np.convolve(profile, np.full(3, 1 / 3), mode="same")[_BESIDE:-_BESIDE]
    dips = (np.minimum(profile[: -2 * _BESIDE], profile[2 * _BESIDE :]) - smooth) / np.maximum(smooth, _DARKEST)
    padded = np.pad(dips, _BEND, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * _BEND + 1).max(axis=1))


def _region(points: Floats, size: int) -> torch.Tensor:
    """A band across the face, from temple to temple."""
    level = points[_CORNERS[1][1]] - points[_CORNERS[0][0]]
    down = np.array((-level[1], level[0])) / float(np.hypot(*level))
    eyes = points[list(_CORNERS[0])].mean(axis=0), points[list(_CORNERS[1])].mean(axis=0)
    middle, away = sum(eyes) / 2, (eyes[1] - eyes[0]) / 2
    ends = middle - _WIDE * away, middle + _WIDE * away
    band = np.array([ends[0] - _UP * down, ends[1] - _UP * down, ends[1] + _DOWN * down, ends[0] + _DOWN * down])
    return around([band], size, 0.0, _SOFT)
