"""Picture files of all sorts: what is wrong with their metadata never costs the photo, and nothing takes long."""

from __future__ import annotations

import io
import struct
import sys
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from twocet.errors import UserError
from twocet.photo import align, resample
from twocet.photo.images import decode_photo, read_photo, write_photo

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" {}/></rdf:RDF></x:xmpmeta>'
)
TIFF_NAMESPACE = 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'


def file_of(picture, file_format, **options):
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_with(kind, content, picture=None):
    """A PNG file with one more chunk before its pixels."""
    whole = file_of(picture or Image.new("RGB", (8, 8), "red"), "PNG")
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return whole[:33] + chunk + whole[33:]


def stored_exif(tag, kind, count, value):
    return b"II*\0" + struct.pack("<IHHHI", 8, 1, tag, kind, count) + value + bytes(4)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_texts_in_exif_keep_their_encoding(tmp_path, suffix):
    # https://github.com/python-pillow/Pillow/issues/7120
    name = "Jürgen 山田"
    exif = Image.Exif()
    exif[0x013B] = name.encode()
    Image.new("RGB", (8, 8)).save(tmp_path / "in.jpg", exif=exif)
    write_photo(tmp_path / f"out.{suffix}", read_photo(tmp_path / "in.jpg"))
    with Image.open(tmp_path / f"out.{suffix}") as picture:
        assert picture.getexif()[0x013B].encode("latin-1").decode() == name


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("by_exif", [True, False])
def test_an_orientation_in_xmp_is_gone_when_the_picture_is_upright(tmp_path, suffix, by_exif):
    # https://github.com/lovell/sharp/issues/4585
    exif = Image.Exif()
    if by_exif:
        exif[0x0112] = 6
    packet = XMP.format(f'{TIFF_NAMESPACE} tiff:Orientation="6" tiff:Make="Camera"').encode()
    (tmp_path / "in.jpg").write_bytes(file_of(Image.new("RGB", (64, 48)), "JPEG", exif=exif, xmp=packet))
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.size == (48, 64)
    again = read_photo(write_photo(tmp_path / f"out.{suffix}", photo))
    assert again.size == (48, 64)
    assert b"Orientation" not in again.xmp
    assert b'tiff:Make="Camera"' in again.xmp


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_the_resolution_is_kept(tmp_path, suffix):
    # https://github.com/upscayl/upscayl/issues/1374
    Image.new("RGB", (8, 8)).save(tmp_path / "in.png", dpi=(300, 200))
    photo = read_photo(write_photo(tmp_path / f"out.{suffix}", read_photo(tmp_path / "in.png")))
    assert photo.dpi == pytest.approx((300, 200), abs=0.02)


def test_no_resolution_is_made_up(tmp_path):
    exif = Image.Exif()
    exif[0x013B] = "Ada"
    Image.new("RGB", (8, 8)).save(tmp_path / "in.jpg", exif=exif)
    assert read_photo(tmp_path / "in.jpg").dpi is None


def test_texts_comments_and_iptc_are_kept(tmp_path):
    iptc = b"\x1c\x02\x69\x00\x04News"
    resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(iptc)) + iptc + b"\0"
    segment = b"\xff\xed" + struct.pack(">H", 2 + 14 + len(resource)) + b"Photoshop 3.0\0" + resource
    whole = file_of(Image.new("RGB", (8, 8)), "JPEG", comment=b"kept")
    (tmp_path / "in.jpg").write_bytes(whole[:2] + segment + whole[2:])
    photo = read_photo(tmp_path / "in.jpg")
    assert (photo.comment, photo.iptc) == (b"kept", iptc)
    again = read_photo(write_photo(tmp_path / "out.jpg", photo))
    assert (again.comment, again.iptc) == (b"kept", iptc)
    assert read_photo(write_photo(tmp_path / "out.tif", photo)).iptc == iptc
    assert read_photo(write_photo(tmp_path / "out.png", photo)).texts == (("Comment", "kept"),)


