"""The one exception whose text is meant for users."""

from __future__ import annotations


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong and how to mend it. The command line prints it and exits with 2.
    """


def check(holds: bool, message: str) -> None:
    """Raise UserError with ``message`` unless ``holds``."""
    if not holds:
        raise UserError(message)
