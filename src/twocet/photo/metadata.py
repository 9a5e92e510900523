"""What a picture file says beside its pixels. Whatever is wrong with it is left out, with a note."""

from __future__ import annotations

import math
import struct
from typing import BinaryIO, NamedTuple

from PIL import Image, PngImagePlugin

from twocet.photo import colour, containers, credentials, exif, nominal, xmp

_MOST_TEXT = 4_000_000
_MOST_DPI = 65_535
_MOST_IPTC = 1_000_000
_IPTC_RESOURCE, _IPTC_TAG, _CREDENTIALS_TAG = 0x0404, 33_723, 0xCD41
_NOT_TEXT = ("xmp", "xml:com.adobe.xmp", "raw profile type")
"""How names of PNG texts begin that hold other metadata."""


class Metadata(NamedTuple):
    """Of a picture file; what is kept is as :class:`twocet.photo.photo.Photo` has it."""

    orientation: int
    """1..8, how the stored picture lies."""
    icc: bytes | None
    """The profile of the stored picture, of any kind."""
    exif: bytes | None
    xmp: bytes | None
    iptc: bytes | None
    dpi: tuple[float, float] | None
    texts: tuple[tuple[str, str], ...]
    comment: bytes | None
    notes: tuple[str, ...]


def read(picture: Image.Image, file: BinaryIO | None, file_format: str) -> Metadata:
    """What a picture that is loaded and its file say; ``file`` None for a picture that has none."""
    notes: list[str] = []
    packet = _bytes(picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp"))
    tags, facts = _exif(picture, file, file_format, notes)
    kept_packet = None if packet is None else xmp.cleaned(packet)
    if packet is not None and kept_packet is None:
        notes.append("its XMP is damaged or too large and was left out")
    texts = _texts(picture, notes)
    notes += _left_behind(picture, file, file_format, packet)
    return Metadata(
        orientation=_orientation(facts, packet, file_format),
        icc=_profile(picture, file, file_format, facts.is_adobe_rgb, notes),
        exif=exif.to_block(tags) if tags else None,
        xmp=kept_packet,
        iptc=_iptc(picture),
        dpi=_dpi(picture, tags),
        texts=texts,
        comment=_comment(picture),
        notes=tuple(notes),
    )


def _orientation(facts: exif.Facts, packet: bytes | None, file_format: str) -> int:
    """How the picture lies that Pillow gave: TIFF it turns by the file's own field, HEIC by its container's."""
    if file_format == "HEIF" or (file_format == "TIFF" and facts.orientation):
        return 1
    return facts.orientation or (xmp.orientation(packet) if file_format != "AVIF" else None) or 1


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) and value else None


def _exif(
    picture: Image.Image, file: BinaryIO | None, file_format: str, notes: list[str]
) -> tuple[exif.Exif, exif.Facts]:
    nothing = exif.Exif("<"), exif.Facts(None, False, True)
    if file_format == "TIFF" and file is not None:
        # The file itself is such a block. One of more than 4 GB (BigTIFF) is not, and comes without these fields.
        return exif.read(file) or nothing
    block = _bytes(picture.info.get("exif")) or _raw_profile(picture, "exif")
    if block is None:
        block = _of_memory(picture)
    if block is None:
        return nothing
    found = exif.parse(block)
    if found is None or not found[1].is_whole:
        notes.append("its EXIF fields are damaged: those that cannot be read were left out")
    return found or nothing


def _of_memory(picture: Image.Image) -> bytes | None:
    """The fields of a picture that was made in memory or turned there, and so has no block of its own."""
    try:
        fields = picture.getexif()
        return fields.tobytes() if len(fields) else None
    except Exception:
        # Pillow raises half a dozen unrelated types for odd fields.
        return None


def _raw_profile(picture: Image.Image, kind: str) -> bytes | None:
    """Metadata as ImageMagick stores them in a PNG text: a length, and hexadecimal digits."""
    text = picture.info.get(f"Raw profile type {kind}")
    parts = text.split("\n", 3) if isinstance(text, str) and len(text) < _MOST_TEXT else []
    try:
        return bytes.fromhex(parts[3]) or None if len(parts) == 4 else None
    except ValueError:
        return None


def _texts(picture: Image.Image, notes: list[str]) -> tuple[tuple[str, str], ...]:
    if not isinstance(picture, PngImagePlugin.PngImageFile):
        return ()
    texts = [(name, str(text)) for name, text in picture.text.items() if not name.lower().startswith(_NOT_TEXT)]
    kept = [(name, text) for name, text in texts if 0 < len(name.encode("latin-1", "ignore")) <= 79]
    while sum(len(text) for _, text in kept) > _MOST_TEXT:
        kept.remove(max(kept, key=lambda pair: len(pair[1])))
    if len(kept) < len(texts):
        notes.append(f"texts in it are too long and were left out: {len(texts) - len(kept)}")
    return tuple(kept)


