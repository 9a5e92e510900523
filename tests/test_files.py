"""Files are whole or absent, whoever else writes and whatever the disk says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from twocet.errors import UserError
from twocet.runtime.files import remove_partials, whole_file, write_whole


def test_many_writers_of_one_file_all_succeed_and_leave_one_whole(tmp_path):
    path = tmp_path / "same.bin"
    contents = [bytes([number]) * 100_000 for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda content: write_whole(path, content), contents))
    assert path.read_bytes() in contents
    assert [file.name for file in tmp_path.iterdir()] == ["same.bin"]


def test_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_whole(tmp_path / "a.txt", b"old")

    def write_half() -> None:
        with whole_file(path) as partial:
            partial.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_full_disk_is_the_users_to_mend(tmp_path):
    with (
        pytest.raises(UserError, match=r"b\.txt cannot be written \(No space left on device\)"),
        whole_file(tmp_path / "b.txt"),
    ):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_name_of_greatest_length_can_be_written(tmp_path):
    assert write_whole(tmp_path / ("x" * 251 + ".txt"), b"1").read_bytes() == b"1"


def test_links_laid_in_the_way_are_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    monkeypatch.setattr("twocet.runtime.files.secrets.token_hex", lambda size: "guessed")
    (tmp_path / ".twocet-guessed.txt").symlink_to(victim)
    with pytest.raises(UserError, match="File exists"):
        write_whole(tmp_path / "c.txt", b"new")
    assert victim.read_bytes() == b"kept"


def test_what_a_kill_left_is_removed_with_all_below(tmp_path):
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        (folder / ".twocet-0123.png").write_bytes(b"half")
    write_whole(tmp_path / "kept.png", b"whole")
    remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["below", "kept.png"]
