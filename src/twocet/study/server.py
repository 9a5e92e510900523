"""Collecting answers over HTTP (Starlette): the raters' page, and two addresses that it speaks to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from twocet.runtime import http
from twocet.runtime.files import only_process
from twocet.runtime.records import parse_json
from twocet.study.folder import PAGE, read_design, read_key
from twocet.study.log import LOG, Form, FormError, Log

_MOST_BYTES = 200_000
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_app(page: Path, log: Log, *, hosts: http.Hosts) -> Starlette:
    """The application. ``hosts``: the names it may be reached under."""
    turn, bodies = asyncio.Lock(), http.Bodies()

    async def enter(_: Request) -> Response:
        return JSONResponse({"list": log.offer()})

    async def take(request: Request) -> Response:
        content = await bodies.read(request, _MOST_BYTES)
        try:
            records = parse_json(content, "the request", "reload the page")["records"]
            async with turn:
                await asyncio.to_thread(log.add, list(records))
        except (FormError, ValueError, KeyError, TypeError) as error:
            return http.refused(400, str(error))
        except OSError as error:
            return http.refused(503, f"The answers cannot be kept ({error.strerror}): the page sends them again.")
        return JSONResponse({"kept": len(records)})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        async with turn:
            log.close()

    middleware = [Middleware(http.Guard, headers=_HEADERS, hosts=hosts)]
    handlers: Any = {http.RefusedError: lambda _, error: http.refused(error.status, str(error))}
    routes = [
        Route("/api/enter", enter, methods=["POST"]),
        Route("/api/records", take, methods=["POST"]),
        Mount("/", StaticFiles(directory=page, html=True)),
    ]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers, lifespan=lifespan)


def serve(folder: Path, host: str, port: int, allow_hosts: Collection[str] = ()) -> None:
    """Collect answers into ``responses.jsonl`` until interrupted; prints the address first. Raises UserError."""
    design = read_design(folder)
    with only_process(folder, "study serve"):
        log = Log(folder / LOG, Form(design, {row["item_id"] for row in read_key(folder)}), design["lists"])
        http.serve(lambda hosts: make_app(folder / PAGE, log, hosts=hosts), "The study", host, port, allow_hosts)
    print(_report(log.counts, folder / LOG))


def _report(counts: dict[str, Any], path: Path) -> str:
    return f"{counts['begin']} raters began, {counts['end']} finished, {counts['withdraw']} withdrew: {path}"
