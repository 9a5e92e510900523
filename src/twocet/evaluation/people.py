"""The people of a split, and which of them gives an expression to whom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twocet.data.dataset import DatasetFolder, load_faces, open_dataset
from twocet.errors import UserError, check
from twocet.photo.images import Pixels
from twocet.synth.expressions import EXPRESSIONS
from twocet.synth.lab import CATEGORIES

Ints = NDArray[np.int64]

REFERENCE_OFFSET = 7
"""The reference of person number i is number i + 7, counted round."""
REFERENCES = 3
"""References of each expression for each target in the paper's set b_e_r."""
NOBODY = -1


class People(NamedTuple):
    """The photos of a split. N neutral and M expressive ones, as aligned crops of side S."""

    about: Mapping[str, Any]
    """dataset.json."""
    split: str
    names: tuple[str, ...]
    """The people, in the order of faces.csv; everywhere else people are numbers into it."""
    neutral: Pixels
    """(N, S, S, 3)."""
    neutral_people: Ints
    expressive: Pixels
    """(M, S, S, 3)."""
    expressive_people: Ints
    labels: tuple[str, ...]
    """The expressive photos' expressions as faces.csv names them, M of them; may all be empty."""

    @property
    def has_truth(self) -> bool:
        """Whether one label is exactly one expression, so that a photo shows what a transfer should have made.

        So it is in rendered benchmarks and laboratory sets alone: people who are asked to smile smile differently.
        """
        return bool(self.about.get("shared_expressions") or self.about.get("settings", {}).get("shared_expressions"))

    @property
    def expressions(self) -> tuple[str, ...]:
        """The different labels, in the order of faces.csv."""
        return tuple(dict.fromkeys(self.labels))

    @property
    def first_neutral(self) -> dict[int, int]:
        """The first neutral photo of every person who has one."""
        return {int(person): k for k, person in reversed(list(enumerate(self.neutral_people)))}


class Cases(NamedTuple):
    """Transfers to measure, C of them: one target of each person with expressions of another person."""

    targets: Ints
    """Which neutral photos."""
    references: Ints
    """Which expressive photos."""
    own: Ints
    """Which expressive photos show the target's person with the reference's label; ``NOBODY`` where there is none."""
    people: Ints
    """The targets' people."""

    @property
    def spots(self) -> Ints:
        """(P,) one case of each person, with different expressions, for what takes long."""
        found = []
        for number, person in enumerate(np.unique(self.people)):
            own = np.flatnonzero(self.people == person)
            found.append(own[number % len(own)])
        return np.array(found)

    def take(self, chosen: Ints) -> Cases:
        """Some of the cases."""
        return Cases(*(column[chosen] for column in self))


def read_people(folder: Path, split: str, size: int, template: str | None = None) -> People:
    """Read the photos of a split, reduced to ``size``.

    Raises:
        UserError: the folder is no dataset, its photos are smaller or aligned to another template than ``template``, or
            there are not two people, one with neutral and another with expressive photos.
    """
    dataset = open_dataset(folder, allow_one_sided=True)
    given = dataset.info["template"]
    if template is not None and given != template:
        raise UserError(
            f"the model needs crops aligned to {template}, those of {folder} are to {given}: prepare the photos again "
            "with the other --alignment"
        )
    people = _load(dataset, split, size)
    senders, receivers = set(people.expressive_people.tolist()), set(people.neutral_people.tolist())
    filled = [name for name in ("train", "val", "test") if dataset.select(name)]
    check(
        bool(senders) and bool(receivers) and len(senders | receivers) > 1,
        f"{folder} needs neutral and expressive photos of two people in the split {split!r}: choose another with "
        f"--split ({', '.join(filled)}), or make a benchmark with: twocet synth DIR --first-identity 1000000 "
        "--shared-expressions",
    )
    return people


