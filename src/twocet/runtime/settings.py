"""Settings changed by words of the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from twocet.errors import UserError, check

C = TypeVar("C")


def override(base: C, words: Sequence[str], owners: Mapping[str, Sequence[str]]) -> C:
    """The dataclass ``base`` with ``field=value`` words applied; nested fields have dots.

    ``owners`` says which recipes have a field that this one has not. Raises UserError naming what is wrong.
    """
    # Training from Python does without: only words need a parser.
    import tyro

    kind: Any = type(base)
    own = [field.name for field in dataclasses.fields(kind)]
    arguments: list[str] = []
    for word in words:
        name, sign, value = word.partition("=")
        check(bool(sign and name and value), f"--set takes field=value, not {word!r}")
        first = name.split(".")[0]
        check(first in own or first not in owners, f"{first} is a setting of {', '.join(owners.get(first, ()))}")
        arguments += [f"--{name}", *value.split(",")]
    try:
        changed: C = tyro.cli(
            kind, args=arguments, default=base, console_outputs=False, config=(tyro.conf.FlagConversionOff,)
        )
    except SystemExit:
        raise UserError(f"--set {' '.join(words)}: no such field, or no such value; fields: {', '.join(own)}") from None
    return changed
