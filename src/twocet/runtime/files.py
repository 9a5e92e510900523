"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twocet.errors import UserError

_PARTIAL = ".twocet-"
"""Begins the name of a file while it is written."""


def make_folder(path: Path) -> None:
    """Makes the folder and its parents. Raises UserError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {path} cannot be made ({error.strerror}): choose another output.") from None


def write_whole(path: Path, content: bytes) -> Path:
    """Writes a file that appears under its name only when it is complete. Raises UserError."""
    with whole_file(path) as partial:
        partial.write_bytes(content)
    return path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to. It becomes ``path`` when the block ends, and goes if the block fails.

    Raises UserError for what the file system refuses, a full disk for example.
    """
    partial = partial_name(path)
    try:
        partial.open("xb").close()  # exclusively: a name that somebody else made is not followed anywhere
        yield partial
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{path} cannot be written ({reason}): check the disk and the permissions.") from None
    finally:
        partial.unlink(missing_ok=True)


def partial_name(path: Path) -> Path:
    """A name beside ``path``, with its suffix, that no other writer has."""
    return path.with_name(f"{_PARTIAL}{secrets.token_hex(8)}{path.suffix}")


def is_partial(path: Path) -> bool:
    """Whether a killed process left ``path`` behind while it was writing."""
    return path.name.startswith(_PARTIAL)


def remove_partials(folder: Path) -> None:
    """Removes what killed processes left in ``folder`` and below."""
    for leftover in folder.rglob(f"{_PARTIAL}*"):
        leftover.unlink(missing_ok=True)


def json_bytes(value: Any, indent: int | None = None) -> bytes:
    """``value`` as a JSON file."""
    return (json.dumps(value, indent=indent) + "\n").encode()
