"""Measures the trained models of a plan, each once: all that the comparison needs of ``twocet.evaluation``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twocet.compare.baselines.models import load_any
from twocet.compare.comparison.plan import Entry, Measuring
from twocet.evaluation import CACHE, evaluate_model, to_json
from twocet.evaluation.people import read_people
from twocet.evaluation.readers import PooledReaders, Readers
from twocet.model.model import file_hash
from twocet.runtime.files import json_bytes, write_whole
from twocet.runtime.records import read_object
from twocet.training.export import MODEL_FILE, raw_file

Summary = dict[str, Any]


class Measured(NamedTuple):
    """What is known of one model."""

    entry: Entry
    training: Summary
    """What its file tells of its training."""
    photos: Summary
    """The summary on the photos."""
    benchmark: Summary | None


def check_ready(settings: Measuring) -> None:
    """Say before hours of training what would stop the measuring: data, packages, weights. Raises UserError."""
    for data, split in sets_of(settings).values():
        read_people(data, split, settings.size)
    PooledReaders(settings.backbone, workers=1)


def sets_of(settings: Measuring) -> dict[str, tuple[Path, str]]:
    """Folder and split of the photos and, if there is one, of the benchmark."""
    photos = {"photos": (settings.data, settings.split)}
    return photos if settings.benchmark is None else {**photos, "benchmark": (settings.benchmark, "test")}


def measure_all(
    folder: Path, entries: Sequence[Entry], settings: Measuring, readers: Readers | None = None
) -> list[Measured]:
    """Measure every model; a summary that is there for the same model and settings is not made again.

    Nor is the model needed then: where several machines share the work, its folder may hold the summaries alone.
    """
    return [measure(folder, entry, settings, readers) for entry in entries]


def measure(folder: Path, entry: Entry, settings: Measuring, readers: Readers | None = None) -> Measured:
    """Measure one model on the photos and, if there is one, on the benchmark."""
    path = folder / entry.key / MODEL_FILE
    path, suffix = (raw_file(path), "-raw") if entry.raw else (path, "")
    found = {
        name: _kept(path.with_name(f"{name}{suffix}.json"), path, entry.title, *where, settings, readers)
        for name, where in sets_of(settings).items()
    }
    summaries = {name: contents["summary"] for name, contents in found.items()}
    return Measured(entry, found["photos"]["training"], summaries["photos"], summaries.get("benchmark"))


def _kept(
    file: Path, model: Path, title: str, data: Path, split: str, settings: Measuring, readers: Readers | None
) -> dict[str, Any]:
    """What is in ``file``: the summary and how the model was trained; made if it is not there or of something else."""
    origin = {
        "data": str(data), "split": split, "backbone": settings.backbone, "most": settings.most, "seed": settings.seed,
    }  # fmt: skip
    if model.exists():
        origin["model_sha256"] = file_hash(model)
    if file.exists():
        kept = read_object(file, "delete it, and it is made again")
        found = kept.get("origin")
        if isinstance(found, dict) and origin.items() <= found.items() and {"training", "summary"} <= kept.keys():
            return kept
    loaded = load_any(model, settings.device, settings.size)
    result = evaluate_model(
        loaded, data, name=title, split=split, device=settings.device, seed=settings.seed, most=settings.most,
        backbone=settings.backbone, cache=model.parents[1] / CACHE, command=settings.command, readers=readers,
    )  # fmt: skip
    summary: Summary = json.loads(to_json(result.summary))
    made = {"origin": origin, "training": loaded.metadata.get("training", {}), "summary": summary}
    write_whole(file, json_bytes(made, indent=2))
    return made
