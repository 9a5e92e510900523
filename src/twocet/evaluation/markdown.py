"""A summary as Markdown."""

from __future__ import annotations

from twocet.evaluation.summary import Summary, cores_of
from twocet.evaluation.tables import Table, introduction, tables


def to_markdown(summary: Summary) -> str:
    """The summary as a page of tables."""
    lines = [f"# Evaluation of {summary['model']['name']}", "", introduction(summary), ""]
    for table in tables(summary):
        lines += _section(table)
    made = summary["made_by"]
    command = f"`{made['command']}`, " if made["command"] else ""
    machine = f"{made['machine']['system']} with {cores_of(made['machine'])}"
    lines += [
        "Pictures: `report.html`, and the worst, middle and best cases in `sheet.png`.",
        "",
        f"Made by {command}version {made['version']}, commit {made['commit'] or 'unknown'}, on {machine} in "
        f"{summary['seconds']:.0f} s.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _section(table: Table) -> list[str]:
    return [
        f"## {table.title}",
        "",
        *([table.note, ""] if table.note else []),
        f"| {' | '.join(table.header)} |",
        f"|{'---|' * len(table.header)}",
        *(f"| {' | '.join(row)} |" for row in table.rows),
        "",
    ]
