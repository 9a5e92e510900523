"""Checkpoints: everything needed to go on exactly, in one file that is either whole or absent."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch

from twocet.errors import UserError
from twocet.runtime.files import remove_partials, whole_file


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
        folder.mkdir(parents=True, exist_ok=True)
        remove_partials(folder)

    def newest(self) -> Path | None:
        """The checkpoint of the highest step."""
        found = sorted(self.folder.glob("step-*.pt"))
        return found[-1] if found else None

    @property
    def best(self) -> Path:
        """Where the best checkpoint is, once there is one."""
        return self.folder / "best.pt"

    def save(self, contents: dict[str, Any], step: int, *, best: bool = False) -> Path:
        """Write a checkpoint, the ``best`` one as best.pt too, and remove those older than the newest ``keep``.

        The best one comes first: a run killed in between goes on from before this step, and finds it once more.
        """
        path = self.folder / f"step-{step:09d}.pt"
        if best:
            write(self.best, contents)
        write(path, contents)
        for old in sorted(self.folder.glob("step-*.pt"))[: -self.keep]:
            old.unlink()
        return path


def write(path: Path, contents: dict[str, Any]) -> None:
    """Save ``contents`` so that after a crash at any moment ``path`` is the old file or the new one, whole."""
    with whole_file(path) as partial, partial.open("wb") as file:
        torch.save(contents, file)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> dict[str, Any]:
    """Load a checkpoint without running any code from it. Raises UserError if it is damaged."""
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(f"{path} is damaged ({reason}): remove it, and --resume takes the one before") from None
    return dict(contents)
