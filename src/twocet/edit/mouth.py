"""The mouth at the photo's own resolution: lips moved with a slit between them, the inside from real pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate

from twocet.edit import blend
from twocet.edit.blend import Box, Change, smoothstep
from twocet.edit.inside import Inside, inside_at
from twocet.edit.lips import (
    CURVES,
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    MouthFrame,
    Slit,
    frame_of,
)
from twocet.edit.warp import thin_plate
from twocet.photo.align import apply, invert
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_AROUND = (
    *(1, 2, 32, 49, 98, 129, 194, 199, 200, 201, 202, 203, 204, 205, 206, 207, 208, 212, 214, 216, 262, 279, 327),
    *(358, 418, 421, 422, 423, 424, 425, 426, 427, 428, 432, 434, 436),
)
"""Landmarks around the mouth that hold what surrounds it."""
_REACH = 0.45
"""In mouth widths from the lips: beyond, the model's own flow and paint are at work."""
_SMOOTHING = 1e-4
_SPARSE = 3
_SOFT_PIXELS, _SOFT = 0.7, 0.006
"""Half the width of the lips' inner borders: pixels at least, and mouth widths."""
_SHADOW = np.array((0.38, 0.5, 0.52))
"""Depth of the upper lip's shadow on teeth: the lips throw some red light into it."""
_SHADOW_REACH, _COVERED = 0.04, 0.04
"""Its length, and what must be covered for the whole of it, in mouth widths."""
_BEYOND = 0.25
"""How much softer the border between upper and lower layer becomes beyond the corners of the mouth."""


class Shapes(NamedTuple):
    """Landmarks (468 or more, 2) in crop sides."""

    before: Floats
    """Of the picture that is edited."""
    after: Floats
    """Of the picture that is made."""
    full: Floats
    """At full strength, see :func:`twocet.edit.inside.inside_at`."""


class Layers(NamedTuple):
    """A face in two layers that meet between the lips."""

    upper: Change
    lower: Change


def finish(
    pixels: Pixels,
    photo_to_crop: Floats,
    edit: Change,
    alpha: npt.NDArray[np.float32],
    shapes: Shapes,
    inside: Inside | None,
) -> Pixels:
    """The photo with ``edit`` as :func:`twocet.edit.blend.apply_edit` applies it, but with a mouth of real pixels.

    ``inside`` None leaves an open mouth dark.
    """
    layers = moved_lips(edit, shapes.before, shapes.after)
    result = blend.apply_edit(pixels, photo_to_crop, layers.upper, alpha)
    crop_to_photo = invert(photo_to_crop)
    lips, full = (apply(crop_to_photo, landmarks[CURVES]) for landmarks in (shapes.after, shapes.full))
    frame = frame_of(lips)
    box = _lower_box(frame, lips, pixels.shape)
    if box is None:
        return result
    lower = _applied_within(pixels, box, photo_to_crop, layers.lower, alpha)
    left, top, right, bottom = box
    photo = np.stack(np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5), axis=-1)
    upper = result[top:bottom, left:right]
    upper[:] = _joined(upper, lower, photo, lips, full, inside)
    return result


