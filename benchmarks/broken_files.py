"""Picture files of all sorts, most of them broken on purpose, for broken_photos.py."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" {}/></rdf:RDF></x:xmpmeta>'
)


class Case(NamedTuple):
    """One file."""

    name: str
    content: bytes
    sound: bool
    """Whether its pixels are: then it must be read, whatever else is wrong with it."""


def cases(chance: random.Random) -> Iterator[Case]:
    """All small files."""
    whole = list(_whole())
    yield from whole
    yield from _cut(whole, chance)
    yield from _flipped(whole, chance)
    yield from _with_exif(chance)
    yield from _with_xmp()
    yield from _with_chunks(chance)
    yield from _with_segments(chance)
    yield from _bombs()


def _file(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _portrait(side: int = 40) -> Image.Image:
    y, x = np.mgrid[:side, : side + 8]
    return Image.fromarray(np.stack([x * 5, y * 6, x + y], axis=-1).astype(np.uint8))


_FORMATS: dict[str, dict[str, object]] = {
    "PNG": {}, "JPEG": {"quality": 90}, "WEBP": {}, "TIFF": {}, "BMP": {}, "GIF": {}, "AVIF": {"speed": 10},
}  # fmt: skip
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F")


def _in_mode(mode: str) -> Image.Image:
    picture = _portrait()
    if mode in ("I;16", "I", "F"):
        grey = np.asarray(picture.convert("L"))
        kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
        return Image.fromarray((grey.astype(np.float64) * 200).astype(kinds[mode]))
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        return to_lab.apply(picture)
    if mode == "PA":
        return picture.convert("P").convert("PA")
    return picture.convert(mode)


def _whole() -> Iterator[Case]:
    """Sound files: formats by modes, by profiles, by orientations, by ways to store them."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profiles = {
        "none": None,
        "srgb": srgb,
        "cut": srgb[:200],
        "noise": b"\x07" * 3000,
        "empty": b"",
        "flipped": srgb[::-1],
    }
    for file_format, options in _FORMATS.items():
        for mode in _MODES:
            for name, icc in profiles.items():
                more = {} if icc is None else {"icc_profile": icc}
                try:
                    content = _file(_in_mode(mode), file_format, **options, **more)
                except (OSError, ValueError, TypeError, KeyError):
                    continue  # what the format does not hold
                yield Case(f"{file_format} {mode} profile {name}", content, True)
        for orientation in (0, *range(1, 10), 65_535):
            exif = Image.Exif()
            exif[0x0112] = orientation
            try:
                yield Case(
                    f"{file_format} orientation {orientation}",
                    _file(
                        _portrait(),
                        file_format,
                        exif=exif,
                        xmp=_XMP.format(
                            f'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"'
                        ).encode(),
                        **options,
                    ),
                    True,
                )
            except (OSError, ValueError):
                continue
    for compression in (
        "tiff_lzw",
        "tiff_adobe_deflate",
        "packbits",
        "jpeg",
        "tiff_deflate",
        "group4",
        "zstd",
        "webp",
        "lzma",
    ):
        mode = "1" if compression == "group4" else "RGB"
        try:
            yield Case(f"TIFF {compression}", _file(_portrait().convert(mode), "TIFF", compression=compression), True)
        except (OSError, RuntimeError):
            continue
    for options in (
        {"progressive": True},
        {"subsampling": 2},
        {"restart_marker_rows": 1},
        {"quality": 1},
        {"comment": b"x" * 60_000},
    ):
        yield Case(f"JPEG {options}"[:60], _file(_portrait(), "JPEG", **options), True)
    frames = [_portrait(side) for side in (40, 40, 40)]
    for file_format in ("GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO"):
        yield Case(
            f"{file_format} of 3 frames", _file(frames[0], file_format, save_all=True, append_images=frames[1:]), True
        )


def _cut(whole: list[Case], chance: random.Random) -> Iterator[Case]:
    """Files that end early."""
    for case in chance.sample(whole, 60):
        for share in (0.02, 0.1, 0.5, 0.9, 0.99):
            yield Case(f"{case.name} cut at {share}", case.content[: int(len(case.content) * share) or 1], False)


