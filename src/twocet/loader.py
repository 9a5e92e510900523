"""Mini-batches prepared ahead in a thread, in an order that depends on (seed, number) alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType

from torch import Generator

from twocet.data import Batch, Sampler
from twocet.devices import here
from twocet.randomness import WHOLE, Share, generator_at

AHEAD = 3
"""Mini-batches that wait, at most."""

Augment = Callable[[Batch, Generator], Batch]


def make_batch(sampler: Sampler, augment: Augment, seed: int, number: int, share: Share = WHOLE) -> Batch:
    """Mini-batch ``number`` of a run, or a share of its rows, augmented."""
    return augment(sampler.batch(number, share), generator_at(seed, number, "augmentation", share))


class Loader:
    """Calls itself a ``draw``: every call gives the next mini-batch, on the device of ``devices.on``.

    Use it in a ``with`` statement.
    """

    def __init__(self, sampler: Sampler, augment: Augment, seed: int, first: int, share: Share = WHOLE) -> None:
        self._make: Callable[[int], Batch] = lambda number: make_batch(sampler, augment, seed, number, share)
        self._ready: queue.Queue[Batch | Exception] = queue.Queue(maxsize=AHEAD)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(first,), name="loader", daemon=True)

    def _work(self, number: int) -> None:
        while not self._closing.is_set():
            try:
                item: Batch | Exception = self._make(number)
            except Exception as error:
                item = error
            self._put(item)
            number += 1

    def _put(self, item: Batch | Exception) -> None:
        while not self._closing.is_set():
            try:
                return self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    def __call__(self) -> Batch:
        item = self._ready.get()
        if isinstance(item, Exception):
            raise item
        return Batch(*(images.to(here()) for images in item))

    def __enter__(self) -> Loader:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()
