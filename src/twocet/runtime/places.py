"""Files by path or by URL: on this machine, or wherever fsspec reaches (``s3://``, ``gs://``, ``memory://``).

fsspec is imported when the first URL is met. What a store needs beside it (s3fs, gcsfs) and how it is signed in to are
its own affair.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import posixpath
import re
import secrets
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twocet.errors import UserError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ATOMIC = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
"""Stores in which a file appears under its name when all of it is there."""
_KEPT = 32
"""Fetched files that a process keeps: references that many rows share are fetched once."""


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether it is a URL."""
    return _URL.match(os.fspath(path)) is not None


def join(folder: str | os.PathLike[str], name: str) -> str:
    """``name`` as it is meant in ``folder``: a URL and an absolute path stand for themselves."""
    if is_remote(name):
        return name
    return posixpath.join(os.fspath(folder), name) if is_remote(folder) else os.path.join(folder, name)


def parent(path: str | os.PathLike[str]) -> str:
    """The folder that ``path`` lies in."""
    return os.fspath(path).rpartition("/")[0] if is_remote(path) else str(Path(path).parent)


def canonical(path: str) -> str:
    """Equal for equal files, as far as can be told from links and names."""
    return path if is_remote(path) else os.path.realpath(path)


def is_file(path: str) -> bool:
    """Whether there is such a file. Raises UserError if its store cannot be reached."""
    if not is_remote(path):
        return os.path.isfile(path)
    with _told(path):
        system, inside = _system(path)
        return bool(system.isfile(inside))


def state(path: str) -> Any:
    """What changes with a file; JSON-able. Raises UserError, or OSError on this machine."""
    if not is_remote(path):
        status = os.stat(path)
        return status.st_mtime_ns, status.st_size
    with _told(path):
        system, inside = _system(path)
        return str(system.ukey(inside))


@contextlib.contextmanager
def whole_copy(path: str) -> Iterator[str]:
    """A path on this machine to write to, whole, that becomes ``path`` when the block ends. Raises UserError."""
    if not is_remote(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="twocet-") as scratch:
        here = os.path.join(scratch, posixpath.basename(path))
        yield here
        with _told(path):
            _put(here, path)


def _put(here: str, path: str) -> None:
    system, inside = _system(path)
    if path.partition(":")[0] in _ATOMIC:
        system.put_file(here, inside)
        return
    folder, _, name = inside.rpartition("/")
    partial = f"{folder}/.twocet-{secrets.token_hex(8)}-{name}"
    system.makedirs(folder, exist_ok=True)
    try:
        system.put_file(here, partial)
        system.mv(partial, inside)
    finally:
        if system.exists(partial):
            system.rm(partial)


class Fetched:
    """Copies on this machine of files from elsewhere, the last few, until the process ends."""

    def __init__(self) -> None:
        self._folder: str | None = None
        self._copies: OrderedDict[str, str] = OrderedDict()

    def get(self, path: str) -> str:
        """``path`` itself, or a copy under the same file name. Raises UserError."""
        if not is_remote(path):
            return path
        if path not in self._copies:
            if self._folder is None:
                self._folder = tempfile.mkdtemp(prefix="twocet-")
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            here = os.path.join(tempfile.mkdtemp(dir=self._folder), posixpath.basename(path))
            with _told(path):
                system, inside = _system(path)
                system.get_file(inside, here)
            self._copies[path] = here
            if len(self._copies) > _KEPT:
                os.unlink(self._copies.popitem(last=False)[1])
        self._copies.move_to_end(path)
        return self._copies[path]

    def named(self, text: str) -> str:
        """``text`` with the files' own names in place of those of their copies."""
        for path, here in self._copies.items():
            text = text.replace(here, path)
        return text


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All of a file. Raises UserError for a URL, OSError on this machine."""
    if not is_remote(path):
        return Path(path).read_bytes()
    with _told(os.fspath(path)):
        system, inside = _system(os.fspath(path))
        return bytes(system.cat_file(inside))


def _system(path: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    system, inside = url_to_fs(path)
    return system, str(inside)


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """What goes wrong with a URL, as one line."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (ImportError, ValueError) as error:
        raise UserError(f"{path} cannot be used: {str(error)[:200]}") from None
    except Exception as error:
        # Every store raises errors of its own library.
        raise UserError(f"{path} cannot be reached ({type(error).__name__}: {str(error)[:160]})") from None
