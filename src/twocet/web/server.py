"""Starting the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from twocet.edit.editor import Editor
from twocet.edit.stages import Code
from twocet.photo.faces import FaceFinder
from twocet.runtime import http
from twocet.web.app import make_app
from twocet.web.session import Studio

_WORKERS = 2
"""One picture has all cores; the second worker keeps the page alive while a large download is made."""


def serve(editor: Editor, host: str, port: int, presets: Mapping[str, Code], allow_hosts: Collection[str] = ()) -> None:
    """Serves until it is interrupted; prints the address first. Port 0 takes a free one. Raises UserError.

    ``editor`` lends its model to the visitors' own editors; ``allow_hosts``: further names the page is reached under.
    """
    finder = FaceFinder(threads=1)
    studio = Studio(editor.model, editor.name, editor.sha256, finder, dict(presets), may_save=http.is_loopback(host))
    http.serve(lambda hosts: make_app(studio, workers=_WORKERS, hosts=hosts), "twocet", host, port, allow_hosts)
