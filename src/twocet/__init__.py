"""Transfers facial expressions between photos and keeps who the person is.

>>> import twocet
>>> editor = twocet.load()                                                # doctest: +SKIP
>>> editor.transfer("me.jpg", "smile.jpg", strength=0.8).save("out.png")  # doctest: +SKIP

The names below are imported at first use, so that ``import twocet`` alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twocet.edit.editor import Editor as Editor
    from twocet.edit.editor import load as load
    from twocet.edit.examples import example_photos as example_photos
    from twocet.edit.result import Result as Result
    from twocet.errors import UserError as UserError
    from twocet.video.verify import verify as verify

__version__ = "0.1.0"

_HOMES = {
    "Editor": "twocet.edit.editor",
    "Result": "twocet.edit.result",
    "example_photos": "twocet.edit.examples",
    "load": "twocet.edit.editor",
    "UserError": "twocet.errors",
    "verify": "twocet.video.verify",
}

__all__ = ["Editor", "Result", "UserError", "__version__", "example_photos", "load", "verify"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'twocet' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
