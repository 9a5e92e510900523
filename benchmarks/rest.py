"""How well faces at rest, and strangers' expressions, are estimated for the recipe unpaired. One JSON line.

    twocet synth faces --identities 2200 --expressions 10
    twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
    python benchmarks/rest.py --data faces --known bench

The strangers in ``--data`` tell how faces lie at rest; of the people in ``--known`` it is known, but not used:

- *landmarks*: the share of the squared distances between the landmarks of a person's expressive and neutral photo that
  the estimated movement explains;
- *backwards*: the pixel gain of the expressive photo that is moved to rest, against the person's neutral photo;
- *forwards*: the pixel gain of the neutral photo that is moved as another person's expression was estimated to, and
  lent what that one has between the lips, against its own photo with that expression. Only where both have an
  expression of that name. No model that learns from such photos alone can be expected to do much better;
- *agreement*: of the blendshapes of these moved photos with the other person's, and for scale that of the own photo.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import tyro
from line import print_line
from numpy.typing import NDArray
from torch import Tensor

from twocet import metrics
from twocet.data.dataset import load_faces, open_dataset, pairs
from twocet.evaluation.people import REFERENCE_OFFSET
from twocet.pairs import morph, neutral_estimate
from twocet.pairs.landmark_table import found, read_meshes
from twocet.readers.expression import ExpressionReader
from twocet.runtime.arrays import Floats

SIZE = 128


class KnownPairs(NamedTuple):
    """Expressive photos of people whose neutral photo is known."""

    neutral: Tensor
    """(n, 3, S, S) uint8."""
    expressive: Tensor
    """(n, 3, S, S) uint8."""
    at_rest: Floats
    """(n, L, 2) landmarks of the neutral photos, in sides."""
    landmarks: Floats
    """(n, L, 2) of the expressive ones."""
    people: list[str]
    labels: list[str]


def strangers(folder: Path, work: Path) -> neutral_estimate.Rest:
    """What the training photos of a dataset tell."""
    dataset = open_dataset(folder, allow_one_sided=True)
    meshes = read_meshes(dataset, work, 2)
    rows = dataset.select("train")
    piles = (found([row for row in rows if row["domain"] == domain], meshes) for domain in ("neutral", "expressive"))
    return neutral_estimate.fit(*(points for _, points in piles))


def known_people(folder: Path, split: str, work: Path, most: int) -> KnownPairs:
    """All pairs of up to ``most`` people of a split, taken evenly; photos without a face are left out."""
    dataset = open_dataset(folder, allow_one_sided=True)
    meshes = read_meshes(dataset, work, 2)
    faces = load_faces(dataset, split, SIZE)
    names = list(dict.fromkeys(row["identity"] for row in faces.expressive_rows))
    wanted = set(names[:: -(-len(names) // most)])
    chosen = [
        (neutral, expressive)
        for neutral, expressive in pairs(faces, len(faces.expressive))
        if faces.expressive_rows[expressive]["identity"] in wanted
        and np.isfinite(meshes[faces.neutral_rows[neutral]["file"]]).all()
        and np.isfinite(meshes[faces.expressive_rows[expressive]["file"]]).all()
    ]
    neutral, expressive = ([*places] for places in zip(*chosen, strict=True))
    rows = [faces.expressive_rows[k] for k in expressive]
    return KnownPairs(
        faces.neutral[neutral],
        faces.expressive[expressive],
        np.stack([meshes[faces.neutral_rows[k]["file"]] for k in neutral]),
        np.stack([meshes[row["file"]] for row in rows]),
        [row["identity"] for row in rows],
        [row["expression"] for row in rows],
    )


Places = NDArray[np.int64]


def explained(known: KnownPairs, moved: Floats) -> Floats:
    """(n, 2): what is left of the squared movement of each pair's landmarks, and the movement's square."""
    true = known.landmarks - known.at_rest
    return np.stack([np.square(true - moved).sum(axis=(1, 2)), np.square(true).sum(axis=(1, 2))], axis=1)


def remaining(made: Tensor, truth: Tensor, given: Tensor) -> Floats:
    """(n, 2): the error of each photo in the benchmark's part of the crop, and that of what was ``given``."""
    wrong, whole = (metrics.pixel_error(_face(x), _face(truth)) for x in (made, given))
    return np.stack([wrong, whole], axis=1)


