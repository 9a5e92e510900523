"""The paper's method on pixels, one change at a time: what keeps short label-free runs from transferring expressions.

DATA is made by ``twocet synth lab DATA --test-people 16 --val-people 14``. Each step goes on from an earlier one, with
its optimisers and averages, in RUNS/NAME, and can be gone on with; then its networks and their averages are measured on
the people of the test split, who were not trained on. Appends a line of JSON for each step to RESULTS.

    python benchmarks/label_free.py DATA RUNS --results label-free-pixels.jsonl --steps A B C D
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import tyro
from line import machine
from torch import Tensor

from twocet import metrics
from twocet.commands.train import configure
from twocet.data.dataset import Faces, as_images, load_faces, open_dataset
from twocet.model.model import Model, load_model
from twocet.photo.scaling import to_pixels
from twocet.runtime.arrays import Floats
from twocet.runtime.commit import commit
from twocet.training import checkpoint
from twocet.training.checkpoint import Checkpoints
from twocet.training.config import Sources
from twocet.training.export import CHUNK
from twocet.training.loop import Run, resume, train

SCALE = 0.02
"""Of the published schedules."""
SMALL = (
    "network.size=64", "network.generator_widths=32,64", "network.trunk_widths=32,64", "batch=16", "cycles=both",
    "mismatch=1", "r1_every=8", "betas=0.5,0.99", "betas_discriminator=0.5,0.99", "ema_warm_up=True", "threads=1",
    "select=gain", "coarse=True", "lr=1e-3", "r1=0.01",
)  # fmt: skip
"""Settings that all steps share unless they say otherwise."""
CYCLES = tuple(f"weights.cycle_{name}.{end}=10" for name in ("neutral", "expressive") for end in ("start", "stop"))
KEPT = ("weights.kept.start=10", "weights.kept.stop=10")


class Step(NamedTuple):
    """A run."""

    rounds: int
    before: str | None
    """The step whose state it starts from."""
    words: tuple[str, ...] = ()
    """What is changed."""


STEPS = {
    "A": Step(1_100, None, ("r1=0.5", "lr=5e-4")),
    "B": Step(1_500, None),
    "C": Step(700, "B", CYCLES),
    "D": Step(900, "C", (*CYCLES, *KEPT)),
    "F": Step(500, "D", (*CYCLES, *KEPT, "weights.code.start=10", "weights.code.stop=10")),
    "G": Step(700, "D", (*CYCLES, *KEPT, "coarse=False")),
    "H": Step(1_200, "G", (*CYCLES, *KEPT, "coarse=False", "weights.code.rise=0")),
}


def trained(name: str, data: Path, runs: Path) -> Run:
    """The run of a step, trained to its end."""
    step, folder = STEPS[name], runs / name
    if any((folder / "checkpoints").glob("step-*.pt")):
        run = resume(folder)
    else:
        config = configure("fast", "authors", (*SMALL, *step.words), SCALE, steps=step.rounds)
        run = Run(folder, config, Sources(data=(str(data),), mix=(1.0,)))
        if step.before:
            newest = Checkpoints(runs / step.before / "checkpoints", keep=1).newest()
            assert newest is not None, f"{step.before} comes first"
            run.state.load(checkpoint.read(newest)["parts"])
    train(run)
    return run


class Cases(NamedTuple):
    """Who is given whose expression: indices of the photos of a set where everybody shows the same expressions."""

    targets: Tensor
    """(C,) neutral photos."""
    truth: Tensor
    """(C,) expressive photos of the same people."""
    right: Tensor
    """(C,) those of another person with the same expression."""
    wrong: Tensor
    """(C,) those of that person with another expression."""
    people: np.ndarray[tuple[int], np.dtype[np.int64]]


def cases_of(faces: Faces, steps: Sequence[int] = (1, 5)) -> Cases:
    """Every expression of everybody, from the people ``steps`` further on; the wrong one is the seventh after it."""
    names = sorted({row["expression"] for row in faces.expressive_rows})
    people = sorted({row["identity"] for row in faces.expressive_rows})
    shown = [(people.index(row["identity"]), names.index(row["expression"])) for row in faces.expressive_rows]
    place = {pair: k for k, pair in enumerate(shown)}
    rows = [
        (faces.companions[k][0], k, place[other, name], place[other, (name + 7) % len(names)], person)
        for step in steps
        for k, (person, name) in enumerate(shown)
        for other in [(person + step) % len(people)]
    ]
    targets, truth, right, wrong, owners = (torch.tensor(column) for column in zip(*rows, strict=True))
    return Cases(targets, truth, right, wrong, owners.numpy())


def measured(model: Model, faces: Faces, cases: Cases) -> dict[str, Any]:
    """Gains with 95 % intervals over people, and how much of the codes' variance is between expressions and people."""
    neutral, expressive = as_images(faces.neutral), as_images(faces.expressive)
    codes = torch.cat([model.encode(part) for part in expressive.split(CHUNK)])
    targets, truth = neutral[cases.targets], expressive[cases.truth]

    def made(images: Tensor, given: Tensor) -> Tensor:
        parts = zip(images.split(CHUNK), given.split(CHUNK), strict=True)
        return torch.cat([model.generate(*part) for part in parts])

    copy = errors(targets, truth)
    right, wrong = (errors(made(targets, codes[given]), truth) for given in (cases.right, cases.wrong))
    # Everybody's expressions come once for each step.
    once = slice(len(expressive))
    calm = errors(made(truth[once], torch.zeros_like(codes)), targets[once])
    found = {
        "gain": metrics.gain_estimate(right, copy, cases.people)._asdict(),
        "gain_of_wrong_reference": metrics.gain_estimate(wrong, copy, cases.people)._asdict(),
        "gain_made_neutral": metrics.gain_estimate(calm, copy[once], cases.people[once])._asdict(),
    }
    found["gain_lost_by_wrong_reference"] = metrics.bootstrap_ratio(wrong - right, copy, cases.people)._asdict()
    labels = ([row[key] for row in faces.expressive_rows] for key in ("expression", "identity"))
    between = [share_between(codes, group) for group in labels]
    return {**found, **dict(zip(("codes_between_expressions", "codes_between_people"), between, strict=True))}


