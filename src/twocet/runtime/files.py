"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from twocet.errors import UserError

_LOCK = ".lock"
_PARTIAL = ".twocet-"
"""Begins the name of a file while it is written."""
_LONGEST_SUFFIX = 16
"""Characters of a suffix that a file keeps meanwhile: those by which its format is known."""


def make_folder(path: Path) -> None:
    """Makes the folder and its parents. Raises UserError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {path} cannot be made ({error.strerror}): choose another output.") from None


@contextlib.contextmanager
def only_process(folder: Path, work: str, wait: float = 0) -> Iterator[None]:
    """Inside the block nobody else does ``work`` (a verb) in this folder; the same thread may enter once more.

    Raises UserError if another process or thread is at it after ``wait`` seconds. A killed process holds nothing.
    """
    try:
        lock = filelock.FileLock(folder / _LOCK, is_singleton=True)
        lock.acquire(timeout=wait)
    except filelock.Timeout:
        raise UserError(
            f"another process is at work in {folder} ({work}): wait until it ends, or choose another folder"
        ) from None
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}): choose another output.") from None
    try:
        yield
    finally:
        lock.release()


def write_whole(path: Path, content: bytes) -> Path:
    """Writes a file that appears under its name only when it is complete; makes its folder. Raises UserError."""
    make_folder(path.parent)
    with whole_file(path) as partial:
        partial.write_bytes(content)
    return path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to. It becomes ``path`` when the block ends, and goes if the block fails.

    Raises UserError for what the file system refuses, a full disk for example.
    """
    path = Path(os.path.realpath(path))  # what a link points to is written, and the link stays
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
    return path.with_name(f"{_PARTIAL}{secrets.token_hex(8)}{path.suffix[-_LONGEST_SUFFIX:]}")


def visible(folder: Path) -> list[Path]:
    """What is in a folder, without the lock and other hidden files."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


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
