"""A report as one HTML file that needs nothing else: pictures are inside it, charts are SVG, there is no script."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from twocet.evaluation.charts import Line, bars, curves
from twocet.evaluation.gallery import Gallery, Row
from twocet.evaluation.summary import Summary, cores_of
from twocet.evaluation.tables import Table, introduction, tables
from twocet.metrics import Estimate
from twocet.photo.marks import mark_xmp, sheet_mark
from twocet.photo.png import png_bytes
from twocet.photo.sheets import Cell

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { text-align: left; padding: 0.2em 0.9em 0.2em 0; border-bottom: 1px solid #ddd; }
.wide { overflow-x: auto; }
.row { display: flex; gap: 6px; margin: 4px 0; align-items: flex-start; }
.row > b { flex: 0 0 110px; font-weight: 600; font-size: 13px; overflow-wrap: anywhere; }
figure { margin: 0; } figcaption { font-size: 12px; color: #555; text-align: center; }
img { display: block; width: 112px; height: 112px; } svg { max-width: 100%; height: auto; }
code { overflow-wrap: anywhere; } .note { color: #555; }
"""


def to_html(summary: Summary, gallery: Gallery) -> str:
    """The whole report."""
    title = f"Evaluation of {summary['model']['name']}"
    first, *others = tables(summary)
    xmp = mark_xmp(None, sheet_mark(summary["model"]["name"]))
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(introduction(summary))}</p>",
        _table(first),
        *_charts(summary),
        _pictures("Samples", "Each person's target with references of another person.", gallery.samples, xmp),
        _pictures("Growing strength", "Target, reference, and outputs at each strength.", gallery.strips, xmp),
        *(_pictures(f"{kind.capitalize()} cases", "", rows, xmp) for kind, rows in gallery.cases.items()),
        *(_table(table) for table in others),
        _origin(summary),
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _charts(summary: Summary) -> list[str]:
    wanted: Sequence[tuple[str, Mapping[str, Estimate | None]]] = (
        ("Gain by expression", summary.get("gain_by_expression", {})),
        ("Expression agreement by expression", summary["agreement_by_expression"]),
        ("Identity distance by expression", summary["identity_distance_by_expression"]),
    )
    parts = []
    for title, values in wanted:
        known = {name: value for name, value in values.items() if value is not None}
        if known:
            parts.append(f"<h2>{title}</h2>{bars(title, known)}")
    return [*parts, f"<h2>Response to strength</h2>{_response(summary)}"]


def _response(summary: Summary) -> str:
    lines = [_curve("movement", summary["strength_response"])]
    if "gain_by_strength" in summary:
        gains = {strength: values["all"] for strength, values in summary["gain_by_strength"].items()}
        lines.append(_curve("gain", gains))
    ideal = Line("", (0.0, 1.0), (Estimate(0.0, 0.0, 0.0), Estimate(1.0, 1.0, 1.0)))
    return curves("Response to strength", "strength (dashed: a movement as large as the strength)", lines, ideal)


def _curve(name: str, values: Mapping[str, Estimate | None]) -> Line:
    known = {float(strength): value for strength, value in values.items() if value is not None}
    return Line(name, list(known), list(known.values()))


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f'<h2>{escape(table.title)}</h2>{note}<div class="wide"><table><tr>{header}</tr>{rows}</table></div>'


def _pictures(title: str, note: str, rows: Sequence[Row], xmp: bytes) -> str:
    lines = []
    for row in rows:
        cells = "".join(
            f"<figure>{_image(cell, xmp)}<figcaption>{escape(cell.label)}</figcaption></figure>" for cell in row.cells
        )
        lines.append(f'<div class="row"><b>{escape(row.title)}</b>{cells}</div>')
    return f'<h2>{escape(title)}</h2><p class="note">{escape(note)}</p><div class="wide">{"".join(lines)}</div>'


def _image(cell: Cell, xmp: bytes) -> str:
    content = base64.b64encode(png_bytes(cell.pixels, xmp if cell.made else None)).decode()
    return f'<img alt="{escape(cell.label)}" src="data:image/png;base64,{content}">'


def _origin(summary: Summary) -> str:
    made = summary["made_by"]
    command = f"<code>{escape(made['command'])}</code>, " if made["command"] else ""
    machine = made["machine"]
    facts = (
        f"twocet {made['version']}, commit {made['commit'] or 'unknown'}, {machine['system']}, "
        f"{cores_of(machine)}, Python {machine['python']}, torch {machine['torch']}, seed {made['seed']}, "
        f"{summary['seconds']:.0f} s. All pictures called output were made by a model."
    )
    return f'<h2>How this was made</h2><p class="note">{command}{escape(facts)}</p>'
