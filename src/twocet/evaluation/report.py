"""The files of a report."""

from __future__ import annotations

from pathlib import Path

from twocet.evaluation.gallery import case_sheet
from twocet.evaluation.markdown import to_markdown
from twocet.evaluation.page import to_html
from twocet.evaluation.run import Evaluation
from twocet.evaluation.summary import to_json
from twocet.photo.marks import mark_xmp, sheet_mark
from twocet.photo.png import png_bytes
from twocet.runtime.files import write_whole

CACHE = "readings.sqlite"
"""What the measuring networks read, beside the report; may be deleted."""


def write_report(folder: Path, evaluation: Evaluation) -> list[Path]:
    """Write report.json, report.md, report.html and sheet.png into a folder, made if needed; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    xmp = mark_xmp(None, sheet_mark(evaluation.summary["model"]["name"]))
    contents = {
        "report.json": to_json(evaluation.summary).encode(),
        "report.md": to_markdown(evaluation.summary).encode(),
        "report.html": to_html(evaluation.summary, evaluation.gallery).encode(),
        "sheet.png": png_bytes(case_sheet(evaluation.gallery), xmp),
    }
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]
