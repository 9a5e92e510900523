"""What a picture file holds beside its pixels, found without decoding it.

All functions take an open binary file, leave its position anywhere, and end at the first thing that makes no sense.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_PNG = b"\x89PNG\r\n\x1a\n"
_BLOCK = 1 << 20
_HEAD = 1 << 16
"""Where ISO base media files have their properties."""
_MOST_SEGMENTS = 100_000
_CONTENT_CREDENTIALS = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""The box of a C2PA manifest in an ISO base media file (C2PA 2.1, A.4)."""

_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_COLOUR = (0xE0, 0xE2, 0xEE)
"""JFIF, colour profile, Adobe's colour transform."""
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PNG_COLOUR = (b"sRGB", b"gAMA", b"cHRM", b"iCCP")
_WEBP_BARE = (b"EXIF", b"XMP ", b"C2PA")


_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")


class Segment(NamedTuple):
    """A chunk of a PNG or WebP file, or a segment of a JPEG file."""

    kind: bytes
    """Four letters; of a JPEG file one byte, the marker."""
    offset: int
    """Of its content in the file."""
    length: int
    """Of its content."""


class NominalColour(NamedTuple):
    """Colour by code points (ITU-T H.273)."""

    primaries: int
    transfer: int


def format_of(file: BinaryIO) -> str | None:
    """The format, by Pillow's name, that a file's first bytes tell; None for all that are not read."""
    head = _read(file, 0, 64)
    starts = {
        _PNG: "PNG", b"\xff\xd8\xff": "JPEG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF", b"MM\0+": "TIFF",
        b"BM": "BMP", b"GIF8": "GIF",
    }  # fmt: skip
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = [head[at : at + 4] for at in (8, *range(16, len(head), 4))]
        return "AVIF" if any(b in _AVIF for b in brands) else "HEIF" if any(b in _HEIF for b in brands) else None
    return next((name for start, name in starts.items() if head.startswith(start)), None)


