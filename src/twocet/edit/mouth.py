"""The mouth at the photo's own resolution: lips moved with a slit between them, the inside from real pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from twocet.edit import blend
from twocet.edit.contour import drawn_to_borders
from twocet.edit.curve import height
from twocet.edit.light import Light, light_of
from twocet.edit.lips import (
    CURVES,
    LOWER_INNER,
    LOWER_OUTER,
    OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    MouthFrame,
    frame_of,
)
from twocet.edit.warp import thin_plate
from twocet.networks.edit import Edit
from twocet.photo.align import Floats, apply, invert
from twocet.photo.images import Pixels

AROUND = (
    *(2, 98, 327, 129, 358, 203, 423, 206, 426, 216, 436, 212, 432, 202, 422, 204, 424, 194, 418, 201, 421, 200),
    *(199, 208, 428, 32, 262, 214, 434, 207, 427, 205, 425, 49, 279, 1),
)
"""Landmarks around the mouth that hold what surrounds it."""
_REACH = 0.45
"""In mouth widths from the lips: beyond, the model's own flow is at work."""
_SMOOTHING = 1e-4
_MARGIN = 0.2
"""Mouth widths of skin around the lips that a source keeps."""
_CENTRE = 0.4
_FEW = 20
_STRETCH = (0.9, 1.2)
"""How much teeth may be stretched in height."""
_TEETH_PALE = 0.65
"""Teeth have at least this share of their strongest primary in the weakest; gums and tongues have less."""


class MouthSource(NamedTuple):
    """A photo's mouth, from which the inside is taken."""

    pixels: Pixels
    """(h, w, 3) uint8: the mouth and some skin around it."""
    lips: Floats
    """(4, 11, 2) ``CURVES`` in pixels of it."""
    light: Light
    """Of the same photo, teeth included."""


def mouth_source(pixels: Pixels, landmarks: Floats) -> MouthSource:
    """The mouth of a photo. ``landmarks``: (478, 2 or more) photo pixels."""
    points = drawn_to_borders(pixels, landmarks[:, :2].astype(np.float64))
    margin = _MARGIN * frame_of(points).width
    low = np.maximum(np.floor(points[CURVES].min(axis=(0, 1)) - margin), 0).astype(int)
    high = np.ceil(points[CURVES].max(axis=(0, 1)) + margin).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]].copy()
    lips = points[CURVES] - low
    return MouthSource(part, lips, light_of(pixels, points)._replace(teeth=_teeth(part, lips)))


def _teeth(pixels: Pixels, lips: Floats) -> Floats:
    """(3,) colour of the brighter parts of the teeth; NaN where none are seen."""
    colours = _within(pixels, lips, 0.01)
    if len(colours) < _FEW:
        return np.full(3, np.nan)
    level = colours.mean(axis=1)
    low, high = np.quantile(level, (0.8, 0.95))
    bright = colours[(level >= low) & (level <= high)].mean(axis=0)
    return bright if bright.min() > _TEETH_PALE * bright.max() else np.full(3, np.nan)


def _within(pixels: Pixels, lips: Floats, margin: float) -> Floats:
    """(k, 3) the pixels between the lips, ``margin`` mouth widths away from them."""
    h, w = pixels.shape[:2]
    frame = frame_of_curves(lips)
    slit = _Slit(frame.enter(lips))
    place = frame.enter(np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), axis=-1))
    x, y = place[..., 0], place[..., 1]
    inside = (y > slit.upper(x) + margin) & (y < slit.lower(x) - margin) & (np.abs(x) < _CENTRE)
    return pixels[inside].astype(np.float64)


class Join(NamedTuple):
    """A face in two layers that meet at the slit between the lips."""

    upper: Edit
    lower: Edit


def moved_lips(edit: Edit, before: Floats, after: Floats) -> Join:
    """``edit`` (batch of one) with the mouth moved by its landmarks instead, the lips apart from each other.

    Args:
        edit: Of the model, flow of size S.
        before: (468 or more, 2) landmarks of the picture that is edited, in crop sides.
        after: Likewise, where they go.
    """
    size = edit.flow.shape[-1]
    frame = frame_of(after)
    outline = after[list(OUTER)]
    low, high = outline.min(axis=0) - _REACH * frame.width, outline.max(axis=0) + _REACH * frame.width
    left, top = (int(v) for v in np.clip(np.floor(low * size), 0, size - 1))
    right, bottom = (int(v) for v in np.clip(np.ceil(high * size), 1, size))
    x, y = (np.arange(left, right) + 0.5) / size, ((np.arange(top, bottom) + 0.5) / size)[:, None]
    at = np.stack(np.broadcast_arrays(x, y), axis=-1).reshape(-1, 2)
    distance = blend.signed_distance(x, y, outline) / frame.width
    near = 1 - blend.smoothstep(distance / _REACH)
    mask = edit.mask.clone()
    part = (..., slice(top, bottom), slice(left, right))
    mask[part] *= torch.from_numpy(1 - near).float()
    weight = torch.from_numpy(near).float()

    def layer(curves: list[int]) -> Edit:
        index = np.unique(np.concatenate([CURVES[curves].ravel(), np.array(AROUND)]))
        movement = thin_plate(
            frame.enter(after[index]), before[index] - after[index], frame.enter(at), _SMOOTHING
        ).reshape(bottom - top, right - left, 2)
        flow = edit.flow.clone()
        flow[part] = torch.lerp(flow[part], torch.from_numpy(movement).float().permute(2, 0, 1), weight)
        return Edit(flow, mask, edit.colour)

    return Join(layer([UPPER_OUTER, UPPER_INNER]), layer([LOWER_INNER, LOWER_OUTER]))


