from __future__ import annotations

import json

import numpy as np
import pytest

from twocet.commands import demo
from twocet.commands.shared import output_name, photos_in, plan
from twocet.errors import UserError
from twocet.photo.images import Photo, read_photo, write_photo
from twocet.photo.marks import COMPOSITE, read_mark
from twocet.photo.sheets import Cell, sheet


@pytest.fixture
def wall(tmp_path):
    return write_photo(tmp_path / "wall.png", Photo(pixels=np.full((64, 64, 3), 128, np.uint8)))


def test_transfer_writes_one_marked_picture_and_says_so(run, portrait_file, portrait, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert run("transfer", portrait_file, portrait_file, "-o", out, "--strength", "0.5") == 0
    printed = capsys.readouterr()
    assert printed.out == f"wrote {out}\n"
    assert printed.err == ""
    assert read_photo(out).pixels.shape == portrait.shape
    assert (read_photo(out).pixels != portrait).any()
    mark = read_mark(out)
    assert (mark.digital_source_type, mark.strength) == (COMPOSITE, 0.5)


def test_transfer_reports_json(run, portrait_file, tmp_path, capsys):
    out = tmp_path / "out.jpg"
    assert run("transfer", portrait_file, portrait_file, "-o", out, "--strength", "-0.5", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {
        "target": str(portrait_file),
        "output": str(out),
        "size": [512, 512],
        "strength": -0.5,
        "model": "stub",
        "model_sha256": "0" * 64,
        "marked": True,
        "notes": [],
    }


def test_leaving_out_the_mark_is_noted(run, portrait_file, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert run("transfer", portrait_file, portrait_file, "-o", out, "--no-mark") == 0
    assert "carries no AI mark (--no-mark)" in capsys.readouterr().err
    assert read_mark(out) is None


def test_crop_only_and_aligned(run, portrait_file, tmp_path):
    crop, again = tmp_path / "crop.png", tmp_path / "again.png"
    assert run("neutralize", portrait_file, "-o", crop, "--crop-only") == 0
    assert read_photo(crop).size == (128, 128)
    assert run("transfer", crop, crop, "-o", again, "--aligned") == 0
    assert read_photo(again).size == (128, 128)


def test_several_references_and_strengths_make_a_grid(run, portrait_file, tmp_path, capsys):
    out = tmp_path / "grid.png"
    words = ["transfer", portrait_file, portrait_file, portrait_file, "-o", out, "--strength", "0.5", "1", "1.5"]
    assert run(*words, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["strength"] == [0.5, 1.0, 1.5] * 2
    width, height = read_photo(out).size
    assert [width, height] == report["size"]
    assert width > 5 * 320
    assert 2 * 320 < height < 3 * 320
    assert read_mark(out).digital_source_type == COMPOSITE


def test_a_folder_of_targets_goes_on_after_a_failure_and_exits_2(run, portrait_file, portrait, wall, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "deep" / "out"
    folder.mkdir()
    write_photo(folder / "b.jpg", Photo(pixels=portrait))
    write_photo(folder / "c.png", Photo(pixels=portrait))
    (folder / "a.png").write_bytes(wall.read_bytes())
    (folder / "d.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("ignored")
    assert run("transfer", folder, portrait_file, "-o", out) == 2
    printed = capsys.readouterr()
    assert printed.out == f"wrote {out / 'b.jpg'}\nwrote {out / 'c.png'}\n"
    assert f"failed: No face found in {folder / 'a.png'}" in printed.err
    assert f"failed: {folder / 'd.jpg'} is not a picture" in printed.err
    assert printed.err.rstrip().endswith("2 of 4 photos failed (listed above); the others were written.")
    assert sorted(file.name for file in out.iterdir()) == ["b.jpg", "c.png"]


def test_two_faces_are_noted_and_can_be_chosen(run, two_faces, portrait_file, tmp_path, capsys):
    us = write_photo(tmp_path / "us.png", Photo(pixels=two_faces))
    assert run("transfer", us, portrait_file, "-o", tmp_path / "1.png") == 0
    assert f"note: {us} has 2 faces: the largest was used" in capsys.readouterr().err
    assert run("transfer", us, portrait_file, "-o", tmp_path / "2.png", "--face", "2") == 0
    assert capsys.readouterr().err == ""
    assert run("transfer", us, portrait_file, "-o", tmp_path / "3.png", "--face", "3") == 2
    assert not (tmp_path / "3.png").exists()


def test_bad_input_is_one_line_exit_2_and_no_output(run, portrait_file, wall, tmp_path, capsys):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    out = tmp_path / "out.png"
    bad = {
        "empty.jpg": "is empty",
        "text.jpg": "is not a picture",
        "wall.png": "No face found",
        "missing.png": "does not exist",
    }
    for name, message in bad.items():
        for words in ([tmp_path / name, portrait_file], [portrait_file, tmp_path / name]):
            assert run("transfer", *words, "-o", out) == 2, name
            error = capsys.readouterr().err
            assert error.count("\n") == 1, error
            assert message in error
            assert name in error
            assert not out.exists()


def test_outputs_that_cannot_be_are_refused_before_any_work(run, portrait_file, tmp_path, capsys, stub):
    empty = tmp_path / "empty"
    empty.mkdir()
    wrong = {
        "end the name in": [portrait_file, portrait_file, "-o", tmp_path / "out.txt"],
        "is not a folder": [portrait_file, portrait_file, "-o", portrait_file / "out.png"],
        "would overwrite": [portrait_file, portrait_file, "-o", portrait_file],
        "holds no pictures": [empty, portrait_file, "-o", tmp_path / "out"],
        "A reference is missing": [portrait_file, "-o", tmp_path / "out.png"],
    }
    for message, words in wrong.items():
        assert run("transfer", *words) == 2, message
        assert message in capsys.readouterr().err
    assert stub.calls.encode == 0


def test_neutralize_a_neutral_face_writes_it_and_says_so(run, portrait_file, portrait, tmp_path, capsys):
    assert run("neutralize", portrait_file, "-o", tmp_path / "out.png") == 0
    assert "neutral already" in capsys.readouterr().err
    assert np.array_equal(read_photo(tmp_path / "out.png").pixels, portrait)


def test_sample_writes_every_expression_and_a_sheet(run, portrait_file, tmp_path, capsys):
    out = tmp_path / "samples"
    assert run("sample", portrait_file, "-n", "3", "--seed", "4", "-o", out) == 0
    names = ["portrait-1.png", "portrait-2.png", "portrait-3.png", "portrait-sheet.png"]
    assert sorted(file.name for file in out.iterdir()) == names
    assert capsys.readouterr().out == "".join(f"wrote {out / name}\n" for name in names)
    assert all(read_mark(out / name).digital_source_type == COMPOSITE for name in names)
    first = (out / names[0]).read_bytes()
    assert run("sample", portrait_file, "-n", "3", "--seed", "4", "-o", out) == 0
    assert (out / names[0]).read_bytes() == first


def test_example_pairs_go_together_by_number():
    pairs = demo.example_pairs()
    assert len(pairs) >= 6
    for number, pair in enumerate(pairs, start=1):
        assert pair.target.name == f"target-{number}.jpg"
        assert pair.reference.name == f"reference-{pair.name}.jpg"
        assert pair.name.startswith(f"{number}-")


def test_missing_examples(tmp_path):
    with pytest.raises(UserError, match="install twocet again"):
        demo.example_pairs(tmp_path)


def test_demo_writes_a_sheet_for_every_pair_and_an_overview(run, tmp_path, capsys, monkeypatch):
    out = tmp_path / "demo"
    pairs = demo.example_pairs()[:2]
    monkeypatch.setattr(demo, "example_pairs", lambda: pairs)
    assert run("demo", "-o", out) == 0
    printed = capsys.readouterr().out.split()
    assert all(str(out / f"{pair.name}.png") in printed for pair in pairs)
    assert printed[-1] == str(out / "overview.png")
    assert sorted(printed) == sorted(str(file) for file in out.iterdir())
    assert read_photo(out / "overview.png").size[0] > 5 * 240


def test_output_names_and_listing(tmp_path):
    assert output_name(tmp_path / "a.JPG") == "a.JPG"
    assert output_name(tmp_path / "a.gif") == "a.gif.png"
    for name in ("b.png", "a.jpg", ".hidden.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in photos_in(tmp_path)] == ["a.jpg", "b.png"]
    assert photos_in(tmp_path / "b.png") == [tmp_path / "b.png"]
    with pytest.raises(UserError, match="would overwrite"):
        plan([tmp_path], tmp_path)


def test_sheet_puts_pictures_and_labels_in_their_places():
    red, blue = np.full((50, 100, 3), (255, 0, 0), np.uint8), np.full((100, 100, 3), (0, 0, 255), np.uint8)
    pixels = sheet([[Cell(red, "red"), None], [None, Cell(blue)]], side=100, gap=10)
    assert pixels.shape == (10 + 2 * 126, 10 + 2 * 110, 3)
    assert pixels[60, 60].tolist() == [255, 0, 0]
    assert pixels[12, 60].tolist() == [255, 255, 255]
    assert pixels[10 + 126 + 50, 10 + 110 + 50].tolist() == [0, 0, 255]
    below_red, below_blue = pixels[110:126, 10:110], pixels[236:252, 120:220]
    assert below_red.min() < 120
    assert below_blue.min() == 255


def test_a_minus_in_a_label_is_drawn_as_one():
    grey = np.zeros((32, 32, 3), np.uint8)
    assert np.array_equal(sheet([[Cell(grey, "− grey")]]), sheet([[Cell(grey, "- grey")]]))


def test_a_label_that_is_too_long_is_shortened():
    picture = np.zeros((64, 64, 3), np.uint8)
    pixels = sheet([[Cell(picture, "a very long file name.jpg" * 5)]], side=64, gap=8)
    assert pixels[:, :8].min() == pixels[:, -8:].min() == 255
