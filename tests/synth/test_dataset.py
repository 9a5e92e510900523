from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from waiting import wait_for

from twocet.cli import main
from twocet.errors import UserError
from twocet.runtime.files import is_partial
from twocet.synth import Identity, render, write_dataset
from twocet.synth.dataset import split_of

SET = {"identities": 3, "expressions": 2, "size": 32, "progress": False}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "faces.csv").open(newline="") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A set made in one process without interruption."""
    return write_dataset(tmp_path_factory.mktemp("sets") / "whole", **SET, workers=1)


def test_files_of_a_set(whole):
    table = rows(whole)
    assert len(table) == 9
    assert [row["expression"] for row in table[:3]] == ["neutral", "units", "units"]
    assert [row["domain"] for row in table[:3]] == ["neutral", "expressive", "expressive"]
    assert [row["identity"] for row in table] == ["0"] * 3 + ["1"] * 3 + ["2"] * 3
    assert json.loads(table[1]["units"]) == {"mouthPucker": 0.601, "jawLeft": 0.42}
    assert float(table[1]["pose_yaw"]) == Identity.sample(0).pose[1]
    description = json.loads((whole / "dataset.json").read_text())
    assert (description["format"], description["template"], description["size"]) == (1, "eyes-nose-v1", 32)
    assert description["licence"] == "CC0-1.0"
    assert set(contents(whole)) == {
        *("faces.csv", "dataset.json", "landmarks.npz"),
        *(row["file"] for row in table),
        *(f"records/{number:07d}.json" for number in range(3)),
    }


def test_a_row_says_exactly_what_its_picture_shows(whole, head):
    row = rows(whole)[2]
    picture = render(head, json.loads(row["units"]), 32)
    assert np.array_equal(np.asarray(Image.open(whole / row["file"])), picture.pixels)
    with np.load(whole / "landmarks.npz") as landmarks:
        np.testing.assert_array_equal(landmarks[row["file"]], picture.landmarks)
        assert len(landmarks.files) == 9


def test_bytes_do_not_depend_on_the_workers(whole, tmp_path):
    assert contents(write_dataset(tmp_path / "two", **SET, workers=2)) == contents(whole)


def test_extending_a_set_gives_the_longer_set(whole, tmp_path):
    out = tmp_path / "longer"
    write_dataset(out, **{**SET, "identities": 1}, workers=1)
    finished = {path: path.stat().st_mtime_ns for path in out.rglob("00000*/*.png")}
    write_dataset(out, **SET, workers=1)
    assert contents(out) == contents(whole)
    assert finished
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())


def test_killed_run_leaves_no_half_file_and_resumes(whole, tmp_path):
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "twocet", "synth", str(out), "--identities", "3", "--expressions", "2"]
    with subprocess.Popen([*command, "--size", "32", "--workers", "1"], stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: (out / "records" / "0000000.json").exists())
        process.send_signal(signal.SIGKILL)
    assert not (out / "faces.csv").exists()
    reference = contents(whole)
    for name, content in contents(out).items():
        if not is_partial(Path(name)):
            assert content == reference[name]
    write_dataset(out, **SET, workers=1)
    assert contents(out) == reference


def test_interrupted_write_leaves_nothing_under_the_final_name(tmp_path, monkeypatch):
    def write_half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "set", **SET, workers=1)
    assert not list((tmp_path / "set").iterdir())
    monkeypatch.undo()
    # The next run takes the folder for a foreign one unless it knows its own leftovers.
    assert len(rows(write_dataset(tmp_path / "set", **{**SET, "identities": 1}, workers=1))) == 3


PARENT = """
import multiprocessing, time
from twocet.runtime.processes import die_with_parent

def work():
    die_with_parent()
    print("working", flush=True)
    time.sleep(60)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work).start()
"""


def test_workers_end_with_their_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "working\n"
        parent.send_signal(signal.SIGKILL)
        # The worker holds the pipe: reading ends when it does.
        started = time.monotonic()
        parent.stdout.read()
    assert time.monotonic() - started < 30


def test_splits_never_share_an_identity_and_benchmarks_are_tests():
    splits = [split_of(number) for number in range(40)]
    assert [number for number, split in enumerate(splits) if split == "val"] == [9, 29]
    assert [number for number, split in enumerate(splits) if split == "test"] == [19, 39]
    assert splits.count("train") == 36
    assert {split_of(number) for number in range(1_000_000, 1_000_040)} == {"test"}
    assert split_of(0, benchmark=True) == "test"


def test_benchmark_shows_everyone_the_same_expressions(tmp_path):
    out = tmp_path / "bench"
    write_dataset(out, 2, 3, 16, first_identity=1_000_000, shared_expressions=True, workers=1, progress=False)
    table = rows(out)
    assert [row["expression"] for row in table] == 2 * ["neutral", "happy", "sad", "angry"]
    assert [row["units"] for row in table[:4]] == [row["units"] for row in table[4:]]
    assert {row["split"] for row in table} == {"test"}


def test_seed_changes_the_expressions_alone(whole, tmp_path):
    table = rows(write_dataset(tmp_path / "seed", **{**SET, "identities": 1}, seed=1, workers=1))
    assert table[1]["units"] != rows(whole)[1]["units"]
    neutral = "faces/0000000/00-neutral.png"
    assert (tmp_path / "seed" / neutral).read_bytes() == (whole / neutral).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "was begun with seed 0"),
        ({"size": 64, "expressions": 3}, "was begun with expressions 2, size 32"),
        ({"identities": 2}, "was begun with 3 identities: give as many or more"),
        ({"identities": 0}, "identities is 0: give 1 or more"),
        ({"size": 4}, "size is 4: give 16 or more"),
        ({"workers": 0}, "workers is 0: give 1 or more"),
        ({"view": "profile"}, "view is 'profile': choose one of aligned, portrait"),
    ],
)
def test_impossible_requests_are_refused_and_change_nothing(whole, change, message):
    before = contents(whole)
    with pytest.raises(UserError, match=message):
        write_dataset(whole, **{**SET, **change})
    assert contents(whole) == before


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("hello")
    with pytest.raises(UserError, match="holds other files"):
        write_dataset(tmp_path, **SET)
    with pytest.raises(UserError, match="is a file"):
        write_dataset(tmp_path / "letter.txt", **SET)
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(UserError, match=r"dataset.json is damaged \(it holds no JSON object\)"):
        write_dataset(tmp_path, **SET)


def test_command_renders_a_set(tmp_path, capsys):
    out = tmp_path / "people"
    options = ["--identities", "1", "--expressions", "1", "--size", "24", "--view", "portrait", "--workers", "1"]
    assert main(["synth", str(out), *options]) == 0
    assert "2 pictures of 1 people" in capsys.readouterr().out
    with Image.open(out / rows(out)[0]["file"]) as picture:
        assert picture.size == (24, 24)
    assert json.loads((out / "dataset.json").read_text())["template"] is None
    assert main(["synth", str(out), *options, "--seed", "3"]) == 2
