"""The one way from a photo to a picture file."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from twocet.errors import UserError
from twocet.photo import containers, exif
from twocet.photo.decode import MAX_SIDE, read_size
from twocet.photo.photo import Photo
from twocet.photo.png import png_info
from twocet.runtime.files import write_whole

SUFFIXES = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".jpe": "JPEG", ".webp": "WEBP", ".tif": "TIFF",
    ".tiff": "TIFF",
}  # fmt: skip
"""Of the files that can be written, with Pillow's names of the formats."""
_USUAL_SUFFIXES = (".png", ".jpg", ".webp", ".tif")
LONGEST_SIDE = {"JPEG": MAX_SIDE, "WEBP": 16_383}
"""Of the formats that have one."""
JPEG_XMP_LIMIT = 65_502
_JPEG_EXIF_LIMIT = 65_527
_JPEG_LIMITS = {"xmp": JPEG_XMP_LIMIT, "comment": 65_533, "iptc": 65_500}
"""Bytes, by the photo's field."""
_DEEP_FORMATS = ("PNG", "TIFF")
_STRIP_PIXELS = 1 << 20
_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC_RESOURCE = 0x0404
_ZLIB_LEVEL = 3
"""For pixels of 16 bits, whose lower bytes are noise that no effort makes smaller."""


def write_photo(path: str | os.PathLike[str], photo: Photo, *, xmp: bytes | None = None) -> Path:
    """Writes PNG, JPEG (quality 95, 4:4:4), WebP or TIFF by the suffix, with all metadata that the format has room for.

    ``xmp`` replaces the photo's own packet. A file appears whole or not at all. JPEG has no opacity: the photo is
    laid on white. PNG and TIFF have 16 bits where the photo has. Raises UserError for an unknown suffix, a picture too
    large for the format or a place that cannot be written.
    """
    path = Path(path)
    check_writable(path)
    check_fits(path, photo)
    return write_whole(path, encode_photo(photo, SUFFIXES[path.suffix.lower()], xmp=xmp))


def encode_photo(photo: Photo, file_format: str, *, xmp: bytes | None = None) -> bytes:
    """The content of a file, see :func:`write_photo`; ``file_format`` is one of the values of ``SUFFIXES``."""
    photo, _ = fitted(replace(photo, xmp=photo.xmp if xmp is None else xmp), file_format)
    if file_format == "TIFF":
        return _tiff(photo)
    if file_format == "PNG" and photo.low is not None:
        return _deep_png(photo)
    buffer = io.BytesIO()
    _picture(photo, file_format).save(buffer, format=file_format, **_save_options(file_format, photo))
    return buffer.getvalue()


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises UserError unless ``path`` has a suffix that ``write_photo`` knows and its folder exists or can be made."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: end the name in {', '.join(_USUAL_SUFFIXES)} so that the format is known.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the name of a file.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: choose another output.")
    if not os.access(folder, os.W_OK):
        raise UserError(f"The folder {folder} may not be written: choose another one.")


def check_fits(path: str | os.PathLike[str], photo: Photo | Path) -> None:
    """Raises UserError if a photo, or that in a file, is too long for the format that the suffix of ``path`` names."""
    path = Path(path)
    longest = LONGEST_SIDE.get(SUFFIXES.get(path.suffix.lower(), ""))
    if longest is None:
        return
    size = photo.size if isinstance(photo, Photo) else read_size(photo)
    if max(size) > longest:
        raise UserError(
            f"{path}: {path.suffix[1:]} files have sides of {longest} pixels at most, the picture has {max(size)}: "
            "end the name in .png or .tif."
        )


def notes_on_writing(photo: Photo, path: str | os.PathLike[str]) -> tuple[str, ...]:
    """A line for each thing that the format of ``path`` has no room for."""
    _, notes = fitted(photo, SUFFIXES.get(Path(path).suffix.lower(), ""))
    return tuple(f"{path}: {note}." for note in notes)


