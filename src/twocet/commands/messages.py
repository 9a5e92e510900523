"""Messages of the Python API in the words of the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

_FLAGS = (
    "aligned",
    "crop",
    "device",
    "equalize",
    "face",
    "mouth",
    "mouth_from",
    "reference_face",
    "strict",
    "strip_private",
)
_ARGUMENT = re.compile(rf"\b({'|'.join(_FLAGS)})=(True\b)?")


def as_flags(message: str) -> str:
    """The message with arguments of the API named as options: ``face=2`` becomes ``--face 2``."""

    def flag(found: re.Match[str]) -> str:
        return f"--{found[1].replace('_', '-')}" + ("" if found[2] else " ")

    return _ARGUMENT.sub(flag, message)


def print_notes(notes: Iterable[str]) -> None:
    """Prints each note once, a line each, on standard error."""
    for note in dict.fromkeys(notes):
        print(f"note: {as_flags(note)}", file=sys.stderr)