def _comment(picture: Image.Image) -> bytes | None:
    comment = picture.info.get("comment")
    return _bytes(comment.rstrip(b"\0") if isinstance(comment, bytes) else comment)


def _dpi(picture: Image.Image, tags: exif.Exif) -> tuple[float, float] | None:
    """Pixels per inch, of what the file or its EXIF fields say; None for none and for nonsense."""
    # Pillow says 72 of a JPEG file that does not say anything.
    unsaid = picture.format in ("JPEG", "MPO") and not picture.info.get("jfif_unit")
    for given in (None if unsaid else picture.info.get("dpi"), exif.resolution(tags)):
        try:
            x, y = (float(value) for value in given)  # type: ignore[union-attr]
        except (TypeError, ValueError, ZeroDivisionError, OverflowError):
            continue
        if all(math.isfinite(value) and 1 < value <= _MOST_DPI for value in (x, y)):
            return x, y
    return None


def _iptc(picture: Image.Image) -> bytes | None:
    resources = picture.info.get("photoshop")
    found = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None
    tags = getattr(picture, "tag_v2", {})
    if found is None:
        found = tags.get(_IPTC_TAG)
    if isinstance(found, tuple) and all(isinstance(value, int) and 0 <= value < 2**32 for value in found):
        # Some programs store it as numbers of four bytes, in the file's order.
        order = ">" if getattr(tags, "prefix", b"") == b"MM" else "<"
        found = struct.pack(f"{order}{len(found)}I", *found)
    kept = _bytes(found)
    return kept if kept is not None and len(kept) <= _MOST_IPTC else None


def _profile(
    picture: Image.Image, file: BinaryIO | None, file_format: str, is_adobe_rgb: bool, notes: list[str]
) -> bytes | None:
    icc = _bytes(picture.info.get("icc_profile"))
    if icc is not None and len(icc) > colour.MOST_BYTES:
        notes.append("its colour profile is too large and was left out")
        icc = None
    named = None if file is None else containers.nominal_colour(file, file_format)
    if named is not None and nominal.is_high_range(named.transfer):
        notes.append("it is in high dynamic range: the result is in standard range")
        return nominal.nominal_profile(*named)
    if icc is not None or picture.mode in ("CMYK", "LAB"):
        return icc
    made = None if named is None else nominal.nominal_profile(*named)
    if made is None and is_adobe_rgb:
        made = nominal.profile_by_exponent(nominal.ADOBE_RGB, nominal.ADOBE_RGB_EXPONENT)
    if made is None and file_format == "PNG" and named is None:
        made = _by_gamma(picture)
    return None if made is None or colour.is_srgb(made) else made


def _by_gamma(picture: Image.Image) -> bytes | None:
    """The profile of a PNG picture that says an exponent or primaries (gAMA, cHRM), and not that it is sRGB."""
    gamma, given = picture.info.get("gamma"), picture.info.get("chromaticity")
    if "srgb" in picture.info or (gamma is None and given is None):
        return None
    if gamma is not None and not 0.1 <= gamma <= 10:
        return None
    # 0.45455 is what PNG files say for sRGB (PNG, 11.3.2.2).
    exponent = None if gamma is None or abs(gamma * 2.2 - 1) < 0.03 else float(1 / gamma)
    colours = nominal.SRGB
    if given is not None and len(given) == 8:
        white, *primaries = zip(given[::2], given[1::2], strict=True)
        colours = (*primaries, white)
    return nominal.profile_by_exponent(colours, exponent)


def _left_behind(picture: Image.Image, file: BinaryIO | None, file_format: str, packet: bytes | None) -> list[str]:
    """What of a file its result does not have."""
    notes = []
    if xmp.announces_gain_map(packet):
        notes.append("it has a map for high dynamic range: the result is in standard range, without it")
    if xmp.announces_movement(packet):
        notes.append("a film is stored with it: the result is without")
    if file is None:
        return notes
    if containers.is_deep(file, file_format):
        notes.append("it has more than 8 bits per colour: the result has 8")
    signed = containers.has_content_credentials(file, file_format) or _CREDENTIALS_TAG in getattr(picture, "tag_v2", {})
    if signed and credentials.signing_chain() is None:
        notes.append(
            "its content credentials (C2PA) are of the photo as it was: the result is without "
            "(twocet marks init keeps them in its own)"
        )
    return notes
