"""Measures a model on the people of a dataset folder."""

from __future__ import annotations

import contextlib
import platform
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from twocet import __version__
from twocet.evaluation import summary as figures
from twocet.evaluation.codes import measure_codes
from twocet.evaluation.gallery import Gallery, show
from twocet.evaluation.maker import Maker
from twocet.evaluation.people import Cases, People, read_people, transfer_cases
from twocet.evaluation.photos import cycle_error, own_reference_gain
from twocet.evaluation.readers import Backbone, PooledReaders, Readers
from twocet.evaluation.realism import measure_realism
from twocet.evaluation.summary import Summary
from twocet.evaluation.transfers import (
    GAIN_STRENGTHS,
    Transfers,
    errors_at,
    measure_diversity,
    measure_series,
    measure_transfers,
)
from twocet.model.interface import Encodes, ExpressionModel, FaceModel, Neutralizes, Samples, expression_model
from twocet.runtime.commit import commit
from twocet.runtime.processes import num_cores

FORMAT = 2
UNTOLD = ("metrics", "codes")
"""What a model file says and a report does not: older figures, and many numbers."""
MOST = 2000
"""Pictures of a set and cases, at most, unless told otherwise."""


class Evaluation(NamedTuple):
    """What a report is made of."""

    summary: Summary
    gallery: Gallery


def evaluate_model(
    model: ExpressionModel | FaceModel,
    data: Path,
    *,
    name: str,
    split: str = "test",
    device: str = "cpu",
    seed: int = 0,
    most: int = MOST,
    backbone: Backbone = "mobilenetv2",
    workers: int | None = None,
    cache: Path | None = None,
    command: str = "",
    readers: Readers | None = None,
) -> Evaluation:
    """Measure a model on the people of a split; progress bars run on standard error.

    Args:
        model: The model, on ``device``. What it cannot do is left out of the summary.
        data: Dataset folder. Gain is measured where everybody shows the same rendered expressions.
        name: What the report calls the model.
        split: Whose photos: train, val or test.
        device: Where the model is.
        seed: Of everything drawn.
        most: Pictures of a set and cases, at most; larger sets are thinned evenly.
        backbone: Network of the realism measures.
        workers: Processes of the measuring networks; as many as there are cores if not given.
        cache: File that keeps what the measuring networks read; may be shared by evaluations that run one by one.
        command: What the summary says that it was made with.
        readers: Replace the measuring networks.

    Raises:
        UserError: the folder cannot be used, or a package or weights are missing.
    """
    started = time.monotonic()
    maker = Maker(expression_model(model), device)
    people = read_people(data, split, model.size, model.metadata.get("template"))
    with contextlib.ExitStack() as stack:
        if readers is None:
            pooled = PooledReaders(backbone, workers=workers or num_cores(), cache=cache)
            readers = stack.enter_context(pooled)
        cases = transfer_cases(people, most)
        transfers = measure_transfers(maker, people, cases, readers)
        measured = _measure(maker, people, cases, transfers, readers, most=most, seed=seed)
    summary: Summary = {
        "format": FORMAT,
        "model": {"name": name, **{key: value for key, value in model.metadata.items() if key not in UNTOLD}},
        "data": dict(people.about),
        "split": split,
        "ground_truth": people.has_truth,
        **measured,
        "made_by": {**_origin(command), "device": device, "seed": seed, "most": most},
        "seconds": round(time.monotonic() - started, 1),
    }
    return Evaluation(summary, show(maker, people, cases, transfers))


def _measure(
    maker: Maker, people: People, cases: Cases, transfers: Transfers, readers: Readers, *, most: int, seed: int
) -> Summary:
    """All figures that the model's abilities and the data allow."""
    model = maker.model
    result = figures.summarise_transfers(people, cases, transfers)
    if people.has_truth:
        others = {strength: errors_at(maker, people, cases, strength) for strength in GAIN_STRENGTHS if strength != 1}
        errors = {strength: others.get(strength, transfers.output_error) for strength in GAIN_STRENGTHS}
        result |= figures.summarise_gain(people, cases, transfers, errors)
    result["own_reference_gain"] = own_reference_gain(maker, people, most=most)
    spots = cases.take(cases.spots)
    result |= figures.summarise_series(spots.people, measure_series(maker, people, spots, readers))
    if isinstance(model, Samples):
        result |= figures.summarise_diversity(measure_diversity(maker, people, readers, seed))
    if isinstance(model, Neutralizes):
        result["cycle_error"] = cycle_error(maker, people, most=most)
    result["realism"] = measure_realism(maker, people, readers, most=most, seed=seed)
    if isinstance(model, Encodes):
        result["codes"] = measure_codes(maker, people, most=most)
    return result


def _origin(command: str) -> dict[str, Any]:
    """What made the figures: command, version, commit, and the machine."""
    return {
        "command": command,
        "version": __version__,
        "commit": commit(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": num_cores(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
    }
