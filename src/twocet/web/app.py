"""The page over HTTP (Starlette): routes, limits, headers. All state is in ``visitors``; no cookies, no files kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import cast
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from twocet import __version__
from twocet.edit.examples import example_photos
from twocet.errors import UserError
from twocet.photo.images import Photo, read_pixels
from twocet.runtime import http
from twocet.runtime.http import RefusedError
from twocet.runtime.records import parse_json
from twocet.web.pad import Pad
from twocet.web.pictures import MAX_BYTES, preview, to_jpeg
from twocet.web.session import ROLES, STRIP, Picture, Role, Session, Studio
from twocet.web.visitors import IDLE_SECONDS, Busy, Turns, Visitor, Visitors
from twocet.web.wishes import STRENGTHS, Wish

_STATIC = Path(__file__).parent / "static"
_THUMBNAIL_SIDE = 192
_MAX_WISH_BYTES = 10_000
_SWEEP_SECONDS = 30.0
_SESSION_HEADER = "X-Session"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """The routes of one running server."""

    def __init__(self, studio: Studio, workers: int) -> None:
        self._studio = studio
        self._examples = example_photos()
        self._visitors = Visitors(lambda: Session(studio))
        self._turns = Turns(workers)
        self._bodies = http.Bodies()

    def routes(self) -> list[Route | Mount]:
        """What the page answers to."""
        return [
            Route("/", self.index),
            Route("/api/about", self.about),
            Route("/api/sessions", self.enter, methods=["POST"]),
            Route("/api/sessions/leave", self.leave, methods=["POST"]),
            Route("/api/photos/{role}", self.show, methods=["GET"]),
            Route("/api/photos/{role}", self.give, methods=["PUT"]),
            Route("/api/photos/{role}/example/{name}", self.give_example, methods=["PUT"]),
            Route("/api/render", self.render, methods=["POST"]),
            Route("/api/strip", self.strip, methods=["POST"]),
            Route("/api/presets", self.presets, methods=["POST"]),
            Route("/api/presets/{name}", self.save_preset, methods=["PUT"]),
            Route("/api/download", self.download, methods=["POST"]),
            Route("/api/continuum", self.continuum, methods=["POST"]),
            Route("/api/batch", self.finish, methods=["PUT"]),
            Route("/api/batch", self.fetch, methods=["POST"]),
            Route("/examples/{name}.jpg", self.example),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Forgets idle sessions while the server runs."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await sweeper
            self._turns.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._visitors.forget_idle()

    async def index(self, _: Request) -> Response:
        return FileResponse(_STATIC / "index.html")

    async def about(self, _: Request) -> Response:
        return JSONResponse(
            {
                "version": __version__,
                "model": self._studio.model_name,
                "strengths": STRENGTHS,
                "strip": STRIP,
                "presets": list(self._studio.presets),
                "pad": Pad(self._studio.editor(), self._studio.presets).places,
                "may_save": self._studio.may_save,
                "examples": list(self._examples),
                "max_bytes": MAX_BYTES,
                "idle_minutes": round(IDLE_SECONDS / 60),
            }
        )

    async def enter(self, _: Request) -> Response:
        name = self._visitors.enter()
        if name is None:
            raise RefusedError(503, "All places are taken: come again in some minutes.")
        return JSONResponse({"session": name})

    async def leave(self, request: Request) -> Response:
        # The browser's last word (sendBeacon) cannot carry a header.
        self._visitors.leave((await self._bodies.read(request, _MAX_WISH_BYTES)).decode("ascii", "replace"))
        return Response(status_code=204)

    async def give(self, request: Request) -> Response:
        visitor, role = self._visitor(request), _role(request)
        content = await self._photo(request, visitor)
        name = _name(request) or f"the {role}"
        return _described(await self._turns.run(visitor, visitor.session.give, role, content, name))

    async def give_example(self, request: Request) -> Response:
        visitor, role = self._visitor(request), _role(request)
        path = self._example(request)
        return _described(await self._turns.run(visitor, visitor.session.give, role, path.read_bytes(), path.name))

    async def show(self, request: Request) -> Response:
        visitor = self._visitor(request)
        photo = visitor.session.picture(_role(request)).preview
        return _jpeg(await self._turns.run(visitor, to_jpeg, photo.pixels, photo.icc))

    async def render(self, request: Request) -> Response:
        visitor, wish = self._visitor(request), await self._wish(request)
        asked = time.perf_counter()

        def work() -> Response:
            begun, processor = time.perf_counter(), time.thread_time()
            result = visitor.session.render(wish)
            edited = time.perf_counter()
            response = _jpeg(to_jpeg(result.marked()))
            times = {
                "wait": begun - asked,
                "edit": edited - begun,
                "jpeg": time.perf_counter() - edited,
                "processor": time.thread_time() - processor,
            }
            response.headers["Server-Timing"] = ", ".join(f"{k};dur={1000 * v:.1f}" for k, v in times.items())
            response.headers["X-Notes"] = quote(json.dumps(result.notes))
            return response

        return await self._turns.run(visitor, work)

    async def strip(self, request: Request) -> Response:
        visitor, wish = self._visitor(request), await self._wish(request)
        return JSONResponse({"pictures": await self._turns.run(visitor, visitor.session.strip, wish)})

    async def presets(self, request: Request) -> Response:
        visitor, wish = self._visitor(request), await self._wish(request)
        pictures = await self._turns.run(visitor, visitor.session.preset_pictures, wish.face)
        return JSONResponse({"pictures": pictures})

    async def download(self, request: Request) -> Response:
        visitor, wish = self._visitor(request), await self._wish(request)
        return _file(*await self._turns.run(visitor, visitor.session.download, wish))

    async def continuum(self, request: Request) -> Response:
        visitor, wish = self._visitor(request), await self._wish(request)
        return _file(*await self._turns.run(visitor, visitor.session.continuum, wish))

    async def finish(self, request: Request) -> Response:
        """Another photo, its name and the wish in headers, for the zip file."""
        visitor, wish = self._visitor(request), _parsed(unquote(request.headers.get("X-Wish", "")))
        content, name = await self._photo(request, visitor), _name(request) or "photo"
        return JSONResponse({"name": await self._turns.run(visitor, visitor.session.finish, content, name, wish)})

    async def fetch(self, request: Request) -> Response:
        visitor = self._visitor(request)
        return _file(*await self._turns.run(visitor, visitor.session.fetch))

    async def save_preset(self, request: Request) -> Response:
        visitor, wish, name = self._visitor(request), await self._wish(request), request.path_params["name"]
        await self._turns.run(visitor, visitor.session.save_preset, name, wish)
        return await self.about(request)

    async def example(self, request: Request) -> Response:
        content = await asyncio.to_thread(thumbnail, self._example(request))
        return _jpeg(content, {"Cache-Control": "private, max-age=3600"})

    async def _photo(self, request: Request, visitor: Visitor) -> bytes:
        """An uploaded file; a visitor sends few at a time."""
        with visitor.sending():
            return await self._bodies.read(request, MAX_BYTES)

    async def _wish(self, request: Request) -> Wish:
        return _parsed(await self._bodies.read(request, _MAX_WISH_BYTES))

    def _visitor(self, request: Request) -> Visitor:
        visitor = self._visitors.find(request.headers.get(_SESSION_HEADER, ""))
        if visitor is None:
            raise RefusedError(410, "Your photos were forgotten after a time without use: choose them again.")
        return visitor

    def _example(self, request: Request) -> Path:
        path = self._examples.get(request.path_params["name"])
        if path is None:
            raise RefusedError(404, "There is no such example.")
        return path


def make_app(studio: Studio, *, workers: int, hosts: http.Hosts) -> Starlette:
    """The application. ``workers``: threads that edit; ``hosts``: the names it may be reached under."""
    page = Page(studio, workers)
    middleware = [Middleware(http.Guard, headers=_HEADERS, hosts=hosts)]
    handlers: Mapping[type[Exception], Callable[[Request, Exception], Response]] = {
        UserError: lambda _, error: http.refused(400, str(error)),
        RefusedError: lambda _, error: http.refused(cast("RefusedError", error).status, str(error)),
        Busy: lambda _, error: http.refused(503, "Too many people are waiting: try again in a few seconds."),
    }
    return Starlette(
        routes=page.routes(),
        middleware=middleware,
        exception_handlers=handlers,
        lifespan=page.lifespan,
    )


@cache
def thumbnail(path: Path) -> bytes:
    """A small JPEG of an example."""
    return to_jpeg(preview(Photo(pixels=read_pixels(path)), _THUMBNAIL_SIDE).pixels)


def _role(request: Request) -> Role:
    role = request.path_params["role"]
    if role not in ROLES:
        raise RefusedError(404, "A photo is a target or a reference.")
    return cast("Role", role)


def _name(request: Request) -> str:
    """The name of the file that is sent, without folders."""
    return Path(unquote(request.headers.get("X-Name", ""))).name[:100]


def _file(name: str, content: bytes) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}", "X-Name": quote(name)}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _parsed(text: str | bytes) -> Wish:
    values = parse_json(text, "What the page sent", "reload it.")
    return Wish.parse(values if isinstance(values, dict) else {})


def _described(picture: Picture) -> Response:
    width, height = picture.preview.size
    facts = {"name": picture.name, "width": width, "height": height, "faces": picture.boxes, "private": picture.private}
    return JSONResponse(facts)


def _jpeg(content: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content, media_type="image/jpeg", headers=headers)