def fitted(photo: Photo, file_format: str) -> tuple[Photo, tuple[str, ...]]:
    """The photo without what a format has no room for, and a sentence for each such thing."""
    notes = []
    if photo.low is not None and file_format not in _DEEP_FORMATS:
        photo = replace(photo, low=None)
        notes.append(f"the photo has 16 bits per colour, {file_format} files have 8: PNG and TIFF files keep them")
    if photo.texts and file_format != "PNG":
        names = ", ".join(name for name, _ in photo.texts[:5])
        photo = replace(photo, texts=())
        notes.append(f"texts of the photo were left out, only PNG files have them: {names}")
    if photo.iptc and file_format not in ("JPEG", "TIFF"):
        photo = replace(photo, iptc=None)
        notes.append(f"IPTC fields were left out, {file_format} files have none: JPEG and TIFF files keep them")
    if file_format == "JPEG":
        photo, jpeg_notes = _fitted_to_jpeg(photo)
        notes += jpeg_notes
    return photo, tuple(notes)


def _fitted_to_jpeg(photo: Photo) -> tuple[Photo, list[str]]:
    notes = []
    found = exif.parse(photo.exif or b"")
    if found is not None:
        fields, dropped = exif.fitted(found[0], _JPEG_EXIF_LIMIT)
        if dropped:
            photo = replace(photo, exif=exif.to_block(fields) if fields else None)
            notes.append(f"JPEG files have no room for EXIF fields so long, which were left out: {', '.join(dropped)}")
    for name, most in _JPEG_LIMITS.items():
        if len(getattr(photo, name) or b"") > most:
            changes: dict[str, Any] = {name: None}
            photo = replace(photo, **changes)
            notes.append(f"JPEG files have no room for {name.upper()} so long: it was left out")
    return photo, notes


