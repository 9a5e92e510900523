"""Counts what a viewer would publish, from the tables that ``real_pairs.py --sheet`` makes and a viewer fills.

python benchmarks/judged.py before/judged.csv after/judged.csv
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, NamedTuple

import tyro
from pair_sheets import COLUMNS, ROWS

from twocet.errors import UserError


class Judgement(NamedTuple):
    """What a viewer says of one picture."""

    kind: str
    number: int
    publish: bool
    reason: str


def read_table(path: Path) -> list[Judgement]:
    """The filled rows of a table. Raises UserError for anything but yes, no or nothing in the column publish."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: make it with python benchmarks/real_pairs.py DATA --sheet DIR")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UserError(f"{path} does not have the columns {', '.join(COLUMNS)}")
        return [_judgement(row, path) for row in reader if row["publish"].strip()]


def _judgement(row: dict[str, str], path: Path) -> Judgement:
    said = row["publish"].strip().lower()
    if said not in ("yes", "no"):
        raise UserError(f"{path}, {row['kind']} {row['number']}: publish is yes or no, not {said!r}")
    return Judgement(row["kind"], int(row["number"]), said == "yes", row["reason"].strip())


def counts(judgements: list[Judgement]) -> dict[str, tuple[int, int]]:
    """By kind: how many pictures would be published, of how many that were judged."""
    by_kind = {kind: [one.publish for one in judgements if one.kind == kind] for kind in ROWS}
    return {kind: (sum(said), len(said)) for kind, said in by_kind.items() if said}


def markdown(tables: dict[str, list[Judgement]]) -> str:
    """One line for each table, and the reasons of every picture that would not be published."""
    lines = ["| table | " + " | ".join(ROWS) + " |", "|---" * (len(ROWS) + 1) + "|"]
    for name, judgements in tables.items():
        found = counts(judgements)
        shown = (f"{found[kind][0]} of {found[kind][1]}" if kind in found else "" for kind in ROWS)
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    for name, judgements in tables.items():
        lines += ["", f"{name}, not to be published:", ""]
        lines += [f"- {one.kind} {one.number}: {one.reason}" for one in judgements if not one.publish]
    return "\n".join(lines)


def main(tables: Annotated[list[Path], tyro.conf.Positional]) -> None:
    """Print the counts and the reasons as Markdown.

    Args:
        tables: Filled tables.
    """
    print(markdown({str(path): read_table(path) for path in tables}))


if __name__ == "__main__":
    tyro.cli(main)
