"""Runs the whole series of experiments: every design choice of the recipe fast, with it and without it.

Each is one run of ``experiment.py``; what has a line in the results already is not done again, so that the same command
goes on after an interruption. An experiment has one thread, so give as many jobs as there are cores.

    twocet synth faces --identities 2200 --expressions 10
    twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
    python benchmarks/series.py --data faces --bench bench --jobs 2
    python scripts/experiments_table.py

What comes in by a schedule in the recipe comes in here in proportion: the schedules are made for about 24,500 rounds,
an hour on one core.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import tyro

from twocet.training.recipes.configs import CyclesConfig
from twocet.training.recipes.table import RECIPES

WHOLE = 60.0
"""Minutes on one core for which the recipe's schedules are made."""


LABEL_FREE = "bf16=True lr=5e-4 lr_encoder=5e-4 lr_discriminator=5e-4"
"""For a short run of the recipe authors: faster rounds, larger steps."""


class Choice(NamedTuple):
    """One experiment."""

    name: str
    settings: str = ""
    """What differs from the default, as field=value words."""
    recipe: str = "fast"


CHOICES = (
    Choice("default"),
    Choice("default, another seed", "seed=1"),
    Choice("exact codes", "code_noise.stop=0"),
    Choice("neutral codes left free", "neutral_code.stop=0"),
    Choice("no sketch", "sketch=0"),
    Choice("faces left in place", "moved=False"),
    Choice("no code maps", "network.placed=False"),
    Choice("full size", "coarse=False"),
    Choice("painting costs nothing", "painted=0"),
    Choice("unpaired, expressions lent", "", "unpaired"),
    Choice("label-free, who is who unused", LABEL_FREE, "authors"),
    Choice("label-free, coarse photos, mismatch", f"{LABEL_FREE} coarse=True mismatch=1", "authors"),
    Choice("encoder in colour", "network.grey=False"),
    Choice("no empty edits", "zero_edits=0"),
    Choice("large floor", "change_floor=0.3"),
    Choice("half the learning rate", "lr=5e-4 lr_encoder=5e-4"),
    Choice("no average", "ema=0"),
    Choice("float32", "bf16=False"),
    Choice("mini-batch 32", "batch=32"),
    Choice("codes of 16 numbers", "network.code_dim=16"),
    Choice("exact codes, neutral codes left free", "code_noise.stop=0 neutral_code.stop=0"),
    Choice("strength left as trained", "even=False"),
)


def main(
    data: Path,
    bench: Path,
    minutes: float = 10.0,
    jobs: int = 1,
    cases: int = 160,
    results: Path = Path("docs/results/experiments.jsonl"),
) -> None:
    """Run what has no line yet.

    Args:
        data: Dataset folder to train on.
        bench: Folder with ground truth to measure on.
        minutes: Budget of each experiment.
        jobs: Experiments at the same time.
        cases: Transfers to measure, at most.
        results: File the lines are appended to.
    """
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    done = {line["name"] for line in map(json.loads, lines) if line["minutes"] == minutes}
    common = ["--data", str(data), "--bench", str(bench), "--cases", str(cases), "--results", str(results)]
    commands = {
        choice.name: [sys.executable, "benchmarks/experiment.py", choice.name, *common, *arguments(choice, minutes)]
        for choice in CHOICES
        if choice.name not in done
    }
    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(partial(subprocess.call, env={**os.environ, "OMP_NUM_THREADS": "1"}), commands.values()))
    failed = [shlex.join(command) for command, code in zip(commands.values(), codes, strict=True) if code]
    if failed:
        raise SystemExit("failed, the same command tries again:\n" + "\n".join(failed))


def arguments(choice: Choice, minutes: float) -> list[str]:
    """The options of ``experiment.py`` for one choice."""
    words = choice.settings.split()
    seed = [word.removeprefix("seed=") for word in words if word.startswith("seed=")] or ["0"]
    chosen = [word for word in words if not word.startswith("seed=")]
    scaled = schedules(choice.recipe, minutes / WHOLE)
    return [
        *("--minutes", str(minutes), "--recipe", choice.recipe, "--seed", *seed),
        *("--set", "threads=1", *scaled, *chosen),
    ]


def schedules(recipe: str, share: float) -> list[str]:
    """The rounds between which the recipe's schedules change, shortened to ``share`` of a whole run."""
    config = RECIPES[recipe].defaults
    if not isinstance(config, CyclesConfig):
        found = {name: getattr(config, name) for name in ("code_noise", "neutral_code")}
    else:
        # Made for 100,000 rounds; an hour makes about 4,000 rounds of three mini-batches.
        share /= 25
        found = {f"weights.{name}": getattr(config.weights, name) for name in ("code", "diversity")}
    return [
        f"{name}.{end}={max(1, round(getattr(schedule, end) * share))}"
        for name, schedule in found.items()
        for end in ("rise", "end")
        if getattr(schedule, end)
    ]


if __name__ == "__main__":
    tyro.cli(main)
