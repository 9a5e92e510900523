"""How long work is asked to stop: by Ctrl-C, or by whoever watches it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

Watch = Callable[[int, int | None], bool]
"""Told after every round how many are done, and of how many if that is known. True asks to stop."""

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a process to stop."""


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside the block SIGTERM and a closed terminal end the work as an exception does: what is half written goes.

    Without that they end the process where it stands. Only the main thread hears signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    heard = [number for number in STOPS if signal.getsignal(number) == signal.SIG_DFL]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupt:
    """Inside the block the first Ctrl-C (SIGTERM, a closed terminal) only sets ``requested``; a second stops at once.

    It is a :data:`Watch` that asks to stop once that is requested. Only the main thread hears signals.
    """

    def __enter__(self) -> Interrupt:
        self.requested = False
        listens = threading.current_thread() is threading.main_thread()
        # Whoever started this with nohup wants it to go on when the terminal is closed.
        heard = [number for number in STOPS if signal.getsignal(number) != signal.SIG_IGN] if listens else []
        self._before = {number: signal.signal(number, self._note) for number in heard}
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
