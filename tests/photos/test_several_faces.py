"""Several faces in one photo: chosen, edited together, read as references."""

from __future__ import annotations

import numpy as np
import pytest

from twocet.edit.result import together
from twocet.errors import UserError
from twocet.photo.images import Photo, write_photo

CODE = np.array([1.0, 0, 0, 0], np.float32)


def test_all_faces_are_edited_in_one_picture(editor, two_faces):
    both = editor.transfer(two_faces, CODE, face="all")
    first, second = (editor.transfer(two_faces, CODE, face=number) for number in (1, 2))
    assert both.notes == ()
    assert (both.pixels[:, :512] == first.pixels[:, :512]).all()
    assert (both.pixels[:, 512:] == second.pixels[:, 512:]).all()
    assert (both.pixels[:, :512] != two_faces[:, :512]).any()
    assert (both.pixels[:, 512:] != two_faces[:, 512:]).any()
    assert np.array_equal(both.landmarks, first.landmarks)
    assert np.array_equal(editor.transfer(two_faces, CODE, 0.0, face="all").pixels, two_faces)


def test_all_is_one_where_there_is_one(editor, portrait):
    assert np.array_equal(editor.transfer(portrait, CODE, face="all").pixels, editor.transfer(portrait, CODE).pixels)


def test_notes_on_one_of_all_faces_name_it(editor, portrait):
    canvas = np.full((512, 700, 3), 120, np.uint8)
    canvas[:, :512] = portrait
    canvas[200:264, 580:644] = portrait[::8, ::8]
    (note,) = editor.transfer(canvas, CODE, face="all").notes
    assert note.startswith("the target, face 2: the face is small")


def test_edits_that_touch_are_added(editor, portrait):
    """Neither is cut off where the other one begins."""
    result = editor.transfer(portrait, CODE)
    half = np.abs(result.pixels.astype(int) - portrait)
    both = together([result, result])
    changed = np.abs(both.pixels.astype(int) - portrait)
    clear = (changed > 0) & (both.pixels > 0) & (both.pixels < 255)
    assert (changed[clear] == 2 * half[clear]).all()
    weaker = editor.transfer(portrait, CODE, 0.5)
    assert together([result, weaker]).mark.strength is None
    assert both.mark.strength == 1.0


def test_neutral_is_said_of_all_faces_alone(editor, two_faces):
    assert "neutral already" in editor.neutralize(two_faces, face="all").notes[0]
    editor.model.expressive = True
    assert editor.neutralize(two_faces, face="all", regions=["eyes"]).notes == ()


def test_the_face_of_a_reference_is_chosen(editor, portrait, two_faces):
    """The stub's codes are mean colours: those of the face's own crop (YuvalNirkin/fsgan#85)."""
    noted = editor.transfer(portrait, two_faces)
    assert noted.notes == ("the reference has 2 faces: the largest was used (reference_face=2 takes the second).",)
    first, second = (editor.transfer(portrait, two_faces, reference_face=number) for number in (1, 2))
    assert first.notes == second.notes == ()
    assert np.array_equal(noted.code, first.code)
    assert not np.allclose(first.code, second.code, atol=1e-3)
    assert np.array_equal(second.code, editor.encode(two_faces, face=2))
    with pytest.raises(UserError, match="give reference_face=1 to 2"):
        editor.transfer(portrait, two_faces, reference_face=3)


@pytest.fixture
def us(tmp_path, two_faces):
    return write_photo(tmp_path / "us.png", Photo(pixels=two_faces))


def test_on_the_command_line(run, us, portrait_file, tmp_path, capsys, two_faces):
    from twocet.photo.images import read_photo

    out = tmp_path / "out.png"
    assert run("transfer", portrait_file, us, "-o", out) == 0
    assert "(--reference-face 2 takes the second)" in capsys.readouterr().err
    assert run("transfer", portrait_file, us, "-o", out, "--reference-face", "2", "--strict") == 0
    assert capsys.readouterr().err == ""
    assert run("transfer", us, portrait_file, "-o", out, "--face", "all", "--keep", "eyes", "--keep", "brows") == 0
    changed = (read_photo(out).pixels != two_faces).any(axis=(0, 2))
    assert changed[:512].any()
    assert changed[512:].any()
    for number in ("-1", "0", "3"):
        assert run("transfer", us, portrait_file, "-o", out, "--face", number) == 2
        assert "give --face 1 to 2." in capsys.readouterr().err


def test_strict_commands_refuse_and_write_nothing(run, us, portrait_file, tmp_path, capsys):
    out = tmp_path / "out.png"
    for words in (["transfer", us, portrait_file], ["transfer", portrait_file, us], ["neutralize", us]):
        assert run(*words, "-o", out, "--strict") == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert not out.exists()
    assert run("sample", us, "-o", tmp_path / "samples", "--strict") == 2
    assert not (tmp_path / "samples").exists()


def test_one_crop_shows_one_face(run, us, portrait_file, tmp_path, capsys):
    wrong = ((["transfer", us, portrait_file], "out.png"), (["neutralize", us], "out.png"), (["sample", us], "out"))
    for words, out in wrong:
        assert run(*words, "-o", tmp_path / out, "--face", "all", "--crop-only") == 2
        assert "--crop-only writes one face" in capsys.readouterr().err


def test_an_option_given_twice_is_refused(run, us, portrait_file, tmp_path, capsys):
    """And not the last one taken in silence; --keep may be repeated."""
    assert run("transfer", us, portrait_file, "-o", tmp_path / "out.png", "--face", "1", "--face", "2") == 2
    assert "--face is given twice" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
