"""Writing the watermark into the faces of a photo."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch.nn.functional import grid_sample

from twocet.photo import align, resample
from twocet.photo.images import Pixels
from twocet.photo.watermark.carriers import COARSE, FINE, SIDE, Layer, oval
from twocet.photo.watermark.code import HEADER, message_of, symbols_of
from twocet.runtime.arrays import Floats, Floats32

_COARSE_BELOW = 300
"""Side of a face's crop in pixels below which fine patterns would not survive halving the photo."""
_HEADER_SCORE, _SCORE = 7.5, 6.0
"""What the message's carriers are raised to, in standard deviations; the header is what is searched for."""
_OTHERS_AT_MOST = 2.0
"""What all other carriers are lowered to."""
_ROUNDS = 3
_CONTRASTS = (1.0, 8.0)
"""The mark is as strong as the face's local contrast, within these limits."""
_MOST = 2.75
"""Grey levels: more the mark never changes a face by on average (root mean square), which is 40 dB."""
LUMA = (0.299, 0.587, 0.114)


def watermarked(pixels: Pixels, faces: Iterable[Floats], model_sha256: str | None) -> Pixels:
    """A copy of ``pixels`` (H, W, 3) with the mark in every face; the same array if there are none.

    ``faces``: their photo_to_crop (2, 3) by :func:`twocet.photo.align.align`. No pixel changes outside their ovals.
    """
    message = message_of(model_sha256)
    result = pixels
    for photo_to_crop in faces:
        change = change_of(face_luma(result, photo_to_crop), message, layer_for(photo_to_crop))
        result = added(result, photo_to_crop, change)
    return result


def face_luma(pixels: Pixels, photo_to_crop: Floats, *, supersample: int = 2) -> Floats32:
    """(128, 128) luma of the aligned face, 0..255; ``supersample``: see :func:`twocet.photo.resample.crop`."""
    crop = resample.crop(pixels, photo_to_crop, SIDE, supersample=supersample)
    luma: Floats32 = crop.astype(np.float32) @ np.array(LUMA, np.float32)
    return luma


def layer_for(photo_to_crop: Floats) -> Layer:
    """The patterns for a face of this size in pixels."""
    side = 1 / float(np.sqrt(abs(np.linalg.det(photo_to_crop[:, :2]))))
    return COARSE if side < _COARSE_BELOW else FINE


def change_of(luma: Floats32, message: bytes, layer: Layer) -> Floats32:
    """(128, 128) what the face's ``luma`` (128, 128) is given, in grey levels."""
    view, contrast = layer.view(luma)
    strength = np.clip(contrast, *_CONTRASTS)
    # What one carrier adds to its own correlation.
    sample = layer.carriers[HEADER]
    seen = layer.filtered(strength * layer.pattern(sample)) / contrast
    gain = float(sample @ layer.coefficients(seen))
    amplitudes = np.zeros(len(layer.carriers), np.float32)
    change = np.zeros_like(luma)
    for _ in range(_ROUNDS):
        scores, deviation = layer.scores(view)
        amplitudes += _missing(scores, message).ravel() * np.float32(deviation / gain)
        change = strength * layer.pattern(amplitudes @ layer.carriers)
        view, _ = layer.view(luma + change)
    average = float(np.sqrt((oval() * change**2).sum() / oval().sum()))
    limited: Floats32 = change * np.float32(min(1.0, _MOST / max(average, 1e-6)))
    return limited


def _missing(scores: Floats32, message: bytes) -> Floats32:
    """(6, 128) what the scores lack: the message's carriers stand out, no other is taken for them."""
    missing = -np.sign(scores) * np.maximum(np.abs(scores) - _OTHERS_AT_MOST, 0)
    for number, (carrier, sign) in enumerate(symbols_of(message)):
        goal = _SCORE if number else _HEADER_SCORE
        missing[number, carrier] = sign * max(0.0, goal - sign * float(scores[number, carrier]))
    return missing


def added(pixels: Pixels, photo_to_crop: Floats, change: Floats32) -> Pixels:
    """``change`` (128, 128), in crop coordinates, added to the photo at its own resolution."""
    corners = align.apply(align.invert(photo_to_crop), [(0, 0), (1, 0), (0, 1), (1, 1)])
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int), pixels.shape[1::-1])
    result: Pixels = pixels.copy()
    if left >= right or top >= bottom:
        return result
    columns, rows = (torch.arange(*ends, dtype=torch.float32) for ends in ((left, right), (top, bottom)))
    x, y = columns + 0.5, rows[:, None] + 0.5
    # grid_sample counts from -1 to 1.
    grid = torch.stack([2 * (row[0] * x + row[1] * y + row[2]) - 1 for row in photo_to_crop], dim=-1)[None].float()
    sampled = grid_sample(torch.from_numpy(change)[None, None], grid, mode="bicubic", align_corners=False)[0, 0].numpy()
    box = result[top:bottom, left:right]
    box[:] = np.clip(np.rint(box + sampled[..., None]), 0, 255)
    return result
