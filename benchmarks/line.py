"""What the benchmarks beside this file share: one line of JSON, and the memory of a process and its children."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twocet.runtime.commit import commit


def print_line(values: dict[str, Any]) -> None:
    """Prints the figures with the command, the commit and the machine, as one line of JSON."""
    print(json.dumps({**values, "command": shlex.join(["python", *sys.argv]), "commit": commit(), **machine()}))


def machine() -> dict[str, Any]:
    """The processor, the cores that may be used and how busy they were in the last minute."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def _processor() -> str:
    for text in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if text.startswith("model name"):
            return text.partition(":")[2].strip()
    return platform.machine()


def memory_mb(process: int) -> float:
    """Memory of a process and all its children now, shared pages counted once, in 10^6 bytes. Linux."""
    return held_mb([process, *descendants(process)])


def held_mb(processes: Iterable[int]) -> float:
    """Memory of these processes now, in 10^6 bytes; a page that several share counts in equal parts. Linux."""
    return sum(map(_proportional, processes))


def descendants(process: int) -> list[int]:
    """The children of a process, their children, and so on. Linux."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        found = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:  # It ended meanwhile.
        return []
    return [*found, *(grandchild for child in found for grandchild in descendants(child))]


def _proportional(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0.0)


def peak_memory_mb() -> float:
    """The most memory this process has had, shared pages included, in 10^6 bytes. Linux.

    Not ``ru_maxrss``, which a process inherits from the one that started it.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))
