"""Photos: files, Pillow's pictures and arrays to pixels, and back, with the metadata that must survive."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Hashable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from twocet.errors import UserError
from twocet.photo import metadata, raster
from twocet.photo.colour import shown
from twocet.photo.decode import MAX_PIXELS, check_size, decode_photo, to_photo
from twocet.photo.encode import (
    JPEG_XMP_LIMIT,
    SUFFIXES,
    check_fits,
    check_writable,
    notes_on_writing,
    write_photo,
)
from twocet.photo.photo import Photo, Pixels

__all__ = [
    "JPEG_XMP_LIMIT",
    "MAX_PIXELS",
    "READABLE_SUFFIXES",
    "SUFFIXES",
    "Photo",
    "PhotoLike",
    "Pixels",
    "check_fits",
    "check_writable",
    "decode_photo",
    "notes_on_writing",
    "photo_key",
    "read_photo",
    "read_pixels",
    "write_photo",
]

READABLE_SUFFIXES = frozenset(SUFFIXES) | {".bmp", ".dib", ".gif", ".avif", ".heic", ".heif", ".jif", ".mpo", ".apng"}

PhotoLike = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | npt.NDArray[np.generic] | Photo


def read_photo(photo: PhotoLike, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads a file (its path, bytes, or open for reading bytes), a PIL image, or an array.

    Arrays are (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16.

    Applies the orientation, converts any mode to RGB in the photo's own colours, takes the first frame of an animation.
    Raises UserError for anything that is no such picture or has more than ``max_pixels`` pixels.
    """
    if isinstance(photo, Photo):
        return photo
    if isinstance(photo, np.ndarray):
        return _from_array(photo, max_pixels)
    if isinstance(photo, Image.Image):
        return _from_pil(photo, max_pixels)
    if isinstance(photo, str | os.PathLike):
        return decode_photo(Path(photo), max_pixels=max_pixels)
    if isinstance(photo, bytes):
        return decode_photo(photo, max_pixels=max_pixels)
    if hasattr(photo, "read"):
        return decode_photo(_read_open(photo), max_pixels=max_pixels)
    raise UserError(
        f"A {type(photo).__name__} is not a picture: give one path, bytes, an open file, a PIL image or an array."
    )


def _read_open(file: BinaryIO) -> bytes:
    """All of an open file, whatever has been read of it before."""
    file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise UserError("The file is open for text: open it with 'rb'.")
    return content


def read_pixels(photo: PhotoLike) -> Pixels:
    """(H, W, 3) in sRGB, whatever colours the photo has; see :func:`read_photo`. Raises UserError."""
    return shown(read_photo(photo))


def _from_array(array: npt.NDArray[np.generic], max_pixels: int) -> Photo:
    remedy = "give uint8 or uint16, height x width, or height x width x 3 (RGB) or 4 (RGBA)."
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.size == 0:
        raise UserError(f"An array of shape {array.shape} is not a picture: {remedy}")
    if array.dtype not in (np.uint8, np.uint16):
        raise UserError(f"An array of {array.dtype} is not a picture: {remedy}")
    check_size(array.shape[1::-1], "The array", max_pixels)
    values = array[:, :, None] if array.ndim == 2 else array
    upper, lower = raster.split(values.astype(np.uint16)) if array.dtype == np.uint16 else (values, None)
    return Photo(
        pixels=_colours(np.asarray(upper, np.uint8)),
        low=None if lower is None else _colours(lower),
        alpha=np.array(upper[:, :, 3], np.uint8) if upper.shape[2] == 4 else None,
    )


def _colours(values: npt.NDArray[np.uint8]) -> Pixels:
    """A copy (H, W, 3) of values with 1, 3 or 4 channels."""
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values[:, :, :3].copy()


def _from_pil(picture: Image.Image, max_pixels: int) -> Photo:
    check_size(picture.size, "The picture", max_pixels)
    try:
        if picture.tell():
            picture.seek(0)
        picture.load()
        found = metadata.read(picture, None, picture.format or "")
        image = raster.to_raster(picture, found.icc)
    except UserError:
        raise
    except Exception as error:
        # Pillow's decoders raise a dozen unrelated types (OSError, SyntaxError, struct.error, ...) for damaged data.
        raise UserError(f"The picture is damaged ({str(error)[:200]}): open or make it again.") from None
    return to_photo(image, found, (*found.notes, *image.notes), picture.format)


def photo_key(photo: PhotoLike) -> Hashable:
    """What tells one picture from another; a file is not read for it."""
    if isinstance(photo, (str, os.PathLike)):
        with contextlib.suppress(OSError):
            status = os.stat(photo)
            return os.path.abspath(photo), status.st_mtime_ns, status.st_size
        return os.path.abspath(photo)
    picture = read_photo(photo)
    digest = hashlib.blake2b(np.ascontiguousarray(picture.pixels).data)
    for part in (picture.alpha, picture.low, picture.icc, picture.xmp, picture.exif):
        digest.update(b"" if part is None else bytes(part))
    return picture.size, picture.path, digest.digest()
