"""Making a study: draws its lists, names everything anew, and writes page, key and design."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from twocet import __version__
from twocet.errors import UserError
from twocet.photo.images import Pixels
from twocet.runtime.files import json_bytes, make_folder, write_whole
from twocet.study import stimuli
from twocet.study.design import Cell, Rounds, Rules, Task, blocks_of, check_answers, conditions_of, latin_lists
from twocet.study.folder import DESIGN, KEY, KEY_COLUMNS, PAGE, PAIRS, design_hash
from twocet.study.page import write_page
from twocet.study.pairs import Pair, write_pairs
from twocet.study.stimuli import Method
from twocet.study.texts import Texts

TOP_SCORE = 5.0
"""Answers are scored from 0 to 5 in equal steps: "each score is in the range [0, 5]" (paper, Table 2)."""
_SECONDS = (2, 3)
"""Time of a trial to tell raters: so many seconds, and so many for each question."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study is made from."""

    name: str
    """Of the preset."""
    task: Task
    pairs: Sequence[Pair]
    methods: Sequence[Method]
    rounds: int
    checks: int
    size: int
    seed: int
    rules: Rules
    texts: Texts
    data: dict[str, Any]
    """Where the pairs come from, for the record."""
    command: str

    def __post_init__(self) -> None:
        least = 1 if self.task == "rating" else 2
        if len(self.methods) < least:
            raise UserError(f"a {self.task} task needs {least} methods or more: give them with --methods")
        if not 1 <= self.rounds <= len(self.conditions):
            raise UserError(f"--rounds is {self.rounds}: give 1 to {len(self.conditions)}, one for each condition")
        if self.checks < 0 or self.size < 16 or self.seed < 0:
            raise UserError("--checks and --seed must not be negative, and --size not be under 16")

    @property
    def conditions(self) -> list[tuple[int, ...]]:
        """The methods of every condition, by number."""
        return conditions_of(self.task, len(self.methods))

    @property
    def questions(self) -> list[dict[str, Any]]:
        """Name, text and options of every question."""
        return list(self.texts["questions"])


class Item(NamedTuple):
    """A trial as it is kept in the key and shown."""

    row: dict[str, str]
    """Of trials.csv."""
    shown: dict[str, Any]
    """What the page knows of it: file names, and what a check asks for."""


def make_study(folder: Path, plan: Plan, *, device: str = "cpu", template: str | None = None) -> dict[str, Any]:
    """Write a study into ``folder`` and return its design. Raises UserError.

    ``page/`` is for raters; ``trials.csv`` is the key and says what every name means. ``design.json`` is written last:
    a folder without it is not a study.
    """
    if (folder / DESIGN).exists():
        raise UserError(f"{folder} holds a study already: choose another folder")
    lists = latin_lists(
        blocks_of([pair.target_id for pair in plan.pairs]),
        len(plan.conditions),
        plan.rounds,
        sides=plan.task == "comparison",
    )
    page = folder / PAGE
    shutil.rmtree(page, ignore_errors=True)
    make_folder(page / "stimuli")
    files = _write_stimuli(page / "stimuli", plan, device, template)
    items, checks = _items(plan, lists, files)
    shown = [[[items[cell].row["item_id"] for cell in part] for part in rounds] for rounds in lists]
    design = _design(plan, shown)
    everything = sorted([*items.values(), *checks], key=lambda item: item.row["item_id"])
    write_pairs(folder / PAIRS, plan.pairs)
    write_whole(folder / KEY, _key(everything))
    public = {
        "study_id": design["study_id"],
        "texts": plan.texts,
        "minutes": design["minutes"],
        "items": {item.row["item_id"]: item.shown for item in everything},
        "checks": sorted(item.row["item_id"] for item in checks),
        "lists": shown,
    }
    write_page(page, public)
    write_whole(folder / DESIGN, json_bytes(design, indent=2))
    return design


def _design(plan: Plan, lists: list[list[list[str]]]) -> dict[str, Any]:
    trials = max(sum(map(len, rounds)) for rounds in lists) + plan.checks
    design = {
        "format": 1,
        "name": plan.name,
        "task": plan.task,
        "methods": [method._asdict() for method in plan.methods],
        "conditions": [[plan.methods[k].name for k in condition] for condition in plan.conditions],
        "data": plan.data,
        "pairs": len(plan.pairs),
        "target_people": len({pair.target_id for pair in plan.pairs}),
        "lists": len(lists),
        "list_trials": [sum(map(len, rounds)) + plan.checks for rounds in lists],
        "rounds": plan.rounds,
        "checks": plan.checks,
        "trials": trials,
        "minutes": max(1, round(trials * (_SECONDS[0] + _SECONDS[1] * len(plan.questions)) / 60)),
        "questions": [_scored(question, plan.task) for question in plan.questions],
        "rules": asdict(plan.rules),
        "texts": plan.texts,
        "size": plan.size,
        "seed": plan.seed,
        "lists_hash": hashlib.sha256(json.dumps(lists).encode()).hexdigest()[:12],
        "made_by": {"version": __version__, "command": plan.command},
    }
    return {"study_id": design_hash(design), **design}


