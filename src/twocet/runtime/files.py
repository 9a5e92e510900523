"""Files that are whole or absent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twocet.errors import UserError

PARTIAL = ".partial"
"""Ends the name of a file while it is written."""


def make_folder(path: Path) -> None:
    """Makes the folder and its parents. Raises UserError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {path} cannot be made ({error.strerror}): choose another output.") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is complete."""
    # The partial name is always the same, so that what a kill leaves behind is overwritten by the run that resumes.
    partial = path.with_name(path.name + PARTIAL)
    partial.write_bytes(content)
    os.replace(partial, path)


def json_bytes(value: Any, indent: int | None = None) -> bytes:
    """``value`` as a JSON file."""
    return (json.dumps(value, indent=indent) + "\n").encode()
