"""Writes the table of docs/experiments.md from the lines of docs/results/experiments.jsonl.

python scripts/experiments_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
RESULTS, PAGE = DOCS / "results" / "experiments.jsonl", DOCS / "experiments.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
COLUMNS = {
    "minutes": "minutes",
    "pairs_per_second": "pairs/s",
    "gain_named": "gain, named",
    "gain_random": "gain, random",
    "own_reference_gain": "gain, own photo",
    "agreement": "agreement",
    "identity_distance": "identity distance",
    "strength_linearity": "strength R²",
    "diversity": "diversity",
    "kid_mobilenetv2": "KID (MobileNetV2)",
    "peak_memory_mb": "memory, MB",
}


def table(lines: list[dict[str, Any]]) -> str:
    """One row per experiment, in the order of the lines."""
    head = ["experiment", "settings", *COLUMNS.values()]
    common = set.intersection(*(set(line["set"]) for line in lines if line["recipe"] == "fast"))
    rows = [[line["name"], settings(line, common), *(number(line[key]) for key in COLUMNS)] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def settings(line: dict[str, Any], common: set[str]) -> str:
    """What differs from the default recipe: its ``common`` settings are left out."""
    recipe = [] if line["recipe"] == "fast" else [f"recipe={line['recipe']}"]
    return " ".join(f"`{word}`" for word in [*recipe, *line["set"]] if word not in common) or "–"


def number(value: float) -> str:
    """Three decimals for small numbers."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:g}"


def page(text: str, lines: list[dict[str, Any]]) -> str:
    """The page with a new table."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table(lines)}\n{END}{rest.split(END)[1]}"


def main() -> None:
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
