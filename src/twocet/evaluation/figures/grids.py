"""The figures of the paper from any model and dataset: which pictures they show.

Fig. 1 is a :func:`matrix`, Fig. 3 and 4 are :func:`rows`, Fig. 5 is :func:`continuity`. All are grids of pictures; how
a grid becomes a file is in ``drawing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from twocet.data.dataset import DatasetFolder, Faces, as_images, load_faces
from twocet.errors import check
from twocet.model.model import Model
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_pixels

CHUNK = 16
"""Photos of an expression whose codes make its mean."""


class Grid(NamedTuple):
    """Pictures of one size in rows, with labels at the side and above."""

    cells: list[list[Pixels | None]]
    row_labels: list[str]
    column_labels: list[str]


class Cast(NamedTuple):
    """Who is in a figure."""

    targets: Tensor
    """(n, 3, S, S) neutral photos of different people."""
    references: Tensor
    """(m, 3, S, S) expressive photos, of different people and expressions as far as there are any."""
    expressions: list[str]
    """The references' labels."""


def check_fit(dataset: DatasetFolder, models: Mapping[str, Model]) -> None:
    """Raises UserError unless all ``models`` (by name) need crops of one size, aligned as those of ``dataset``."""
    for name, model in models.items():
        needed, given = model.metadata["template"], dataset.info["template"]
        check(
            needed == given,
            f"{name} needs crops aligned to {needed}, those of {dataset.path} are to {given}: prepare the photos again "
            "with the other --alignment",
        )
    check(len({model.size for model in models.values()}) == 1, "the models' sizes differ: draw them one by one")


def load_split(dataset: DatasetFolder, split: str, size: int) -> Faces:
    """The photos of one split. Raises UserError if there are none in a domain."""
    faces = load_faces(dataset, split, size, progress=False)
    filled = [name for name in ("train", "val", "test") if dataset.select(name)]
    check(
        len(faces.neutral) > 0 and len(faces.expressive) > 0,
        f"{dataset.path} has no neutral or no expressive photos in the split {split!r}: choose another with --split "
        f"({', '.join(filled)})",
    )
    return faces


def cast(faces: Faces, targets: int, references: int, seed: int) -> Cast:
    """Draw people for a figure: every person and every expression once before any comes again."""
    rng = np.random.default_rng(seed)
    neutral = spread([row["identity"] for row in faces.neutral_rows], targets, rng)
    expressive = spread([row["expression"] for row in faces.expressive_rows], references, rng)
    labels = [faces.expressive_rows[k]["expression"] for k in expressive]
    return Cast(as_images(faces.neutral[neutral]), as_images(faces.expressive[expressive]), labels)


def spread(keys: Sequence[str], count: int, rng: np.random.Generator) -> list[int]:
    """Indices of up to ``count`` entries, drawn so that no key comes again before every key has come."""
    order = rng.permutation(len(keys))
    turn: dict[str, int] = {}
    turns = []
    for k in order:
        turns.append(turn.setdefault(keys[k], 0))
        turn[keys[k]] += 1
    ranked = sorted(range(len(keys)), key=lambda position: turns[position])
    return [int(order[position]) for position in ranked[:count]]


def matrix(model: Model, people: Cast) -> Grid:
    """Fig. 1: targets in the first row, references in the first column, and every transfer where they meet."""
    codes = model.encode(people.references)
    cells: list[list[Pixels | None]] = [[None, *pictures(people.targets)]]
    for reference, code in zip(people.references, codes, strict=True):
        made = generate(model, people.targets, code.expand(len(people.targets), -1))
        cells.append([to_pixels(reference), *made])
    return Grid(cells, ["targets", *people.expressions], ["references"])


def rows(models: Sequence[tuple[str, Model]], people: Cast) -> Grid:
    """Fig. 3 and 4: targets above, below them references, below those the transfers of every (name, model)."""
    count = min(len(people.targets), len(people.references))
    targets, references = people.targets[:count], people.references[:count]
    cells: list[list[Pixels | None]] = [[*pictures(targets)], [*pictures(references)]]
    for _, model in models:
        codes = torch.cat([model.encode(part) for part in torch.split(references, CHUNK)])
        cells.append([*generate(model, targets, codes)])
    return Grid(cells, ["target", "reference", *(name for name, _ in models)], people.expressions[:count])


def continuity(
    model: Model, people: Cast, faces: Faces, strengths: Sequence[float], expressions: Sequence[str]
) -> Grid:
    """Fig. 5: one expression in a row, its strength growing to the right, on one neutral face each.

    An expression's code is the mean over the training photos that carry its label (paper, Sec. 4.5).
    """
    cells: list[list[Pixels | None]] = []
    for k, expression in enumerate(expressions):
        target, code = people.targets[[k % len(people.targets)]], class_code(model, faces, expression)[None]
        made = torch.cat([model.generate(target, code, strength) for strength in strengths])
        cells.append([*pictures(target), *pictures(made)])
    return Grid(cells, list(expressions), ["target", *(f"{strength:g}" for strength in strengths)])


def class_code(model: Model, faces: Faces, expression: str) -> Tensor:
    """The mean code (d,) of all photos with the label ``expression``. Raises UserError if there are none."""
    chosen = [k for k, row in enumerate(faces.expressive_rows) if row["expression"] == expression]
    known = sorted({row["expression"] for row in faces.expressive_rows})
    check(bool(chosen), f"no training photo shows {expression!r}: choose among {', '.join(known)}")
    images = as_images(faces.expressive[chosen])
    return torch.cat([model.encode(part) for part in torch.split(images, CHUNK)]).mean(dim=0)


def generate(model: Model, images: Tensor, codes: Tensor) -> list[Pixels]:
    """The pictures of ``images`` (n, 3, S, S) with ``codes`` (n, d)."""
    parts = zip(torch.split(images, CHUNK), torch.split(codes, CHUNK), strict=True)
    return [picture for image, code in parts for picture in pictures(model.generate(image, code))]


def pictures(images: Tensor) -> list[Pixels]:
    """(n, 3, S, S) to n arrays (S, S, 3) uint8."""
    return [to_pixels(image) for image in images]