def _face(photos: Tensor) -> NDArray[np.uint8]:
    return np.asarray(metrics.face_box(photos.movedim(1, -1).numpy()))


def agreement(made: Tensor, known: KnownPairs, targets: Places, references: Places) -> dict[str, float]:
    """By kind, the mean ``expression_agreement`` of ``made`` (n, 3, S, S), the targets' neutral photos moved."""
    reader = ExpressionReader()
    at_rest, shown = (
        np.stack([reader.read(photo.movedim(0, -1).numpy()).blendshapes for photo in photos])
        for photos in (known.neutral, known.expressive)
    )
    got = np.stack([reader.read(photo.movedim(0, -1).numpy()).blendshapes for photo in made]) - at_rest[targets]
    wanted = shown[references] - at_rest[references]
    read = np.isfinite(got).all(axis=1) & np.isfinite(wanted).all(axis=1)
    values = metrics.expression_agreement(got[read], wanted[read])
    # The mean as one minus a quotient of sums.
    labels = [known.labels[k] for k in targets[read]]
    return by_kind(np.stack([1 - values, np.ones_like(values)], axis=1), labels)


def lenders(known: KnownPairs) -> tuple[Places, Places]:
    """Pairs whose expression the person shows too who lends to this one, and for each the pair of that person."""
    place = {(who, label): k for k, (who, label) in enumerate(zip(known.people, known.labels, strict=True))}
    names = sorted(set(known.people))
    found = []
    for k, (who, label) in enumerate(zip(known.people, known.labels, strict=True)):
        lender = place.get((names[(names.index(who) + REFERENCE_OFFSET) % len(names)], label))
        if lender is not None and known.people[lender] != who:
            found.append((k, lender))
    targets, references = np.array(found).reshape(-1, 2).T
    return targets, references


def by_kind(figures: Floats, labels: list[str]) -> dict[str, float]:
    """One minus the quotient of the sums, for named expressions and for combinations of single movements."""
    random = np.array([label.startswith("units") for label in labels])
    kinds = {"named": ~random, "random": random}
    return {
        kind: round(float(1 - np.divide(*figures[chosen].sum(axis=0))), 3)
        for kind, chosen in kinds.items()
        if chosen.any()
    }


def main(
    data: Path, known: Path, split: Literal["train", "val", "test"] = "test", people: int = 20, work: Path = Path(".")
) -> None:
    """Measure the estimates that the strangers in DATA allow on people of KNOWN.

    Args:
        data: Dataset folder of strangers; its training split is used.
        known: Dataset folder with neutral and expressive photos of the same people.
        split: Which of them.
        people: How many of them, at most.
        work: Where landmarks are kept for datasets that cannot be written to.
    """
    torch.set_num_threads(2)
    estimate, measured = strangers(data, work), known_people(known, split, work, people)
    moved = neutral_estimate.quietened(estimate.movement(measured.landmarks))
    back = morph.flows(measured.landmarks, measured.landmarks - moved, SIZE)
    backwards = morph.moved(measured.expressive, back)
    figures: dict[str, Any] = {
        "data": str(data),
        "known": str(known),
        "people": len(set(measured.people)),
        "landmarks": by_kind(explained(measured, moved), measured.labels),
        "backwards": by_kind(remaining(backwards, measured.neutral, measured.expressive), measured.labels),
    }
    targets, references = lenders(measured)
    if len(targets):
        wanted = measured.at_rest[targets] + moved[references]
        shown = np.stack([measured.at_rest[targets], measured.landmarks[references]], axis=1)
        flow, their_flow = morph.flows(shown, wanted, SIZE).unbind(dim=1)
        photos, lent = measured.neutral[targets], measured.expressive[references]
        forwards = morph.moved_with_mouths(photos, flow, lent, their_flow, wanted)
        left = remaining(forwards, measured.expressive[targets], measured.neutral[targets])
        figures["forwards"] = by_kind(left, [measured.labels[k] for k in targets])
        figures["agreement"] = agreement(forwards, measured, targets, references)
        figures["agreement of the own photo"] = agreement(measured.expressive[targets], measured, targets, references)
    print_line(figures)


if __name__ == "__main__":
    tyro.cli(main)
