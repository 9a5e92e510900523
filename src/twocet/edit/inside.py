"""The inside of a mouth from another photo's pixels: teeth, tongue and depth in the target's light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import grid_sample, interpolate

from twocet.edit.blend import smoothstep
from twocet.edit.contour import drawn_to_borders
from twocet.edit.light import Light, light_of, light_ratio, softened
from twocet.edit.lips import CLOSED, CURVES, MouthFrame, Slit, frame_of, gap_of, opening_of
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_MARGIN = 0.2
"""Mouth widths of skin around the lips that a source keeps."""
_CENTRE = 0.4
_FEW = 20
_OPEN = 0.03
"""A mouth with a smaller opening shows too little of its inside."""
_ENOUGH = 0.6
"""A mouth with a smaller share of the wanted opening shows too little for it."""
_TEETH_PALE = 0.65
"""Teeth have at least this share of their strongest primary in the weakest; gums and tongues have less."""
_TEETH_LIT, _TEETH_SHARE = 0.5, 0.05
"""Of what is brightest between the lips lit teeth have this share, and of all that shows they are more than this."""
STRETCH = (0.9, 1.2)
"""How much teeth may be stretched in height."""
_SMOOTH = np.hanning(23)[1:-1] / np.hanning(23).sum()
_BORDER = 1.2
"""Pixels over which the source's own upper lip ends."""
_RIM = 0.014
"""Mouth widths of the source beside its lower lip where what is above goes on instead: the wet rim of that lip would
show as a line in its own colour."""
_FADING = 0.03
"""Mouth widths over which what goes on beyond the source fades to the depth of the mouth."""
_FINE = 75.0
"""Pixels across a mouth that another person's teeth need: of a smaller one each is a block of its JPEG file."""
_DEPTH = 0.2
"""Brightness of the depth of a mouth beside the lips' at most."""


class MouthSource(NamedTuple):
    """A photo's mouth, from which the inside is taken."""

    pixels: Pixels
    """(h, w, 3) uint8: the mouth and some skin around it."""
    corner: Floats
    """(2,) where it was in the whole photo, pixels."""
    lips: Floats
    """(4, 11, 2) the ``CURVES`` in pixels of it."""
    light: Light
    """Of the same photo, teeth included."""

    @property
    def opening(self) -> float:
        """See :func:`twocet.edit.lips.opening_of`."""
        return opening_of(self.lips)

    @property
    def gap(self) -> Floats:
        """(11, 2) between the inner borders of the lips, in mouth coordinates; of closed lips 0."""
        return gap_of(self.lips) * float(smoothstep(np.array(2 * self.opening / CLOSED - 1)))


class Inside(NamedTuple):
    """What shows between the lips."""

    source: MouthSource
    light: Floats
    """(3,) by what its colours are multiplied, see :func:`twocet.edit.light.light_ratio`."""


def mouth_source(pixels: Pixels, landmarks: Floats) -> MouthSource:
    """The mouth of a photo. ``landmarks``: (478, 2) photo pixels."""
    lips = drawn_to_borders(pixels, landmarks[CURVES])
    margin = _MARGIN * frame_of(lips).width
    low = np.maximum(np.floor(lips.min(axis=(0, 1)) - margin), 0).astype(int)
    high = np.ceil(lips.max(axis=(0, 1)) + margin).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]].copy()
    light = light_of(pixels, landmarks)._replace(teeth=_teeth(part, lips - low))
    return MouthSource(part, low.astype(np.float64), lips - low, light)


def choose_inside(
    light: Light, opening: float, own: Sequence[MouthSource | None], reference: MouthSource | None
) -> Inside | None:
    """Where the inside of a mouth comes from; None if nothing fits.

    Args:
        light: On the target.
        opening: That the mouth shall have.
        own: Mouths of the same person: the first one goes that is open enough.
        reference: Whose opening it is; its inside is taken if it is fine enough.
    """
    fitting = [mouth for mouth in own if mouth is not None and mouth.opening > max(_OPEN, _ENOUGH * opening)]
    fine = reference if reference is not None and frame_of(reference.lips).width >= _FINE else None
    source = fitting[0] if fitting else fine
    return None if source is None else Inside(source, light_ratio(light, source.light))


