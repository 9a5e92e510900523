from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms

from twocet.errors import UserError
from twocet.photo.images import Photo, read_photo, write_photo
from twocet.photo.scaling import to_image, to_pixels


@pytest.fixture
def ramp():
    """(6, 9, 3), no symmetry: every turn and flip gives other pixels."""
    return np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)


def test_tensor_and_back_is_exact_for_every_value():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    image = to_image(pixels)
    assert image.shape == (1, 3, 16, 16)
    assert image.dtype == torch.float32
    assert image[0, :, 0, 0].tolist() == [-1, -1, -1]
    assert image[0, :, -1, -1].tolist() == [1, 1, 1]
    assert np.array_equal(to_pixels(image), pixels)


def test_channels_and_axes_keep_their_order(ramp):
    assert float(to_image(ramp)[0, 2, 1, 4]) == pytest.approx(ramp[1, 4, 2] / 127.5 - 1)


def test_to_pixels_clips_and_rounds():
    image = torch.tensor([-7.0, 7.0, 0.0]).reshape(3, 1, 1)
    assert to_pixels(image)[0, 0].tolist() == [0, 255, 128]


TURNED_AS_STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", TURNED_AS_STORED)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_every_orientation_comes_upright_and_is_not_applied_twice(tmp_path, ramp, orientation, suffix):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "Ada"
    stored = Image.fromarray(np.ascontiguousarray(TURNED_AS_STORED[orientation](ramp)))
    stored.save(tmp_path / f"a.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    photo = read_photo(tmp_path / f"a.{suffix}")
    assert np.array_equal(photo.pixels, ramp)
    write_photo(tmp_path / "again.png", photo)
    assert np.array_equal(read_photo(tmp_path / "again.png").pixels, ramp)
    with Image.open(tmp_path / "again.png") as again:
        kept = again.getexif()
    assert kept[ExifTags.Base.Artist] == "Ada"
    assert ExifTags.Base.Orientation not in kept


def test_metadata_survive_and_the_thumbnail_does_not(tmp_path, noise):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] = 2.8
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"picture inside"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save(tmp_path / "a.jpg", exif=exif, icc_profile=icc, xmp=b"<x/>")
    photo = read_photo(tmp_path / "a.jpg")
    for suffix in ("png", "jpg", "webp", "tif"):
        again = read_photo(write_photo(tmp_path / f"b.{suffix}", photo))
        assert again.icc == icc, suffix
        assert again.xmp == b"<x/>", suffix
        kept = Image.Exif()
        kept.load(again.exif)
        assert kept[ExifTags.Base.Make] == "Camera", suffix
        capture = kept.get_ifd(ExifTags.IFD.Exif)
        assert float(capture[ExifTags.Base.FNumber]) == pytest.approx(2.8), suffix
        assert ExifTags.Base.MakerNote not in capture, suffix
        assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N", suffix


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_lossless_formats_give_back_pixels_and_opacity(tmp_path, noise, suffix):
    alpha = noise[..., 0]
    write_photo(tmp_path / f"a.{suffix}", Photo(pixels=noise, alpha=alpha))
    again = read_photo(tmp_path / f"a.{suffix}")
    assert np.array_equal(again.pixels, noise)
    assert np.array_equal(again.alpha, alpha)


def test_jpeg_is_of_high_quality_with_full_colour(tmp_path, portrait):
    photo = read_photo(write_photo(tmp_path / "a.jpg", Photo(pixels=portrait)))
    assert np.abs(photo.pixels.astype(int) - portrait).mean() < 1.5
    with Image.open(tmp_path / "a.jpg") as file:
        assert [layer[1:3] for layer in file.layer] == [(1, 1)] * 3


def test_jpeg_of_a_transparent_photo_is_laid_on_white(tmp_path):
    photo = Photo(pixels=np.zeros((16, 16, 3), np.uint8), alpha=np.zeros((16, 16), np.uint8))
    again = read_photo(write_photo(tmp_path / "a.jpg", photo))
    assert again.pixels.min() >= 254
    assert again.alpha is None


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257, 257 * 128, 65_535]], np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        assert read_photo(tmp_path / name).pixels[0].tolist() == [[v] * 3 for v in (0, 1, 128, 255)], name
    assert read_photo(values).pixels[0, :, 1].tolist() == [0, 1, 128, 255]


