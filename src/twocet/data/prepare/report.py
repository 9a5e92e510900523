"""What a prepared set holds, what was left out and why, and a picture of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from twocet.data.prepare.originals import Original
from twocet.photo.images import read_pixels
from twocet.photo.sheets import Cell, sheet
from twocet.runtime.files import whole_file

SAME_PHOTO = 0.985
"""Crops whose thumbnails correlate so much are reported as copies. Among 82 people of a laboratory set no two different
people came above 0.966, and a copy that was darkened, halved in size and saved as a poor JPEG not below 0.9997."""
_SHEET_ROWS, _SHEET_COLUMNS, _SHEET_SIDE = 10, 10, 128
_NEUTRAL_ROWS = 4


def summarise(
    originals: Sequence[Original],
    kept: Sequence[Original],
    records: dict[str, dict[str, Any]],
    rows: Sequence[dict[str, str]],
    *,
    strangers: Sequence[str],
    alone: Sequence[str],
    lost: Sequence[str],
) -> dict[str, Any]:
    """report.json: counts, problems, copies.

    ``strangers`` are pictures whose names say nothing, ``alone`` people with photos in one domain only, ``lost``
    people who became so because a photo of theirs could not be used.
    """
    splits = {split: {row["identity"] for row in rows if row["split"] == split} for split in ("train", "val", "test")}
    label = {original.name: original.photo.label for original in originals}
    return {
        "photos": {
            "found": len(originals),
            "used": len(kept),
            **{domain: sum(row["domain"] == domain for row in rows) for domain in ("neutral", "expressive")},
        },
        "people": {split: len(people) for split, people in splits.items()},
        "people_of": {split: sorted(splits[split]) for split in ("val", "test")},
        "problems": {label[name]: record["problem"] for name, record in records.items() if record["problem"]},
        "several_faces": [label[name] for name, record in records.items() if (record.get("faces") or 0) > 1],
        "copies": [[label[name] for name in names] for names in copies(kept, records)],
        "copies_between_people": [[label[name] for name in pair] for pair in near_copies_between_people(kept, records)],
        "names_not_understood": list(strangers),
        "people_in_one_domain": list(alone),
        "people_left_out_for_a_lost_photo": list(lost),
    }


def copies(kept: Sequence[Original], records: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Groups of photos with exactly the same pixels."""
    groups: dict[str, list[str]] = defaultdict(list)
    for original in kept:
        groups[records[original.name]["pixels_sha256"]].append(original.name)
    return [names for names in groups.values() if len(names) > 1]


def near_copies_between_people(kept: Sequence[Original], records: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of nearly equal crops of different people: the same photo under two names, which would leak over splits."""
    values = np.array([list(bytes.fromhex(records[original.name]["thumbnail"])) for original in kept], np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.linalg.norm(values, axis=1, keepdims=True) + 1e-6
    person = np.array([original.identity for original in kept])
    found = []
    for k in range(len(kept) - 1):
        alike = values[k + 1 :] @ values[k]
        same = np.flatnonzero((alike > SAME_PHOTO) & (person[k + 1 :] != person[k]))
        found += [(kept[k].name, kept[k + 1 + int(other)].name) for other in same]
    return found


def found_neutral(named: Sequence[Original], doubts: Mapping[str, float]) -> dict[str, Any]:
    """How many photos were taken for neutral; where names said which ones are, how often that agrees.

    ``named``: the photos as their names tell of them.
    """
    taken = {name for name, doubt in doubts.items() if doubt < 0}
    true = {original.name for original in named if original.domain == "neutral"}
    both = len(taken & true)
    agreement = {"precision": both / max(1, len(taken)), "recall": both / len(true)} if true else {}
    return {"taken": len(taken), **{name: round(value, 4) for name, value in agreement.items()}}


def write_neutral_sheet(path: Path, folder: Path, doubts: Mapping[str, float]) -> None:
    """Photos taken for neutral, from surest to most doubtful, then those that were nearly taken, in two last rows."""
    order = sorted(doubts, key=doubts.__getitem__)
    taken, left = ([name for name in order if (doubts[name] < 0) == wanted] for wanted in (True, False))
    shown = [*_evenly(taken, _NEUTRAL_ROWS * _SHEET_COLUMNS), *left[: 2 * _SHEET_COLUMNS]]
    cells = [
        Cell(read_pixels(folder / "faces" / f"{name}.png"), "neutral" if doubts[name] < 0 else "nearly neutral")
        for name in shown
    ]
    _write(path, [cells[k : k + _SHEET_COLUMNS] for k in range(0, len(cells), _SHEET_COLUMNS)])


def _evenly(names: Sequence[str], most: int) -> list[str]:
    count = min(most, len(names))
    return [names[k * len(names) // count] for k in range(count)]


def write_contact_sheet(path: Path, folder: Path, rows: Sequence[dict[str, str]]) -> None:
    """Some people of the set, evenly over the names: neutral photos first, then expressive ones."""
    by_person: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_person[row["identity"]].append(row)
    people = list(by_person.values())
    chosen = [people[k * len(people) // min(_SHEET_ROWS, len(people))] for k in range(min(_SHEET_ROWS, len(people)))]
    cells = [[_cell(folder, row) for row in _spread(photos)] for photos in chosen]
    _write(path, cells)


def _write(path: Path, cells: Sequence[Sequence[Cell]]) -> None:
    picture = Image.fromarray(sheet(cells, side=_SHEET_SIDE))
    with whole_file(path) as partial:
        picture.save(partial, quality=90)


def _spread(photos: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    count = min(_SHEET_COLUMNS, len(photos))
    return [photos[k * len(photos) // count] for k in range(count)]


def _cell(folder: Path, row: dict[str, str]) -> Cell:
    return Cell(read_pixels(folder / row["file"]), f"{row['identity']} {row['expression']}")
