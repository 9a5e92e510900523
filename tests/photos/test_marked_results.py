"""Where the watermark is: in every changed face of every picture that is written, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import twocet
from twocet import cli
from twocet.photo import align
from twocet.photo.images import read_photo
from twocet.photo.marks import read_mark
from twocet.photo.verdict import watermarks_in
from twocet.photo.watermark.code import message_of
from twocet.photo.watermark.find import find_watermark

CODE = np.array([1.0, 0, 0, 0], np.float32)
MESSAGE = message_of("0" * 64)


def messages(pixels, finder):
    return [mark.message for mark in watermarks_in(pixels, finder)[0]]


def test_a_saved_result_carries_the_mark_and_its_pixels_do_not(editor, portrait, finder, tmp_path):
    result = editor.transfer(portrait, CODE)
    saved = read_photo(result.save(tmp_path / "a.png")).pixels
    assert messages(saved, finder) == [MESSAGE]
    assert np.array_equal(saved, result.marked())
    assert messages(result.pixels, finder) == []
    unmarked = read_photo(result.save(tmp_path / "b.png", mark=False)).pixels
    assert np.array_equal(unmarked, result.pixels)


def test_the_face_alone_carries_it_too(editor, portrait, finder, tmp_path):
    result = editor.transfer(portrait, CODE)
    crop = read_photo(result.save(tmp_path / "a.png", crop=True)).pixels
    assert crop.shape == (128, 128, 3)
    assert find_watermark(crop, align.square_to_crop(128, 128)).message == MESSAGE
    assert np.abs(crop.astype(int) - result.crop).mean() < 3


def test_a_photo_that_stays_as_it_was_carries_no_mark(editor, portrait, tmp_path):
    result = editor.transfer(portrait, CODE, 0.0)
    assert result.photo.edited == ()
    path = result.save(tmp_path / "a.png")
    assert np.array_equal(read_photo(path).pixels, portrait)
    assert read_mark(path) is None


def test_every_edited_face_is_marked_and_no_other(editor, two_faces, finder, tmp_path):
    large = np.repeat(np.repeat(two_faces, 2, axis=0), 2, axis=1)
    both = editor.transfer(large, CODE, face="all")
    assert len(both.photo.edited) == 2
    assert messages(both.marked(), finder) == [MESSAGE] * 2
    second = editor.transfer(large, CODE, face=2)
    assert messages(second.marked(), finder) == [MESSAGE]
    assert np.array_equal(second.marked()[:, :1000], large[:, :1000])


def test_an_edit_of_an_edit_is_marked_where_either_was(editor, two_faces, finder):
    large = np.repeat(np.repeat(two_faces, 2, axis=0), 2, axis=1)
    first = editor.transfer(large, CODE, face=1)
    second = editor.transfer(first.photo, CODE, face=2)
    assert messages(second.marked(), finder) == [MESSAGE] * 2


def test_sheets_show_marked_results(run, portrait_file, finder, tmp_path):
    run("transfer", portrait_file, portrait_file, "-o", tmp_path / "sheet.png", "--strength", "0.5", "1")
    # The target and the reference are in the sheet too, and stay as they are.
    assert messages(read_photo(tmp_path / "sheet.png").pixels, finder) == [MESSAGE] * 2
    run("transfer", portrait_file, portrait_file, "-o", tmp_path / "b.png", "--strength", "0.5", "1", "--no-mark")
    assert messages(read_photo(tmp_path / "b.png").pixels, finder) == []


def test_verify_reads_what_transfer_wrote(run, portrait_file, tmp_path, capsys):
    result, plain, stripped = tmp_path / "out.jpg", tmp_path / "plain.jpg", tmp_path / "stripped.png"
    run("transfer", portrait_file, portrait_file, "-o", result)
    run("transfer", portrait_file, portrait_file, "-o", plain, "--no-mark")
    Image.open(result).convert("RGB").save(stripped)
    capsys.readouterr()
    assert cli.main(["verify", str(result), str(stripped)]) == 0
    said = capsys.readouterr().out
    assert f"{result}: a trained model made or changed it" in said
    assert said.count("found in 1 of 1 faces") == 2
    assert "note: The watermark is there, the metadata is not: it was removed." in said
    assert cli.main(["verify", "--json", str(plain), str(result)]) == 3
    facts = json.loads(capsys.readouterr().out)
    assert [one["tells_of_ai"] for one in facts] == [False, True]
    assert facts[1]["metadata"]["model"] == "stub"


def test_verify_names_contradictions_by_its_exit_code(run, portrait_file, tmp_path, capsys):
    result = tmp_path / "out.jpg"
    run("transfer", portrait_file, portrait_file, "-o", result)
    content = result.read_bytes()
    result.write_bytes(content.replace(b"compositeWithTrainedAlgorithmicMedia", b"digitalCapture" + b" " * 22))
    capsys.readouterr()
    assert cli.main(["verify", str(result)]) == 4
    assert "contradiction: The metadata calls it digitalCapture" in capsys.readouterr().out


def test_verify_of_no_picture_is_one_line(tmp_path, capsys):
    (tmp_path / "a.jpg").write_text("no picture")
    assert cli.main(["verify", str(tmp_path / "a.jpg")]) == 2
    assert cli.main(["verify"]) == 2
    assert cli.main(["verify", str(portrait_of(tmp_path)), "--trust", str(tmp_path / "a.jpg")]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def portrait_of(folder: Path) -> Path:
    Image.new("RGB", (64, 64)).save(folder / "grey.png")
    return folder / "grey.png"


def test_the_interface_verifies(editor, portrait, finder, tmp_path):
    path = editor.transfer(portrait, CODE).save(tmp_path / "a.webp")
    verdict = twocet.verify(path, finder=finder)
    assert verdict.tells_of_ai
    assert [mark.message for mark in verdict.watermarks] == [MESSAGE]
    assert verdict.contradictions == ()


def test_marks_init_makes_a_chain_and_show_tells_of_it(monkeypatch, tmp_path, capsys):
    pytest.importorskip("c2pa")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert cli.main(["marks"]) == 0
    assert "not signed: twocet marks init" in capsys.readouterr().out
    assert cli.main(["marks", "init", "--organisation", "Test Lab"]) == 0
    assert "signed by CN=twocet,O=Test Lab" in capsys.readouterr().out
    assert cli.main(["marks", "init"]) == 2
    assert cli.main(["marks", "show", "--certificate", "a.pem", "--key", "b.pem"]) == 2
    assert cli.main(["marks", "init", "--certificate", "a.pem"]) == 2
    capsys.readouterr()
    assert cli.main(["marks", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"] == {"watermark": True, "xmp": True, "c2pa": True}


def test_somebody_at_a_terminal_is_told_once_how_to_sign(run, portrait_file, tmp_path, capsys, monkeypatch):
    pytest.importorskip("c2pa")
    words = ("transfer", portrait_file, portrait_file, "-o", tmp_path / "a.png")
    run(*words)
    assert "hint" not in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    run(*words)
    assert (
        capsys.readouterr().err
        == "hint: results are marked, not signed: twocet marks init makes a certificate for it\n"
    )
    run(*words, "--no-mark")
    assert "hint" not in capsys.readouterr().err
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    cli.main(["marks", "init"])
    run(*words)
    assert "hint" not in capsys.readouterr().err
