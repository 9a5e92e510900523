"""Measures the whole way of photos where the truth is known: rendered portraits, edited as photos. One line of JSON.

    twocet synth bench --first-identity 1000000 --identities 16 --expressions 16 --shared-expressions \
        --view portrait --size 512
    python benchmarks/photo_truth.py bench

`twocet evaluate` measures a model on aligned crops; here an ``Editor`` gets whole pictures, finds the faces, edits them
at their own resolution, mouths included, and what it makes is compared with the true picture of the same person.
Everyone gets each expression from the photo of the person seven places further on. Gain is measured as in `twocet
evaluate`, on crops of 128 pixels by the target's alignment, and also at about the photo's own scale; beside it stands
the gain of the model alone, from crop to crop. Agreement and AED are read in the photos.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import portraits
import torch
import tyro
from line import print_line
from tqdm import tqdm

import twocet
from twocet import metrics
from twocet.errors import UserError
from twocet.evaluation.people import REFERENCE_OFFSET, named
from twocet.metrics import Estimate
from twocet.model.model import Model
from twocet.photo.align import Floats, align
from twocet.photo.images import Pixels, read_photo
from twocet.photo.resample import crop
from twocet.photo.scaling import to_image, to_pixels

CROP = 128
LARGE_CROP = 384
"""About the scale of portraits of 512 pixels."""


class Case(NamedTuple):
    """One transfer with a known truth."""

    person: int
    expression: str
    target: Path
    truth: Path
    reference: Path
    reference_neutral: Path


class Figures(NamedTuple):
    """What is measured in one case."""

    error: float
    copy_error: float
    large_error: float
    large_copy_error: float
    crop_error: float
    """Of the model alone, from aligned crop to aligned crop."""
    agreement: float
    agreement_of_truth: float
    aed: float
    aed_of_copy: float
    identity_distance: float
    identity_distance_of_truth: float


def read_cases(folder: Path) -> list[Case]:
    """Everyone with every expression of another one. Raises UserError where people do not share expressions."""
    table = folder / "faces.csv"
    if not table.is_file():
        raise UserError(
            f"{folder} is no dataset folder: make one with twocet synth --shared-expressions --view portrait"
        )
    with table.open(newline="", encoding="utf-8") as file:
        photos = {(row["identity"], row["expression"]): folder / row["file"] for row in csv.DictReader(file)}
    people = list(dict.fromkeys(person for person, _ in photos))
    labels = [label for label in dict.fromkeys(label for _, label in photos) if label != "neutral"]
    if len(photos) != len(people) * (1 + len(labels)) or len(people) < 2:
        raise UserError(f"{folder}: not all people show the same expressions: make it with --shared-expressions")
    cases = []
    for k, person in enumerate(people):
        step = REFERENCE_OFFSET % len(people) or 1
        other = people[(k + step) % len(people)]
        for label in labels:
            given = (photos[key] for key in ((person, "neutral"), (person, label), (other, label), (other, "neutral")))
            cases.append(Case(k, label, *given))
    return cases


class Photos:
    """Rendered photos and what is read in them."""

    def __init__(self) -> None:
        self._readers = portraits.Readers()
        self.reading = cache(self._reading)

    def face(self, path: Path) -> Pixels:
        """The aligned face of a photo."""
        return crop(read_photo(path).pixels, align(self.reading(path).landmarks), CROP)

    def _reading(self, path: Path) -> portraits.Reading:
        return self.read(read_photo(path).pixels)

    def read(self, pixels: Pixels) -> portraits.Reading:
        """What is read in a picture."""
        return self._readers.read(pixels)


def measure(editor: twocet.Editor, photos: Photos, case: Case) -> Figures:
    """Make one transfer and compare it with the truth."""
    result = editor.transfer(case.target, case.reference)
    target, truth = (read_photo(path).pixels for path in (case.target, case.truth))
    made = photos.read(result.pixels)
    neutral, true, other, other_neutral = map(
        photos.reading, (case.target, case.truth, case.reference, case.reference_neutral)
    )
    wanted = other.blendshapes - other_neutral.blendshapes
    # A result in which no face is found counts as one that has not changed.
    shown = np.where(np.isfinite(made.blendshapes), made.blendshapes, neutral.blendshapes)

    def face(pixels: Pixels, size: int) -> Pixels:
        return crop(pixels, result.photo_to_crop, size)

    alone = of_model_alone(editor.model, face(target, CROP), photos.face(case.reference))
    return Figures(
        face_error(face(result.pixels, CROP), face(truth, CROP)),
        face_error(face(target, CROP), face(truth, CROP)),
        face_error(face(result.pixels, LARGE_CROP), face(truth, LARGE_CROP)),
        face_error(face(target, LARGE_CROP), face(truth, LARGE_CROP)),
        face_error(alone, face(truth, CROP)),
        float(metrics.expression_agreement(shown - neutral.blendshapes, wanted)),
        float(metrics.expression_agreement(true.blendshapes - neutral.blendshapes, wanted)),
        float(metrics.blendshape_error(shown, true.blendshapes)),
        float(metrics.blendshape_error(neutral.blendshapes, true.blendshapes)),
        float(metrics.identity_distance(made.descriptor, neutral.descriptor)),
        float(metrics.identity_distance(true.descriptor, neutral.descriptor)),
    )


def face_error(made: Pixels, truth: Pixels) -> float:
    """The mean difference in the face's part of crops (S, S, 3)."""
    return float(metrics.pixel_error(metrics.face_box(made)[None], metrics.face_box(truth)[None])[0])


