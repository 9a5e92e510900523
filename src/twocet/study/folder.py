"""The files of a study and how they are read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from twocet.errors import UserError
from twocet.runtime.configuration import Between, from_dict
from twocet.runtime.records import named, read_csv, read_object

DESIGN, KEY, PAIRS, PAGE = "design.json", "trials.csv", "pairs.csv", "page"
KEY_COLUMNS = (
    *("item_id", "kind", "pair", "target_id", "reference_id", "label", "method", "other_method", "side"),
    *("target_file", "reference_file", "result_file", "right_file", "expected"),
)


class Question(NamedTuple):
    """One question of a design."""

    name: str
    text: str
    options: list[str]


class Collected(NamedTuple):
    """What collecting answers needs of a design."""

    study_id: str
    lists: Annotated[int, Between(1, 100_000)]
    trials: Annotated[int, Between(1, 100_000)]
    questions: list[dict[str, Any]]


def read_design(folder: Path) -> dict[str, Any]:
    """``design.json`` of a study. Raises UserError."""
    if not (folder / DESIGN).exists():
        raise UserError(f"{folder} is not a study: make one with twocet study make")
    design = read_object(folder / DESIGN, "make the study again")
    if design.get("format") != 1:
        raise UserError(f"{folder / DESIGN} is of another format than 1: use the version of twocet that wrote it")
    collected: Collected = from_dict(Collected, named(design, Collected))
    for question in collected.questions:
        from_dict(Question, named(question, Question))
    return design


def read_key(folder: Path) -> list[dict[str, str]]:
    """The rows of ``trials.csv``. Raises UserError."""
    rows = read_csv(folder / KEY, "take the key that twocet study make wrote")
    if not rows or not set(KEY_COLUMNS) <= set(rows[0]):
        raise UserError(f"the key {folder / KEY} is damaged: it needs the columns {', '.join(KEY_COLUMNS)}")
    return rows


def design_hash(design: dict[str, Any]) -> str:
    """Of everything in a design but its own name, which this is: a design that was changed later does not fit it."""
    content = {name: value for name, value in design.items() if name != "study_id"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
