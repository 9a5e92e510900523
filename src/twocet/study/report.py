"""Analysing a study: read, exclude, estimate, and write the report as HTML, Markdown, JSON and a figure."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from html import escape
from pathlib import Path

from twocet import __version__
from twocet.errors import UserError
from twocet.runtime.commit import commit
from twocet.runtime.files import json_bytes, make_folder, write_whole
from twocet.study import figure as figures
from twocet.study.analysis import Summary, summarize
from twocet.study.folder import read_design, read_key
from twocet.study.responses import answer_files, read_answers, responses_csv
from twocet.study.tables import Table, introduction, tables

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 1000px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: .6em 0 1.6em; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3em 1.2em .3em 0; border-bottom: 1px solid #dde1e6; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin: 1.8em 0 .2em; }
.note { color: #5b6675; margin: .2em 0; max-width: 46em; }
.wide { overflow-x: auto; } svg { max-width: 100%; height: auto; } code { overflow-wrap: anywhere; }
"""


def analyze_study(folder: Path, responses: Sequence[Path], output: Path, *, command: str) -> Summary:
    """Write the report of a study into ``output`` and return its summary. Raises UserError.

    Args:
        folder: The study.
        responses: Files of answers; those in the study's folder if there are none.
        output: Made if it is missing.
        command: What is told of how the report was made.
    """
    design, key = read_design(folder), read_key(folder)
    answers = read_answers(answer_files(folder, responses), design, key)
    if not answers.rows:
        raise UserError(f"nobody has answered study {design['study_id']} yet: there is nothing to analyse")
    summary = summarize(answers, design)
    summary["made_by"] = {
        "version": __version__, "commit": commit(), "command": command,
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }  # fmt: skip
    drawn = figures.draw(summary)
    make_folder(output)
    write_whole(output / "responses.csv", responses_csv(answers.rows))
    pictures = {kind: figures.to_bytes(drawn, kind) for kind in ("svg", "pdf")} if drawn else {}
    for kind, content in pictures.items():
        write_whole(output / f"figure.{kind}", content)
    write_whole(output / "report.md", to_markdown(summary).encode())
    write_whole(output / "report.html", to_html(summary, pictures.get("svg", b"").decode()).encode())
    write_whole(output / "report.json", json_bytes(summary, indent=2))
    return summary


def to_markdown(summary: Summary) -> str:
    """The summary as a page of tables."""
    lines = ["# Human study", "", *(f"{line}\n" for line in introduction(summary))]
    lines += ["![Answers and estimates](figure.svg)", ""] if len(tables(summary)) > 1 else []
    for table in tables(summary):
        lines += [
            f"## {table.title}", "", table.note.replace("|z|", "\\|z\\|"), "",
            _line(table.header), f"|{'---|' * len(table.header)}", *map(_line, table.rows), "",
        ]  # fmt: skip
    return "\n".join([*lines, _origin(summary, "`{}`"), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def to_html(summary: Summary, figure: str) -> str:
    """The summary as one file that needs nothing else: the figure is inside, there is no script."""
    # An SVG file's heading (its XML declaration and document type) has no place inside HTML.
    inside = figure[figure.index("<svg") :] if figure else ""
    parts = [
        "<h1>Human study</h1>",
        *(f"<p>{escape(line)}</p>" for line in introduction(summary)),
        inside,
        *map(_table, tables(summary)),
        f'<p class="note">{_origin(summary, "<code>{}</code>")}</p>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Human study</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>'
    return f'<h2>{escape(table.title)}</h2>{note}<div class="wide"><table><tr>{header}</tr>{rows}</table></div>'


def _origin(summary: Summary, code: str) -> str:
    made = summary["made_by"]
    command = code.format(escape(made["command"]) if "<" in code else made["command"])
    return f"Made by {command}, version {made['version']}, commit {made['commit'] or 'unknown'}, on {made['machine']}."
