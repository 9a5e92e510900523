"""From Pillow's pictures of any mode to pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from twocet.photo import colour
from twocet.photo.photo import Pixels

_STRIP_PIXELS = 1 << 22
_BITS_PER_SAMPLE, _MOST_SAMPLE = 258, 281
"""Tags of TIFF: how many bits a value has, and the largest that occurs."""
_PLAIN = ("RGB", "RGBA", "L")
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p),
}
"""How a picture stored with an EXIF orientation comes upright."""


class Raster(NamedTuple):
    """The pixels of a picture, see :class:`twocet.photo.photo.Photo`."""

    pixels: Pixels
    alpha: npt.NDArray[np.uint8] | None
    low: Pixels | None
    icc: bytes | None
    notes: tuple[str, ...] = ()

    def upright(self, orientation: int) -> Raster:
        """Turned and flipped as an EXIF orientation of 1..8 says."""
        turn = _TURNS.get(orientation)
        if turn is None:
            return self
        pixels, alpha, low = (
            None if part is None else np.ascontiguousarray(turn(part)) for part in (self.pixels, self.alpha, self.low)
        )
        assert pixels is not None
        return self._replace(pixels=pixels, alpha=alpha, low=low)


def is_deep(picture: Image.Image) -> bool:
    """Whether a file that was opened and not yet loaded has more than 8 bits per value and channels of colour."""
    tiles = picture.tile if isinstance(picture, ImageFile.ImageFile) else []
    return picture.mode in ("RGB", "RGBA") and any("16" in _raw_mode(tile) for tile in tiles)


def other_bytes(picture: ImageFile.ImageFile) -> Pixels:
    """The lower bytes (H, W, 3) of a file for which :func:`is_deep` holds, opened and not yet loaded.

    Pillow keeps the upper byte of values of 16 bits. Asked to read them in the other order, it keeps the lower one.
    """
    picture.tile = [tile._replace(args=_swapped(tile.args)) for tile in picture.tile]
    pixels, _ = _arrays(picture, lambda strip: strip.convert("RGB"))
    return pixels


def _raw_mode(tile: object) -> str:
    args = getattr(tile, "args", "")
    return str(args if isinstance(args, str) else args[0] if args else "")


def _swapped(args: tuple[Any, ...] | str | None) -> tuple[Any, ...] | str:
    """A decoder's arguments, of which the raw mode is the first, with the other order of bytes."""
    first, *others = (args,) if isinstance(args, str) else args or ("",)
    swapped = f"{first[:-1]}L" if first.endswith("B") else f"{first[:-1]}B"
    return swapped if isinstance(args, str) else (swapped, *others)


def to_raster(picture: Image.Image, icc: bytes | None) -> Raster:
    """The pixels of a picture as it is stored, in RGB; ``icc`` is its profile, of whatever kind.

    Grey with a profile of its own, CMYK and L*a*b* come in sRGB; other profiles stay with the pixels.
    """
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _deep_grey(picture, icc)
    kind = None if icc is None else colour.profile_space(icc)
    convert = _conversion(picture, icc, kind)
    pixels, alpha = _arrays(picture, convert)
    in_srgb = picture.mode in ("CMYK", "LAB") or kind == "GRAY"
    kept = icc if kind == "RGB" and icc is not None and not in_srgb and colour.is_usable(icc) else None
    if icc is not None and kind == "RGB" and kept is None and not in_srgb:
        return _from_one_way_profile(pixels, alpha, icc)
    notes: tuple[str, ...] = ()
    if icc is not None and kept is None and convert is _to_rgb:
        notes = ("its colour profile cannot be used: it was read as sRGB",)
    elif picture.mode in ("CMYK", "LAB"):
        notes = (f"it is in {picture.mode}: the result is in sRGB",)
    return Raster(pixels, alpha, None, kept, notes)


def _from_one_way_profile(pixels: Pixels, alpha: npt.NDArray[np.uint8] | None, icc: bytes) -> Raster:
    """Pixels of a profile that cannot be written to, as those of scanners."""
    convert = colour.converter(icc, "RGB")
    if convert is None:
        return Raster(pixels, alpha, None, None, ("its colour profile cannot be used: it was read as sRGB",))
    shown, _ = _arrays(Image.fromarray(pixels), convert)
    return Raster(shown, alpha, None, None, ("its colour profile is for reading only: the result is in sRGB",))


