"""Settings changed by words of the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import tyro

from twocet.errors import UserError, check
from twocet.training.config import RunConfig

C = TypeVar("C", bound=RunConfig)


def override(base: C, words: Sequence[str]) -> C:
    """``base`` with ``field=value`` words applied; nested fields have dots. Raises UserError naming what is wrong."""
    arguments: list[str] = []
    for word in words:
        name, sign, value = word.partition("=")
        check(bool(sign and name and value), f"--set takes field=value, not {word!r}")
        arguments += [f"--{name}", *value.split(",")]
    try:
        return tyro.cli(
            type(base), args=arguments, default=base, console_outputs=False, config=(tyro.conf.FlagConversionOff,)
        )
    except SystemExit:
        fields = ", ".join(field.name for field in dataclasses.fields(base))
        raise UserError(f"--set {' '.join(words)}: no such field, or no such value; fields: {fields}") from None
