"""Configurations and records, kept as JSON: whether every value has the type and the size that its class says.

Dataclasses and named tuples are the descriptions. Their annotations are types, literals, tuples, lists, dicts, other
such classes and unions of these; ``Annotated[float, Between(0, 1)]`` bounds a number.
"""

from __future__ import annotations

import dataclasses
import math
import types
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from twocet.errors import UserError, check

_SHOWN = 60
"""Characters of a wrong value that a message repeats."""
_MOST_INTEGER = 2**63


class Between(NamedTuple):
    """The bounds of a number; see :data:`Count` and its neighbours."""

    least: float
    most: float
    below: bool = False
    """Whether ``most`` itself is too much."""

    def holds(self, number: float) -> bool:
        """Whether the number is within the bounds."""
        return self.least <= number < self.most if self.below else self.least <= number <= self.most

    def __str__(self) -> str:
        return f"from {self.least:g} to {'less than ' if self.below else ''}{self.most:g}"


Count = Annotated[int, Between(1, 1e9)]
Number = Annotated[int, Between(0, 1e9)]
Seed = Annotated[int, Between(0, 2.0**63, below=True)]
UpTo1 = Annotated[float, Between(0, 1)]
Under1 = Annotated[float, Between(0, 1, below=True)]
Weight = Annotated[float, Between(0, 1e6)]


def from_dict(kind: Any, values: dict[str, Any]) -> Any:
    """Rebuild a configuration or record from its fields, as ``dataclasses.asdict`` or JSON tells them.

    Raises UserError for fields it does not know or lacks, and for values that it cannot have.
    """
    hints = _hints(kind)
    unknown = sorted(set(values) - set(hints))
    check(not unknown, f"unknown settings {', '.join(unknown)}: the file was made by another version of twocet")
    checked = {name: valid(hints[name], value, name) for name, value in values.items()}
    try:
        return kind(**checked)
    except TypeError as error:
        raise UserError(f"settings are missing ({error})") from None


def check_fields(configuration: Any) -> None:
    """For ``__post_init__`` of a frozen dataclass: checks its fields, and turns lists into the tuples they mean."""
    kind: Any = type(configuration)
    for name, hint in _hints(kind).items():
        object.__setattr__(configuration, name, valid(hint, getattr(configuration, name), name))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def valid(hint: Any, value: Any, name: str) -> Any:
    """``value`` as what ``hint`` describes; ``name`` is what messages call it. Raises UserError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        number = valid(arguments[0], value, name)
        bounds = next((extra for extra in arguments[1:] if isinstance(extra, Between)), None)
        check(bounds is None or bounds.holds(number), f"{name} must be {bounds}, not {_shown(value)}")
        return number
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, name)
    if origin is Literal:
        check(any(value == choice and type(value) is type(choice) for choice in arguments), _wrong(name, hint, value))
        return value
    if origin in (tuple, list):
        return _sequence(origin, arguments, value, name)
    if origin is dict:
        check(isinstance(value, dict) and all(isinstance(key, str) for key in value), _wrong(name, hint, value))
        return {key: valid(arguments[1], each, f"{name}.{key}") for key, each in value.items()}
    if _is_record(hint):
        check(isinstance(value, (dict, hint)), _wrong(name, hint, value))
        return from_dict(hint, value) if isinstance(value, dict) else value
    return _plain(hint, value, name)


def _plain(hint: Any, value: Any, name: str) -> Any:
    """A number, a text, a truth, None, or anything."""
    if hint is Any:
        return value
    if hint is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        check(is_number and abs(value) < math.inf, _wrong(name, hint, value))
        check(abs(value) < 1e300, f"{name} is too large: {_shown(value)}")
        return float(value)
    if hint is int:
        check(isinstance(value, int) and not isinstance(value, bool), _wrong(name, hint, value))
        check(abs(value) <= _MOST_INTEGER, f"{name} is too large: {_shown(value)}")
        return value
    check(isinstance(value, type(None) if hint is None else hint), _wrong(name, hint, value))
    return value


def _one_of(choices: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in choices:
        return None
    real = [choice for choice in choices if choice is not type(None)]
    for choice in real[:-1]:
        try:
            return valid(choice, value, name)
        except UserError:
            continue
    return valid(real[-1], value, name)


def _sequence(origin: type[Any], items: tuple[Any, ...], value: Any, name: str) -> Any:
    check(isinstance(value, (list, tuple)), f"{name} must be a list, not {_shown(value)}")
    if origin is list or items[-1] is Ellipsis:
        return origin(valid(items[0], each, name) for each in value)
    check(len(value) == len(items), f"{name} must have {len(items)} values, not {len(value)}")
    return tuple(valid(item, each, name) for item, each in zip(items, value, strict=True))


def _is_record(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or (isinstance(hint, type) and hasattr(hint, "_fields"))


def _wrong(name: str, hint: Any, value: Any) -> str:
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text", dict: "an object"}
    wanted = words.get(hint) or words.get(get_origin(hint))
    wanted = wanted or (" or ".join(map(str, get_args(hint))) if get_origin(hint) is Literal else "of another kind")
    return f"{name} must be {wanted}, not {_shown(value)}"


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of too many digits
        text = "a number of thousands of digits"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
