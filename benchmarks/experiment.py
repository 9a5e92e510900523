"""Trains a recipe for a fixed budget and measures it: one JSON line per experiment, so that choices can be compared.

Every experiment starts from nothing, on the same faces, with the same seed and as many minutes, and is measured on the
same people, who were not trained on. Budgets are wall-clock minutes of training on ``threads`` cores that do nothing
else. `--quick` leaves out what needs the measuring networks (identity, agreement).

    twocet synth faces --identities 1000 --expressions 10
    twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
    python benchmarks/experiment.py default --data faces --bench bench --minutes 10
    python benchmarks/experiment.py no-code-maps --data faces --bench bench --minutes 10 --set network.placed=False
    python scripts/experiments_table.py      # docs/experiments.md from the lines
"""

from __future__ import annotations

import json
import platform
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro

from twocet import benchmark as bench
from twocet.commands.train import configure
from twocet.evaluation import evaluate_model
from twocet.metrics import Floats
from twocet.model import Model, load_model
from twocet.train import Run, Sources, train
from twocet.trained import MODEL_FILE, commit


def experiment(
    name: Annotated[str, tyro.conf.Positional],
    data: tuple[Path, ...],
    bench: Path,
    minutes: float = 10.0,
    set: tuple[str, ...] = (),
    mix: tuple[float, ...] = (),
    seed: int = 0,
    quick: bool = False,
    keep: Path | None = None,
    results: Path = Path("docs/results/experiments.jsonl"),
) -> None:
    """Train, measure, append a line to ``results`` and print it.

    Args:
        name: What the experiment is called in the table.
        data: Dataset folders to train on.
        bench: Folder with ground truth to measure on.
        minutes: Budget of training.
        set: Settings of the recipe as field=value, as `twocet train --set` takes them.
        mix: Share of each data folder in a mini-batch; equal if not given.
        seed: Seed of the weights and of everything drawn.
        quick: Gain alone.
        keep: Where the model file goes; it is dropped if not given.
        results: File the line is appended to.
    """
    words = (*set, "sample_every=1000000", "validate_every=1000000", "checkpoint_every=1000000")
    config = configure("fast", None, words, minutes=minutes, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources(data=tuple(map(str, data)), mix=mix or (1.0,) * len(data))
        run = Run(Path(folder), config, sources)
        began = time.process_time()
        train(run)
        spent = time.process_time() - began
        file = Path(folder) / MODEL_FILE
        model = load_model(file)
        if keep:
            shutil.copy(file, keep)
    rounds, seconds = run.progress.step, run.progress.seconds
    line: dict[str, Any] = {
        "name": name,
        "set": list(set),
        "minutes": minutes,
        "rounds": rounds,
        "batch": config.batch,
        "pairs_per_second": round(rounds * config.batch / seconds, 1),
        "cpu_seconds": round(spent),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **gains(model, bench),
        **({} if quick else measured(model, bench, seed)),
        "command": " ".join(["python", "benchmarks/experiment.py", *sys.argv[1:]]),
        "commit": commit(),
        "machine": f"{platform.machine()}, {config.threads} threads, torch {torch.__version__}",
    }
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")
    print(json.dumps(line))


def gains(model: Model, folder: Path) -> dict[str, float]:
    """Gain with another person's photo as the reference and, as the easier case, with the target's own."""
    faces = bench.read_benchmark(folder)
    codes = bench.encode_references(model, faces)
    own = torch.empty_like(codes)
    own[torch.from_numpy(faces.references)] = codes
    copied = bench.pixel_errors(faces.neutral[:, None], faces.expressive)
    named = faces.is_named
    found: dict[str, float] = {}
    for label, given in (("gain", codes), ("own_gain", own)):
        errors = bench.pixel_errors(bench.generate(model, faces.neutral, given), faces.expressive)
        found[f"{label}_named"] = _gain(errors[:, named], copied[:, named])
        found[f"{label}_units"] = _gain(errors[:, ~named], copied[:, ~named])
    return found


def _gain(errors: Floats, copied: Floats) -> float:
    return round(float(1 - np.sum(errors) / np.sum(copied)), 4)


def measured(model: Model, folder: Path, seed: int) -> dict[str, Any]:
    """Identity, agreement, strength response and diversity, from ``twocet evaluate``."""
    summary = evaluate_model(model, folder, name="experiment", seed=seed).summary
    return {key: value for key, value in summary.items() if key not in ("format", "model", "data")}


if __name__ == "__main__":
    tyro.cli(experiment)
