"""Processes that share much work and end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Generic, TypeVar

_Job = TypeVar("_Job")
_T = TypeVar("_T")


class PerProcess(Generic[_T]):
    """What a forked child must make anew: threads, and what waits for them, do not survive a fork.

    The parent's is kept in the child, untouched: whoever took it apart would wait for its threads.
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        """``make`` is called here, once, and in every child that asks."""
        self._make = make
        self._made = {os.getpid(): make()}

    def get(self) -> _T:
        """This process's own."""
        own = os.getpid()
        if own not in self._made:
            self._made.setdefault(own, self._make())
        return self._made[own]


def num_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def for_each(function: Callable[[_Job], None], jobs: Sequence[_Job], workers: int) -> Iterator[None]:
    """Call ``function`` (a function of a module, or a partial of one) for every job; yields once for each one done.

    In ``workers`` processes, in any order; in this process if one worker is enough. An exception ends the work.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            function(job)
            yield
        return
    # Forking is not safe once torch has threads, and the command line may have imported it: start fresh processes.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), context, _begin) as pool:
        futures = [pool.submit(function, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                yield
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """What a worker does first, before it imports torch: one worker keeps one core busy."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    die_with_parent()


def die_with_parent() -> None:
    """A worker of a killed parent would wait for ever: end it when the parent goes."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
