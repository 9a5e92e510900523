"""The one way from a picture file to a photo: which formats are read, and within which limits."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile

from twocet.errors import UserError
from twocet.photo import containers, metadata, raster
from twocet.photo.photo import Photo

MAX_PIXELS = 64_000_000
"""So that no photo takes more than 1.5 GB, its edit and its file included."""
_MOST_PIXELS_OF = {"WEBP": 50_000_000}
"""Of formats whose decoders take more memory than others."""
MAX_DEEP_PIXELS = 40_000_000
"""Above, photos of 16 bits are read as if they had 8."""
MAX_SIDE = 65_500
_READ = "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF and HEIC are read"

_SCANS_ALWAYS_READ = 16
_MOST_SCANNED_PIXELS = 1_200_000_000
"""Scans of a JPEG file by its pixels: 10 seconds."""


def decode_photo(source: Path | bytes, name: str | None = None, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """The photo in a file, or in a file's bytes: upright, the first picture of an animation.

    Metadata that cannot be read are left out, with a note; they never cost the photo.

    Args:
        source: Where it is, or what it holds.
        name: What messages call it; the path if none is given.
        max_pixels: More are refused.

    Raises UserError for what is no picture of a known format, is damaged or too large.
    """
    path = source if isinstance(source, Path) else None
    name = name or str(source if path else "the picture")
    with _opened(source, name) as file:
        file_format = containers.format_of(file)
        if file_format is None:
            raise UserError(f"{name} is not a picture ({_READ}): check the file.")
        if file_format == "HEIF":
            _learn_heif(name)
        try:
            photo = _read(file, file_format, name, max_pixels)
        except UserError:
            raise
        except MemoryError:
            raise UserError(f"{name} needs more memory than there is: scale the picture down.") from None
        except Exception as error:
            # Pillow's decoders raise a dozen unrelated types (OSError, SyntaxError, struct.error) for damaged data.
            photo = _read_bare(file, file_format, name, max_pixels, error)
    return replace(photo, path=path)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of the picture in a file as it is stored; (0, 0) for what cannot be told before it is read."""
    try:
        with path.open("rb") as file:
            file_format = containers.format_of(file)
            if file_format is None:
                return 0, 0
            with _open(file, file_format, str(path), MAX_PIXELS) as picture:
                return picture.size
    except (OSError, ValueError, SyntaxError):
        return 0, 0


@contextlib.contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        if not source:
            raise UserError(f"{name} is empty: copy the picture again.")
        yield io.BytesIO(source)
        return
    try:
        status = os.stat(source)
    except (OSError, ValueError):
        if re.match(r"https?:/", name):
            raise UserError(f"{name} is an address on the web: download the picture and give its path.") from None
        raise UserError(f"{name} does not exist: give the path of a picture file.") from None
    if not stat.S_ISREG(status.st_mode):
        problem = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no file"
        raise UserError(f"{name} {problem}: give the path of a picture file.")
    if status.st_size == 0:
        raise UserError(f"{name} is empty: copy the picture again.")
    try:
        file = source.open("rb")
    except OSError as error:
        raise UserError(f"{name} may not be read ({error.strerror}): change its permissions.") from None
    with file:
        yield file


def _read_bare(file: BinaryIO, file_format: str, name: str, max_pixels: int, error: Exception) -> Photo:
    """The photo without its metadata, in case only those are damaged."""
    for colours in (True, False):
        bare = containers.without_metadata(file, file_format, colours=colours)
        if bare is None:
            break
        try:
            photo = _read(bare, file_format, name, max_pixels)
        except UserError:
            raise
        except Exception:
            continue
        return replace(photo, notes=(*photo.notes, "its metadata are damaged and were left out"))
    raise UserError(f"{name} is damaged ({str(error)[:200]}): copy or export the picture again.") from None


def _read(file: BinaryIO, file_format: str, name: str, max_pixels: int) -> Photo:
    with _open(file, file_format, name, max_pixels) as picture:
        _check_scans(file, picture, name)
        deep = raster.is_deep(picture)
        picture.load()
        found = metadata.read(picture, file, file_format)
        image = raster.to_raster(picture, found.icc)
        notes = (*found.notes, *image.notes)
    is_too_large = image.pixels.size > 3 * MAX_DEEP_PIXELS
    if deep and not is_too_large:
        with _open(file, file_format, name, max_pixels) as picture:
            image = image._replace(low=raster.other_bytes(picture))
    elif is_too_large and (deep or image.low is not None):
        image = image._replace(low=None)
        notes = (*notes, "it has 16 bits per colour and is very large: the result has 8")
    return to_photo(image, found, notes, file_format)


def to_photo(image: raster.Raster, found: metadata.Metadata, notes: tuple[str, ...], file_format: str | None) -> Photo:
    """A picture as it is stored, and what is said of it, as a photo."""
    upright = image.upright(found.orientation)
    return Photo(
        pixels=upright.pixels,
        alpha=upright.alpha,
        low=upright.low,
        icc=upright.icc,
        exif=found.exif,
        xmp=found.xmp,
        iptc=found.iptc,
        dpi=found.dpi,
        texts=found.texts,
        comment=found.comment,
        notes=notes,
        format=file_format,
    )


@contextlib.contextmanager
def _open(file: BinaryIO, file_format: str, name: str, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """The picture in a file, not yet decoded. Raises UserError for one that is too large."""
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(file, formats=(file_format,)) as picture:
                check_size(picture.size, name, min(max_pixels, _MOST_PIXELS_OF.get(file_format, max_pixels)))
                yield picture
        except Image.DecompressionBombError:
            raise _too_large(name, max_pixels) from None


def check_size(size: tuple[int, int], name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Raises UserError for a picture of more pixels, or one longer than any format's sides may be."""
    if size[0] * size[1] > max_pixels:
        raise _too_large(name, max_pixels)
    if max(size) > MAX_SIDE:
        raise UserError(f"{name} is {max(size)} pixels long: cut it to {MAX_SIDE} or fewer before editing it.")


def _too_large(name: str, max_pixels: int) -> UserError:
    return UserError(
        f"{name} has more than {max_pixels / 1e6:.0f} million pixels: scale the picture down before editing it."
    )


def _check_scans(file: BinaryIO, picture: Image.Image, name: str) -> None:
    """Raises UserError for a JPEG file that goes over its pixels so often that it would take long."""
    if not picture.info.get("progressive"):
        return
    scans = containers.jpeg_scans(file)
    if scans > _SCANS_ALWAYS_READ and scans * picture.width * picture.height > _MOST_SCANNED_PIXELS:
        raise UserError(f"{name} stores its pixels in {scans} scans, which takes too long: export the picture again.")


def _learn_heif(name: str) -> None:
    """Teaches Pillow HEIC. Raises UserError without the package for it."""
    try:
        import pi_heif
    except ImportError:
        raise UserError(f"{name} is a HEIC picture: to read it, pip install 'twocet[heic]'.") from None
    pi_heif.register_heif_opener(thumbnails=False)
