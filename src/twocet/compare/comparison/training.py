"""Trains the models of a plan, some at the same time if wanted; called again it goes on where it stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from twocet.compare.comparison.plan import Entry, described
from twocet.compare.comparison.pool import Outcome, Task, attempt, run_apart
from twocet.compare.methods import METHODS
from twocet.errors import check
from twocet.runtime.files import json_bytes, write_whole
from twocet.runtime.interrupt import Watch
from twocet.runtime.records import read_object
from twocet.shapes import sources
from twocet.shapes.config import ShapeConfig
from twocet.shapes.training import train as train_shapes
from twocet.training.config import RunConfig, Sources
from twocet.training.export import MODEL_FILE
from twocet.training.loop import Run, resume, train

PLAN = "plan.json"
DONE = "trained.json"
"""In a model's folder: its training is complete."""
LOG = "log.txt"
"""There too: what its process had to say, if it had one of its own."""


def begin(folder: Path, entries: Sequence[Entry], data: Path) -> None:
    """Make the folder and keep the plan in it. Raises UserError if another plan is there."""
    plan = json.loads(json.dumps({"data": str(data), "models": described(entries)}))
    path = folder / PLAN
    if path.exists():
        kept = read_object(path, "choose another -o")
        changed = differences(kept, plan)
        check(not changed, f"{folder} was begun with other settings ({', '.join(changed[:4])}): choose another -o")
    check(
        path.exists() or not folder.exists() or not any(folder.iterdir()), f"{folder} is not empty: choose another -o"
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, json_bytes(plan, indent=2))


def differences(one: Any, other: Any, name: str = "") -> list[str]:
    """Where two JSON values differ, by path; the device does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted((one.keys() | other.keys()) - {"device"})
        return [path for key in keys for path in differences(one.get(key), other.get(key), f"{name}.{key}".strip("."))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            path for k, pair in enumerate(zip(one, other, strict=True)) for path in differences(*pair, f"{name}.{k}")
        ]
    return [] if one == other else [name]


def train_all(folder: Path, entries: Sequence[Entry], data: Path, *, jobs: int = 1, progress: bool = True) -> bool:
    """Train every model that is not trained yet, ``jobs`` of them at the same time, each with its share of the threads.

    False if Ctrl-C stopped it: all that was done is kept. A model that fails does not stop the others; raises UserError
    at the end.
    """
    left = [entry for entry in entries if not (folder / entry.key / DONE).exists()]
    if jobs == 1:
        outcomes = _one_after_the_other(folder, left, data, progress=progress)
    else:
        outcomes = run_apart([_task(folder, entry, data, jobs) for entry in left], jobs, progress=progress)
    failures = [(entry.title, text) for entry, text in zip(left, outcomes, strict=True) if isinstance(text, str)]
    for title, text in failures:
        print(f"failed: {title}: {text}", file=sys.stderr)
    if False in outcomes:
        return False
    check(
        not failures,
        f"{len(failures)} of {len(entries)} models failed (listed above), the others are trained; "
        "the same command tries them again",
    )
    return True


def _one_after_the_other(folder: Path, entries: Sequence[Entry], data: Path, *, progress: bool) -> list[Outcome]:
    """The outcomes of training in this process; after Ctrl-C no model is begun."""
    outcomes: list[Outcome] = [False] * len(entries)
    for number, entry in enumerate(entries):
        if progress:
            print(f"training {entry.title} ({number + 1} of {len(entries)})", file=sys.stderr)
        outcomes[number] = attempt(partial(train_one, folder, entry, data, progress=progress))
        if outcomes[number] is False:
            break
    return outcomes


def _task(folder: Path, entry: Entry, data: Path, jobs: int) -> Task:
    own = folder / entry.key
    own.mkdir(exist_ok=True)
    return Task(entry.title, partial(train_one, folder, entry, data, progress=False, jobs=jobs), own / LOG)


def train_one(
    folder: Path, entry: Entry, data: Path, watch: Watch | None = None, *, progress: bool, jobs: int = 1
) -> bool:
    """Train one model from where it was left. False if Ctrl-C or ``watch`` stopped it."""
    own = folder / entry.key
    if isinstance(entry.config, ShapeConfig):
        begun = any((own / "checkpoints").glob("step-*.pt"))
        shape_run = sources.resume(own) if begun else sources.begin(own, entry.config, [data], ())
        complete = train_shapes(shape_run, watch, progress=progress)
    else:
        run = open_run(own, entry.config, data, progress=progress)
        torch.set_num_threads(max(1, run.threads // jobs))
        complete = train(run, watch)
    if complete:
        write_whole(own / DONE, json_bytes({"model": MODEL_FILE}))
    return complete


def open_run(folder: Path, config: RunConfig, data: Path, *, progress: bool) -> Run:
    """The run in ``folder`` as it was left, or a new one."""
    if any((folder / "checkpoints").glob("step-*.pt")):
        return resume(folder, device=config.device, progress=progress, entries=METHODS)
    return Run(folder, config, Sources(data=(str(data),), mix=(1.0,)), progress=progress, entries=METHODS)