class _Slit:
    """The borders of the slit as heights over the mouth's width."""

    def __init__(self, curves: Floats) -> None:
        """``curves``: (4, 11, 2) in mouth coordinates."""
        self.ends = curves[UPPER_INNER, [0, -1], 0]
        self._upper, self._lower = curves[UPPER_INNER], curves[LOWER_INNER]

    def upper(self, x: Floats) -> Floats:
        return height(x, self._upper)

    def lower(self, x: Floats) -> Floats:
        return height(x, self._lower)


def joined(
    upper: Pixels, lower: Pixels, inside: Floats, place: Floats, frame: MouthFrame, curves: Floats, pixel: float
) -> Pixels:
    """The two layers and what is between them as one picture.

    Args:
        upper: (h, w, 3) uint8 with the upper lip where it goes.
        lower: Likewise with the lower lip.
        inside: (h, w, 3) what shows between them, 0..255.
        place: (h, w, 2) mouth coordinates of the pixels.
        frame: Of the mouth that is made, photo pixels.
        curves: (4, 11, 2) its lips, photo pixels.
        pixel: Half the width of the soft borders in photo pixels.
    """
    slit = _Slit(frame.enter(curves))
    x, y = place[..., 0], place[..., 1]
    beyond = np.maximum(np.maximum(slit.ends[0] - x, x - slit.ends[1]), 0)
    soft = pixel / frame.width + 0.5 * beyond
    up, low = slit.upper(x), slit.lower(x)
    under = blend.smoothstep((y - up) / soft * 0.5 + 0.5)
    below = blend.smoothstep((y - low) / soft * 0.5 + 0.5)
    w_low, w_in = below[..., None], np.maximum(under - below, 0)[..., None]
    out = upper * (1 - w_low - w_in) + lower * w_low + inside * w_in
    result: Pixels = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    return result


def inside_of(source: MouthSource, place: Floats, frame: MouthFrame, full: Floats, light: Floats) -> Floats:
    """What shows between the lips: (h, w, 3), 0..255.

    ``place``: (h, w, 2) mouth coordinates of ``frame``, the mouth at full strength, whose lips are ``full`` (4, 11, 2).
    """
    own = frame_of_curves(source.lips)
    there, here = _Slit(own.enter(source.lips)), _Slit(frame.enter(full))
    x, y = place[..., 0], place[..., 1]
    rows = np.linspace(-0.5, 0.5, 101)
    tall_there, tall_here = (slit.lower(rows) - slit.upper(rows) for slit in (there, here))
    stretch = np.clip(tall_here / np.maximum(tall_there, 1e-4), *_STRETCH)
    stretch = np.convolve(np.pad(stretch, 10, mode="edge"), np.hanning(23)[1:-1] / np.hanning(23).sum(), mode="valid")
    y_there = there.upper(x) + (y - here.upper(x)) / np.interp(x, rows, stretch)
    points = own.leave(np.stack([x, y_there], axis=-1))
    scale = own.width / frame.width
    image = torch.from_numpy(source.pixels.astype(np.float32)).permute(2, 0, 1)[None]
    h, w = source.pixels.shape[:2]
    if scale > 1:
        sides = [max(1, round(h / scale)), max(1, round(w / scale))]
        image = torch.nn.functional.interpolate(image, size=sides, mode="bicubic", antialias=True)
    grid = torch.from_numpy(points * (2 / w, 2 / h) - 1).float()[None]
    seen = torch.nn.functional.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)
    colours = seen[0].permute(1, 2, 0).numpy().astype(np.float64)
    soft = 1.2 / frame.width
    up, low = there.upper(x), there.lower(x)
    valid = blend.smoothstep((y_there - up) / soft * 0.5 + 0.5) * blend.smoothstep((low - y_there) / soft * 0.5 + 0.5)
    valid = valid * ((x > there.ends[0]) & (x < there.ends[1]))
    dark = _darkness(source)
    out = dark + (colours - dark) * valid[..., None]
    return np.clip(out * light, 0, 255)


def _darkness(source: MouthSource) -> Floats:
    """(3,) the colour of the depth of a mouth: its darkest part."""
    pixels = _within(source.pixels, source.lips, 0.0)
    lips = 0.2 * np.median(source.pixels.reshape(-1, 3), axis=0)
    if len(pixels) < _FEW:
        return np.asarray(lips)
    level = pixels.sum(axis=1)
    dark = np.median(pixels[level <= np.quantile(level, 0.1)], axis=0)
    return np.asarray(np.minimum(dark, lips))


def frame_of_curves(curves: Floats) -> MouthFrame:
    """The mouth's coordinates by its curves (4, 11, 2)."""
    left, right = curves[UPPER_OUTER, 0], curves[UPPER_OUTER, -1]
    width = float(np.hypot(*(right - left)))
    return MouthFrame((left + right) / 2, (right - left) / width, width)
