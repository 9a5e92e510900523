"""How long work is asked to stop: by Ctrl-C, or by whoever watches it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType

Watch = Callable[[int, int | None], bool]
"""Told after every round how many are done, and of how many if that is known. True asks to stop."""


class Interrupt:
    """Inside the block the first Ctrl-C (or SIGTERM) only sets ``requested``; a second Ctrl-C stops at once.

    It is a :data:`Watch` that asks to stop once that is requested.
    """

    def __enter__(self) -> Interrupt:
        self.requested = False
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __call__(self, step: int, steps: int | None) -> bool:
        return self.requested

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
