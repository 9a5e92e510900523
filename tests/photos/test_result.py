"""What a result is to Python: a picture, an array, one short line, and words of the API in its messages."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from twocet.commands.messages import as_flags
from twocet.errors import UserError
from twocet.photo.decode import read_size

DOWN = np.array([1.0, 0, 0, 0], np.float32)


@pytest.fixture
def result(editor, portrait):
    return editor.transfer(portrait, DOWN, 0.5)


def test_a_result_is_a_pillow_image(result, editor, portrait):
    assert result.image.mode == "RGB"
    assert np.array_equal(np.asarray(result.image), result.pixels)
    opaque = np.full(portrait.shape[:2], 200, np.uint8)
    with_alpha = editor.transfer(np.dstack([portrait, opaque]), DOWN).image
    assert with_alpha.mode == "RGBA"
    assert np.array_equal(np.asarray(with_alpha)[..., 3], opaque)


def test_a_result_is_an_array(result):
    assert np.array_equal(np.asarray(result), result.pixels)
    assert np.asarray(result, np.float32).dtype == np.float32
    changed = np.array(result)
    changed[:] = 0
    assert result.pixels.any()


def test_a_result_says_what_it_is_in_one_short_line(result):
    assert repr(result) == "<twocet.Result 512 x 512, strength 0.5>"


def test_an_editor_says_which_model_it_uses(editor):
    assert repr(editor) == f"<twocet.Editor {editor.name}>"


def test_a_notebook_shows_a_small_picture(editor, portrait):
    large = np.repeat(np.repeat(portrait, 2, axis=0), 2, axis=1)
    shown = Image.open(io.BytesIO(editor.transfer(large, DOWN)._repr_png_()))
    assert shown.format == "PNG"
    assert shown.size == (640, 640)


def test_results_can_be_compared_and_kept_in_sets(result, editor, portrait):
    other = editor.transfer(portrait, DOWN, 0.5)
    assert result == result
    assert result != other
    assert len({result, other}) == 2


def test_presets_by_name(editor, monkeypatch, tmp_path):
    from twocet.edit import presets

    monkeypatch.setattr(presets, "user_file", lambda: tmp_path / "presets.json")
    presets.save(presets.Preset("grin", (1.0, 2.0, 3.0, 4.0), "0" * 64, "a photo", own=True))
    assert editor.presets == ["grin"]
    assert np.array_equal(editor.preset("grin"), np.array([1, 2, 3, 4], np.float32))
    with pytest.raises(UserError, match="There is no preset 'smirk': choose one of grin"):
        editor.preset("smirk")


def test_messages_name_arguments_and_on_the_command_line_flags():
    assert as_flags("give face=1 to 2.") == "give --face 1 to 2."
    assert as_flags("Refused (strict=True).") == "Refused (--strict)."
    assert as_flags("reference_face=2 takes the second; code=3") == "--reference-face 2 takes the second; code=3"


def test_bytes_and_open_files_are_photos_too(editor, portrait_file, portrait):
    by_path = editor.encode(portrait_file)
    assert np.array_equal(editor.encode(portrait_file.read_bytes()), by_path)
    with portrait_file.open("rb") as file:
        assert np.array_equal(editor.encode(file), by_path)
        assert np.array_equal(editor.transfer(file, DOWN, 0).pixels, portrait)


@pytest.mark.parametrize("given", [None, [1, 2], ["a.jpg", "b.jpg"], 3.5, io.StringIO("text")])
def test_what_is_no_photo_is_told_what_is_one(editor, given):
    remedy = r"give one path, bytes, an open file, a PIL image or an array|open it with 'rb'"
    with pytest.raises(UserError, match=remedy):
        editor.transfer(given, DOWN)
    with pytest.raises(UserError, match=remedy):
        editor.encode(given)


def test_a_missing_folder_is_made_for_the_result(editor, portrait, tmp_path):
    written = editor.transfer(portrait, DOWN).save(tmp_path / "new" / "deep" / "out.png")
    assert written.is_file()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is not a folder"):
        editor.transfer(portrait, DOWN).save(tmp_path / "file" / "out.png")


def test_a_file_that_is_no_picture_has_no_size(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("Dear Madam")
    assert [read_size(tmp_path / name) for name in ("empty.jpg", "text.jpg", "missing.jpg")] == [(0, 0)] * 3
