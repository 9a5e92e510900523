"""The command ``twocet`` on one core: the one that has this process's number among those of the machine.

For ``ranks.py``; by hand: ``torchrun --nproc-per-node 2 benchmarks/pinned.py train ...``.
"""

from __future__ import annotations

import os
import sys

from twocet.cli import main

if __name__ == "__main__":
    cores, number = sorted(os.sched_getaffinity(0)), int(os.environ.get("LOCAL_RANK", "0"))
    if number >= len(cores):
        sys.exit(f"process {number} has no core of its own: {len(cores)} may be used")
    # Before PyTorch starts its threads, which inherit it.
    os.sched_setaffinity(0, {cores[number]})
    sys.exit(main())
