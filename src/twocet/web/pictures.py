"""Uploaded bytes to photos, photos to bytes for the browser; nothing is written that outlives the call."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

import numpy as np
from PIL import Image

from twocet.edit.result import Result
from twocet.photo.credentials import Original
from twocet.photo.images import Photo, Pixels, decode_photo

MAX_BYTES = 50_000_000
MAX_PIXELS = 100_000_000
"""Phones take 50 million pixels and more."""
PREVIEW_SIDE = 1024
"""The page works on a copy of at most this side; only the download is made at the photo's own resolution."""
_DOWNLOAD_SUFFIXES = {"JPEG": ".jpg", "WEBP": ".webp"}
_SOURCE_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif", "AVIF": ".avif"}
_PREVIEW_QUALITY = 90


def decode(content: bytes, name: str) -> Photo:
    """The photo in an uploaded file. Raises UserError for what is no picture, is damaged or is too large."""
    return decode_photo(content, name, max_pixels=MAX_PIXELS)


def preview(photo: Photo, side: int = PREVIEW_SIDE) -> Photo:
    """The photo, its longer side no more than ``side``, with its colours and without the rest of its metadata."""
    picture = Image.fromarray(photo.pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return Photo(pixels=np.array(picture), icc=photo.icc)


def to_jpeg(pixels: Pixels, icc: bytes | None = None, quality: int = _PREVIEW_QUALITY) -> bytes:
    """A picture for the browser's eyes only: a JPEG file without metadata."""
    buffer = io.BytesIO()
    options = {"icc_profile": icc} if icc else {}
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, **options)
    return buffer.getvalue()


def marked_file(result: Result, stem: str, content: bytes | None) -> tuple[str, bytes]:
    """The result as a file with AI marks, in the format of the target: its name and its bytes.

    ``content``: of the uploaded file, to which a C2PA manifest refers; None: to none.
    """
    file_format = result.photo.format or ""
    suffix = _DOWNLOAD_SUFFIXES.get(file_format, ".png")
    source = None
    if content is not None and file_format in _SOURCE_SUFFIXES:
        source = Original(content, _SOURCE_SUFFIXES[file_format])
    return f"{stem}{suffix}", result.encoded(suffix, source=source)


def archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip file of files by name; pictures are small already and are stored as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        for name, content in files:
            packed.writestr(name, content)
    return buffer.getvalue()