def test_float_grey_is_scaled(tmp_path):
    Image.fromarray(np.array([[0, 0.5, 1]], np.float32)).save(tmp_path / "a.tif")
    assert read_photo(tmp_path / "a.tif").pixels[0, :, 0].tolist() == [0, 128, 255]


def test_grey_palette_and_bilevel_become_rgb(tmp_path, noise):
    grey = Image.fromarray(noise[..., 0])
    for mode, name in (("L", "l.png"), ("1", "1.png"), ("P", "p.png"), ("LA", "la.png")):
        wanted = grey.convert(mode)
        wanted.save(tmp_path / name)
        assert np.array_equal(read_photo(tmp_path / name).pixels, np.asarray(wanted.convert("RGB"))), mode


def test_palette_transparency_is_opacity(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png", transparency=1)
    photo = read_photo(tmp_path / "a.png")
    assert photo.pixels[0, 0].tolist() == [255, 0, 0]
    assert photo.alpha.tolist() == [[255, 0]]


def test_cmyk_becomes_rgb_and_loses_its_profile(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", icc_profile=b"not a profile")
    photo = read_photo(tmp_path / "a.jpg")
    red, green, blue = photo.pixels[4, 4].tolist()
    assert red > 200
    assert green < 60
    assert blue < 60
    assert photo.icc is None


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_photo(tmp_path / "a.gif").pixels[0, 0].tolist() == [255, 0, 0]


def test_a_pil_image_on_its_second_frame_is_read_from_the_first(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.gif") as picture:
        picture.seek(1)
        assert read_photo(picture).pixels[0, 0].tolist() == [255, 0, 0]


def test_arrays(noise):
    rgba = np.dstack([noise, noise[..., :1]])
    assert np.array_equal(read_photo(rgba).pixels, noise)
    assert np.array_equal(read_photo(rgba).alpha, noise[..., 0])
    assert np.array_equal(read_photo(noise[..., 0]).pixels[..., 2], noise[..., 0])


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_arrays_that_are_no_pictures(array):
    with pytest.raises(UserError, match=r"give uint8 or uint16"):
        read_photo(array)


def png_header(side):
    body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = zlib.compress(b"\x00" * 1000)
    return header + struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data))


BAD_FILES = {
    "empty.jpg": (b"", "is empty"),
    "text.jpg": (b"Dear diary, today I took no photo.", "is not a picture"),
    "large.png": (png_header(20_000), "more than 64 million pixels: scale the picture down"),
    "larger.png": (png_header(12_000), "more than 64 million pixels: scale the picture down"),
    "cut.png": (png_header(64), "is damaged"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_one_clear_line(tmp_path, name):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    start = time.perf_counter()
    with pytest.raises(UserError, match=message) as error:
        read_photo(tmp_path / name)
    assert time.perf_counter() - start < 1
    assert "\n" not in str(error.value)
    assert name in str(error.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_truncated_files(tmp_path, portrait, suffix):
    whole = write_photo(tmp_path / f"whole.{suffix}", Photo(pixels=portrait)).read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"is damaged|is not a picture"):
        read_photo(tmp_path / f"cut.{suffix}")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="is a folder"):
        read_photo(tmp_path)


def test_writing_refuses_what_cannot_be_written(tmp_path, noise):
    photo = Photo(pixels=noise)
    with pytest.raises(UserError, match="end the name in"):
        write_photo(tmp_path / "a.txt", photo)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        write_photo(tmp_path / "folder.png", photo)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, noise, monkeypatch):
    old = write_photo(tmp_path / "a.png", Photo(pixels=noise)).read_bytes()

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="no space left"):
        write_photo(tmp_path / "a.png", Photo(pixels=noise[::-1]))
    assert (tmp_path / "a.png").read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