def errors(images: Tensor, truth: Tensor) -> Floats:
    """(N,) pixel errors within the face."""
    return metrics.pixel_error(*(metrics.face_box(np.stack([to_pixels(x) for x in some])) for some in (images, truth)))


def share_between(codes: Tensor, labels: Sequence[str]) -> float:
    """The share of the variance of codes (N, d) that is between the means of groups."""
    names = sorted(set(labels))
    numbers = torch.tensor([names.index(label) for label in labels])
    means = torch.stack([codes[numbers == k].mean(dim=0) for k in range(len(names))])
    centre = codes.mean(dim=0)
    return float((means[numbers] - centre).square().sum() / (codes - centre).square().sum())


def main(
    data: tyro.conf.Positional[Path],
    runs: tyro.conf.Positional[Path],
    results: Path,
    steps: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = tuple(STEPS),
) -> None:
    """Train and measure steps in the order given."""
    for name in steps:
        run = trained(name, data, runs)
        faces = load_faces(open_dataset(data), "test", run.config.network.size, progress=False)
        cases = cases_of(faces)
        last = "last" if (run.folder / "last.safetensors").exists() else "model"
        files = {"averaged": f"{last}.safetensors", "raw": f"{last}-raw.safetensors"}
        line = {
            "step": name,
            **STEPS[name]._asdict(),
            "all_words": (*SMALL, *STEPS[name].words),
            "diagnosis": run.method.diagnose(run.state, run.held_out),
            **{which: measured(load_model(run.folder / file), faces, cases) for which, file in files.items()},
            "config": dataclasses.asdict(run.config),
            "commit": commit(),
            **machine(),
        }
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