def _to_rgb(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB")


def _conversion(picture: Image.Image, icc: bytes | None, kind: str | None) -> Callable[[Image.Image], Image.Image]:
    """What makes RGB of a part of the picture without its opacity."""
    if picture.mode == "LAB":
        return colour.lab_converter()
    if icc is not None and picture.mode == "CMYK" and kind == "CMYK":
        return colour.converter(icc, "CMYK") or _to_rgb
    if icc is not None and kind == "GRAY":
        shown = colour.converter(icc, "L")
        return _to_rgb if shown is None else lambda part: shown(part.convert("L"))
    return _to_rgb


def _arrays(
    picture: Image.Image, convert: Callable[[Image.Image], Image.Image]
) -> tuple[Pixels, npt.NDArray[np.uint8] | None]:
    """Pixels and opacity, made a part at a time: a picture of Pillow's takes four bytes a pixel, a copy four more."""
    picture.load()
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if picture.has_transparency_data else None
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        part = picture if rows >= height else picture.crop((0, top, width, bottom))
        if alpha is not None:
            part = part.convert("RGBA")
            alpha[top:bottom] = np.asarray(part.getchannel("A"))
            part = part.convert("RGB")
        pixels[top:bottom] = np.asarray(convert(part))
    return pixels, alpha


def _deep_grey(picture: Image.Image, icc: bytes | None) -> Raster:
    """Modes of more than 8 bits per grey value, scaled (Pillow's own conversion clips at 255)."""
    white = _white(picture, max(_largest(part) for _, part in _parts(picture)))
    levels = np.empty(picture.size[::-1], np.uint16)
    for rows, part in _parts(picture):
        levels[rows] = sixteen_bits(part, white)
    if white == 255:
        return to_raster(Image.fromarray((levels >> 8).astype(np.uint8)), icc)
    kind = None if icc is None else colour.profile_space(icc)
    shown = colour.converter(icc, "L") if icc is not None and kind == "GRAY" else None
    if shown is not None:
        levels = _curve(shown)[levels]
    pixels, low = (np.repeat(part[..., None], 3, axis=2) for part in split(levels))
    kept = icc if kind == "RGB" and icc is not None and colour.is_usable(icc) else None
    dark = white < 65_535 and picture.mode.startswith("I;16")
    notes = (f"its values end at {white:.0f}: that was taken for white",) if dark else ()
    return Raster(pixels, None, low, kept, notes)


def _parts(picture: Image.Image) -> Iterator[tuple[slice, npt.NDArray[np.generic]]]:
    """The values of some rows at a time: those of a large picture would be copied twice."""
    width, height = picture.size
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield slice(top, bottom), np.asarray(picture.crop((0, top, width, bottom)))


def _largest(values: npt.NDArray[np.generic]) -> float:
    """The largest number among values."""
    numbers = np.nan_to_num(values, nan=0, posinf=0, neginf=0) if values.dtype.kind == "f" else values
    return float(numbers.max(initial=0))


def _curve(convert: Callable[[Image.Image], Image.Image]) -> npt.NDArray[np.uint16]:
    """(65536,) levels of 16 bits after a conversion of 8; between its 256 values it is taken as straight."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    shown = np.asarray(convert(ramp))[0, :, 1].astype(np.float64) * 257
    curve: npt.NDArray[np.uint16] = np.rint(np.interp(np.arange(65_536), np.arange(256) * 257, shown)).astype(np.uint16)
    return curve


def sixteen_bits(values: npt.NDArray[np.generic], white: float) -> npt.NDArray[np.uint16]:
    """Values (H, W) from 0 (black) to ``white`` as 0..65535."""
    if values.dtype == np.uint16:
        table = np.minimum(np.rint(np.arange(65_536) * (65_535 / white)), 65_535).astype(np.uint16)
        return values.astype(np.uint16) if white == 65_535 else table[values]
    scaled = np.nan_to_num(values.astype(np.float64)) * (65_535 / white)
    return np.clip(np.rint(scaled), 0, 65_535).astype(np.uint16)


def split(levels: npt.NDArray[np.uint16]) -> tuple[Pixels, Pixels]:
    """The upper and the lower bytes."""
    return (levels >> 8).astype(np.uint8), (levels & 255).astype(np.uint8)


def _white(picture: Image.Image, top: float) -> float:
    """The value of white: what the file says, or else the least usual one that is not below ``top``."""
    if picture.mode.startswith("I;16"):
        stated = _stated_white(picture)
        # Cameras of microscopes and laboratories store 10 or 12 bits in 16 and do not say so.
        unsaid = stated == 65_535 and picture.format == "TIFF"
        steps: tuple[float, ...] = (1023.0, 4095.0, 65_535.0) if unsaid else (stated, 65_535.0)
    else:
        steps = (1.0, 255.0, 65_535.0) if picture.mode == "F" else (255.0, 65_535.0)
    return next((step for step in steps if 0 < top <= step), max(top, 1.0))


def _stated_white(picture: Image.Image) -> float:
    tags = getattr(picture, "tag_v2", {})
    bits, most = tags.get(_BITS_PER_SAMPLE), tags.get(_MOST_SAMPLE)
    if isinstance(most, tuple) and most and isinstance(most[0], int) and most[0] > 0:
        return float(most[0])
    if isinstance(bits, tuple) and bits and isinstance(bits[0], int) and 8 < bits[0] <= 16:
        return float(2 ** bits[0] - 1)
    return 65_535.0
