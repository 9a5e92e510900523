"""Random numbers as a function of (seed, step, purpose): nothing to save, nothing to restore."""

from __future__ import annotations

import zlib

import numpy as np
from torch import Generator


def generator_at(seed: int, step: int, purpose: str) -> Generator:
    """A CPU generator that depends on its three arguments alone; different purposes are independent streams."""
    words = np.random.SeedSequence([seed, step, zlib.crc32(purpose.encode())]).generate_state(2, np.uint32)
    return Generator().manual_seed(int(words[0]) << 32 | int(words[1]))
