"""Mini-batches prepared ahead in a thread, in an order that depends on (seed, number) alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from torch import Generator, Tensor

from twocet.runtime.devices import here
from twocet.runtime.randomness import WHOLE, Share, generator_at

AHEAD = 3
"""Mini-batches that wait, at most."""

B = TypeVar("B", bound=tuple[Tensor, ...])
B_co = TypeVar("B_co", covariant=True)

Augment = Callable[[B, Generator], B]


class Batches(Protocol[B_co]):
    """Where mini-batches come from, see ``sampler.Sampler``."""

    def batch(self, number: int, share: Share = WHOLE) -> B_co:
        """Mini-batch ``number`` >= 0, or a share of its rows; a function of the seed and the number."""
        ...


def make_batch(sampler: Batches[B], augment: Augment[B], seed: int, number: int, share: Share = WHOLE) -> B:
    """Mini-batch ``number`` of a run, or a share of its rows, augmented."""
    return augment(sampler.batch(number, share), generator_at(seed, number, "augmentation", share))


class Loader(Generic[B]):
    """Calls itself a ``draw``: every call gives the next mini-batch, on the device of ``devices.on``.

    Use it in a ``with`` statement.
    """

    def __init__(self, sampler: Batches[B], augment: Augment[B], seed: int, first: int, share: Share = WHOLE) -> None:
        self._make: Callable[[int], B] = lambda number: make_batch(sampler, augment, seed, number, share)
        self._ready: queue.Queue[B | Exception] = queue.Queue(maxsize=AHEAD)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(first,), name="loader", daemon=True)

    def _work(self, number: int) -> None:
        while not self._closing.is_set():
            try:
                item: B | Exception = self._make(number)
            except Exception as error:
                item = error
            self._put(item)
            number += 1

    def _put(self, item: B | Exception) -> None:
        while not self._closing.is_set():
            try:
                return self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    def __call__(self) -> B:
        item = self._ready.get()
        if isinstance(item, Exception):
            raise item
        return type(item)(*(rows.to(here()) for rows in item))

    def __enter__(self) -> Loader[B]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()
