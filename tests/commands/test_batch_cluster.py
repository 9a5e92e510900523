"""Batches in shards, in stores elsewhere, and on Ray."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from waiting import PATIENCE, wait_for

from twocet import cli
from twocet.edit import batch
from twocet.edit.jobs import Shard, read_shard, read_table
from twocet.errors import UserError
from twocet.model.model import new_model, save_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.photo.images import Photo, write_photo

ROOT = Path(__file__).parents[2]
COLUMNS = ["target", "reference", "strength", "output", "aligned"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with untrained networks for crops of 32 pixels."""
    torch.manual_seed(0)
    config = NetworkConfig(preset="fast", size=32, code_dim=4, generator_widths=(8, 12), trunk_widths=(8, 12))
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, new_model(build(config), config, {}))
    return path


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """12 rows for aligned crops, two of them bad."""
    random = np.random.default_rng(0)
    for k in range(4):
        write_photo(tmp_path / f"{k}.png", Photo(pixels=random.integers(0, 256, (32, 32, 3), np.uint8)))
    rows = [(f"{k % 4}.png", f"{(k + 1) % 4}.png", k / 10, f"{k}.png", "yes") for k in range(12)]
    rows[4] = ("none.png", *rows[4][1:])
    rows[9] = (*rows[9][:2], "much", *rows[9][3:])
    return write_table(tmp_path / "jobs.csv", rows)


def write_table(path: Path, rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def report_of(folder: Path) -> list[dict[str, str]]:
    """Without the times."""
    with (folder / "report.csv").open(newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def main(*words: object) -> int:
    return cli.main(["batch", *[str(word) for word in words]])


def test_shards_are_written_as_fractions() -> None:
    assert read_shard("3/8") == Shard(3, 8)
    for text in ("0/8", "9/8", "3", "a/b", "3/-8"):
        with pytest.raises(UserError, match="must be K/N, for example 3/8"):
            read_shard(text)


def test_a_picture_that_two_shards_would_write_is_the_first_ones(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", Photo(pixels=np.zeros((32, 32, 3), np.uint8)))
    jobs = write_table(tmp_path / "jobs.csv", [("a.png", "a.png", 1, name, "yes") for name in ("x.png", "./x.png")])
    tables = [read_table(jobs, tmp_path / "out", lambda name: (), Shard(k, 2)) for k in (1, 2)]
    assert [len(table.jobs) for table in tables] == [1, 0]
    assert tables[1].wrong == {3: "writes the same picture as line 2: ./x.png"}


def test_shards_together_are_the_whole(jobs: Path, model: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main(jobs, "-o", whole, "--model", model, "--workers", 1) == 2
    for k in (1, 2, 3):
        assert main(jobs, "-o", out, "--model", model, "--workers", 1, "--shard", f"{k}/3") == (0 if k == 3 else 2)
        assert len(report_of(out / "shards" / f"{k}-of-3")) == 4
    made = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert len(made) == 10
    # Every picture is there: what is left is to join the reports.
    assert main(jobs, "-o", out, "--model", model, "--workers", 1) == 2
    assert made == {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    joined = [{**row, "output": Path(row["output"]).name} for row in report_of(out)]
    assert joined == [{**row, "output": Path(row["output"]).name} for row in report_of(whole)]


def test_photos_and_pictures_may_be_elsewhere(
    jobs: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    store = MemoryFileSystem()
    for path in (jobs, *tmp_path.glob("*.png")):
        store.pipe_file(f"/in/{path.name}", path.read_bytes())
    store.pipe_file("/in/1.png", b"no picture")
    words = ("memory://in/jobs.csv", "-o", "memory://out/here", "--model", model, "--workers", 1)
    assert main(*words) == 2
    assert "give --journal, a folder for journal and report" in capsys.readouterr().err
    assert main(*words, "--journal", tmp_path / "records") == 2
    report = report_of(tmp_path / "records")
    done = [row["output"] for row in report if row["status"] == "done"]
    assert [f"memory:/{path}" for path in store.find("/out")] == sorted(done)
    assert len(done) == 6
    assert sum("memory://in/1.png is not a picture" in row["error"] for row in report) == 4
    assert main(*words, "--journal", tmp_path / "records", "--json") == 2
    assert '"done_before": 6' in capsys.readouterr().out


def test_without_ray_the_command_says_how_to_get_it(
    jobs: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(jobs, "-o", tmp_path / "out", "--model", model, "--engine", "ray") == 2
    assert "Ray is not installed: pip install 'twocet[ray]'" in capsys.readouterr().err
    assert main(jobs, "-o", tmp_path / "out", "--model", model, "--ray-address", "auto") == 2
    assert "--ray-address is for --engine ray" in capsys.readouterr().err


def test_two_workers_on_ray_of_which_one_is_killed(jobs: Path, model: Path, tmp_path: Path) -> None:
    """Takes half a minute: Ray starts six processes before the first worker."""
    pytest.importorskip("ray")
    rows = [(f"{k % 4}.png", f"{(k + 1) % 4}.png", k / 100, f"{k}.png", "yes") for k in range(300)]
    rows[7] = ("none.png", *rows[7][1:])
    table = write_table(tmp_path / "many.csv", rows)
    out = tmp_path / "out"
    words = ["batch", table, "-o", out, "--model", model, "--workers", "2", "--engine", "ray", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "twocet", *map(str, words)], env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    journal = out / batch.JOURNAL
    wait_for(lambda: journal.is_file() and journal.read_text().count('"done"') >= 20)
    os.kill(next(iter(workers_of(process.pid))), signal.SIGKILL)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, errors
    assert [row["line"] for row in json.loads(printed)["failed"]] == [9]
    report = report_of(out)
    assert [row["line"] for row in report if row["status"] == "failed"] == ["9"]
    noted = [json.loads(line)["key"] for line in journal.read_text().splitlines() if line]
    assert len(noted) == len(set(noted)) == 299
    assert not [path for path in out.iterdir() if path.name.startswith(".twocet-")]


def workers_of(driver: int) -> list[int]:
    """Ray's worker processes that are at a row. Linux."""
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = status.read_bytes()
        except OSError:
            continue
        if text.startswith(b"ray::_row"):
            found.append(int(status.parent.name))
    return found
