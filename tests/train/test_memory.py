"""Freed memory stays with the process."""

from __future__ import annotations

import mmap
import platform
import subprocess
import sys

import pytest

from twocet.runtime.memory import keep_freed

BLOCK = 64 << 20
FAULTS = f"""
import resource
from twocet.runtime.memory import keep_freed
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray({BLOCK})
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults(), faults())
keep_freed()
print(faults(), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_a_second_allocation_costs_no_pages() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    first, again, kept_first, kept_again = (int(count) * mmap.PAGESIZE for count in done.stdout.split())
    assert min(first, again, kept_first) > BLOCK / 2
    assert kept_again < BLOCK / 100


def test_nothing_happens_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", None)
    keep_freed()