def _flipped(whole: list[Case], chance: random.Random) -> Iterator[Case]:
    """Files with bits flipped, in their heads or anywhere."""
    for number in range(500):
        case = chance.choice(whole)
        content = bytearray(case.content)
        reach = min(len(content), 200) if number % 2 else len(content)
        for _ in range(chance.choice((1, 1, 3, 20))):
            content[chance.randrange(reach)] ^= 1 << chance.randrange(8)
        yield Case(f"{case.name} flipped {number}", bytes(content), False)


def _with_exif(chance: random.Random) -> Iterator[Case]:
    """Sound pictures with EXIF fields of any type, count and place."""
    for number in range(250):
        order = chance.choice("<>")
        count = chance.choice((0, 1, 3, 12, 60))
        entries = b"".join(
            struct.pack(
                order + "HHII",
                chance.choice(
                    (0x0112, 0x010E, 0x011A, 0x8769, 0x8825, 0xA005, 0x0201, 0x9286, chance.randrange(65_536))
                ),
                chance.choice((*range(14), 99)),
                chance.choice((0, 1, 2, 100, 2**31, 2**32 - 1)),
                chance.choice((0, 6, 8, 60, 2**16, 2**32 - 1)),
            )
            for _ in range(count)
        )
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
            order + "IH", chance.choice((8, 8, 8, 2**31)), count
        )
        block = head + entries + chance.randbytes(chance.choice((0, 4, 300)))
        file_format = chance.choice(("PNG", "JPEG", "WEBP"))
        given = b"Exif\0\0" + block if number % 3 else block
        if file_format == "JPEG":
            whole = _file(_portrait(), "JPEG")
            content = whole[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(given)) + given + whole[2:]
        else:
            content = _file(_portrait(), file_format, exif=given)
        yield Case(f"{file_format} EXIF {number}", content, True)


def _with_xmp() -> Iterator[Case]:
    """Sound pictures with XMP that no reader should trust."""
    laughs = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
    packets = {
        "deep": b"<a>" * 5000 + b"</a>" * 5000,
        "deep RDF": _XMP.format("").encode()[:-22] + b"<b>" * 3000 + b"</b>" * 3000 + b"</rdf:RDF></x:xmpmeta>",
        "laughs": f'<!DOCTYPE a [<!ENTITY l0 "lol">{laughs}]><a>&l9;</a>'.encode(),
        "encoding": b'<?xml version="1.0" encoding="klingon"?><a/>',
        "utf-16": _XMP.format("").encode("utf-16"),
        "wrong utf-16": b'<?xml version="1.0" encoding="utf-16"?><a/>',
        "utf-7": b'<?xml version="1.0" encoding="utf-7"?>+ADw-a/+AD4-',
        "cut": _XMP.format("").encode()[:-20],
        "zeros": bytes(3000),
        "surrogate": b"<a>\xed\xa0\x80</a>",
        "entity": b'<!DOCTYPE a SYSTEM "/etc/passwd"><a/>',
        "many attributes": _XMP.format(" ".join(f'a{k}="{k}"' for k in range(20_000))).encode(),
        "many children": b"<a>" + b"<b/>" * 15_000 + b"</a>",
        "orientation": _XMP.format(
            'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="99999999999999999999"'
        ).encode(),
        "namespaces": _XMP.format(" ".join(f'xmlns:n{k}="urn:{k}" n{k}:a="1"' for k in range(1000))).encode(),
        "5 MB": _XMP.format(f'xmlns:d="urn:d" d:a="{"x" * 5_000_000}"').encode(),
    }
    for name, packet in packets.items():
        for file_format in ("PNG", "JPEG", "WEBP", "TIFF"):
            if file_format == "JPEG" and len(packet) > 65_000:
                continue
            picture = _portrait()
            if file_format == "PNG":
                body = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
                yield Case(f"PNG XMP {name}", _png_with((b"iTXt", body)), True)
            elif file_format == "TIFF":
                yield Case(f"TIFF XMP {name}", _file(picture, "TIFF", tiffinfo={700: packet}), True)
            else:
                yield Case(f"{file_format} XMP {name}", _file(picture, file_format, xmp=packet), True)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png_with(*chunks: tuple[bytes, bytes], last: bool = False) -> bytes:
    whole = _file(_portrait(), "PNG")
    more = b"".join(_chunk(*chunk) for chunk in chunks)
    at = len(whole) - 12 if last else 33
    return whole[:at] + more + whole[at:]