def moved_lips(edit: Change, before: Floats, after: Floats) -> Layers:
    """``edit`` (batch of one) with the mouth moved by landmarks instead, each lip by itself.

    Around the mouth nothing is painted. ``before`` and ``after``: (468 or more, 2) in crop sides, where landmarks are
    in the picture that is edited and where they go.
    """
    size = edit.flow.shape[-1]
    lips = after[CURVES]
    frame = frame_of(lips)
    box = _box(lips * size, _REACH * frame.width * size, (size, size))
    assert box is not None
    left, top, right, bottom = box
    within = (..., slice(top, bottom), slice(left, right))
    x, y = (np.arange(left, right) + 0.5) / size, ((np.arange(top, bottom) + 0.5) / size)[:, None]
    outline = np.concatenate([lips[UPPER_OUTER], lips[LOWER_OUTER, -2:0:-1]])
    near = 1 - smoothstep(blend.signed_distance(x, y, outline) / (_REACH * frame.width))
    weight = torch.from_numpy(near).float()
    mask = edit.mask.clone()
    mask[within] *= 1 - weight
    # The movement is smooth: some places are enough, between which it is interpolated.
    rows, columns = (np.linspace(side[0], side[-1], 2 + len(side) // _SPARSE) for side in (y[:, 0], x))
    at = frame.enter(np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2))

    def layer(*borders: int) -> Change:
        index = np.unique(np.concatenate([CURVES[list(borders)].ravel(), np.array(_AROUND)]))
        shift = thin_plate(frame.enter(after[index]), before[index] - after[index], at, _SMOOTHING)
        coarse = torch.from_numpy(shift.T.reshape(1, 2, len(rows), len(columns))).float()
        own = interpolate(coarse, size=near.shape, mode="bicubic", align_corners=True)[0]
        flow = edit.flow.clone()
        flow[within] = torch.lerp(flow[within], own, weight)
        return edit._replace(flow=flow, mask=mask)

    return Layers(layer(UPPER_OUTER, UPPER_INNER), layer(LOWER_INNER, LOWER_OUTER))


def _joined(upper: Pixels, lower: Pixels, photo: Floats, lips: Floats, full: Floats, inside: Inside | None) -> Pixels:
    """The two layers (h, w, 3), and between the lips the inside.

    Args:
        upper: With the upper lip where it goes.
        lower: With the lower lip where it goes.
        photo: (h, w, 2) where the pixels are, photo pixels.
        lips: (4, 11, 2) where the lips go, photo pixels.
        full: Likewise at full strength.
        inside: None is dark.
    """
    frame = frame_of(lips)
    under, below = _covers(frame.enter(photo), Slit(frame.enter(lips)), max(_SOFT_PIXELS / frame.width, _SOFT))
    gap = np.maximum(under - below, 0)
    out = upper * (1 - below - gap)[..., None] + lower * below[..., None]
    if inside is not None and (part := blend.bounds(gap > 0)):
        rows, columns = part
        whole, place = frame_of(full), photo[rows, columns]
        seen = inside_at(inside, whole.enter(place), whole, full) * _shade(whole.enter(place), whole, full, lips)
        out[rows, columns] += seen * gap[rows, columns, None]
    joined: Pixels = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    return joined


def _shade(place: Floats, whole: MouthFrame, full: Floats, lips: Floats) -> Floats:
    """(h, w, 3) how much light the upper lip leaves on what it covers more of than in the source, 0..1.

    What the source shows under its own lip is in that lip's shadow; a lip that hangs lower throws its shadow lower.

    Args:
        place: (h, w, 2) coordinates of ``whole``, the mouth at full strength.
        whole: Its system of coordinates.
        full: (4, 11, 2) its lips.
        lips: Likewise those that are made.
    """
    x, y = place[..., 0], place[..., 1]
    edge = Slit(whole.enter(lips)).upper(x)
    covered = np.clip((edge - Slit(whole.enter(full)).upper(x)) / _COVERED, 0, 1)
    shadow = covered * np.exp(-np.maximum(y - edge, 0) / _SHADOW_REACH)
    return np.asarray(1 - _SHADOW * shadow[..., None])


def _covers(place: Floats, slit: Slit, soft: float) -> tuple[Floats, Floats]:
    """(h, w) each: how far a pixel is below the upper lip, and how far within the lower lip's layer, 0..1.

    ``place``: (h, w, 2) mouth coordinates. Beyond the corners of the mouth the layers run into each other.
    """
    x, y = place[..., 0], place[..., 1]
    soft_here = soft / slit.levelness(x) + _BEYOND * np.maximum(np.maximum(slit.left - x, x - slit.right), 0)
    under, below = (smoothstep(0.5 + (y - border(x)) / (2 * soft_here)) for border in (slit.upper, slit.lower))
    return under, below


def _lower_box(frame: MouthFrame, lips: Floats, shape: tuple[int, ...]) -> Box | None:
    """The pixels of a picture of ``shape`` (H, W, ...) where the lower layer, or the inside, shows."""
    curves = frame.enter(lips)
    left, right = curves[UPPER_OUTER, [0, -1], 0]
    top = curves[UPPER_INNER, :, 1].min() - _BEYOND * _REACH
    bottom = curves[LOWER_OUTER, :, 1].max() + _REACH
    corners = frame.leave([(x, y) for x in (left - _REACH, right + _REACH) for y in (top, bottom)])
    return _box(corners, 0.0, shape)


def _box(points: Floats, margin: float, shape: tuple[int, ...]) -> Box | None:
    """The pixels of a picture of ``shape`` (H, W, ...) within ``margin`` of ``points`` (..., 2)."""
    limit = (shape[1], shape[0])
    flat = points.reshape(-1, 2)
    left, top = (int(v) for v in np.clip(np.floor(flat.min(axis=0) - margin), 0, limit))
    right, bottom = (int(v) for v in np.clip(np.ceil(flat.max(axis=0) + margin), 0, limit))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _applied_within(
    pixels: Pixels, box: Box, photo_to_crop: Floats, edit: Change, alpha: npt.NDArray[np.float32]
) -> Pixels:
    """What ``apply_edit`` makes of the pixels of ``box``."""
    reach = float(edit.flow.abs().max()) / float(np.hypot(*photo_to_crop[:, 0])) + 3
    left, top, right, bottom = box
    x0, y0 = max(int(left - reach), 0), max(int(top - reach), 0)
    window = pixels[y0 : int(bottom + reach), x0 : int(right + reach)]
    to_crop = np.column_stack([photo_to_crop[:, :2], apply(photo_to_crop, (x0, y0))])
    made = blend.apply_edit(window, to_crop, edit, alpha)
    return made[top - y0 : bottom - y0, left - x0 : right - x0]
