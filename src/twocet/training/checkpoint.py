"""Checkpoints: everything needed to go on exactly, in one file that is either whole or absent."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch

from twocet.errors import UserError, check
from twocet.runtime.files import make_folder, remove_partials, whole_file

_SEAL = b"\ntwocet-sha256:"
"""Stands at the end of a checkpoint, before the hash; torch reads no further than its own data."""
_HASH_DIGITS = 64
_PIECE = 1 << 22
_DAMAGED = ".damaged"


class Progress(NamedTuple):
    """Where a run stands."""

    step: int = 0
    """Rounds done."""
    steps: int | None = None
    """Rounds in all, once that is decided."""
    seconds: float = 0.0
    """Time spent in rounds."""
    best: float | None = None
    """The best value on the validation split so far."""


class Checkpoints:
    """The folder ``checkpoints`` of a run: the newest few and the best."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep
        make_folder(folder)
        remove_partials(folder)

    def newest(self) -> Path | None:
        """The checkpoint of the highest step."""
        found = self._all()
        return found[-1] if found else None

    def latest(self) -> dict[str, Any] | None:
        """The contents of the newest checkpoint that is whole; None if there are no checkpoints at all.

        Damaged ones after it are set aside, under another suffix, and it is said. Raises UserError if all are damaged.
        """
        found = self._all()
        damaged: list[tuple[Path, UserError]] = []
        for path in reversed(found):
            try:
                contents = read(path)
            except UserError as error:
                damaged.append((path, error))
                continue
            for aside, reason in damaged:
                aside.replace(aside.with_suffix(_DAMAGED))
                print(f"note: {reason}; going on from {path.name}", file=sys.stderr)
            return contents
        if damaged:
            raise UserError(f"{damaged[0][1]}, and so is every other one: start anew in another folder")
        return None

    @property
    def best(self) -> Path:
        """Where the best checkpoint is, once there is one."""
        return self.folder / "best.pt"

    def read_best(self) -> dict[str, Any] | None:
        """The contents of the best checkpoint; None if there is none, or if it is damaged, which is said."""
        if not self.best.is_file():
            return None
        try:
            return read(self.best)
        except UserError as error:
            print(f"note: {error}; the last round is taken instead", file=sys.stderr)
            return None

    def save(self, contents: dict[str, Any], step: int, *, best: bool = False) -> Path:
        """Write a checkpoint, the ``best`` one as best.pt too, and remove those older than the newest ``keep``.

        The best one comes first: a run killed in between goes on from before this step, and finds it once more.
        """
        path = self.folder / f"step-{step:09d}.pt"
        if best:
            write(self.best, contents)
        write(path, contents)
        for old in self._all()[: -self.keep]:
            old.unlink()
        return path

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))


class _Hashed:
    """A file to write to that knows the hash of what it was given."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


def write(path: Path, contents: dict[str, Any]) -> None:
    """Save ``contents`` so that after a crash at any moment ``path`` is the old file or the new one, whole.

    The file ends with the hash of everything before it. Raises UserError when it cannot be written.
    """
    with whole_file(path) as partial, partial.open("wb") as file:
        hashed = _Hashed(file)
        try:
            torch.save(contents, hashed)  # type: ignore[arg-type]
        except RuntimeError as error:
            # After the disk has refused, torch says that its archive is not complete.
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None
        file.write(_SEAL + hashed.sha256.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> dict[str, Any]:
    """Load a checkpoint without running any code from it. Raises UserError if it is damaged."""
    try:
        check(_is_as_written(path), f"{path} is damaged (its contents do not fit their hash)")
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except UserError:
        raise
    except Exception as error:
        # What torch's unpickler raises for damaged data is of a dozen unrelated types.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path} is damaged ({reason})") from None


def _is_as_written(path: Path) -> bool:
    """Whether the file fits the hash at its end; earlier versions wrote none."""
    size = path.stat().st_size - len(_SEAL) - _HASH_DIGITS
    if size < 0:
        return True
    with path.open("rb") as file:
        file.seek(size)
        seal = file.read()
        if not seal.startswith(_SEAL):
            return True
        file.seek(0)
        found = hashlib.sha256()
        while size > 0 and (piece := file.read(min(_PIECE, size))):
            found.update(piece)
            size -= len(piece)
    return seal == _SEAL + found.hexdigest().encode()