@torch.inference_mode()
def of_model_alone(model: Model, target: Pixels, reference: Pixels) -> Pixels:
    """The crop (S, S, 3) that the model makes of two crops."""
    images = [to_image(one).to(model.device) for one in (target, reference)]
    return to_pixels(model.generate(images[0], model.encode(images[1]))[0])


def summary(cases: Sequence[Case], figures: Sequence[Figures]) -> dict[str, Any]:
    """The figures of some cases with their intervals over people."""
    people = np.array([case.person for case in cases])
    columns = Figures(*np.array(figures).T)

    def mean(values: Floats) -> Estimate:
        read = np.isfinite(values)
        return metrics.bootstrap_mean(values[read], people[read])

    estimates = {
        "gain": metrics.gain_estimate(columns.error, columns.copy_error, people),
        "gain_of_model_alone": metrics.gain_estimate(columns.crop_error, columns.copy_error, people),
        "gain_at_photo_scale": metrics.gain_estimate(columns.large_error, columns.large_copy_error, people),
        **{name: mean(values) for name, values in columns._asdict().items() if not name.endswith("error")},
    }
    shown = {name: [round(float(value), 3) for value in estimate] for name, estimate in estimates.items()}
    return {"cases": len(cases), **shown}


def by_expression(cases: Sequence[Case], figures: Sequence[Figures]) -> dict[str, float]:
    """The gain of every expression."""
    given = np.array([case.expression for case in cases])
    error, copy_error = np.array(figures).T[:2]
    return {
        name: round(metrics.gain(error[given == name], copy_error[given == name]), 3) for name in dict.fromkeys(given)
    }


def main(
    data: Annotated[Path, tyro.conf.Positional],
    *,
    model: str = "default",
    every: int = 1,
    random: bool = False,
) -> None:
    """Print the figures, each as value, low and high end of the 95 % interval.

    Args:
        data: Folder of `twocet synth` with shared expressions in portraits.
        model: Name of a packaged model, or a model file.
        every: One case in so many.
        random: Also random combinations of face units.
    """
    editor, photos = twocet.load(model), Photos()
    cases = [case for case in read_cases(data) if random or named((case.expression,))[0]][::every]
    figures = [measure(editor, photos, case) for case in tqdm(cases, desc="transfers", disable=None)]
    is_named = named(tuple(case.expression for case in cases))
    groups = {"named": is_named, "random": ~is_named}
    parts = {
        name: summary([cases[k] for k in np.flatnonzero(part)], [figures[k] for k in np.flatnonzero(part)])
        for name, part in groups.items()
        if part.any()
    }
    print_line(
        {"benchmark": "photo_truth", "model": model, **parts, "gain_by_expression": by_expression(cases, figures)}
    )


if __name__ == "__main__":
    tyro.cli(main)