@pytest.mark.parametrize(
    "content",
    [
        png_with(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_with(b"iCCP", b"profile\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_with(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff"),
        png_with(b"gAMA", b"\0"),
        png_with(b"acTL", b"\0"),
        png_with(b"tEXt", b"A\0b")[:45] + b"\0\0\0\0" + png_with(b"tEXt", b"A\0b")[49:],
        file_of(Image.new("RGB", (8, 8), "red"), "PNG", exif=stored_exif(0x010E, 2, 2**31, b"\xff" * 4)),
        file_of(Image.new("RGB", (8, 8), "red"), "PNG", exif=b"no exif at all"),
        file_of(Image.new("RGB", (8, 8), "red"), "PNG", icc_profile=b"no profile at all"),
    ],
)
def test_damaged_metadata_do_not_cost_the_photo(content):
    photo = decode_photo(content)
    assert photo.pixels[4, 4].tolist() == [255, 0, 0]
    assert photo.notes


@pytest.mark.parametrize(
    "packet",
    [
        b'<?xml version="1.0" encoding="klingon"?><x/>',
        b"<a>" * 5000 + b"</a>" * 5000,
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"),
        b"\xff\xfe\0",
        b"<" * 100_000,
    ],
)
def test_xmp_that_cannot_be_read_is_left_out_with_a_note(packet):
    photo = decode_photo(file_of(Image.new("RGB", (8, 8), "red"), "WEBP", xmp=packet, lossless=True))
    assert photo.pixels[4, 4].tolist() == [255, 0, 0]
    assert photo.xmp is None
    assert "XMP" in photo.notes[0]


def test_a_gain_map_is_announced_no_more_and_said(tmp_path):
    # https://github.com/python-pillow/Pillow/issues/8036
    packet = XMP.format('xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"').encode()
    picture = file_of(Image.new("RGB", (64, 64)), "JPEG", xmp=packet) + file_of(Image.new("L", (16, 16)), "JPEG")
    photo = decode_photo(picture)
    assert "high dynamic range" in photo.notes[0]
    written = write_photo(tmp_path / "out.jpg", photo).read_bytes()
    assert b"hdr-gain-map" not in written
    assert written.count(b"\xff\xd8\xff") == 1


def test_the_tones_of_a_grey_profile_are_kept():
    # https://github.com/SixLabors/ImageSharp/issues/3197
    photo = decode_photo(file_of(Image.new("L", (8, 8), 55), "PNG", icc_profile=linear_grey_profile()))
    assert photo.pixels[0, 0].tolist() == [128, 128, 128]
    assert photo.icc is None


def linear_grey_profile():
    def tag(kind, content):
        return kind + bytes(4) + content

    tags = {
        b"wtpt": tag(b"XYZ ", struct.pack(">3i", 63190, 65536, 54061)),
        b"kTRC": tag(b"curv", struct.pack(">IHH", 1, 256, 0)),
        b"cprt": tag(b"text", b"x\0\0\0"),
        b"desc": tag(b"desc", struct.pack(">I", 2) + b"g\0" + bytes(78)),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s12x4s", 128 + len(table + body), b"lcms", 0x2100000, b"mntr", b"GRAY", b"XYZ ", b"acsp"
    )
    return head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061).ljust(60, b"\0") + table + body


