"""Writes every ``--help`` text to ``docs/help``, so that a change of them shows in review (``make help``)."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from unittest import mock

from twocet.cli import COMMANDS, main

FOLDER = Path(__file__).parents[1] / "docs" / "help"
FILES = {"twocet.txt": [], **{f"{name.replace(' ', '-')}.txt": name.split() for name in COMMANDS}}


def help_text(words: list[str]) -> str:
    """What ``twocet WORDS --help`` prints on a terminal 120 columns wide without colours."""
    output = io.StringIO()
    plain = {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    with mock.patch.dict(os.environ, plain), contextlib.redirect_stdout(output):
        code = main([*words, "--help"])
    if code != 0:
        raise RuntimeError(f"twocet {' '.join(words)} --help ended with {code}")
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FOLDER.glob("*.txt"):
        file.unlink()
    for file_name, words in FILES.items():
        (FOLDER / file_name).write_text(help_text(words), encoding="utf-8")
