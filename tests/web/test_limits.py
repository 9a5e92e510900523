"""What a visitor, another website or a slow connection can do to the page: nothing that others feel."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tempfile
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from web_client import TARGET, Client

from twocet.runtime import http
from twocet.runtime.http import Bodies, Hosts, RefusedError, host_of
from twocet.web import pictures
from twocet.web.visitors import MAX_SENDING_EACH, MAX_VISITORS, Busy, Visitors


@pytest.mark.parametrize(
    ("bound", "further", "host", "known"),
    [
        ("127.0.0.1", (), "127.0.0.1:8420", True), ("127.0.0.1", (), "LOCALHOST:8420", True),
        ("127.0.0.1", (), "localhost.", True), ("127.0.0.1", (), "[::1]:8420", True),
        ("127.0.0.1", (), "evil.example", False), ("127.0.0.1", (), "192.168.1.5", False),
        ("127.0.0.1", (), "localhost.evil.example", False), ("127.0.0.1", (), "evil.example@localhost", False),
        ("127.0.0.1", (), "localhost:x", False), ("127.0.0.1", (), "", False), ("127.0.0.1", (), None, False),
        ("0.0.0.0", (), "192.168.1.5:8420", True), ("0.0.0.0", (), "[fe80::1]:8420", True),
        ("0.0.0.0", (), "localhost", True), ("0.0.0.0", (), socket.gethostname().upper(), True),
        ("0.0.0.0", (), "evil.example", False), ("0.0.0.0", (), "192.168.1.5.evil.example", False),
        ("0.0.0.0", ("faces.example.org",), "Faces.Example.org:80", True), ("::", (), "10.0.0.1", True),
        ("192.168.1.5", (), "192.168.1.5:8420", True), ("192.168.1.5", (), "localhost", False),
    ],
)  # fmt: skip
def test_a_page_is_reached_under_its_own_names_alone(
    bound: str, further: tuple[str, ...], host: str | None, known: bool
) -> None:
    """Whatever it is bound to: another website could let its own name point here (DNS rebinding)."""
    assert Hosts(bound, further).know(host) is known


def test_hosts_that_are_none() -> None:
    assert host_of("[::1") is None
    assert host_of("a/b") is None


@pytest.mark.parametrize(
    "origin", ["http://[", "null", "http://evil.example", "https://", "file://", "\u00e9".encode().decode("latin-1")]
)
def test_other_origins_are_refused_with_all_headers(client: Client, origin: str) -> None:
    answer = client.send("POST", "/api/sessions", Origin=origin)
    assert answer.status == 403
    assert_safe(answer)


def assert_safe(answer: object) -> None:
    headers = {name.lower(): value for name, value in answer.headers.items()}  # type: ignore[attr-defined]
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"


DEEP = ('{"a":' * 5000 + "1" + "}" * 5000).encode()


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/nothing", None, {}, 404), ("GET", "/static/%00", None, {}, 404),
        ("GET", "/static/..%2f..%2fapp.py", None, {}, 404), ("GET", "/static/" + "a" * 5000, None, {}, 404),
        ("DELETE", "/", None, {}, 405), ("GET", "/", None, {"Host": "evil.example"}, 400),
        ("POST", "/api/render", b"{", {}, 400), ("POST", "/api/render", DEEP[:9_000], {}, 400),
        ("POST", "/api/render", b"[" * 9_000, {}, 400), ("POST", "/api/render", b"\xff\xfe", {}, 400),
        ("POST", "/api/render", b'{"kind": "neutral", "strength": ' + b"9" * 5000 + b"}", {}, 400),
        ("POST", "/api/render", b'{"kind": "neutral", "strength": ' + b"9" * 400 + b"}", {}, 400),
        ("POST", "/api/render", b'{"kind": "neutral", "strength": NaN}', {}, 400),
        ("POST", "/api/render", b'{"kind": "neutral", "face": 1e999}', {}, 400),
        ("POST", "/api/render", b'{"kind": "preset", "preset": "\\ud800"}', {}, 400),
        ("POST", "/api/render", b'{"kind": "random", "seed": 0.5, "keep": [[]]}', {}, 400),
        ("POST", "/api/render", b" " * 20_000, {}, 413),
        ("PUT", "/api/photos/target", b"x", {"X-Name": "%00%FF/.."}, 400),
        ("PUT", "/api/photos/other", b"x", {}, 404), ("GET", "/api/photos/target", None, {"X-Session": "x"}, 410),
        ("PUT", "/api/batch", b"x", {"X-Wish": "%5B" * 200}, 400), ("GET", "/examples/..%2fx.jpg", None, {}, 404),
        ("GET", "/static/app.js", None, {"Range": "bytes=9-1"}, 400),
    ],
)  # fmt: skip
def test_nothing_is_our_fault_and_refusals_carry_all_headers(
    client: Client, method: str, path: str, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    answer = client.send(method, path, body, **headers)
    assert answer.status == status
    assert_safe(answer)


def test_small_limits_are_told_in_small_units(client: Client) -> None:
    assert "more than 10 kB" in client.send("POST", "/api/render", b" " * 20_000).json["error"]


def test_hundreds_of_silent_connections_stop_nobody(address: str) -> None:
    place = urlsplit(address)
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            silent = stack.enter_context(socket.create_connection((place.hostname, place.port)))
            silent.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        client = Client(address)
        assert client.send("PUT", "/api/photos/target", TARGET.read_bytes()).status == 200
        assert client.send("GET", "/api/photos/target").status == 200
        client.leave()


def visitors(clock: list[float]) -> Visitors:
    return Visitors(lambda: SimpleNamespace(is_empty=True), lambda: clock[0])  # type: ignore[arg-type, return-value]


def test_newcomers_are_refused_before_anybody_loses_a_photo() -> None:
    clock = [0.0]
    book = visitors(clock)
    names = [book.enter() for _ in range(MAX_VISITORS)]
    for name in names[1:]:
        book.find(str(name)).session.is_empty = False  # type: ignore[union-attr]
    # The one who gave nothing makes room after a minute, and then nobody does.
    assert book.enter() is None
    clock[0] = 61.0
    newcomer = book.enter()
    assert book.find(str(names[0])) is None
    book.find(str(newcomer)).session.is_empty = False  # type: ignore[union-attr]
    assert book.enter() is None
    assert all(book.find(str(name)) for name in names[1:])
    clock[0] = 10_000
    assert book.enter() is not None


def test_one_visitor_sends_few_files_at_a_time() -> None:
    book = visitors([0.0])
    visitor = book.find(str(book.enter()))
    assert visitor is not None
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_SENDING_EACH):
            stack.enter_context(visitor.sending())
        with pytest.raises(Busy):
            stack.enter_context(visitor.sending())
    assert visitor.sends == 0


def asked(*chunks: bytes, wait: float = 0.0) -> Request:
    """A request whose body comes in these chunks."""
    left = list(chunks)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return Request({"type": "http", "method": "PUT", "path": "/", "headers": []}, receive)  # type: ignore[arg-type]


def test_bodies_have_a_size_and_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = Bodies()
    assert asyncio.run(bodies.read(asked(b"a", b"b"), 10)) == b"ab"
    for request in (asked(b"a" * 11), asked(b"a" * 6, b"a" * 6), asked(*[b"a" * 10] * 9)):
        with pytest.raises(RefusedError, match="more than 0 kB"):
            asyncio.run(bodies.read(request, 10))
    monkeypatch.setattr(http, "_PATIENCE", 0.05)
    with pytest.raises(RefusedError, match="too slowly") as slow:
        asyncio.run(bodies.read(asked(b"a", b"b", wait=1.0), 10))
    assert slow.value.status == 408
    monkeypatch.setattr(http, "_MOST_SENDING", 5)
    with pytest.raises(RefusedError, match="Too many files"):
        asyncio.run(bodies.read(asked(b"a" * 6), 10))
    assert bodies._held == 0


def test_a_download_touches_no_disk(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hasattr(pictures, "tempfile")
    monkeypatch.setattr(tempfile, "mkstemp", None)
    client.send("PUT", "/api/photos/target", TARGET.read_bytes())
    wish = json.dumps({"kind": "random", "seed": 3, "strength": 1.0, "face": 1}).encode()
    answer = client.send("POST", "/api/download", wish)
    assert answer.status == 200
    assert answer.body[:2] == b"\xff\xd8"


def test_a_name_that_is_none_is_refused_at_the_start() -> None:
    from twocet import cli

    assert cli.main(["serve", "--port", "0", "--allow-host", "http://x/"]) == 2