def png_chunks(file: BinaryIO) -> Iterator[Segment]:
    """The chunks of a PNG file."""
    at = len(_PNG)
    for _ in range(_MOST_SEGMENTS):
        head = _read(file, at, 8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield Segment(kind, at + 8, length)
        at += 12 + length


def jpeg_segments(file: BinaryIO) -> Iterator[Segment]:
    """The segments of a JPEG file before its pixels, and the first scan."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        head = _read(file, at, 4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        if head[1] == 0xFF:  # padding
            at += 1
            continue
        length = int.from_bytes(head[2:], "big")
        yield Segment(head[1:2], at + 4, length - 2)
        if head[1] == _JPEG_SCAN or length < 2:
            return
        at += 2 + length


def riff_chunks(file: BinaryIO) -> Iterator[Segment]:
    """The chunks of a WebP file."""
    at = 12
    for _ in range(_MOST_SEGMENTS):
        head = _read(file, at, 8)
        if len(head) < 8:
            return
        kind, length = struct.unpack("<4sI", head)
        yield Segment(kind, at + 8, length)
        at += 8 + length + length % 2


def jpeg_scans(file: BinaryIO) -> int:
    """How often a JPEG file goes over its pixels; those of pictures appended to it do not count."""
    start = next((s.offset for s in jpeg_segments(file) if s.kind[0] == _JPEG_SCAN), None)
    if start is None:
        return 0
    scans, last = 1, b""
    file.seek(start)
    while block := file.read(_BLOCK):
        # Within a scan 0xFF is followed by 0 or by the number of a restart.
        text = last + block
        end = text.find(bytes((0xFF, _JPEG_END)))
        scans += text.count(bytes((0xFF, _JPEG_SCAN)), 0, None if end < 0 else end)
        if end >= 0:
            break
        last = b"\xff" if text.endswith(b"\xff") else b""
    return scans


def content(file: BinaryIO, segment: Segment, most: int = _BLOCK) -> bytes:
    """What a segment holds, up to ``most`` bytes of it."""
    return _read(file, segment.offset, max(0, min(segment.length, most)))


def nominal_colour(file: BinaryIO, file_format: str) -> NominalColour | None:
    """The colour that a PNG (cICP) or an ISO base media file (nclx) names."""
    if file_format == "PNG":
        code = next((content(file, s, 4) for s in _before_pixels(file) if s.kind == b"cICP"), b"")
        return NominalColour(code[0], code[1]) if len(code) == 4 else None
    if file_format in ("AVIF", "HEIF"):
        head = _read(file, 0, _HEAD)
        at = head.find(b"colrnclx")
        code = head[at + 8 : at + 12]
        return NominalColour(*struct.unpack(">HH", code)) if at >= 0 and len(code) == 4 else None
    return None


def is_deep(file: BinaryIO, file_format: str) -> bool:
    """Whether an AVIF or HEIC file has more than 8 bits per value."""
    head = _read(file, 0, _HEAD) if file_format in ("AVIF", "HEIF") else b""
    at, hevc = head.find(b"av1C"), head.find(b"hvcC")
    if file_format == "AVIF":
        return at >= 0 and len(head) > at + 6 and bool(head[at + 6] & 0x40)
    return hevc >= 0 and len(head) > hevc + 21 and bool(head[hevc + 21] & 7)


def has_content_credentials(file: BinaryIO, file_format: str) -> bool:
    """Whether a file carries a C2PA manifest."""
    if file_format == "PNG":
        return any(s.kind == b"caBX" for s in png_chunks(file))
    if file_format == "JPEG":
        return any(s.kind[0] == 0xEB and b"c2pa" in content(file, s, 200) for s in jpeg_segments(file))
    if file_format == "WEBP":
        return any(s.kind == b"C2PA" for s in riff_chunks(file))
    return file_format in ("AVIF", "HEIF") and _CONTENT_CREDENTIALS in _read(file, 0, _HEAD)


def without_metadata(file: BinaryIO, file_format: str, *, colours: bool) -> BinaryIO | None:
    """A copy with what pixels need alone, and ``colours``; None for a format that is not known."""
    file.seek(0)
    if file_format == "PNG":
        return io.BytesIO(_PNG + b"".join(_sound_chunks(file, colours)))
    if file_format == "JPEG":
        return io.BytesIO(b"\xff\xd8" + b"".join(_bare_segments(file, colours)))
    if file_format == "WEBP":
        chunks = b"".join(_bare_chunks(file))
        return io.BytesIO(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks)
    if file_format in ("AVIF", "HEIF"):
        whole = file.read()
        # An item of a type that nobody knows is not looked at.
        return io.BytesIO(whole[:_HEAD].replace(b"Exif\0", b"none\0") + whole[_HEAD:])
    return None


def _before_pixels(file: BinaryIO) -> Iterator[Segment]:
    for chunk in png_chunks(file):
        if chunk.kind == b"IDAT":
            return
        yield chunk


def _sound_chunks(file: BinaryIO, colours: bool) -> Iterator[bytes]:
    for chunk in png_chunks(file):
        of_colour = colours and chunk.kind in _PNG_COLOUR and chunk.length < _BLOCK
        if chunk.kind in _PNG_PIXELS or (of_colour and _is_sound(file, chunk)):
            yield _read(file, chunk.offset - 8, chunk.length + 12)


def _is_sound(file: BinaryIO, chunk: Segment) -> bool:
    whole = _read(file, chunk.offset - 4, chunk.length + 8)
    return zlib.crc32(whole[:-4]) == int.from_bytes(whole[-4:], "big")


def _bare_segments(file: BinaryIO, colours: bool) -> Iterator[bytes]:
    for segment in jpeg_segments(file):
        marker = segment.kind[0]
        if marker == _JPEG_SCAN:
            yield _read(file, segment.offset - 4, -1)
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker in (_JPEG_COLOUR if colours else (0xEE,)):
            yield _read(file, segment.offset - 4, segment.length + 4)


def _bare_chunks(file: BinaryIO) -> Iterator[bytes]:
    for chunk in riff_chunks(file):
        if chunk.kind not in _WEBP_BARE:
            yield _read(file, chunk.offset - 8, 8 + chunk.length + chunk.length % 2)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
