"""Mini-batches prepared ahead in a thread, in an order that depends on (seed, number) alone.

For a card they are changed on it, in a stream of the thread's own, beside the training.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import torch
from torch import Generator, Tensor

from twocet.runtime import devices
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


def make_batch(
    sampler: Batches[B],
    augment: Augment[B],
    seed: int,
    number: int,
    share: Share = WHOLE,
    device: torch.device = devices.CPU,
) -> B:
    """Mini-batch ``number`` of a run, or a share of its rows, augmented on ``device``."""
    # Samplers choose rows on the processor.
    batch = sampler.batch(number, share)
    with devices.on(device):
        return augment(type(batch)(*map(devices.sent, batch)), generator_at(seed, number, "augmentation", share))


class Loader(Generic[B]):
    """Calls itself a ``draw``: every call gives the next mini-batch, on ``device``.

    Use it in a ``with`` statement.
    """

    def __init__(
        self,
        sampler: Batches[B],
        augment: Augment[B],
        seed: int,
        first: int,
        share: Share = WHOLE,
        device: torch.device = devices.CPU,
    ) -> None:
        self._make: Callable[[int], B] = lambda number: make_batch(sampler, augment, seed, number, share, device)
        self._lane = devices.Lane(device)
        self._ready: queue.Queue[B | Exception] = queue.Queue(maxsize=AHEAD)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(first,), name="loader", daemon=True)

    def _work(self, number: int) -> None:
        while not self._closing.is_set():
            try:
                with self._lane:
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
        self._lane.hand_over(item)
        return item

    def __enter__(self) -> Loader[B]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()