def _with_chunks(chance: random.Random) -> Iterator[Case]:
    """Sound PNG files with chunks that are wrong, too large, or too many."""
    bomb = zlib.compress(bytes(30_000_000))
    kinds = (
        b"gAMA cHRM sRGB iCCP pHYs tIME sBIT bKGD hIST tEXt zTXt iTXt eXIf cICP acTL fcTL fdAT sPLT caBX iDOT mDCV "
        b"cLLI vpAg orNT sTER tRNS"
    ).split()
    for kind in kinds:
        for content in (b"", b"\0", b"\xff" * 9, b"name\0\0" + bomb, b"name\0\0not compressed", chance.randbytes(32)):
            # A picture of colours has no more than one opacity, of six bytes.
            sound = kind not in (b"tRNS", b"fcTL", b"fdAT", b"acTL")
            yield Case(f"PNG {kind.decode()} of {len(content)} bytes", _png_with((kind, content)), sound)
            yield Case(
                f"PNG {kind.decode()} of {len(content)} bytes, last", _png_with((kind, content), last=True), sound
            )
    texts = tuple((b"zTXt", f"t{k}\0\0".encode() + zlib.compress(bytes(900_000))) for k in range(80))
    yield Case("PNG of 72 MB of texts", _png_with(*texts), True)
    yield Case("PNG of 30000 chunks", _png_with(*((b"tEXt", f"t{k}\0x".encode()) for k in range(30_000))), True)
    broken = bytearray(_png_with((b"tEXt", b"name\0text")))
    broken[33 + 8 + 9] ^= 255
    yield Case("PNG with a wrong sum of a text", bytes(broken), True)
    for name in ("exif", "iptc", "xmp", "icc", "APP1"):
        for text in (
            "",
            "\n",
            "\nexif\n",
            "\nexif\n   99999999\nff",
            "\nexif\n 4\nzzzz",
            "\nexif\n 8\n49492a0008000000",
        ):
            yield Case(
                f"PNG raw profile {name}", _png_with((b"tEXt", f"Raw profile type {name}\0{text}".encode())), True
            )


def _with_segments(chance: random.Random) -> Iterator[Case]:
    """Sound JPEG files with segments that are wrong or too many."""
    whole = _file(_portrait(), "JPEG")
    heads = (
        b"", b"JFIF\0", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0\x01\x02",
        b"ICC_PROFILE\0\xff\x01", b"MPF\0II*\0", b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\xff\xff\xff\xff", b"Ducky",
        b"JP\0\0jumbc2pa",
    )  # fmt: skip
    for marker in (*range(0xE0, 0xEE), 0xEF, 0xFE):
        for head in heads:
            body = head + chance.randbytes(chance.choice((0, 2, 40)))
            segment = bytes((0xFF, marker)) + struct.pack(">H", 2 + len(body)) + body
            yield Case(f"JPEG {marker:02X} {head[:12]!r}", whole[:2] + segment + whole[2:], True)
    comments = b"\xff\xfe" + struct.pack(">H", 60_002) + bytes(60_000)
    yield Case("JPEG of 40 MB of comments", whole[:2] + comments * 700 + whole[2:], True)
    yield Case("JPEG with a file behind it", whole + chance.randbytes(100_000), True)
    yield Case("JPEG with another behind it", whole + whole, True)


