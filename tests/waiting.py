"""How long tests wait for other processes: until they come, or so long that something must be wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 300.0
"""Seconds. Cores may be shared with much else."""


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when ``condition()`` is true; an error if it never is."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
