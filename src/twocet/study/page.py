"""The raters' page: fixed files, and one script with what this study shows."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from twocet.runtime.files import write_whole

STATIC = Path(str(resources.files("twocet"))) / "study" / "static"
DATA = "study-data.js"


def write_page(folder: Path, study: dict[str, Any]) -> None:
    """Write ``index.html`` and what it needs beside ``stimuli/``.

    What the study shows is a script and not JSON: a page from the disk may run scripts beside it, but read nothing.
    """
    for file in sorted(STATIC.iterdir()):
        shutil.copyfile(file, folder / file.name)
    # Inside a script "<" could end it; JSON allows the escape.
    content = json.dumps(study, ensure_ascii=False).replace("<", "\\u003c")
    write_whole(folder / DATA, f"window.STUDY = {content};\n".encode())


def read_page(folder: Path) -> dict[str, Any]:
    """What :func:`write_page` wrote for the study."""
    text = (folder / DATA).read_text(encoding="utf-8")
    study: dict[str, Any] = json.loads(text.removeprefix("window.STUDY = ").rstrip().removesuffix(";"))
    return study
