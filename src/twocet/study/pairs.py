"""Pairs of a target and a reference: drawn from a dataset folder, or read from a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twocet.errors import UserError
from twocet.runtime.files import write_whole
from twocet.runtime.records import read_csv

COLUMNS = ("pair", "target", "reference", "target_id", "reference_id", "label", "own")
Rows = Sequence[dict[str, str]]


class Pair(NamedTuple):
    """Whose face is given whose expression."""

    pair: str
    """Its name, which is also that of its result in a folder of another program: ``pair-001``."""
    target: Path
    reference: Path
    target_id: str
    """The target's person."""
    reference_id: str
    label: str
    """The reference's expression; may be empty."""
    own: Path | None
    """The target's person with an expression of the same label, where there is such a photo."""


def draw_pairs(
    folder: Path, rows: Rows, per_label: int, seed: int, labels: Sequence[str] = (), split: str = "test"
) -> list[Pair]:
    """Draw ``per_label`` references of every label, and a target for each of them (the paper's study, Sec. 4.5).

    Targets are neutral photos of another person than the reference's. References of one label are of different people,
    and nobody is a target again before everybody was one, as far as there are people enough.

    Args:
        folder: Of the dataset; the photos' paths are under it.
        rows: Those of faces.csv that may be used.
        per_label: References of each label.
        seed: Of the draws.
        labels: Which labels; all if none are given.
        split: What ``rows`` are called in messages.

    Raises:
        UserError: there are no labels, too few photos of one, or no target.
    """
    neutral = [row for row in rows if row["domain"] == "neutral"]
    expressive = [row for row in rows if row["domain"] == "expressive" and row["expression"]]
    found = list(dict.fromkeys(row["expression"] for row in expressive))
    wanted = list(labels) or found
    photos = Counter(row["expression"] for row in expressive)
    if not found:
        raise UserError(f"{folder} names no expressions in the split {split}: fill the column expression of faces.csv")
    if few := [label for label in wanted if photos[label] < per_label]:
        raise UserError(
            f"{folder} has fewer than {per_label} photos of {', '.join(few[:5])} in the split {split}: choose --labels "
            f"among {', '.join(found)}, fewer --references, or another --split"
        )
    people = sorted({row["identity"] for row in neutral})
    if len(people) < 2:
        raise UserError(f"{folder} has neutral photos of {len(people)} people in the split {split}: two are needed")
    rng = np.random.default_rng(seed)
    references = [row for label in wanted for row in _references(expressive, label, per_label, rng)]
    targets = _targets([row["identity"] for row in references], people, rng)
    first = {row["identity"]: row for row in reversed(neutral)}
    own = {(row["identity"], row["expression"]): row for row in reversed(expressive)}
    pairs = []
    for number, (reference, person) in enumerate(zip(references, targets, strict=True), start=1):
        label, mine = reference["expression"], own.get((person, reference["expression"]))
        pairs.append(
            Pair(
                f"pair-{number:03d}", folder / first[person]["file"], folder / reference["file"],
                person, reference["identity"], label, folder / mine["file"] if mine else None,
            )
        )  # fmt: skip
    return pairs


def _references(rows: Rows, label: str, count: int, rng: np.random.Generator) -> list[dict[str, str]]:
    """Draw photos of a label, of different people as far as there are any."""
    photos = [row for row in rows if row["expression"] == label]
    shuffled = [photos[k] for k in rng.permutation(len(photos))]
    turn: Counter[str] = Counter()
    turns = []
    for row in shuffled:
        turns.append(turn[row["identity"]])
        turn[row["identity"]] += 1
    order = sorted(range(len(shuffled)), key=lambda k: turns[k])
    return [shuffled[k] for k in order[:count]]


def _targets(references: Sequence[str], people: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Draw a person for each reference's person: another one, of those that were drawn least often so far."""
    drawn: Counter[str] = Counter()
    targets = [""] * len(references)
    for k in rng.permutation(len(references)):
        others = [person for person in people if person != references[k]]
        least = min(drawn[person] for person in others)
        targets[k] = str(rng.choice([person for person in others if drawn[person] == least]))
        drawn[targets[k]] += 1
    return targets


def pairs_csv(pairs: Sequence[Pair]) -> bytes:
    """The pairs as a table, with absolute paths."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for pair in pairs:
        own = pair.own.resolve() if pair.own else ""
        table.writerow(
            [
                pair.pair,
                pair.target.resolve(),
                pair.reference.resolve(),
                pair.target_id,
                pair.reference_id,
                pair.label,
                own,
            ]
        )
    return text.getvalue().encode()


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write the table that :func:`read_pairs` reads."""
    write_whole(path, pairs_csv(pairs))


def read_pairs(path: Path) -> list[Pair]:
    """Read a table with the columns pair, target, reference, target_id; others may be missing. Raises UserError.

    Paths are relative to the table's folder. ``reference_id``, ``label`` and ``own`` may be empty.
    """
    rows = read_csv(path, "give a table of pairs (CSV)")
    if not rows:
        raise UserError(f"{path} lists no pairs")
    if missing := [name for name in COLUMNS[:4] if name not in rows[0]]:
        raise UserError(f"{path} has no column {', '.join(missing)}: a pair needs {', '.join(COLUMNS[:4])}")
    pairs = []
    for number, row in enumerate(rows, start=2):
        if empty := [name for name in ("pair", "target", "reference", "target_id") if not row[name]]:
            raise UserError(f"{path}, line {number}: {empty[0]} is empty")
        own = row.get("own")
        pairs.append(
            Pair(
                row["pair"], path.parent / row["target"], path.parent / row["reference"], row["target_id"],
                row.get("reference_id") or "", row.get("label") or "", path.parent / own if own else None,
            )
        )  # fmt: skip
    if doubled := [name for name, times in Counter(pair.pair for pair in pairs).items() if times > 1]:
        raise UserError(f"{path} names {doubled[0]} twice: every pair needs a name of its own")
    return pairs
