"""Connections that cost something: how long one may wait, and who goes when there are too many."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 256
"""Open connections. One more closes the one that has waited longest without a whole request."""
HEAD_SECONDS = 10.0
"""For the first line and the headers of a request."""
REQUEST_SECONDS = 600.0
"""From a request's headers to the last byte of its answer, on the slowest way."""
_LOOK_SECONDS = 1.0


class Patient(H11Protocol):
    """One connection. It is closed when its request does not come, or when it takes for ever."""

    def connection_made(self, transport: Any) -> None:
        """Make room first: those who only hold a connection open go before anybody who asks for something."""
        waiting = [other for other in self.connections if isinstance(other, Patient) and not other.is_busy]
        if len(self.connections) >= MOST and waiting:
            min(waiting, key=lambda other: other.changed).transport.abort()
        super().connection_made(transport)
        self.was_busy, self.changed = False, self.loop.time()
        self._look_again = self.loop.call_later(_LOOK_SECONDS, self._look)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _look(self) -> None:
        now = self.loop.time()
        if self.is_busy != self.was_busy:
            self.was_busy, self.changed = self.is_busy, now
        if now - self.changed > (REQUEST_SECONDS if self.was_busy else HEAD_SECONDS):
            self.transport.abort()
        else:
            self._look_again = self.loop.call_later(_LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody looks at it any more."""
        self._look_again.cancel()
        super().connection_lost(exc)
