"""What every page of ours asks of its visitors' browsers, and the socket it listens on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twocet.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost")


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


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises UserError."""
    try:
        return socket.create_server((host, port), backlog=backlog)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"The address {host}:{port} cannot be used ({error}): choose another --port or --host."
        ) from None
