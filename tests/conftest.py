"""What tests of several folders need, and how they share the machine."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from twocet.runtime.processes import num_cores

# Before torch is loaded, and for the processes that tests start: on tiny tensors more threads only wait for each other,
# and with pytest -n every core has a process.
os.environ["OMP_NUM_THREADS"] = "1"
# No test reads or writes presets or certificates of the person who runs it.
os.environ["XDG_CONFIG_HOME"] = str(Path(__file__).parent / "no-configuration")

MOST_PROCESSES = 8
"""Each takes up to a gigabyte."""
_BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes ``pytest -n auto`` means: one for each core that may be used."""
    return min(num_cores(), MOST_PROCESSES)


@pytest.fixture(scope="session")
def load_benchmark() -> Callable[[str], ModuleType]:
    """A program of ``benchmarks`` as a module, by name; it finds its neighbours beside it."""

    def load(name: str) -> ModuleType:
        sys.path.insert(0, str(_BENCHMARKS))
        try:
            spec = importlib.util.spec_from_file_location(f"{name}_benchmark", _BENCHMARKS / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(_BENCHMARKS))
        return module

    return load
