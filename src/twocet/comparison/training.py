"""Trains the models of a plan one after the other; called again it goes on where it stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twocet.comparison.plan import Entry, described
from twocet.config import check
from twocet.train import Run, Sources, resume, train
from twocet.trained import MODEL_FILE
from twocet.work import json_bytes, write_whole

PLAN = "plan.json"
DONE = "trained.json"
"""In a model's folder: its training is complete."""


def begin(folder: Path, entries: Sequence[Entry], data: Path) -> None:
    """Make the folder and keep the plan in it. Raises UserError if another plan is there."""
    plan = json.loads(json.dumps({"data": str(data), "models": described(entries)}))
    path = folder / PLAN
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
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


def train_all(folder: Path, entries: Sequence[Entry], data: Path, *, progress: bool = True) -> bool:
    """Train every model that is not trained yet. False if Ctrl-C stopped it: all that was done is kept."""
    for number, entry in enumerate(entries, start=1):
        own = folder / entry.key
        if (own / DONE).exists():
            continue
        if progress:
            print(f"training {entry.title} ({number} of {len(entries)})", file=sys.stderr)
        if not train(open_run(own, entry, data, progress=progress)):
            return False
        write_whole(own / DONE, json_bytes({"model": MODEL_FILE}))
    return True


def open_run(folder: Path, entry: Entry, data: Path, *, progress: bool) -> Run:
    """The run in ``folder`` as it was left, or a new one."""
    if any((folder / "checkpoints").glob("step-*.pt")):
        return resume(folder, device=entry.config.device, progress=progress)
    return Run(folder, entry.config, Sources(data=(str(data),), mix=(1.0,)), progress=progress)
