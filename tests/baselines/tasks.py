"""Tasks for processes of their own; nothing here imports torch, so that they begin quickly."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from waiting import PATIENCE

from twocet.errors import UserError


def count(folder: Path, name: str, rounds: int, watch) -> bool:
    """Leaves the number of its process in a file, then counts."""
    (folder / name).write_text(str(os.getpid()))
    print(f"{name} speaks", file=sys.stderr)
    return not any(watch(step + 1, rounds) for step in range(rounds))


def meet(folder: Path, name: str, others: int, watch) -> bool:
    """Complete once ``others`` more tasks are under way at the same time."""
    (folder / name).touch()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if len(list(folder.iterdir())) > others:
            return True
        time.sleep(0.01)
    raise UserError("the others never came")


def go_on(folder: Path, name: str, watch) -> bool:
    """Never complete; keeps what it has done when it is stopped."""
    (folder / name).write_text(str(os.getpid()))
    end = time.monotonic() + PATIENCE
    step = 0
    while time.monotonic() < end:
        step += 1
        if watch(step, None):
            (folder / f"{name}-kept").touch()
            return False
        time.sleep(0.01)
    raise UserError("nobody stopped this")


def refuse(watch) -> bool:
    raise UserError("no such photo")


def break_down(watch) -> bool:
    raise ZeroDivisionError("by nothing")


def vanish(watch) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return True
