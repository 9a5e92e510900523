"""Memory during training."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Numbers of mallopt(3)."""


def keep_freed() -> None:
    """Let the C library keep what is freed for the next allocation; on systems without glibc nothing happens.

    By default it returns large blocks to the system at once. Every round of training allocates the same activations
    again, and the system clears each of their pages anew: 60 MB a round with the recipe ``fast``.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
