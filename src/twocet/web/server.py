"""Starting the page."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

import uvicorn

from twocet.edit.editor import Editor
from twocet.edit.stages import Code
from twocet.errors import UserError
from twocet.photo.faces import FaceFinder
from twocet.web.app import make_app
from twocet.web.session import Studio

LOOPBACK = ("127.0.0.1", "localhost")
_CONNECTIONS = 256
_WORKERS = 2
"""One picture has all cores; the second worker keeps the page alive while a large download is made."""


def serve(editor: Editor, host: str, port: int, presets: Mapping[str, Code]) -> None:
    """Serves until it is interrupted; prints the address first. Port 0 takes a free one. Raises UserError.

    ``editor`` lends its model to the visitors' own editors.
    """
    studio = Studio(editor.model, editor.name, editor.sha256, FaceFinder(threads=1), presets)
    listener = _listen(host, port)
    allowed = [*LOOPBACK] if host in LOOPBACK else None
    config = uvicorn.Config(
        make_app(studio, workers=_WORKERS, allowed_hosts=allowed),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    print(f"twocet is at http://{host}:{listener.getsockname()[1]}/ (Ctrl-C ends it)", flush=True)
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
