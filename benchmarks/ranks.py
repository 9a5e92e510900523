"""Measures training in two processes against one: photos a second of the whole job. Prints JSON lines.

One process has one thread; two have one each (``torchrun --nproc-per-node 2``). Even with one thread a process prepares
its mini-batches beside the training, in a second one that is free to use another core. So there are two ways to
compare, a line for each: ``free``, where all processes may use all cores, and ``pinned``, where every process has one
core: then one process is one core's work. The recipe authors has the paper's networks at full width (75 million
parameters, 23 TFLOP a round with batch 8), so its mini-batch is 2 and one round is measured after one that is not; fast
has its own batch. The photos are rendered first. On a machine that does nothing else, each way: about a
minute for authors on two cores, two for fast.

    python benchmarks/ranks.py
    python benchmarks/ranks.py --recipes fast --rounds 100
    python benchmarks/ranks.py --recipes fast --rounds 2 --size 32 --batch 4    # to see that it works
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import tyro
from line import print_line

from twocet.synth import write_dataset
from twocet.training.recipes.table import RECIPES

ROUNDS = {"authors": 1, "paper": 1, "fast": 100}
PINNED = Path(__file__).with_name("pinned.py")
PEOPLE = 20


def settings(recipe: str, rounds: int, batch: int, size: int) -> list[str]:
    """Everything but the number of threads; nothing is done between the rounds."""
    never = 10**6
    words = [f"batch={batch}", f"network.size={size}", f"log_every={rounds}", f"checkpoint_minutes={never}"]
    words += [f"{name}_every={never}" for name in ("sample", "validate", "checkpoint")]
    preset = "fast" if recipe == "fast" else "paper"
    return ["--preset", preset, "--recipe", recipe, "--steps", str(2 * rounds), "--set", *words]


def photos_a_second(output: Path, data: Path, words: list[str], processes: int, way: str) -> float:
    """Of the second half of the rounds of a run."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    program = [str(PINNED)] if way == "pinned" else ["-m", "twocet"]
    command = [sys.executable, *launcher, *program, "train", "--data", str(data), "-o", str(output), *words]
    called = subprocess.run([*command, f"threads={processes}"], stderr=subprocess.PIPE, text=True, check=False)
    if called.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{called.stderr[-2000:]}")
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return float([line["images_per_second"] for line in lines if "images_per_second" in line][1])


def main(
    recipes: tuple[Literal["authors", "paper", "fast"], ...] = ("fast", "authors"),
    rounds: int | None = None,
    batch: int | None = None,
    size: int = 128,
    processes: int = 2,
    ways: tuple[Literal["free", "pinned"], ...] = ("free", "pinned"),
) -> None:
    """Renders photos and trains on them twice for every recipe and way.

    Args:
        recipes: Which ones.
        rounds: Rounds that are measured, after as many that are not; 1 for authors, 100 for fast if not given.
        batch: Photos of each domain in a mini-batch of all processes together; 2 for authors, its own for fast.
        size: Side of the photos in pixels.
        processes: How many are compared with one.
        ways: Processes that may use all cores, or one core each.
    """
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "faces"
        write_dataset(data, PEOPLE, 2, size=max(size, 64))
        for recipe, way in itertools.product(recipes, ways):
            number = batch or (RECIPES[recipe].defaults.batch if recipe == "fast" else 2)
            words = settings(recipe, rounds or ROUNDS[recipe], number, size)
            one, many = (
                photos_a_second(Path(scratch) / f"{recipe}-{way}-{n}", data, words, n, way) for n in (1, processes)
            )
            print_line(
                {
                    "benchmark": "ranks", "recipe": recipe, "way": way, "batch": number,
                    "rounds": rounds or ROUNDS[recipe], "size": size, "processes": processes,
                    "photos_per_second_1_process_1_thread": round(one, 4), "photos_per_second": round(many, 4),
                    "speed_up": round(many / one, 3),
                }
            )  # fmt: skip


if __name__ == "__main__":
    tyro.cli(main)