def inside_at(inside: Inside, place: Floats, frame: MouthFrame, full: Floats) -> Floats:
    """What shows between the lips: (h, w, 3), 0..255.

    The source's upper lip lies on that of the mouth at full strength, to which its teeth belong: lips that are less
    open hide more of the same picture. Where the source ends, the mouth is dark.

    Args:
        inside: Where it comes from.
        place: (h, w, 2) mouth coordinates of ``frame``.
        frame: Of the mouth at full strength.
        full: (4, 11, 2) its lips, in the picture that is made.
    """
    source = inside.source
    own = frame_of(source.lips)
    there, here = Slit(own.enter(source.lips)), Slit(frame.enter(full))
    x = place[..., 0]
    y = there.upper(x) + (place[..., 1] - here.upper(x)) / _stretch(there, here, x)
    beyond = y - there.lower(x)
    rim = np.clip(beyond / _RIM + 1, 0, 1)
    within = own.leave(np.stack([x, y - _RIM * rim - np.maximum(beyond, 0)], axis=-1))
    colours = _seen(source.pixels, within, own.width / frame.width)
    shown = smoothstep((y - there.upper(x)) * frame.width / _BORDER + 0.5) * np.exp(-np.maximum(beyond, 0) / _FADING)
    shown *= smoothstep(np.minimum(x - there.left, there.right - x) / _RIM)
    depth = _depth(source)
    return softened((depth + (colours - depth) * shown[..., None]) * inside.light)


def _stretch(there: Slit, here: Slit, x: Floats) -> Floats:
    """How much taller than the source's the mouth is at ``x``, as far as teeth may be stretched."""
    across = np.linspace(-0.5, 0.5, 101)
    tall_there, tall_here = (slit.lower(across) - slit.upper(across) for slit in (there, here))
    stretch = np.clip(tall_here / np.maximum(tall_there, 1e-4), *STRETCH)
    reach = len(_SMOOTH) // 2
    return np.interp(x, across, np.convolve(np.pad(stretch, reach, mode="edge"), _SMOOTH, mode="valid"))


def _seen(pixels: Pixels, points: Floats, shrinking: float) -> Floats:
    """(h, w, 3) ``pixels`` at ``points`` (h, w, 2), bicubic, free of aliasing if they are shrunk."""
    image = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    height, width = pixels.shape[:2]
    if shrinking > 1:
        sides = [max(1, round(height / shrinking)), max(1, round(width / shrinking))]
        image = interpolate(image, size=sides, mode="bicubic", antialias=True)
    grid = torch.from_numpy(points * (2 / width, 2 / height) - 1).float()[None]
    seen = grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return np.maximum(seen[0].permute(1, 2, 0).numpy().astype(np.float64), 0)


def _depth(source: MouthSource) -> Floats:
    """(3,) the colour of the depth of a mouth: its darkest part."""
    lips = _DEPTH * np.median(source.pixels.reshape(-1, 3), axis=0)
    colours = _within(source.pixels, source.lips, 0.0)
    if len(colours) < _FEW:
        return np.asarray(lips)
    level = colours.sum(axis=1)
    return np.asarray(np.minimum(np.median(colours[level <= np.quantile(level, 0.1)], axis=0), lips))


def _teeth(pixels: Pixels, lips: Floats) -> Floats:
    """(3,) colour of the brighter parts of the teeth; NaN where none are seen."""
    colours = _within(pixels, lips, 0.01)
    if len(colours) < _FEW:
        return np.full(3, np.nan)
    pale = colours[colours.min(axis=1) > _TEETH_PALE * colours.max(axis=1)]
    level = pale.mean(axis=1)
    lit = level > _TEETH_LIT * np.quantile(colours.mean(axis=1), 0.95)
    if lit.sum() < max(_FEW, _TEETH_SHARE * len(colours)):
        return np.full(3, np.nan)
    low, high = np.quantile(level[lit], (0.75, 0.93))
    bright: Floats = pale[lit & (level >= low) & (level <= high)].mean(axis=0)
    return bright


def _within(pixels: Pixels, lips: Floats, margin: float) -> Floats:
    """(k, 3) the pixels between the lips, ``margin`` mouth widths away from them."""
    frame = frame_of(lips)
    slit = Slit(frame.enter(lips))
    height, width = pixels.shape[:2]
    place = frame.enter(np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1))
    x, y = place[..., 0], place[..., 1]
    within: Pixels = pixels[(y > slit.upper(x) + margin) & (y < slit.lower(x) - margin) & (np.abs(x) < _CENTRE)]
    return within.astype(np.float64)
