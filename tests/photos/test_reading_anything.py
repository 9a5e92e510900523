"""Whatever a file holds, it is read or refused in one line; what was read comes back as it was."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from twocet.errors import UserError
from twocet.photo import containers, exif, xmp
from twocet.photo.colour import changed_in_place
from twocet.photo.encode import encode_photo
from twocet.photo.images import Photo, decode_photo
from twocet.photo.privacy import private_kinds, without_private
from twocet.photo.raster import Raster

quickly = settings(max_examples=60, deadline=None, derandomize=True, database=None)
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP")

fields = st.builds(
    lambda tag, value: exif.Field(tag, 7, len(value), value),
    st.sampled_from([0x010E, 0x010F, 0x013B, 0x8298, 0x9C9B]),
    st.binary(min_size=1, max_size=40),
)
directories = st.lists(fields, unique_by=lambda field: field.tag).map(
    lambda found: tuple(sorted(found, key=lambda field: field.tag))
)


def picture_file(file_format, **options):
    """A sound file of 12 x 9 pixels."""
    buffer = io.BytesIO()
    Image.fromarray(np.arange(12 * 9 * 3, dtype=np.uint8).reshape(9, 12, 3)).save(buffer, file_format, **options)
    return buffer.getvalue()


@quickly
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"Exif\0\0MM\0*\0\0\0\x08"])
)
def test_any_exif_is_read_or_left_out(noise, head):
    found = exif.parse(head + noise)
    if found is not None:
        again = exif.parse(exif.to_block(found[0]))
        assert again is not None
        assert [set(part) for part in again[0][1:]] == [set(part) for part in found[0][1:]]


@quickly
@given(st.sampled_from("<>"), directories, directories, directories)
def test_exif_fields_come_back_byte_for_byte(order, main, capture, place):
    stored = exif.Exif(order, main, capture, place)
    found = exif.parse(exif.to_block(stored))
    assert found is not None
    assert found == (stored, exif.Facts(None, False, True))


@quickly
@given(directories, st.integers(60, 400))
def test_exif_is_fitted_into_any_size(main, most):
    kept, dropped = exif.fitted(exif.Exif("<", main), most)
    assert not kept or len(exif.to_block(kept)) <= most
    assert len(kept.main) + len(dropped) == len(main)


@quickly
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_xmp_is_read_or_left_out(packet):
    clean = xmp.cleaned(packet)
    assert clean is None or xmp.orientation(clean) is None
    assert xmp.private_kinds(clean) <= {"place", "serial numbers", "owner of the camera"}


@quickly
@given(
    st.recursive(
        st.just(""),
        lambda inner: st.builds(
            '<a:{0} xmlns:a="{1}" a:{0}="6">{2}</a:{0}>'.format,
            st.sampled_from(["Orientation", "GPSLatitude", "Version", "Thumbnails", "Make"]),
            st.sampled_from(
                [uri.strip() for uri in ("http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/")]
            ),
            inner,
        ),
        max_leaves=6,
    )
)
def test_an_orientation_is_gone_at_whatever_depth(packet):
    clean = xmp.cleaned(f"<x>{packet}</x>".encode())
    assert clean is not None
    assert xmp.orientation(clean) is None
    assert xmp.private_kinds(xmp.without_private(clean)) == set()


@quickly
@given(st.binary(max_size=400))
def test_any_bytes_have_segments(noise):
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBP"):
        file = io.BytesIO(head + noise)
        for segments in (containers.png_chunks, containers.jpeg_segments, containers.riff_chunks):
            assert all(segment.offset > 0 for segment in segments(file))
        assert containers.jpeg_scans(file) >= 0
        for file_format in FORMATS:
            containers.has_content_credentials(file, file_format)
            containers.nominal_colour(file, file_format)


@quickly
@given(st.sampled_from(FORMATS), st.data())
def test_any_damage_is_read_or_refused_in_one_line(file_format, data):
    content = bytearray(picture_file(file_format))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    del content[data.draw(st.integers(1, len(content))) :]
    refusal = ""
    try:
        photo = decode_photo(bytes(content), "a photo")
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if refusal:
        return
    assert photo.pixels.dtype == np.uint8
    assert decode_photo(encode_photo(photo, "PNG")).size == photo.size


@quickly
@given(
    st.sampled_from(["PNG", "JPEG", "WEBP"]), st.binary(min_size=1, max_size=200), st.binary(min_size=1, max_size=200)
)
def test_no_exif_and_no_profile_cost_the_photo(file_format, block, icc):
    photo = decode_photo(picture_file(file_format, exif=b"Exif\0\0" + block, icc_profile=icc))
    assert photo.size in ((12, 9), (9, 12))
    assert photo.icc is None


@quickly
@given(
    st.binary(max_size=60), st.lists(st.tuples(st.text("abGPSserial ", min_size=1, max_size=9), st.text(max_size=9)))
)
def test_what_is_private_is_gone_and_the_rest_stays(iptc, texts):
    place = b"\x1c\x02\x5a" + struct.pack(">H", len(iptc)) + iptc
    title = b"\x1c\x02\x05\x00\x01a"
    photo = Photo(pixels=np.zeros((1, 1, 3), np.uint8), iptc=place + title, texts=tuple(texts))
    stripped = without_private(photo)
    assert private_kinds(stripped) == ()
    assert stripped.iptc == title


@quickly
@given(st.integers(1, 5), st.integers(1, 7), st.booleans(), st.sampled_from(["PNG", "TIFF"]), st.randoms())
def test_lossless_formats_give_back_every_value(height, width, opaque, file_format, chance):
    values = np.frombuffer(chance.randbytes(height * width * 7), np.uint8).reshape(height, width, 7)
    photo = Photo(
        pixels=values[..., :3].copy(), low=values[..., 3:6].copy(), alpha=None if opaque else values[..., 6].copy()
    )
    again = decode_photo(encode_photo(photo, file_format))
    assert np.array_equal(again.pixels, photo.pixels)
    assert np.array_equal(again.low, photo.low)
    assert opaque or np.array_equal(again.alpha, photo.alpha)


@quickly
@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 4))
def test_orientations_turn_the_picture_and_its_opacity_alike(orientation, height, width):
    pixels = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    turned = Raster(pixels, pixels[..., 0], pixels, None).upright(orientation)
    assert np.array_equal(turned.pixels[..., 0], turned.alpha)
    assert np.array_equal(turned.pixels, turned.low)
    assert turned.pixels.shape[:2] == ((height, width) if orientation < 5 else (width, height))


@pytest.mark.parametrize("icc", [None])
@quickly
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_an_edit_is_added_to_what_is_there(icc, there, before, after):
    """What another edit did before it stays; no value runs over."""
    own, old, new = (np.full((2, 2, 3), value, np.uint8) for value in (there, before, after))
    changed_in_place(own, old, new, icc)
    assert own[0, 0, 0] == np.clip(there + after - before, 0, 255)
