"""Measures ``twocet batch``: many rows, some of them bad, killed once and resumed. Prints one line of JSON.

Every row has a target file of its own (a packaged example, cut a little differently), so that nothing is found in a
cache. The bad rows are of six kinds, spread over the table. The command is killed (kill -9, as power cuts do) when a
share of the pictures is there, and started again; or one of its processes is, and it goes on. Linux.

    python benchmarks/batch_rows.py                          # 500 rows, 20 of them bad
    python benchmarks/batch_rows.py --engine ray --workers 2 --kill worker
    python benchmarks/batch_rows.py --rows 24 --bad 6        # to see that it works
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tyro
from line import descendants, memory_mb, print_line
from PIL import Image
from tqdm import tqdm

from twocet.edit.examples import example_photos

COLUMNS = ("target", "reference", "preset", "strength", "output")
SAMPLE_SECONDS = 0.5


class Run(NamedTuple):
    """One call of the command."""

    report: dict[str, Any]
    """What it printed; empty if it was killed."""
    seconds: float
    memory: list[float]
    """Every half second, 10^6 bytes."""
    finished: list[tuple[float, int]]
    """(seconds since the start, pictures in the folder), every half second."""
    made: dict[Path, int]
    """The pictures that there were when something was killed, and when they were written."""


def write_jobs(folder: Path, rows: int, bad: int) -> set[int]:
    """Photos and table; returns the lines of the bad rows."""
    examples = list(example_photos().values())
    targets = [path for path in examples if path.stem.startswith("target")]
    references = [path for path in examples if path.stem.startswith("reference")]
    wrong = set(np.linspace(0, rows - 1, bad).astype(int).tolist()) if bad else set()
    kinds = bad_rows(folder, targets[0], references[0])
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number in tqdm(range(rows), desc="photos", disable=None):
            reference, name = references[(number // 7) % len(references)], f"out-{number:04}.jpg"
            if number in wrong:
                kind = kinds[sorted(wrong).index(number) % len(kinds)]
                table.writerow([*kind, name])
                continue
            photo = folder / f"photo-{number:04}.jpg"
            with Image.open(targets[number % len(targets)]) as picture:
                offset = number // len(targets) % 97
                picture.crop((offset % 10, offset // 10, picture.width, picture.height)).save(photo, quality=90)
            table.writerow([photo, reference, "", 0.4 + number % 9 / 10, name])
    return {number + 2 for number in wrong}


def bad_rows(folder: Path, target: Path, reference: Path) -> list[tuple[Any, ...]]:
    """Target, reference, preset and strength of rows that cannot be done, one of each kind."""
    (folder / "text.jpg").write_text("no picture")
    (folder / "cut.jpg").write_bytes(target.read_bytes()[:20_000])
    Image.new("RGB", (600, 400), (120, 140, 160)).save(folder / "no-face.jpg")
    return [
        (folder / "missing.jpg", reference, "", 1),
        (folder / "text.jpg", reference, "", 1),
        (folder / "cut.jpg", reference, "", 1),
        (folder / "no-face.jpg", reference, "", 1),
        (target, reference, "", "much"),
        (target, "", "no-such-preset", 1),
    ]


def worker_of(process: int) -> int:
    """A process that edits photos for the command: its own or one of Ray's that is at a row."""
    for child in descendants(process):
        words = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"spawn_main" in words or words.startswith(b"ray::_row"):
            return child
    raise RuntimeError("the command has no workers")


def run(folder: Path, options: list[str], kill: Literal["command", "worker"], *, kill_at: int | None) -> Run:
    """Calls the command; kills it, or a process of its, when ``kill_at`` pictures are there."""
    output = folder / "out"
    command = [sys.executable, "-m", "twocet", "batch", str(folder / "jobs.csv"), "-o", str(output), "--json", *options]
    memory: list[float] = []
    finished: list[tuple[float, int]] = []
    made: dict[Path, int] = {}
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        while process.poll() is None:
            time.sleep(SAMPLE_SECONDS)
            memory.append(memory_mb(process.pid))
            finished.append((time.monotonic() - began, len(list(output.glob("out-*.jpg")))))
            if kill_at is not None and finished[-1][1] >= kill_at:
                made = {path: path.stat().st_mtime_ns for path in output.glob("out-*.jpg")}
                if kill == "worker":
                    os.kill(worker_of(process.pid), signal.SIGKILL)
                    kill_at = None
                    continue
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                # Its workers notice and end themselves.
                return Run({}, time.monotonic() - began, memory[:-1], finished, made)
        assert process.stdout is not None
        return Run(json.loads(process.stdout.read()), time.monotonic() - began, memory[:-1], finished, made)


def speed(finished: list[tuple[float, int]]) -> float:
    """Pictures a second while pictures were made: the start of the program is left out."""
    first = next(k for k, (_, count) in enumerate(finished) if count > finished[0][1])
    last = next(k for k, (_, count) in enumerate(finished) if count == finished[-1][1])
    (began, before), (ended, after) = finished[first], finished[max(last, first + 1)]
    return (after - before) / (ended - began)


def main(
    rows: int = 500,
    bad: int = 20,
    kill_share: float = 0.4,
    keep: Path | None = None,
    engine: Literal["processes", "ray"] = "processes",
    workers: int | None = None,
    kill: Literal["command", "worker"] = "command",
) -> None:
    """Makes the table, runs it with a kill in between, and prints the figures.

    Args:
        rows: Rows of the table.
        bad: How many of them cannot be done.
        kill_share: The first run is killed when this share of the pictures is there.
        keep: Folder to work in and to leave as it is; a temporary one if not given.
        engine: What does the rows.
        workers: How many processes; as the command decides if not given.
        kill: The command, which is then started again, or one of the processes, without which it goes on.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / "out", ignore_errors=True)
        wrong = write_jobs(folder, rows, bad)
        options = ["--engine", engine, *(["--workers", str(workers)] if workers else [])]
        first = run(folder, options, kill, kill_at=max(1, int((rows - bad) * kill_share)))
        second = run(folder, options, kill, kill_at=None) if kill == "command" else first
        again = [path.name for path, when in first.made.items() if path.stat().st_mtime_ns != when]
        left = [path.name for path in (folder / "out").iterdir() if ".partial" in path.name]
        pictures = len(list((folder / "out").glob("out-*.jpg")))
    begun = len(first.made) if kill == "command" else 0
    working = [mb for mb, (_, count) in zip(second.memory, second.finished, strict=False) if count > begun]
    thirds = np.array_split(np.array(working), 3)
    print_line(
        {
            "benchmark": "batch_rows", "engine": engine, "workers": workers, "killed": kill,
            "rows": rows, "bad": bad, "pictures": pictures, "images_per_second": round(speed(second.finished), 2),
            "seconds": round(first.seconds + (second.seconds if kill == "command" else 0), 1),
            "killed_after": len(first.made), "made_again_after_the_kill": len(again), "partial_files_left": left,
            "listed_rows_are_the_bad_ones": {row["line"] for row in second.report["failed"]} == wrong,
            "errors": sorted({row["error"][:90] for row in second.report["failed"]}),
            "peak_mb": round(max(first.memory + second.memory)),
            "memory_mb_by_third": [round(float(np.median(third))) for third in thirds if len(third)],
        }
    )  # fmt: skip


if __name__ == "__main__":
    tyro.cli(main)