def deep_png(values):
    """A PNG file of 16 bits (H, W, 3)."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, {3: 2, 4: 6}[values.shape[2]], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_come_back_as_they_were(tmp_path, suffix, channels):
    values = np.random.default_rng(1).integers(0, 65_536, (40, 30, channels), dtype=np.uint16)
    photo = decode_photo(deep_png(values))
    assert np.array_equal(photo.pixels, values[..., :3] >> 8)
    again = read_photo(write_photo(tmp_path / f"out.{suffix}", photo))
    for one in (photo, again):
        assert np.array_equal(one.pixels.astype(int) * 256 + one.low, values[..., :3])
    assert channels == 3 or np.array_equal(again.alpha, values[..., 3] >> 8)


def test_a_grey_tiff_of_twelve_bits_is_not_dark(tmp_path):
    values = np.linspace(0, 4095, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "in.tif")
    photo = read_photo(tmp_path / "in.tif")
    assert photo.pixels.max() == 255
    assert "4095" in photo.notes[0]


def test_cmyk_is_said():
    assert "CMYK" in decode_photo(file_of(Image.new("CMYK", (8, 8)), "JPEG")).notes[0]


def test_only_picture_formats_are_opened_whatever_the_name(tmp_path):
    (tmp_path / "page.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(UserError, match=r"is not a picture \(PNG, JPEG, WebP, TIFF"):
        read_photo(tmp_path / "page.jpg")


def test_a_heic_picture_without_the_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(UserError, match=r"pip install 'twocet\[heic\]'"):
        decode_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "a.heic")


def test_a_tiff_of_many_directories_is_read_at_once():
    first = file_of(Image.new("RGB", (8, 8), "red"), "TIFF")
    count, start = 60_000, len(first) + len(first) % 2
    offset = struct.unpack("<I", first[4:8])[0]
    entries = struct.unpack("<H", first[offset : offset + 2])[0]
    body = first[offset : offset + 2 + 12 * entries]
    chain = b"".join(
        body + struct.pack("<I", start + (k + 1) * (len(body) + 4) if k + 1 < count else 0) for k in range(count)
    )
    whole = first[:4] + struct.pack("<I", start) + first[8:].ljust(start - 8, b"\0") + chain
    began = time.perf_counter()
    assert decode_photo(whole).pixels[4, 4].tolist() == [255, 0, 0]
    assert time.perf_counter() - began < 2


def test_a_jpeg_of_too_many_scans_is_refused_and_the_usual_ones_are_read():
    whole = file_of(Image.fromarray(np.full((4000, 4000, 3), 90, np.uint8)), "JPEG", progressive=True)
    assert decode_photo(whole).size == (4000, 4000)
    end = whole.rindex(b"\xff\xd9")
    scan = whole[whole.rindex(b"\xff\xda") : end]
    with pytest.raises(UserError, match="scans, which takes too long"):
        decode_photo(whole[:end] + 400 * scan + whole[end:])


def test_long_and_large_pictures_are_refused_from_memory_too():
    with pytest.raises(UserError, match="million pixels"):
        read_photo(np.zeros((9, 9), np.uint8), max_pixels=80)
    with pytest.raises(UserError, match="million pixels"):
        read_photo(Image.new("L", (9, 9)), max_pixels=80)
    with pytest.raises(UserError, match="66000 pixels long"):
        read_photo(np.zeros((1, 66_000), np.uint8))


@pytest.mark.parametrize("nonsense", [None, 3, b"bytes", [1, 2], {}])
def test_what_is_no_picture_is_said(nonsense):
    with pytest.raises(UserError, match="is not a picture"):
        read_photo(nonsense)


def test_a_truncated_picture_of_pillow_is_one_clear_line(tmp_path):
    whole = file_of(Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)), "PNG")
    with Image.open(io.BytesIO(whole[: len(whole) // 2])) as picture, pytest.raises(UserError, match="is damaged"):
        read_photo(picture)


def test_a_long_picture_takes_no_more_memory_than_it_has():
    """The square that holds it would take 12 GB."""
    tracemalloc.start()
    try:
        resample.crop(np.zeros((65_500, 1, 3), np.uint8), align.upright_square(-32_750, 0, 65_500), 64)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_what_lies_far_beyond_the_photo_is_as_what_lies_near():
    photo = np.full((4, 400, 3), 200, np.uint8)
    whole = align.upright_square(0, -198, 400)
    assert resample.crop(photo, whole, 40).min() == 200
    black = resample.crop(photo, whole, 40, outside="constant")
    assert black[:15].max() == black[-15:].max() == 0
    assert black[20].max() > 40


def test_srgb_profiles_change_nothing_and_are_kept(tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)
    photo = decode_photo(file_of(Image.fromarray(pixels), "PNG", icc_profile=icc))
    assert photo.icc == icc
    assert np.array_equal(photo.pixels, pixels)
