"""How our pages are served (extra ``web``): what they ask of visitors' browsers, and the server itself."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twocet.errors import UserError

_LOOPBACK = ("127.0.0.1", "localhost")
_CONNECTIONS = 256


class Guard:
    """Refuses what other websites make a visitor's browser send, and adds the headers that every answer carries."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
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

        request = Request(scope)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
            return await PlainTextResponse("Other websites may not use this one.", 403)(scope, receive, send)
        return await self._app(scope, receive, send_with_headers)


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach an address."""
    return host in _LOOPBACK


def serve(make_app: Callable[[list[str] | None], ASGIApp], name: str, host: str, port: int) -> None:
    """Serve an application until it is interrupted; prints the address first. Raises UserError.

    Args:
        make_app: Makes it, given the names it may be reached under (None: any).
        name: What the printed line calls it.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """
    listener = _listen(host, port)
    allowed = [*_LOOPBACK] if host in _LOOPBACK else None
    config = uvicorn.Config(
        make_app(allowed),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    print(f"{name} is at http://{host}:{listener.getsockname()[1]}/ (Ctrl-C ends it)", flush=True)
    if allowed is None:
        print("Everybody who can reach this computer over the network can use it, without encryption.", flush=True)
    # Uvicorn passes Ctrl-C on when it has closed everything; it is the ordinary way to end.
    with listener, contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=_CONNECTIONS)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"The address {host}:{port} cannot be used ({error}): choose another --port or --host."
        ) from None
