"""Decoded frames to pixels as a player shows them: colours, transparency, shape of the pixels, turns and mirrors."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from twocet.photo.images import Pixels
from twocet.video.tones import TONES, WIDE_PRIMARIES, Tones, converted

_UNSPECIFIED = 2
"""Code of ITU-T H.273, as all codes here."""
_HIGH_DEFINITION = 720
_LARGEST_ASPECT = 16
"""A pixel that is longer than this is a mistake of the file."""


class Shown(NamedTuple):
    """One frame as a player shows it."""

    pixels: Pixels
    notes: tuple[str, ...]
    """What was changed for it, for users."""


def shown(frame: Any, aspect: Fraction | None) -> Shown:
    """A decoded frame of PyAV as (H, W, 3) of square pixels in the colours of BT.709. ``aspect``: its pixels' w / h."""
    pixels, notes = _colours(frame)
    return Shown(_turned(_squared(pixels, aspect), frame), notes)


def _colours(frame: Any) -> tuple[Pixels, tuple[str, ...]]:
    kind = TONES.get(int(frame.color_trc or 0))
    notes: list[str] = []
    if max((component.bits for component in frame.format.components), default=8) > 8:
        notes.append("The film has more than 8 bits a colour: the result has 8.")
    if any(component.is_alpha for component in frame.format.components):
        rgba = frame.to_ndarray(format="rgba")
        if rgba[..., 3].min() < 255:
            notes.append("The film is transparent in places: the result shows it on black.")
        return (rgba[..., :3].astype(np.uint16) * rgba[..., 3:] // 255).astype(np.uint8), tuple(notes)
    wide = int(frame.color_primaries or 0) in WIDE_PRIMARIES
    if kind is None and not wide:
        return _ordinary(frame), tuple(notes)
    kind = kind or Tones.ORDINARY
    notes.append(f"The film has {kind.value} colours: they were converted to those of ordinary films (BT.709).")
    return converted(frame.to_ndarray(format="rgb48le"), kind, int(frame.color_primaries or 0)), tuple(notes)


def _ordinary(frame: Any) -> Pixels:
    """Films that do not say how they code colour do it by their height."""
    unknown = frame.colorspace in (_UNSPECIFIED, None) and frame.format.name.startswith("yuv")
    guess = "ITU709" if frame.height >= _HIGH_DEFINITION else "ITU601"
    pixels: Pixels = (frame.reformat(format="rgb24", src_colorspace=guess) if unknown else frame).to_ndarray(
        format="rgb24"
    )
    return pixels


def _turned(pixels: Pixels, frame: Any) -> Pixels:
    """Upright, and mirrored where the film says so."""
    found = [side for side in frame.side_data if side.type.name == "DISPLAYMATRIX"]
    return oriented(pixels, np.frombuffer(found[0], np.int32)[:9]) if found else pixels


def oriented(pixels: Pixels, matrix: np.ndarray[Any, np.dtype[np.int32]]) -> Pixels:
    """``pixels`` as a display matrix (9,) of ISO/IEC 14496-12 shows them; other than right angles are rounded."""
    a, b, _, c, d = matrix[:5].astype(np.int64)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        right, down = a < 0, d < 0
    else:  # what went to the right goes down, and the other way round
        pixels = pixels.swapaxes(0, 1)
        right, down = c < 0, b < 0
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if right else 1])


def _squared(pixels: Pixels, aspect: Fraction | None) -> Pixels:
    """Pixels that are not square made so, by more of them."""
    if aspect is None or aspect <= 0 or aspect == 1 or not 1 / _LARGEST_ASPECT <= aspect <= _LARGEST_ASPECT:
        return pixels
    height, width = pixels.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def fitted(pixels: Pixels, width: int, height: int) -> Pixels:
    """A frame of another size in the middle of ``width`` x ``height``, as large as it fits, on black."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    canvas = Image.new("RGB", (width, height))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    canvas.paste(small, ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.asarray(canvas)
