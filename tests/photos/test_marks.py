from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from twocet import __version__
from twocet.photo.images import JPEG_XMP_LIMIT, Photo, read_photo
from twocet.photo.marks import COMPOSITE, SYNTHETIC, Mark, edit_mark, mark_xmp, parse_mark, read_mark, write_marked

PHOTO = Photo(pixels=np.full((16, 16, 3), 90, np.uint8))
FORMATS = ["png", "jpg", "webp", "tif"]

CAMERA_XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="uuid:1" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Camera 1.0" xmp:Rating="4"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<Iptc4xmpExt:DigitalSourceType>
http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture</Iptc4xmpExt:DigitalSourceType>
<dc:rights xmlns:dc="http://purl.org/dc/elements/1.1/">
<rdf:Alt><rdf:li xml:lang="x-default">Ada</rdf:li></rdf:Alt></dc:rights>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def mark_of(photo=PHOTO, strength=0.8):
    return edit_mark(photo, model="default", model_sha256="ab" * 32, strength=strength)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_mark_survives_in_every_format(tmp_path, suffix):
    path = write_marked(tmp_path / f"a.{suffix}", PHOTO, mark_of())
    assert read_mark(path) == Mark(
        digital_source_type=COMPOSITE,
        software=f"twocet {__version__}",
        model="default",
        model_sha256="ab" * 32,
        strength=0.8,
    )


def test_other_software_can_read_it(tmp_path):
    path = write_marked(tmp_path / "a.jpg", PHOTO, mark_of())
    raw = path.read_bytes()
    assert b"Iptc4xmpExt:DigitalSourceType" in raw
    assert b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in raw
    assert f'xmp:CreatorTool="twocet {__version__}"'.encode() in raw
    assert b'Iptc4xmpExt:AISystemUsed="twocet"' in raw


@pytest.mark.parametrize("suffix", FORMATS)
def test_without_a_mark_nothing_is_said(tmp_path, suffix):
    assert read_mark(write_marked(tmp_path / f"a.{suffix}", PHOTO, None)) is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_mark_of_the_input_is_kept_even_without_ours(tmp_path, suffix):
    marked = read_photo(write_marked(tmp_path / f"a.{suffix}", PHOTO, mark_of()))
    assert read_mark(write_marked(tmp_path / f"b.{suffix}", marked, None)) == mark_of()


def test_an_edited_synthetic_picture_stays_synthetic():
    synthetic = Photo(pixels=PHOTO.pixels, xmp=mark_xmp(None, Mark(digital_source_type=SYNTHETIC)))
    assert mark_of(synthetic).digital_source_type == SYNTHETIC
    composite = Photo(pixels=PHOTO.pixels, xmp=mark_xmp(None, Mark(digital_source_type=COMPOSITE)))
    assert mark_of(composite).digital_source_type == COMPOSITE


def test_what_the_file_said_stays_and_the_source_type_is_replaced():
    packet = mark_xmp(CAMERA_XMP, mark_of())
    text = packet.decode()
    assert "digitalCapture" not in text
    assert "Camera 1.0" not in text
    assert 'xmp:Rating="4"' in text
    assert ">Ada<" in text
    assert text.count("DigitalSourceType") == 1
    assert text.count('rdf:about="uuid:1"') == 2
    assert parse_mark(packet) == mark_of()


def test_marking_twice_leaves_one_mark():
    packet = mark_xmp(mark_xmp(None, mark_of(strength=0.3)), mark_of(strength=1.2))
    assert parse_mark(packet).strength == 1.2
    assert packet.count(b"DigitalSourceType") == 1
    assert mark_xmp(packet, mark_of(strength=1.2)).count(b"rdf:Description") == packet.count(b"rdf:Description")


def test_a_camera_photo_and_a_foreign_mark():
    assert parse_mark(CAMERA_XMP) is None
    foreign = CAMERA_XMP.replace(b"digitalCapture", b"trainedAlgorithmicMedia").replace(
        b"xmp:CreatorTool", b"xmp:Label"
    )
    assert parse_mark(foreign) == Mark(digital_source_type=SYNTHETIC)


@pytest.mark.parametrize(
    "existing", [b"", b"<x", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"\xff\xfe\x00", b"<a/>"]
)
def test_an_unreadable_packet_is_replaced(existing):
    assert parse_mark(existing) is None
    assert parse_mark(mark_xmp(existing, mark_of())) == mark_of()


def test_the_mark_is_written_even_if_the_old_packet_fills_the_jpeg_segment(tmp_path):
    huge = CAMERA_XMP.replace(b">Ada<", b">" + b"A" * JPEG_XMP_LIMIT + b"<")
    photo = Photo(pixels=PHOTO.pixels, xmp=huge)
    assert read_mark(write_marked(tmp_path / "a.jpg", photo, mark_of())) == mark_of()
    assert read_mark(write_marked(tmp_path / "a.png", photo, mark_of())) == mark_of()
    with Image.open(tmp_path / "a.png") as file:
        assert len(file.info["xmp"]) > JPEG_XMP_LIMIT