def _picture(photo: Photo, file_format: str) -> Image.Image:
    """The picture for Pillow; with opacity put together a part at a time, since Pillow's own ways take three copies."""
    if photo.alpha is None:
        return Image.fromarray(photo.pixels)
    picture = Image.new("RGB" if file_format == "JPEG" else "RGBA", photo.size)
    step = max(1, _STRIP_PIXELS // photo.size[0])
    for top in range(0, photo.size[1], step):
        colours, opacity = photo.pixels[top : top + step], photo.alpha[top : top + step]
        if file_format == "JPEG":
            weight = opacity[..., None] / np.float32(255)
            part = np.rint(colours * weight + 255 * (1 - weight)).astype(np.uint8)
        else:
            part = np.dstack([colours, opacity])
        picture.paste(Image.fromarray(part), (0, top))
    return picture


def _save_options(file_format: str, photo: Photo) -> dict[str, object]:
    options: dict[str, object] = {"icc_profile": photo.icc} if photo.icc else {}
    block = _block(photo) if file_format == "WEBP" else photo.exif
    if block:
        options["exif"] = b"Exif\0\0" + block
    if photo.dpi:
        options["dpi"] = photo.dpi
    if file_format == "PNG":
        return options | {"pnginfo": _png_info(photo), "compress_level": 6}
    if photo.xmp:
        options["xmp"] = photo.xmp
    if file_format == "WEBP":
        return options | {"quality": 95, "method": 4}
    if photo.comment:
        options["comment"] = photo.comment
    if photo.iptc:
        options["extra"] = _iptc_segment(photo.iptc)
    return options | {"quality": 95, "subsampling": 0}


def _png_info(photo: Photo) -> PngImagePlugin.PngInfo:
    chunks = png_info(photo.xmp)
    for name, text in photo.texts:
        chunks.add_text(name, text, zip=len(text) > 1000)
    if photo.comment and not any(name == "Comment" for name, _ in photo.texts):
        chunks.add_text("Comment", photo.comment.decode("utf-8", "replace"))
    return chunks


def _iptc_segment(iptc: bytes) -> bytes:
    """A JPEG segment with Photoshop's resource for IPTC (Adobe Photoshop file formats, "Image resource blocks")."""
    resource = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", 2 + len(_PHOTOSHOP + resource)) + _PHOTOSHOP + resource


def _block(photo: Photo) -> bytes | None:
    """The EXIF fields with the resolution, for formats that have it nowhere else."""
    found = exif.parse(photo.exif or b"")
    fields = exif.Exif("<") if found is None else found[0]
    if photo.dpi and exif.resolution(fields) is None:
        fields = exif.with_resolution(fields, photo.dpi)
    return exif.to_block(fields) if fields else None


def _deep_png(photo: Photo) -> bytes:
    """A PNG file of 16 bits, which Pillow does not write: its file of one pixel, with other pixels."""
    channels = 3 if photo.alpha is None else 4
    small = replace(photo, pixels=photo.pixels[:1, :1], alpha=None if photo.alpha is None else photo.alpha[:1, :1])
    buffer = io.BytesIO()
    _picture(small, "PNG").save(buffer, "PNG", **_save_options("PNG", photo))
    parts = [buffer.getvalue()[:8]]
    for chunk in containers.png_chunks(buffer):
        content = containers.content(buffer, chunk, chunk.length)
        if chunk.kind == b"IHDR":
            content = struct.pack(">IIBB", *photo.size, 16, {3: 2, 4: 6}[channels]) + content[10:]
        if chunk.kind == b"IDAT":
            content = _deflated_rows(photo, 2 * channels)
        head = chunk.kind + content
        parts.append(struct.pack(">I", len(content)) + head + struct.pack(">I", zlib.crc32(head)))
    return b"".join(parts)


def _deflated_rows(photo: Photo, step: int) -> bytes:
    """The rows of a PNG file, each as the difference to the pixel ``step`` bytes before (filter type 1)."""
    deflate = zlib.compressobj(_ZLIB_LEVEL)
    parts = []
    for rows in _deep_rows(photo, ">"):
        filtered = np.empty((rows.shape[0], 1 + rows.shape[1]), np.uint8)
        filtered[:, 0] = 1
        filtered[:, 1 : 1 + step] = rows[:, :step]
        np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
        parts.append(deflate.compress(filtered.data))
    return b"".join([*parts, deflate.flush()])


def _deep_rows(photo: Photo, order: str) -> Iterator[npt.NDArray[np.uint8]]:
    """(n, bytes of a row): the values of 16 bits in a byte order, some rows at a time."""
    assert photo.low is not None
    step = max(1, _STRIP_PIXELS // photo.size[0])
    for top in range(0, photo.size[1], step):
        rows = slice(top, top + step)
        values = np.stack([photo.pixels[rows], photo.low[rows]], axis=-1)
        if photo.alpha is not None:
            opacity = photo.alpha[rows][..., None, None].repeat(2, axis=-1)
            values = np.concatenate([values, opacity], axis=2)
        if order == "<":
            values = values[..., ::-1]
        yield np.ascontiguousarray(values).reshape(len(values), -1)


def _tiff(photo: Photo) -> bytes:
    """An uncompressed TIFF file (TIFF 6.0). Pillow's writer would take its EXIF fields apart and lose some."""
    order = "<"
    found = exif.parse(_block(photo) or b"")
    fields = exif.Exif(order) if found is None else found[0]
    order = fields.order
    channels, bits = 3 if photo.alpha is None else 4, 8 if photo.low is None else 16

    def numbers(tag: int, kind: int, *values: int) -> exif.Field:
        return exif.Field(tag, kind, len(values), struct.pack(order + {3: "H", 4: "I"}[kind] * len(values), *values))

    (width, height), size = photo.size, photo.pixels.size // 3 * channels * bits // 8
    more = [
        numbers(256, 4, width), numbers(257, 4, height), numbers(258, 3, *[bits] * channels), numbers(259, 3, 1),
        numbers(262, 3, 2), numbers(277, 3, channels), numbers(278, 4, height), numbers(279, 4, size),
        *([numbers(338, 3, 2)] if channels == 4 else []),
    ]  # fmt: skip
    for tag, kind, content in ((700, 1, photo.xmp), (33_723, 7, photo.iptc), (34_675, 7, photo.icc)):
        if content:
            more.append(exif.Field(tag, kind, len(content), content))
    start = len(exif.to_block(fields, [*more, numbers(273, 4, 0)]))
    head = exif.to_block(fields, [*more, numbers(273, 4, start)])
    if photo.low is not None:
        return b"".join([head, *(rows.tobytes() for rows in _deep_rows(photo, order))])
    values = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
    return b"".join([head, np.ascontiguousarray(values).data])
