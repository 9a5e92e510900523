"""The files of a study and how they are read."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from twocet.errors import UserError

DESIGN, KEY, PAIRS, PAGE = "design.json", "trials.csv", "pairs.csv", "page"
KEY_COLUMNS = (
    *("item_id", "kind", "pair", "target_id", "reference_id", "label", "method", "other_method", "side"),
    *("target_file", "reference_file", "result_file", "right_file", "expected"),
)


def read_design(folder: Path) -> dict[str, Any]:
    """``design.json`` of a study. Raises UserError."""
    try:
        design = json.loads((folder / DESIGN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} is no study: make one with twocet study make") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / DESIGN} cannot be read ({error})") from None
    if not isinstance(design, dict) or design.get("format") != 1:
        raise UserError(f"{folder / DESIGN} is of another format than 1: use the version of twocet that wrote it")
    return design


def read_key(folder: Path) -> list[dict[str, str]]:
    """The rows of ``trials.csv``. Raises UserError."""
    try:
        with (folder / KEY).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the key {folder / KEY} cannot be read ({error})") from None
    if not rows or not set(KEY_COLUMNS) <= set(rows[0]):
        raise UserError(f"the key {folder / KEY} is damaged: it needs the columns {', '.join(KEY_COLUMNS)}")
    return rows


def design_hash(design: dict[str, Any]) -> str:
    """Of everything in a design but its own name, which this is: a design that was changed later does not fit it."""
    content = {name: value for name, value in design.items() if name != "study_id"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
