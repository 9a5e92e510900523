"""Who is on the page, how long their photos are kept, and whose turn it is."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from twocet.web.session import Session

MAX_VISITORS = 32
IDLE_SECONDS = 20 * 60.0
EMPTY_SECONDS = 60.0
"""How long a visitor without a photo has a place before a newcomer may take it."""
MAX_WAITING = 64
MAX_WAITING_EACH = 4
MAX_SENDING_EACH = 4
"""Files of one visitor that are on their way."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Busy(Exception):  # noqa: N818
    """Too much work is waiting already."""


@dataclass
class Visitor:
    """A session and what is needed to treat it fairly."""

    session: Session
    seen: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    sends: int = 0

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Around an upload. Raises Busy if there are too many of this visitor's."""
        if self.sends >= MAX_SENDING_EACH:
            raise Busy
        self.sends += 1
        try:
            yield
        finally:
            self.sends -= 1

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost if it were forgotten."""
        return self.session.is_empty and not (self.waiting or self.sends)


class Visitors:
    """Sessions in memory under unguessable names, forgotten when idle.

    When there are many, newcomers take the place of those who gave no photo, or are refused: nobody loses a photo.
    """

    def __init__(self, make_session: Callable[[], Session], clock: Callable[[], float] = time.monotonic) -> None:
        self._make_session = make_session
        self._clock = clock
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visitors)

    def enter(self) -> str | None:
        """The name of a new session; None if all places are taken."""
        self.forget_idle()
        if len(self._visitors) >= MAX_VISITORS:
            long_ago = self._clock() - EMPTY_SECONDS
            empty = next((name for name, v in self._visitors.items() if v.is_empty and v.seen <= long_ago), None)
            if empty is None:
                return None
            del self._visitors[empty]
        name = secrets.token_urlsafe(24)
        self._visitors[name] = Visitor(self._make_session(), self._clock())
        return name

    def find(self, name: str) -> Visitor | None:
        """The session, which counts as seen now; None if there is none (any more)."""
        self.forget_idle()
        visitor = self._visitors.get(name)
        if visitor is not None:
            visitor.seen = self._clock()
            self._visitors.move_to_end(name)
        return visitor

    def leave(self, name: str) -> None:
        """Forgets the session and its photos."""
        self._visitors.pop(name, None)

    def forget_idle(self) -> None:
        """Forgets the sessions that were not seen for ``IDLE_SECONDS``."""
        oldest_allowed = self._clock() - IDLE_SECONDS
        for name in [name for name, visitor in self._visitors.items() if visitor.seen < oldest_allowed]:
            del self._visitors[name]


class Turns:
    """Runs work in threads: first come, first served, one piece per visitor at a time, no endless queue."""

    def __init__(self, workers: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="edit")
        self._waiting = 0

    async def run(self, visitor: Visitor, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of ``work``, once it is its turn. Raises Busy if too much is waiting."""
        if self._waiting >= MAX_WAITING or visitor.waiting >= MAX_WAITING_EACH:
            raise Busy
        self._waiting += 1
        visitor.waiting += 1
        try:
            async with visitor.turn:
                return await asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))
        finally:
            self._waiting -= 1
            visitor.waiting -= 1

    def close(self) -> None:
        """Lets running work end and drops what waits."""
        self._threads.shutdown(cancel_futures=True)
