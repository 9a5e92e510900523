"""Colour spaces: what networks see is sRGB, whatever the photo's own space is."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from twocet.photo.photo import Photo, Pixels

MOST_BYTES = 4_000_000
"""Of a profile; those of presses have 2 or 3 million."""
_STRIP_PIXELS = 1 << 22
_RELATIVE = ImageCms.Intent.RELATIVE_COLORIMETRIC
_GRID = 9

Apply = Callable[[Pixels], Pixels]


class Space(NamedTuple):
    """The ways between an RGB colour space and sRGB; both take and give (H, W, 3)."""

    to_srgb: Apply
    from_srgb: Apply


def shown(photo: Photo) -> Pixels:
    """(H, W, 3) the photo in sRGB, as the screen shows it."""
    return to_srgb(photo.pixels, photo.icc)


def to_srgb(pixels: Pixels, icc: bytes | None) -> Pixels:
    """Pixels of an RGB profile (None: sRGB) in sRGB, as the screen shows them; the same array if nothing is to do."""
    space = _space(icc)
    return pixels if space is None else space.to_srgb(pixels)


def changed_in_place(own: Pixels, before: Pixels, after: Pixels, icc: bytes | None) -> None:
    """Writes an edit made in sRGB into a photo: what did not change keeps its exact value.

    The difference that the edit makes is added, so that colours which sRGB lacks are kept under a faint edit.

    Args:
        own: (h, w, 3) the photo in its own space; changed.
        before: Likewise in sRGB.
        after: ``before`` with the edit.
        icc: Profile of ``own``.
    """
    space = _space(icc)
    if space is None and np.array_equal(own, before):
        own[:] = after
        return
    changed = (before != after).any(axis=2)
    back = (lambda pixels: pixels) if space is None else space.from_srgb
    old, new = (back(pixels[changed][None])[0].astype(np.int16) for pixels in (before, after))
    own[changed] = np.clip(own[changed] + (new - old), 0, 255)


def profile_space(icc: bytes) -> str | None:
    """The colour model of a profile, ``RGB``, ``GRAY``, ``CMYK`` or another; None for what is no profile."""
    if len(icc) > MOST_BYTES:
        return None
    try:
        return _profile(icc).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
        return None


def is_usable(icc: bytes) -> bool:
    """Whether colours can be taken from an RGB profile to sRGB and back."""
    try:
        _space(icc)
    except (OSError, ImageCms.PyCMSError):
        return False
    return True


def is_srgb(icc: bytes) -> bool:
    """Whether a profile is usable and differs from sRGB by one level at most."""
    return is_usable(icc) and _space(icc) is None


@lru_cache(maxsize=8)
def _space(icc: bytes | None) -> Space | None:
    """None for sRGB under whatever name. Raises OSError or PyCMSError for a profile that cannot be used."""
    if icc is None:
        return None
    profile, srgb = _profile(icc), ImageCms.createProfile("sRGB")
    there, back = (
        ImageCms.buildTransform(given, wanted, "RGB", "RGB", _RELATIVE)
        for given, wanted in ((profile, srgb), (srgb, profile))
    )
    space = Space(_in_strips(there), _in_strips(back))
    ramp = np.linspace(0, 255, _GRID).astype(np.uint8)
    grid = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(1, -1, 3)
    same = np.abs(space.to_srgb(grid).astype(int) - grid).max() <= 1
    return None if same else space


def _in_strips(transform: ImageCms.ImageCmsTransform) -> Apply:
    """A transform of arrays, a part at a time: Pillow's own pictures take more memory than ours."""

    def apply(pixels: Pixels) -> Pixels:
        result = np.empty(pixels.shape, np.uint8)
        rows = max(1, _STRIP_PIXELS // max(pixels.shape[1], 1))
        for top in range(0, len(pixels), rows):
            part = Image.fromarray(np.ascontiguousarray(pixels[top : top + rows]))
            transform.apply_in_place(part)
            result[top : top + rows] = np.asarray(part)
        return result

    return apply


def converter(icc: bytes, mode: str) -> Callable[[Image.Image], Image.Image] | None:
    """What turns pictures of a mode (``L``, ``CMYK``) with a profile of that kind into sRGB; None if it cannot be."""
    try:
        transform = ImageCms.buildTransform(_profile(icc), ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, ImageCms.PyCMSError):
        return None

    return transform.apply


@lru_cache(maxsize=1)
def lab_converter() -> Callable[[Image.Image], Image.Image]:
    """What turns pictures in CIE L*a*b* (D50) into sRGB."""
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return transform.apply


def _profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))
