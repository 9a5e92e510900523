"""How our pages are served (extra ``web``): who may ask, what an answer carries, how much a visitor may send and how
slowly, and the server itself."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twocet.errors import UserError
from twocet.runtime.connections import MOST, Patient

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::", "")
_PATIENCE, _SLOWEST = 20.0, 50_000
"""Seconds that a body may take in any case, and bytes a second from then on."""
_LET_PASS = 4
"""Times the most bytes of a body: what is read of one that is too large, and dropped."""
_MOST_SENDING = 400_000_000
"""Bytes of all bodies that are under way."""


class RefusedError(Exception):
    """A request that is answered with a status and one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Hosts:
    """The names that a page may be reached under.

    Without them a page elsewhere could point its own name at this computer and read what visitors send here. An
    address is no such name: nobody else's page has it.
    """

    def __init__(self, host: str, further: Collection[str] = ()) -> None:
        """``host``: the address that is listened on; ``further``: names that the user allows."""
        self._everywhere = host in _EVERYWHERE
        own = {host, *_LOOPBACK} if host in _LOOPBACK or self._everywhere else {host}
        if self._everywhere:
            name = socket.gethostname()
            own |= {name, f"{name}.local", socket.getfqdn()}
        self._names = {name.lower().strip(".") for name in (*own, *further) if name}

    def know(self, given: str | None) -> bool:
        """Whether a request's ``Host`` is one of them."""
        name = host_of(given)
        return name is not None and (name in self._names or (self._everywhere and _is_address(name)))


def host_of(netloc: str | None) -> str | None:
    """The name or address in ``Host`` or in an origin's place, in small letters; None for what is none."""
    if not netloc:
        return None
    try:
        parts = urlsplit(f"//{netloc}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    plain = name is not None and parts.netloc == netloc and "@" not in netloc and not (parts.path or parts.query)
    return name.rstrip(".").lower() if plain and name else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches what listens on ``host``."""
    return host in _LOOPBACK


class Guard:
    """Refuses other names and what other websites make a visitor's browser send; every answer carries our headers."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], hosts: Hosts) -> None:
        self._app, self._hosts = app, hosts
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                added = (header for header in self._headers if header[0] not in present)
                message["headers"] = [*message["headers"], *added]
            await send(message)

        refusal = self._refusal(Request(scope))
        answer: ASGIApp = refused(*refusal) if refusal else self._app
        with contextlib.suppress(ClientDisconnect):
            return await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        host, origin = request.headers.getlist("Host"), request.headers.get("Origin")
        if len(host) != 1 or not self._hosts.know(host[0]):
            shown = (host_of(host[0]) if host else None) or "this name"
            return 400, f"This page is not reached under {shown[:100]}: start it with --allow-host NAME."
        if origin is not None and not _is_same(origin, host[0]):
            return 403, "Other websites may not use this one."
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in scope_path(request)):
            return 404, "There is nothing of this name."
        return None


def scope_path(request: Request) -> str:
    """The path, decoded."""
    return str(request.scope.get("path", ""))


def _is_same(origin: str, host: str) -> bool:
    """Whether a page of this origin comes from the host itself."""
    scheme, _, place = origin.partition("://")
    usual = {"http": ":80", "https": ":443"}.get(scheme.lower())
    if usual is None or host_of(place) is None:
        return False
    return place.lower().removesuffix(usual) == host.lower().removesuffix(usual)


def refused(status: int, message: str) -> Response:
    """A refusal as our pages read it."""
    headers = {"Retry-After": "10"} if status in (408, 429, 503) else None
    return JSONResponse({"error": message}, status_code=status, headers=headers)


class Bodies:
    """Reads requests' bodies, each of a size and in a time, all together of a size."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._held = clock, 0

    async def read(self, request: Request, most: int) -> bytes:
        """The body. Raises RefusedError for more than ``most`` bytes, for what comes too slowly or beside too much."""
        content, seen, began, chunks = bytearray(), 0, self._clock(), request.stream()
        try:
            while True:
                left = _PATIENCE + seen / _SLOWEST - (self._clock() - began)
                try:
                    chunk = await asyncio.wait_for(anext(chunks), max(left, 0.01))
                except StopAsyncIteration:
                    break
                except (TimeoutError, asyncio.TimeoutError):
                    raise RefusedError(408, "The file comes too slowly: try again.") from None
                seen += len(chunk)
                if seen > most:
                    # A browser reads the refusal when it has sent all: what is a little too large is let pass by.
                    if seen > _LET_PASS * most:
                        break
                    continue
                self._held += len(chunk)
                content += chunk
                if self._held > _MOST_SENDING:
                    raise RefusedError(503, "Too many files are on their way: try again in a few seconds.")
        finally:
            self._held -= len(content)
        if seen > most:
            raise _too_large(most)
        return bytes(content)


def _too_large(most: int) -> RefusedError:
    size = f"{most // 1_000_000} MB" if most >= 1_000_000 else f"{most // 1000} kB"
    return RefusedError(413, f"The file has more than {size}: choose a smaller version.")


def serve(
    make_app: Callable[[Hosts], ASGIApp], name: str, host: str, port: int, allow_hosts: Collection[str] = ()
) -> None:
    """Serve an application until it is interrupted; prints the address first. Raises UserError.

    Args:
        make_app: Makes it, given the names it may be reached under.
        name: What the printed line calls it.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        allow_hosts: Further names it may be reached under.
    """
    if wrong := [allowed for allowed in allow_hosts if host_of(allowed) is None or ":" in allowed]:
        raise UserError(f"{wrong[0]!r} is not a computer's name: use one such as faces.example.org.")
    listener = _listen(host, port)
    config = uvicorn.Config(
        make_app(Hosts(host, allow_hosts)),
        http=Patient,
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    print(f"{name} is at http://{host}:{listener.getsockname()[1]}/ (Ctrl-C ends it)", flush=True)
    if not is_loopback(host):
        print("Everybody who can reach this computer over the network can use it, without encryption.", flush=True)
    # Uvicorn passes Ctrl-C on when it has closed everything; it is the ordinary way to end.
    with listener, contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=MOST)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"The address {host}:{port} cannot be used ({error}): choose another --port or --host."
        ) from None