def _load(dataset: DatasetFolder, split: str, size: int) -> People:
    faces = load_faces(dataset, split, size, progress=False)
    names = tuple(dict.fromkeys(row["identity"] for row in dataset.select(split)))
    number = {name: k for k, name in enumerate(names)}
    return People(
        dataset.info,
        split,
        names,
        np.ascontiguousarray(faces.neutral.permute(0, 2, 3, 1).numpy()),
        np.array([number[row["identity"]] for row in faces.neutral_rows], np.int64),
        np.ascontiguousarray(faces.expressive.permute(0, 2, 3, 1).numpy()),
        np.array([number[row["identity"]] for row in faces.expressive_rows], np.int64),
        tuple(row["expression"] for row in faces.expressive_rows),
    )


def transfer_cases(people: People, most: int) -> Cases:
    """Every person's first neutral photo with every expressive photo of one other person; at most ``most`` cases."""
    senders = np.unique(people.expressive_people)
    own_photo = {
        (int(person), label): k
        for k, (person, label) in reversed(list(enumerate(zip(people.expressive_people, people.labels, strict=True))))
        if label
    }
    rows = []
    for place, (person, target) in enumerate(sorted(people.first_neutral.items())):
        others = senders[senders != person]
        if len(others) == 0:
            continue
        sender = others[(place + REFERENCE_OFFSET - 1) % len(others)]
        for reference in np.flatnonzero(people.expressive_people == sender):
            own = own_photo.get((person, people.labels[reference]), NOBODY)
            rows.append((target, reference, own, person))
    cases = Cases(*np.array(rows, np.int64).T)
    return cases.take(thinned(len(rows), most))


def thinned(count: int, most: int, seed: int = 0) -> Ints:
    """Numbers 0 to ``count`` - 1, or ``most`` of them: one drawn from each of ``most`` parts of equal length.

    Evenly spaced ones would meet the same few expressions in everybody.
    """
    if count <= most:
        return np.arange(count)
    edges = np.arange(most + 1) * count // most
    return np.asarray(np.random.default_rng(seed).integers(edges[:-1], edges[1:]))


def named(expressions: tuple[str, ...]) -> NDArray[np.bool_]:
    """Whether labels are of named expressions of the renderer; others are random combinations of face units."""
    return np.array([name in EXPRESSIONS or name in CATEGORIES for name in expressions])


class PictureSet(NamedTuple):
    """One of the paper's sets of made pictures."""

    name: str
    """``a_n``, ``b_e_z`` or ``b_e_r``."""
    targets: Ints
    """(n,) photos that are edited: expressive ones for a_n, neutral ones otherwise."""
    references: Ints
    """(n,) expressive photos whose expressions are given; ``NOBODY`` where there are none."""


def picture_sets(people: People, most: int, seed: int) -> tuple[PictureSet, PictureSet, PictureSet]:
    """The sets of the paper's Table 1 (evaluation/EvalDataGenerator.py of its authors), each thinned to ``most``.

    a_n: every expressive photo, to be made neutral. b_e_z: every neutral photo with ceil(M / N) random expressions.
    b_e_r: every neutral photo with three random references of every label; a reference may be the target's person.
    """
    num, total = len(people.neutral), len(people.expressive)
    rng = np.random.default_rng([seed, 1])
    labels = np.array(people.labels)
    drawn = [
        (target, reference)
        for target in range(num)
        for label in np.unique(labels)
        for reference in _draw(np.flatnonzero(labels == label), rng)
    ]
    pairs = np.array(drawn, np.int64)[thinned(len(drawn), most, seed)]
    sampled = np.repeat(np.arange(num), -(-total // num))
    sampled = sampled[thinned(len(sampled), most, seed)]
    neutralised = thinned(total, most, seed)
    return (
        PictureSet("a_n", neutralised, np.full(len(neutralised), NOBODY)),
        PictureSet("b_e_z", sampled, np.full(len(sampled), NOBODY)),
        PictureSet("b_e_r", pairs[:, 0], pairs[:, 1]),
    )


def _draw(photos: Ints, rng: np.random.Generator) -> Ints:
    return rng.choice(photos, REFERENCES, replace=len(photos) < REFERENCES)
