"""What a photo tells about where, with which camera and by whom it was taken, and leaving it out."""

from __future__ import annotations

from dataclasses import replace

from twocet.photo import exif, xmp
from twocet.photo.photo import Photo

KINDS = {"place": "the place (GPS)", "serial numbers": "serial numbers", "owner of the camera": "the camera's owner"}
"""What is looked for, and how it is said. Author and copyright are no secret: they are there to be read."""
_IPTC_PLACES = {(2, number) for number in (26, 27, 90, 92, 95, 100, 101)}
"""Content location (code and name), city, sublocation, province, country (code and name): IIM 4.2."""
_TEXTS = {
    "place": ("gps", "latitude", "longitude", "location"),
    "serial numbers": ("serial",),
    "owner of the camera": ("owner",),
}
"""By what it tells: words in the names of PNG texts."""


def private_kinds(photo: Photo) -> tuple[str, ...]:
    """Which of ``KINDS`` the photo tells."""
    fields = exif.parse(photo.exif or b"")
    found = xmp.private_kinds(photo.xmp) | (exif.private_kinds(fields[0]) if fields else set())
    found |= {kind for name, _ in photo.texts if (kind := _text_kind(name))}
    if photo.iptc and _without_places(photo.iptc) != photo.iptc:
        found.add("place")
    return tuple(kind for kind in KINDS if kind in found)


def privacy_notes(photo: Photo) -> tuple[str, ...]:
    """One line if the photo tells such things."""
    told = [KINDS[kind] for kind in private_kinds(photo)]
    if not told:
        return ()
    listed = " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
    return (f"The result keeps {listed} that the photo tells: strip_private=True leaves them out.",)


def without_private(photo: Photo) -> Photo:
    """The photo without place, serial numbers and owner of the camera."""
    if not private_kinds(photo):
        return photo
    fields = exif.parse(photo.exif or b"")
    kept = exif.without_private(fields[0]) if fields else None
    return replace(
        photo,
        exif=exif.to_block(kept) if kept else None,
        xmp=xmp.without_private(photo.xmp) if photo.xmp else None,
        iptc=_without_places(photo.iptc) or None if photo.iptc else None,
        texts=tuple((name, text) for name, text in photo.texts if not _text_kind(name)),
    )


def _text_kind(name: str) -> str | None:
    return next((kind for kind, words in _TEXTS.items() if any(word in name.lower() for word in words)), None)


def _without_places(iptc: bytes) -> bytes:
    """IIM datasets (a tag marker 0x1C, record, number, length of two bytes, value) without those that tell places.

    What follows a dataset that makes no sense is kept as it is.
    """
    kept, at = bytearray(), 0
    while len(iptc) - at >= 5 and iptc[at] == 0x1C and iptc[at + 3] < 0x80:
        end = at + 5 + int.from_bytes(iptc[at + 3 : at + 5], "big")
        if (iptc[at + 1], iptc[at + 2]) not in _IPTC_PLACES:
            kept += iptc[at:end]
        at = end
    return bytes(kept + iptc[at:])