def _bombs() -> Iterator[Case]:
    """Small files of very large pictures, and files that lead in circles."""
    for width, height in (
        (20_000, 20_000),
        (65_535, 65_535),
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (2**32 - 1, 2**32 - 1),
        (0, 0),
        (0, 9),
    ):
        head = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, 8, 2, 0, 0, 0)
        pixels = zlib.compress(bytes(10_000_000), 9)
        yield Case(
            f"PNG {width} x {height}",
            b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b""),
            False,
        )
        bmp = (
            b"BM"
            + struct.pack("<IHHI", 54, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, min(width, 2**31 - 1), min(height, 2**31 - 1), 1, 24, 0, 0, 0, 0, 0, 0)
        )
        yield Case(f"BMP {width} x {height}", bmp, False)
        gif = b"GIF89a" + struct.pack("<HHBBB", width & 0xFFFF, height & 0xFFFF, 0x80, 0, 0) + bytes(6) + b","
        yield Case(
            f"GIF {width} x {height}",
            gif + struct.pack("<HHHHB", 0, 0, width & 0xFFFF, height & 0xFFFF, 0) + b"\x02\x02\x4c\x01\0;",
            False,
        )
        jpeg = bytearray(_file(_portrait(), "JPEG"))
        at = jpeg.index(b"\xff\xc0") + 5
        jpeg[at : at + 4] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
        yield Case(f"JPEG {width & 0xFFFF} x {height & 0xFFFF}", bytes(jpeg), False)
        tags = (
            (256, 4, width),
            (257, 4, height),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, 8),
            (277, 3, 1),
            (278, 4, height),
            (279, 4, 8),
        )
        directory = struct.pack("<H", len(tags)) + b"".join(
            struct.pack("<HHII", tag, kind, 1, value & 0xFFFFFFFF) for tag, kind, value in tags
        )
        yield Case(f"TIFF {width} x {height}", b"II*\0" + struct.pack("<I", 8) + directory + bytes(4), False)
    tiff = _file(_portrait(), "TIFF")
    at = struct.unpack("<I", tiff[4:8])[0]
    count = struct.unpack("<H", tiff[at : at + 2])[0]
    end = at + 2 + 12 * count
    yield Case("TIFF in a circle", tiff[:end] + struct.pack("<I", at) + tiff[end + 4 :], True)
    start, body = len(tiff) + len(tiff) % 2, tiff[at:end]
    chain = b"".join(
        body + struct.pack("<I", start + (k + 1) * (len(body) + 4) if k < 59_999 else 0) for k in range(60_000)
    )
    yield Case(
        "TIFF of 60000 directories",
        tiff[:4] + struct.pack("<I", start) + tiff[8:].ljust(start - 8, b"\0") + chain,
        True,
    )
    scans = _file(Image.new("RGB", (4000, 3000), "grey"), "JPEG", progressive=True)
    last = scans[scans.rindex(b"\xff\xda") : scans.rindex(b"\xff\xd9")]
    yield Case("JPEG of 400 scans", scans[:-2] + 400 * last + scans[-2:], False)
    frame = Image.new("RGB", (16, 16))
    for file_format in ("GIF", "PNG", "WEBP"):
        frames = [Image.new("RGB", (16, 16), (k % 256, k // 256, 7)) for k in range(1, 1500)]
        yield Case(
            f"{file_format} of 1500 frames", _file(frame, file_format, save_all=True, append_images=frames), True
        )
    starts = {
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        "PDF": b"%PDF-1.4\n",
        "SVG": b"<svg/>",
        "text": b"x",
        "PSD": b"8BPS\0\1",
        "ICO": b"\0\0\1\0\1\0",
        "WMF": b"\xd7\xcd\xc6\x9a",
        "HDF5": b"\x89HDF\r\n\x1a\n",
        "JPEG XL": b"\xff\x0a",
        "PPM": b"P6 9 9 255\n" + bytes(243),
        "ZIP": b"PK\3\4",
        "XPM": b"/* XPM */",
        "DDS": b"DDS |",
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "AVIF": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    }
    for name, start in starts.items():
        yield Case(f"{name} is no picture", start + bytes(90), False)
