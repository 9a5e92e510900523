"""What a photo tells of where, with which camera and by whom it was taken: said, and left out on request."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import ExifTags, Image

from twocet.edit.editor import Editor
from twocet.photo.images import Photo, read_photo, write_photo
from twocet.photo.privacy import private_kinds, without_private

PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="52,31N" '
    b'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" aux:SerialNumber="SECRET-3" aux:OwnerName="SECRET-4" '
    b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="SECRET-5" photoshop:Credit="Ada"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x5a\x00\x08SECRET-6\x1c\x02\x50\x00\x03Ada"


@pytest.fixture
def telling(tmp_path, portrait):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ada"
    capture = exif.get_ifd(ExifTags.IFD.Exif)
    capture[ExifTags.Base.BodySerialNumber] = "SECRET-1"
    capture[ExifTags.Base.CameraOwnerName] = "SECRET-2"
    capture[ExifTags.Base.FNumber] = 2.8
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 7.0)
    resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(IPTC)) + IPTC
    segment = b"\xff\xed" + struct.pack(">H", 16 + len(resource)) + b"Photoshop 3.0\0" + resource
    Image.fromarray(portrait).save(tmp_path / "me.jpg", exif=exif, xmp=PACKET, extra=segment, quality=95)
    return tmp_path / "me.jpg"


def test_all_kinds_are_found_and_left_out(telling, tmp_path):
    photo = read_photo(telling)
    assert private_kinds(photo) == ("place", "serial numbers", "owner of the camera")
    stripped = without_private(photo)
    assert private_kinds(stripped) == ()
    for suffix in ("jpg", "png", "webp", "tif"):
        content = write_photo(tmp_path / f"out.{suffix}", stripped).read_bytes()
        assert b"SECRET" not in content, suffix
        assert b"GPS" not in content, suffix
        assert b"Ada" in content, suffix
    kept = Image.Exif()
    kept.load(stripped.exif)
    assert float(kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber]) == pytest.approx(2.8)


def test_a_photo_that_tells_nothing_stays_as_it_is(noise):
    photo = Photo(pixels=noise, texts=(("Title", "x"),))
    assert without_private(photo) is photo


def test_texts_that_tell_the_place_go(noise):
    photo = Photo(pixels=noise, texts=(("exif:GPSLatitude", "52"), ("Title", "x")))
    assert private_kinds(photo) == ("place",)
    assert without_private(photo).texts == (("Title", "x"),)


def test_it_is_said_and_kept_by_default(editor, telling, tmp_path):
    result = editor.transfer(telling, np.array([1, 0, 0, 0], np.float32))
    (note,) = [note for note in result.notes if "strip_private=True" in note]
    assert note.startswith("The result keeps the place (GPS), serial numbers and the camera's owner")
    assert b"SECRET-1" in result.save(tmp_path / "kept.jpg").read_bytes()
    assert b"SECRET" not in result.save(tmp_path / "left-out.jpg", strip_private=True).read_bytes()


def test_an_editor_that_leaves_it_out_has_nothing_to_say(editor, telling, tmp_path):
    careful = Editor(editor.model, finder=editor._locator.finder, strip_private=True)
    result = careful.transfer(telling, np.array([1, 0, 0, 0], np.float32))
    assert not [note for note in result.notes if "strip_private" in note]
    assert b"SECRET" not in result.save(tmp_path / "out.jpg").read_bytes()


def test_on_the_command_line_it_is_said_once(run, telling, tmp_path, capsys):
    folder = tmp_path / "people"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(telling.read_bytes())
    assert run("neutralize", folder, "-o", tmp_path / "kept") == 0
    assert capsys.readouterr().err.count("--strip-private leaves them out") == 1
    assert run("neutralize", folder, "-o", tmp_path / "left-out", "--strip-private") == 0
    assert "strip-private" not in capsys.readouterr().err
    assert b"SECRET" in (tmp_path / "kept" / "a.jpg").read_bytes()
    assert b"SECRET" not in (tmp_path / "left-out" / "b.jpg").read_bytes()


def test_a_folder_says_what_is_left_out(run, telling, tmp_path, capsys):
    # https://github.com/thumbsup/thumbsup/issues/368
    folder = tmp_path / "people"
    folder.mkdir()
    (folder / "a.jfif").write_bytes(telling.read_bytes())
    (folder / "b.cr2").write_bytes(b"raw")
    assert run("neutralize", folder, "-o", tmp_path / "out", "--strip-private") == 0
    assert (tmp_path / "out" / "a.jfif").exists()
    assert "left out, no pictures by their names: b.cr2" in capsys.readouterr().err


def test_a_format_too_small_for_the_photo_is_refused_before_the_work(run, tmp_path, capsys, monkeypatch, portrait):
    # https://github.com/dlemstra/Magick.NET/issues/933
    wide = np.zeros((600, 16_400, 3), np.uint8)
    wide[:512, :512] = portrait
    write_photo(tmp_path / "wide.png", Photo(pixels=wide))
    monkeypatch.setattr("twocet.edit.editor.load", lambda *_, **__: pytest.fail("work was begun"))
    assert run("neutralize", tmp_path / "wide.png", "-o", tmp_path / "out.webp") == 2
    message = capsys.readouterr().err
    assert "webp files have sides of 16383 pixels at most, the picture has 16400" in message
    assert message.count("\n") == 1


def test_what_a_format_has_no_room_for_is_said(run, tmp_path, capsys, portrait):
    # https://github.com/comfyanonymous/ComfyUI/issues/5514
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "workflow:" + "x" * 70_000
    Image.fromarray(portrait).save(tmp_path / "in.webp", exif=exif)
    assert run("neutralize", tmp_path / "in.webp", "-o", tmp_path / "out.jpg") == 0
    assert "no room for EXIF fields so long, which were left out: ImageDescription" in capsys.readouterr().err
    assert run("neutralize", tmp_path / "in.webp", "-o", tmp_path / "out.png") == 0
    assert "EXIF" not in capsys.readouterr().err
    with Image.open(tmp_path / "out.png") as picture:
        assert len(picture.getexif()[ExifTags.Base.ImageDescription]) == 70_009
