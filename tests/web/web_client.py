"""Photos for the tests of the page, and a client that speaks to the server as the page does."""

from __future__ import annotations

import io
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from waiting import PATIENCE

import twocet

EXAMPLES = Path(twocet.__file__).parent / "commands" / "examples"
TARGET = EXAMPLES / "target-4.jpg"
REFERENCE = EXAMPLES / "reference-2-surprise.jpg"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Speaks to the server as the page does, one session per client."""

    def __init__(self, address):
        self.address = address
        self.session = self.send("POST", "/api/sessions").json["session"]

    def leave(self):
        self.send("POST", "/api/sessions/leave", self.session.encode())

    def send(self, method, path, body=None, **headers):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        if getattr(self, "session", None):
            headers.setdefault("X-Session", self.session)
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


CHROMIUM_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip
"""No graphics card, no calls home, and a camera that films a test card."""


def find_chromium() -> str | None:
    """The browser's program, None if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")
