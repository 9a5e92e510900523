from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from mouths import DROP, REST, SHA256, mouth_height, picture

from twocet.edit import presets
from twocet.edit.presets import Preset
from twocet.errors import UserError
from twocet.model.model import file_hash, find_model, load_model
from twocet.photo.images import Photo, read_photo, write_photo


@pytest.fixture
def model_file(tmp_path, monkeypatch):
    """Stands for the packaged model's file, with the hash of the stub."""
    file = tmp_path / "stub.safetensors"
    file.touch()
    monkeypatch.setattr("twocet.model.model.file_hash", lambda path: SHA256)
    return file


def preset(name="grin", sha256=SHA256, own=True, code=(1.0, 0.5, -0.25)):
    return Preset(name, code, sha256, "a.jpg", own)


def test_what_is_saved_is_read_again_and_can_be_replaced_and_removed(run):
    path = presets.save(preset())
    assert path == presets.user_file()
    assert presets.find("grin", "stub", SHA256) == preset()
    presets.save(preset(code=(2.0, 0.0, 0.0)))
    assert presets.find("grin", "stub", SHA256).code == (2.0, 0.0, 0.0)
    assert len(json.loads(path.read_text())["presets"]) == 1
    presets.remove("grin", SHA256)
    assert presets.fitting("stub", SHA256) == {}
    with pytest.raises(UserError, match="You have no preset 'grin'"):
        presets.remove("grin", SHA256)


def test_a_preset_of_another_model_is_refused_by_name(run):
    presets.save(preset(sha256="cd" * 32))
    with pytest.raises(UserError, match="made with another model"):
        presets.find("grin", "stub", SHA256)
    assert presets.find("grin", "stub", "cd" * 32).code == (1.0, 0.5, -0.25)


def test_presets_of_two_models_with_one_name_live_side_by_side(run):
    presets.save(preset(sha256="cd" * 32, code=(9.0,)))
    presets.save(preset())
    presets.remove("grin", SHA256)
    assert presets.find("grin", "stub", "cd" * 32).code == (9.0,)


def test_own_presets_go_before_packaged_ones(run, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "_PACKAGED", tmp_path)
    presets.write_file(tmp_path / "stub.presets.json", [preset("happy", own=False), preset("sad", own=False)])
    presets.save(preset("sad", code=(0.0, 0.0, 7.0)))
    found = presets.fitting("stub", SHA256)
    assert (found["happy"].own, found["sad"].own, found["sad"].code) == (False, True, (0.0, 0.0, 7.0))


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 41])
def test_names_that_cannot_be(run, name):
    with pytest.raises(UserError, match="cannot be a preset's name"):
        presets.save(preset(name))


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 1, "presets": [{"name": "x"}]}'])
def test_a_damaged_file_is_named(run, content):
    presets.user_file().parent.mkdir(parents=True)
    presets.user_file().write_text(content)
    with pytest.raises(UserError, match=r"presets\.json is not a file of presets"):
        presets.fitting("stub", SHA256)


def test_a_file_of_the_future_is_refused(run):
    presets.user_file().parent.mkdir(parents=True)
    presets.user_file().write_text('{"format": 2, "presets": []}')
    with pytest.raises(UserError, match="another version"):
        presets.fitting("stub", SHA256)


def test_save_keeps_the_mean_code_and_transfer_applies_it(run, me, smile, tmp_path, capsys):
    wide = write_photo(tmp_path / "wide.png", Photo(pixels=picture(mouth=REST + DROP * 0.25)))
    assert run("presets", "save", "grin", smile, wide) == 0
    assert capsys.readouterr().out.startswith("saved grin  your own, code of length 0.7")
    saved = presets.find("grin", "stub", SHA256)
    assert saved.made_from == "smile.png, wide.png"
    assert saved.code == pytest.approx((0.75, 0, 0), abs=0.03)
    out = tmp_path / "out.png"
    assert run("transfer", me, "--preset", "grin", "-o", out) == 0
    assert mouth_height(read_photo(out).pixels) - REST == pytest.approx(DROP * saved.code[0] ** 2, abs=0.004)


def test_a_preset_and_a_reference_make_a_grid(run, me, smile, tmp_path):
    presets.save(preset())
    assert run("transfer", me, smile, "--preset", "grin", "-o", tmp_path / "grid.png") == 0
    width, height = read_photo(tmp_path / "grid.png").size
    assert width > 3 * 320
    assert height > 2 * 320


def test_list_show_and_remove(run, model_file, capsys):
    presets.save(preset())
    presets.save(preset("other", sha256="cd" * 32))
    assert run("presets", "--model", model_file) == 0
    assert capsys.readouterr().out == "grin  your own, code of length 1.15, from a.jpg\n"
    assert run("presets", "show", "grin", "--model", model_file, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["code"] == [1.0, 0.5, -0.25]
    assert run("presets", "remove", "grin", "--model", model_file) == 0
    assert run("presets", "list", "--model", model_file) == 0
    assert "no presets for this model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["save", "grin"], "at least one photo"),
        (["save"], "at least one photo"),
        (["show"], "The name is missing"),
        (["show", "nobody"], "There is no preset 'nobody'"),
        (["remove", "nobody"], "You have no preset"),
        (["list", "x", "photo.jpg"], "takes no photos"),
    ],
)
def test_mistakes_are_one_line(run, model_file, capsys, words, message):
    assert run("presets", *words, "--model", model_file) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_transfer_names_the_presets_that_there_are(run, me, tmp_path, capsys):
    presets.save(preset())
    assert run("transfer", me, "--preset", "happy", "-o", tmp_path / "o.png") == 2
    assert "There is no preset 'happy': choose one of grin" in capsys.readouterr().err


def test_the_packaged_presets_were_made_with_the_packaged_model():
    """After a new model: python tools/make_presets.py"""
    packaged = presets.read_file(presets.packaged_file("default"), own=False)
    path = find_model("default")
    assert {preset.model_sha256 for preset in packaged} == {file_hash(path)}
    names = {"happy", "sad", "angry", "fear", "disgust", "surprise", "contempt", "wink"}
    assert names <= {preset.name for preset in packaged}
    model = load_model(path)
    for preset in packaged:
        assert len(preset.code) == model.code_dim
        assert np.linalg.norm(preset.code) > np.mean(model.metadata["code_std"])
    assert len({preset.code for preset in packaged}) == len(packaged)


def test_the_tool_makes_mean_codes_at_strength_one():
    path = Path(__file__).parents[2] / "tools" / "make_presets.py"
    spec = importlib.util.spec_from_file_location("make_presets", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    # The first number is 0.2 + strength; the second is noise that strength does not explain.
    codes = np.array([[0.7, 0.1], [1.1, 0.1], [0.9, -0.2]])
    code = tool.preset_code(codes, np.array([0.5, 0.9, 0.7]))
    assert code == pytest.approx([1.2, 0.0])
    assert tool.preset_code(codes, np.full(3, 1.0)) == pytest.approx([0.9, 0.0])
    assert tool.agreement(np.array([[2.0, 0.0], [3.0, 4.0]]), np.array([1.0, 0.0])) == pytest.approx((1 + 0.6) / 2)
