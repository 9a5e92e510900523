"""Photos in other colours than sRGB: edits look as they do in sRGB, and what is not edited keeps its values."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from twocet.photo.colour import changed_in_place, shown, to_srgb
from twocet.photo.images import Photo, decode_photo, read_photo, read_pixels, write_photo

PROPHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)), 1.8
"""XYZ (D50) of the primaries of ROMM RGB, ISO 22028-2, and its exponent."""


@pytest.fixture(scope="module")
def prophoto():
    return profile(*PROPHOTO)


def profile(primaries, exponent):
    """A profile by primaries (XYZ) and an exponent."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65_536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"
    tags = {
        b"wtpt": xyz((0.9642, 1, 0.8249)),
        **dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, primaries), strict=True)),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
        b"cprt": b"text\0\0\0\0x\0\0\0",
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"w\0" + bytes(78),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12x4s", 128 + len(table + body), b"lcms", 0x2100000, b"mntr", b"RGB ", b"XYZ ", b"acsp"
    )
    return head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061).ljust(60, b"\0") + table + body


def test_a_wide_gamut_is_shown_as_colour_management_shows_it(prophoto, noise):
    wide = ImageCms.ImageCmsProfile(io.BytesIO(prophoto))
    wanted = ImageCms.profileToProfile(Image.fromarray(noise), wide, ImageCms.createProfile("sRGB"), 1)
    assert np.array_equal(to_srgb(noise, prophoto), np.asarray(wanted))
    assert to_srgb(noise, None) is noise


def test_what_an_edit_does_not_change_keeps_its_value(prophoto, noise):
    before = to_srgb(noise, prophoto)
    after = before.copy()
    after[10:20, 10:20] = 128
    own = noise.copy()
    changed_in_place(own, before, after, prophoto)
    same = (before == after).all(axis=2)
    assert np.array_equal(own[same], noise[same])


def test_an_edit_comes_back_in_the_photos_own_colours(prophoto):
    """Of colours that sRGB has: what is edited looks as it was edited."""
    own = np.full((4, 4, 3), (120, 110, 100), np.uint8)
    before = to_srgb(own, prophoto)
    after = before.copy()
    after[:2] = (200, 150, 130)
    changed_in_place(own, before, after, prophoto)
    assert np.abs(to_srgb(own, prophoto).astype(int) - after).max() <= 2


def test_a_faint_edit_leaves_colours_that_srgb_lacks(prophoto):
    own = np.full((4, 4, 3), (20, 230, 20), np.uint8)
    before = to_srgb(own, prophoto)
    assert before.min() == 0
    after = before + np.uint8(1) * (before < 255)
    given = own.copy()
    changed_in_place(own, before, after, prophoto)
    assert np.abs(own.astype(int) - given).max() <= 3


def test_edits_of_a_wide_gamut_photo_look_like_those_of_srgb(tmp_path, editor, portrait, prophoto):
    # https://github.com/darktable-org/darktable/issues/20813
    code = np.array([1, -1, 0.5, 0], np.float32)
    editor.model.expressive = True
    wide = ImageCms.ImageCmsProfile(io.BytesIO(prophoto))
    srgb = ImageCms.createProfile("sRGB")
    stored = ImageCms.profileToProfile(Image.fromarray(portrait), srgb, wide, 1)
    stored.save(tmp_path / "wide.png", icc_profile=prophoto)
    result = editor.transfer(tmp_path / "wide.png", code)
    given = read_pixels(tmp_path / "wide.png")
    wanted = editor.transfer(given, code).pixels
    part = np.abs(wanted.astype(int) - given).max(axis=2) > 8
    assert part.sum() > 500
    assert np.abs(result.shown.astype(int) - wanted)[part].mean() < 1
    assert read_photo(result.save(tmp_path / "out.png")).icc == prophoto
    assert np.array_equal(result.pixels[:4], np.asarray(stored)[:4])


def test_sixteen_bits_are_kept_beside_an_edit(tmp_path, editor, portrait):
    low = np.random.default_rng(0).integers(0, 256, portrait.shape, np.uint8)
    path = write_photo(tmp_path / "in.png", Photo(pixels=portrait, low=low))
    result = editor.transfer(path, np.array([1, -1, 0.5, 0], np.float32))
    again = read_photo(result.save(tmp_path / "out.png", mark=False))
    assert np.array_equal(again.low, low)
    assert np.array_equal(again.pixels, result.pixels)
    assert not np.array_equal(result.pixels, portrait)


def test_a_result_in_another_gamut_says_so_to_pillow(tmp_path, editor, portrait, prophoto):
    result = editor.transfer(Photo(pixels=portrait, icc=prophoto), np.array([1, 0, 0, 0], np.float32))
    assert result.image.info["icc_profile"] == prophoto
    assert shown(result.photo) is not result.pixels


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels, *chunks):
    """A PNG file with further chunks."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    whole = buffer.getvalue()
    return whole[:33] + b"".join(chunk(*one) for one in chunks) + whole[33:]


GREYS = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)


def test_a_linear_png_is_shown_in_srgb():
    photo = decode_photo(png(GREYS, (b"gAMA", struct.pack(">I", 100_000))))
    light = GREYS[0, :, 0] / 255
    wanted = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(shown(photo)[0, :, 1] - wanted).max() <= 1
    assert np.array_equal(photo.pixels, GREYS)


@pytest.mark.parametrize(
    "chunks", [((b"gAMA", struct.pack(">I", 45_455)),), ((b"gAMA", bytes(4)),), ((b"sRGB", b"\0"),)]
)
def test_what_png_calls_srgb_has_no_profile(chunks):
    assert decode_photo(png(GREYS, *chunks)).icc is None


def test_display_p3_by_its_number():
    """Red of Display P3 at half signal: its luminance in sRGB is brighter and more saturated."""
    red = np.full((1, 1, 3), (200, 60, 60), np.uint8)
    photo = decode_photo(png(red, (b"cICP", bytes((12, 13, 0, 1)))))
    assert shown(photo)[0, 0].tolist() == pytest.approx([217, 42, 52], abs=1)


def test_high_dynamic_range_is_said_and_shown_in_standard_range():
    """203 nits, PQ's signal 0.58, are white; signal 129 of 255 are 98 nits, sRGB's 184."""
    photo = decode_photo(png(GREYS, (b"cICP", bytes((9, 16, 0, 1)))))
    assert any("high dynamic range" in note for note in photo.notes)
    greys = shown(photo)[0, :, 1]
    assert greys[150:].min() == 255
    assert greys[129] == pytest.approx(184, abs=1)


def test_adobe_rgb_by_the_cameras_rule(tmp_path):
    directories = ((0x8769, 4, struct.pack("<I", 26)), (0xA005, 4, struct.pack("<I", 44)), (1, 2, b"R03\0"))
    block = b"".join(
        struct.pack("<HHHI", 1, tag, kind, len(value) if kind == 2 else 1) + value + bytes(4)
        for tag, kind, value in directories
    )
    picture = Image.fromarray(np.full((8, 8, 3), (100, 200, 100), np.uint8))
    picture.save(tmp_path / "in.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0" + block, quality=100)
    photo = read_photo(tmp_path / "in.jpg")
    assert shown(photo)[0, 0].tolist() == pytest.approx([0, 201, 92], abs=3)
    assert photo.icc is not None
