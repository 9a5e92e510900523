"""EXIF blocks, kept byte for byte.

An EXIF block is a TIFF file without pixels (Exif 3.0, JEITA CP-3451F). Values are carried over as they are stored, so
that whatever encoding and length a camera or program gave them survives.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of one value, by type."""
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_CAPTURE_POINTER, _PLACE_POINTER, _INTEROP_POINTER = 0x8769, 0x8825, 0xA005
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_INCHES, _CENTIMETRES = 2, 3
_INTEROP_INDEX, _ADOBE_RGB = 0x0001, b"R03"
MOST_BYTES = 4_000_000

_KEPT = {
    *(0x010D, 0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x011D, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C),
    *(0x4746, 0x4749, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
}
"""Document, description, camera, resolution, software, date, artist, host, rating, copyright, Windows' own fields.

What else the first directory holds (sizes, offsets, orientation) is wrong for a new file.
"""
_DROPPED_CAPTURE = {0x927C, 0xA002, 0xA003, _CAPTURE_POINTER, _PLACE_POINTER, _INTEROP_POINTER}
"""The maker's note (offsets into the old file, small pictures of the face as it was), width and height, pointers."""

_PRIVATE = {
    0xA430: "owner of the camera",
    0xA431: "serial numbers",
    0xA435: "serial numbers",
    0xA420: "serial numbers",
}
_NAMES = {
    0x010E: "ImageDescription", 0x013B: "Artist", 0x8298: "Copyright", 0x9286: "UserComment", 0x9C9B: "XPTitle",
    0x9C9C: "XPComment", 0x9C9D: "XPAuthor", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject",
}  # fmt: skip
"""Fields that may be long."""


class Field(NamedTuple):
    """One stored value."""

    tag: int
    kind: int
    """The type's number."""
    number: int
    value: bytes


class Exif(NamedTuple):
    """What an EXIF block says, apart from how the file is stored."""

    order: str
    """``<`` or ``>``: the byte order of the values."""
    main: tuple[Field, ...] = ()
    capture: tuple[Field, ...] = ()
    place: tuple[Field, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.main or self.capture or self.place)


class Facts(NamedTuple):
    """What a block says about how the file is stored."""

    orientation: int | None
    """1..8."""
    is_adobe_rgb: bool
    """The design rule for cameras (DCF 2.0) marks Adobe RGB so."""
    is_whole: bool
    """Whether every field could be read."""


def parse(block: bytes) -> tuple[Exif, Facts] | None:
    """The kept fields of a block, with or without its heading ``Exif``; None for what is no such block.

    Fields that point outside the block are left out.
    """
    return read(io.BytesIO(block.removeprefix(b"Exif\0\0")))


def read(file: BinaryIO) -> tuple[Exif, Facts] | None:
    """As :func:`parse`, of a TIFF file."""
    file.seek(0)
    head = file.read(8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None or len(head) < 8:
        return None
    reader = _Reader(file, order)
    main = reader.directory(struct.unpack(order + "I", head[4:])[0], lambda tag: tag in _KEPT or tag in _STRUCTURE)
    found = {field.tag: field for field in main}
    capture, place = (reader.pointed(found.get(tag)) for tag in (_CAPTURE_POINTER, _PLACE_POINTER))
    interop = reader.pointed(next((field for field in capture if field.tag == _INTEROP_POINTER), None))
    exif = Exif(
        order,
        tuple(field for field in main if field.tag in _KEPT),
        tuple(field for field in capture if field.tag not in _DROPPED_CAPTURE),
        tuple(place),
    )
    adobe = any(field.tag == _INTEROP_INDEX and field.value.startswith(_ADOBE_RGB) for field in interop)
    return exif, Facts(_orientation(found.get(_ORIENTATION), order), adobe, reader.is_whole)


_STRUCTURE = (_ORIENTATION, _CAPTURE_POINTER, _PLACE_POINTER)


class _Reader:
    """Reads directories; the total of their values is bounded."""

    def __init__(self, file: BinaryIO, order: str) -> None:
        self._file, self._order = file, order
        self._left = MOST_BYTES
        self.is_whole = True

    def pointed(self, pointer: Field | None) -> list[Field]:
        """The directory that a field points to."""
        if pointer is None or len(pointer.value) != 4:
            self.is_whole &= pointer is None
            return []
        return self.directory(struct.unpack(self._order + "I", pointer.value)[0], lambda tag: tag != 0x927C)

    def directory(self, offset: int, wanted: Callable[[int], bool]) -> list[Field]:
        """The fields of the directory at ``offset`` that are wanted and can be read, each tag once."""
        count_bytes = self._at(offset, 2)
        if len(count_bytes) < 2:
            self.is_whole = False
            return []
        (count,) = struct.unpack(self._order + "H", count_bytes)
        entries = self._at(offset + 2, 12 * count)
        self.is_whole &= len(entries) == 12 * count
        found: dict[int, Field] = {}
        for at in range(0, len(entries) - 11, 12):
            tag, kind, number = struct.unpack_from(self._order + "HHI", entries, at)
            if wanted(tag) and tag not in found:
                value = self._value(kind, number, entries[at + 8 : at + 12])
                if value is not None:
                    found[tag] = Field(tag, kind, number, value)
        return list(found.values())

    def _value(self, kind: int, count: int, inline: bytes) -> bytes | None:
        length = _SIZES.get(kind, 0) * count
        value = inline[:length] if length <= 4 else b""
        if 4 < length <= self._left:
            value = self._at(struct.unpack(self._order + "I", inline)[0], length)
        if len(value) != length or not length:
            self.is_whole &= _SIZES.get(kind) is not None and not count
            return None
        self._left -= length
        return value

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)


def _orientation(field: Field | None, order: str) -> int | None:
    if field is None or field.kind != _SHORT or len(field.value) < 2:
        return None
    (value,) = struct.unpack(order + "H", field.value[:2])
    return value if 1 <= value <= 8 else None


def to_block(exif: Exif, more: Iterable[Field] = ()) -> bytes:
    """A TIFF file without pixels; ``more`` fields go into its first directory."""
    block = bytearray((b"II*\0" if exif.order == "<" else b"MM\0*") + struct.pack(exif.order + "I", 8))
    main = [*exif.main, *more]
    pointers = [(tag, part) for tag, part in ((_CAPTURE_POINTER, exif.capture), (_PLACE_POINTER, exif.place)) if part]
    start = 8 + _directory_size(main, len(pointers))
    for tag, part in pointers:
        main.append(Field(tag, _LONG, 1, struct.pack(exif.order + "I", start)))
        start += _directory_size(part)
    for part in (tuple(main), *(part for _, part in pointers)):
        block += _directory(part, len(block), exif.order)
    return bytes(block)


def _directory_size(fields: Iterable[Field], pointers: int = 0) -> int:
    fields = list(fields)
    return 6 + 12 * (len(fields) + pointers) + sum(_padded(field) for field in fields)


def _padded(field: Field) -> int:
    """Bytes of a value that is stored behind its directory, at an even place."""
    return len(field.value) + len(field.value) % 2 if len(field.value) > 4 else 0


def _directory(fields: Iterable[Field], start: int, order: str) -> bytes:
    fields = sorted(fields, key=lambda field: field.tag)
    entries, values = bytearray(struct.pack(order + "H", len(fields))), bytearray()
    first = start + 6 + 12 * len(fields)
    for field in fields:
        place = field.value.ljust(4, b"\0")
        if len(field.value) > 4:
            place = struct.pack(order + "I", first + len(values))
            values += field.value.ljust(_padded(field), b"\0")
        entries += struct.pack(order + "HHI", field.tag, field.kind, field.number) + place
    return bytes(entries + bytes(4) + values)


def fitted(exif: Exif, most: int) -> tuple[Exif, list[str]]:
    """The block within ``most`` bytes: without its longest fields, whose names are given too."""
    dropped = []
    while exif and len(to_block(exif)) > most:
        longest = max((*exif.main, *exif.capture, *exif.place), key=lambda field: len(field.value))
        dropped.append(_NAMES.get(longest.tag, f"0x{longest.tag:04X}"))
        main, capture, place = (
            tuple(f for f in part if f is not longest) for part in (exif.main, exif.capture, exif.place)
        )
        exif = Exif(exif.order, main, capture, place)
    return exif, dropped


def without_private(exif: Exif) -> Exif:
    """Without place, serial numbers and owner; author and copyright stay."""
    return exif._replace(capture=tuple(field for field in exif.capture if field.tag not in _PRIVATE), place=())


def private_kinds(exif: Exif) -> set[str]:
    """Which of "place", "serial numbers" and "owner of the camera" it tells."""
    # A version number (tag 0) alone is no place.
    place = {"place"} if any(field.tag for field in exif.place) else set()
    return place | {_PRIVATE[field.tag] for field in exif.capture if field.tag in _PRIVATE}


def resolution(exif: Exif) -> tuple[float, float] | None:
    """Pixels per inch, across and down; None where it does not say, or says nonsense."""
    found = {field.tag: field for field in exif.main}
    unit = found.get(_RESOLUTION_UNIT)
    sides = [found.get(tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION)]
    if unit is None or unit.kind != _SHORT or any(side is None or side.kind != _RATIONAL for side in sides):
        return None
    inches = {_INCHES: 1.0, _CENTIMETRES: 2.54}.get(struct.unpack(exif.order + "H", unit.value[:2])[0])
    ratios = [struct.unpack(exif.order + "II", side.value[:8]) for side in sides if side is not None]
    if inches is None or not all(below for _, below in ratios):
        return None
    x, y = (inches * above / below for above, below in ratios)
    return x, y


def with_resolution(exif: Exif, dpi: tuple[float, float]) -> Exif:
    """With pixels per inch, across and down, in place of any resolution."""
    fields = tuple(f for f in exif.main if f.tag not in (_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT))
    x, y = (struct.pack(exif.order + "II", round(value * 100), 100) for value in dpi)
    unit = Field(_RESOLUTION_UNIT, _SHORT, 1, struct.pack(exif.order + "H", _INCHES))
    more = (Field(_X_RESOLUTION, _RATIONAL, 1, x), Field(_Y_RESOLUTION, _RATIONAL, 1, y), unit)
    return exif._replace(main=(*fields, *more))
