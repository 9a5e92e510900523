"""What people type: spellings, slips with their remedy, patterns, several photos, run folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from twocet import cli
from twocet.commands import words
from twocet.commands.shared import plan
from twocet.commands.transfer import _roles
from twocet.errors import UserError
from twocet.model.model import find_model


def test_both_spellings_are_understood():
    assert words.spelled(["neutralise", "me.jpg", "--gray"]) == ["neutralize", "me.jpg", "--grey"]


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        (["--strength", "0,5"], "write 0.5"),
        (["--strength=-1,25"], "write -1.25"),
        (["--strength", "50%"], "write 0.5"),
        (["--intensity", "1"], "use --strength"),
        (["--target", "me.jpg"], "the first photo"),
    ],
)
def test_slips_are_refused_with_the_remedy(typed, remedy):
    with pytest.raises(UserError, match=remedy):
        words.refuse_slips(typed)


def test_names_of_files_are_no_slips():
    words.refuse_slips(["a,b.jpg", "50%.jpg", "--preset", "happy"])


def test_a_mistyped_command_is_told_the_nearest(capsys):
    assert cli.main(["transfre", "a.jpg"]) == 2
    assert capsys.readouterr().err == "twocet: 'transfre' is not a command, did you mean transfer?\n"


def test_patterns_are_expanded_where_the_shell_has_not(tmp_path):
    for name in ("b.jpg", "a.jpg", "c.png", "d[1].jpg"):
        (tmp_path / name).touch()
    assert words.expand([tmp_path / "?.jpg"]) == [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    assert words.expand([tmp_path / "d[1].jpg"]) == [tmp_path / "d[1].jpg"]
    with pytest.raises(UserError, match=r"No file matches .*\.gif"):
        words.expand([tmp_path / "*.gif"])


A, B, SMILE = Path("a.jpg"), Path("b.jpg"), Path("smile.jpg")


def test_with_a_folder_as_output_the_last_photo_is_the_reference(tmp_path):
    assert _roles([A, B, SMILE], tmp_path, False) == ([A, B], [SMILE])
    assert _roles([A, B, SMILE], Path("new"), False) == ([A, B], [SMILE])
    assert _roles([A, B], tmp_path, True) == ([A, B], [])


def test_with_a_picture_as_output_the_first_photo_is_the_target_and_said_to_be(capsys):
    assert _roles([A, SMILE], Path("out.png"), False) == ([A], [SMILE])
    assert capsys.readouterr().err == ""
    assert _roles([A, B, SMILE], Path("grid.png"), False) == ([A], [B, SMILE])
    assert "a.jpg is the target, the others are references" in capsys.readouterr().err


def test_a_folder_of_targets_takes_all_others_as_references(tmp_path):
    assert _roles([tmp_path, B, SMILE], Path("out"), False) == ([tmp_path], [B, SMILE])


def test_several_photos_go_to_a_folder_each_under_its_own_name(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "me.jpg").touch()
    first, second = tmp_path / "one" / "me.jpg", tmp_path / "two" / "me.jpg"
    assert plan([first], tmp_path / "new") == [(first, tmp_path / "new" / "me.jpg")]
    with pytest.raises(UserError, match="would both be written as"):
        plan([first, second], tmp_path / "other")
    with pytest.raises(UserError, match="Several photos need a folder"):
        plan([first, second], tmp_path / "out.png")
    assert not (tmp_path / "other").exists()


def test_a_run_folder_is_its_best_model(tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert find_model(tmp_path) == tmp_path / "model.safetensors"