def _scored(question: dict[str, Any], task: Task) -> dict[str, Any]:
    """A question with the score of each option, which a comparison has not."""
    number = len(question["options"])
    if task == "comparison":
        return question
    return {**question, "scores": [round(TOP_SCORE * k / (number - 1), 4) for k in range(number)]}


class _Files(NamedTuple):
    """The names of the stimuli, by pair."""

    targets: list[str]
    references: list[str]
    results: list[list[str]]
    """By method, then by pair."""


def _write_stimuli(folder: Path, plan: Plan, device: str, template: str | None) -> _Files:
    """Write all pictures under names that say nothing: random ones, in the order of nothing."""
    count = len(plan.pairs)
    names = iter(tokens(count * (2 + len(plan.methods)), 12, plan.seed))
    with tqdm(total=count * (2 + len(plan.methods)), unit="picture", desc="stimuli", disable=None) as bar:

        def write(pictures: Sequence[Pixels], *, made: bool) -> list[str]:
            written = [f"{next(names)}.png" for _ in pictures]
            for name, pixels in zip(written, pictures, strict=True):
                write_whole(folder / name, stimuli.stimulus(pixels, made=made))
                bar.update()
            return written

        made = [
            write(stimuli.results(method, plan.pairs, plan.size, device=device, template=template), made=True)
            for method in plan.methods
        ]
        given = [
            write([stimuli.picture(path, plan.size) for path in paths], made=False)
            for paths in ([pair.target for pair in plan.pairs], [pair.reference for pair in plan.pairs])
        ]
    return _Files(given[0], given[1], made)


def tokens(count: int, digits: int, seed: int) -> Iterator[str]:
    """Different random names of so many hexadecimal digits."""
    rng = np.random.default_rng([seed, digits])
    found: set[str] = set()
    while len(found) < count:
        name = rng.bytes(digits // 2).hex()
        if name not in found:
            found.add(name)
            yield name


def _items(plan: Plan, lists: Sequence[Rounds], files: _Files) -> tuple[dict[Cell, Item], list[Item]]:
    """Every cell that somebody sees, and the attention checks, under names that say nothing."""
    cells = sorted({cell for rounds in lists for part in rounds for cell in part})
    names = tokens(len(cells) + plan.checks, 8, plan.seed)
    items = {cell: _trial(plan, files, cell, name) for cell, name in zip(cells, names, strict=False)}
    expected = check_answers(plan.checks, [len(question["options"]) for question in plan.questions], plan.seed)
    step = max(1, len(plan.pairs) // max(1, plan.checks))
    checks = [
        _check(plan, files, (number * step) % len(plan.pairs), name, answers)
        for number, (name, answers) in enumerate(zip(names, expected, strict=False))
    ]
    return items, checks


def _trial(plan: Plan, files: _Files, cell: Cell, name: str) -> Item:
    pair, condition = plan.pairs[cell.pair], plan.conditions[cell.condition]
    shown = [files.results[method][cell.pair] for method in (condition[::-1] if cell.swapped else condition)]
    other = plan.methods[condition[1]].name if len(condition) > 1 else ""
    side = ("right" if cell.swapped else "left") if other else ""
    row = _row(name, "trial", pair, plan.methods[condition[0]].name, other, side)
    return _item(row, files.targets[cell.pair], files.references[cell.pair], shown, [])


def _check(plan: Plan, files: _Files, pair: int, name: str, answers: list[int]) -> Item:
    """An attention check shows the target as its own result; the question's text asks for an answer."""
    shown = [files.targets[pair]] * len(plan.conditions[0])
    row = _row(name, "check", plan.pairs[pair], "", "", "")
    return _item(row, files.targets[pair], files.references[pair], shown, answers)


def _row(name: str, kind: str, pair: Pair, method: str, other: str, side: str) -> dict[str, str]:
    return {
        "item_id": name, "kind": kind, "pair": pair.pair, "target_id": pair.target_id,
        "reference_id": pair.reference_id, "label": pair.label, "method": method, "other_method": other, "side": side,
    }  # fmt: skip


def _item(row: dict[str, str], target: str, reference: str, results: list[str], answers: list[int]) -> Item:
    named = {
        "target_file": target, "reference_file": reference, "result_file": results[0],
        "right_file": results[1] if len(results) > 1 else "", "expected": " ".join(map(str, answers)),
    }  # fmt: skip
    shown: dict[str, Any] = {"target": target, "reference": reference, "results": results}
    if answers:
        shown["check"] = answers
    return Item({**row, **named}, shown)


def _key(items: Sequence[Item]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, KEY_COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(item.row for item in items)
    return text.getvalue().encode()
