"""A running web page for the benchmarks beside this file, and what is measured of it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def server(model: str) -> Iterator[tuple[str, int]]:
    """The address and the process of a running server."""
    command = [sys.executable, "-m", "twocet", "serve", "--port", "0", "--model", model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        found = re.search(r"http://\S+/", process.stdout.readline() if process.stdout else "")
        if found is None:
            raise SystemExit("twocet serve did not start: see the message above")
        try:
            yield found.group(), process.pid
        finally:
            process.send_signal(signal.SIGINT)


def jain(counts: np.ndarray) -> float:
    """Jain's index of fairness: 1 when all got the same, 1 / n when one got all; 0 if nobody got anything."""
    return float(counts.sum() ** 2 / (len(counts) * np.square(counts).sum())) if counts.any() else 0.0


@contextmanager
def highest(measure: Callable[[], float], seconds: float = 1.0) -> Iterator[list[float]]:
    """A list whose one number is the highest that was measured, every so many ``seconds`` and at both ends."""
    found, over = [measure()], threading.Event()

    def watch() -> None:
        while not over.wait(seconds):
            found[0] = max(found[0], measure())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
        found[0] = max(found[0], measure())
