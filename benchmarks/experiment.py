"""Trains a recipe for a fixed budget and measures it: one JSON line per experiment, so that choices can be compared.

Every experiment starts from nothing, on the same faces, with the same seed and for as many minutes, and is measured on
the same people, who were not trained on. A budget is minutes of one core, as the processor counts them, so that other
work on the machine does not change the result; it decides how many rounds there are, and the learning rate falls to
nothing in the last one.

    twocet synth faces --identities 2200 --expressions 10
    twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
    python benchmarks/experiment.py default --data faces --bench bench --minutes 10
    python benchmarks/experiment.py "no code maps" --data faces --bench bench --minutes 10 --set network.placed=False
    python benchmarks/series.py --data faces --bench bench --jobs 2     # every choice of the recipe
    python scripts/experiments_table.py      # docs/experiments.md from the lines
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from twocet.commands.train import configure
from twocet.evaluation import evaluate_model
from twocet.model.model import load_model
from twocet.training.config import RunConfig, Sources
from twocet.training.export import MODEL_FILE, commit
from twocet.training.loop import Run, train

NEVER = 10**9
"""Rounds between two of those things that an experiment has no time for."""


def experiment(
    name: Annotated[str, tyro.conf.Positional],
    data: tuple[Path, ...],
    bench: Path,
    minutes: float = 10.0,
    set: tuple[str, ...] = (),
    mix: tuple[float, ...] = (),
    seed: int = 0,
    recipe: Literal["fast", "unpaired", "authors", "paper"] = "fast",
    cases: int = 640,
    keep: Path | None = None,
    results: Path = Path("docs/results/experiments.jsonl"),
) -> None:
    """Train, measure, append a line to ``results`` and print it.

    Args:
        name: What the experiment is called in the table.
        data: Dataset folders to train on.
        bench: Folder with ground truth to measure on.
        minutes: Budget of training, in minutes of a core.
        set: Settings of the recipe as field=value, as `twocet train --set` takes them.
        mix: Share of each data folder in a mini-batch; equal if not given.
        seed: Seed of the weights and of everything drawn.
        recipe: What is trained, with the networks of preset fast; authors and paper use nobody's identity.
        cases: Transfers to measure, at most.
        keep: Where the model file goes; it is dropped if not given.
        results: File the line is appended to.
    """
    silent = [f"{field}={NEVER}" for field in ("sample_every", "validate_every", "checkpoint_every")]
    config = configure("fast", recipe, (*set, *silent), minutes=minutes, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        trained = _train(Path(folder), config, Sources(data=tuple(map(str, data)), mix=mix or (1.0,) * len(data)))
        file = Path(folder) / MODEL_FILE
        if keep:
            shutil.copy(file, keep)
        summary = evaluate_model(load_model(file), bench, name=name, seed=seed, most=cases).summary
    line = {
        "name": name,
        "recipe": recipe,
        "set": list(set),
        "minutes": minutes,
        "batch": config.batch,
        **trained,
        **_figures(summary),
        "command": shlex.join(["python", "benchmarks/experiment.py", *sys.argv[1:]]),
        "commit": commit(),
        "machine": f"{platform.machine()}, {config.threads} of {os.cpu_count()} cores, torch {torch.__version__}",
    }
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")
    print(json.dumps(line))


def _train(folder: Path, config: RunConfig, sources: Sources) -> dict[str, Any]:
    """Train in ``folder``; what it cost."""
    run = Run(folder, config, sources, clock=time.process_time)
    began = time.process_time()
    train(run)
    rounds, seconds = run.progress.step, run.progress.seconds
    return {
        "rounds": rounds,
        "pairs_per_second": round(rounds * config.batch / seconds, 1),
        "cpu_seconds": round(time.process_time() - began),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _figures(summary: dict[str, Any]) -> dict[str, Any]:
    """The figures of the table, each a number, from the summary of ``twocet evaluate``."""
    found = {
        "gain_named": summary["gain"]["named"],
        "gain_random": summary["gain"]["random"],
        "own_reference_gain": summary["own_reference_gain"],
        "agreement": summary["agreement"]["all"],
        "identity_distance": summary["identity_distance"],
        "identity_kept": summary["identity_kept"],
        "strength_linearity": summary["strength_linearity"],
        "strength_monotonicity": summary["strength_monotonicity"],
        "diversity": summary["diversity"],
        "kid_mobilenetv2": summary["realism"]["sets"]["b_e_r"]["kid_mobilenetv2"],
    }
    return {key: round(value.value, 4) for key, value in found.items()}


if __name__ == "__main__":
    tyro.cli(experiment)
