"""Files that somebody may have damaged or made up, read in one place: regular, of a sane size and depth, or refused.

What their values must be says a class, see :mod:`twocet.runtime.configuration`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import stat
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from twocet.errors import UserError, check

MOST_JSON = 64_000_000
MOST_TABLE = 512_000_000
MOST_ARRAYS = 8_000_000_000
"""Bytes: of arrays, unpacked."""
MOST_DEPTH = 64
"""Levels of JSON within each other."""

Arrays = dict[str, npt.NDArray[Any]]


def read_json(path: Path, remedy: str, most: int = MOST_JSON) -> Any:
    """The value in a JSON file. Raises UserError that ends with ``remedy`` for what is none."""
    return parse_json(_text(path, most, remedy), str(path), remedy)


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """As :func:`read_json`, for a file that holds one object."""
    value = read_json(path, remedy)
    check(isinstance(value, dict), f"{path} is damaged (it holds no JSON object): {remedy}")
    return dict(value)


def parse_json(text: str | bytes, name: str, remedy: str) -> Any:
    """The value of JSON that comes from outside: no NaN, no infinity, no half characters, no bottomless nesting.

    Raises UserError that calls it ``name``.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        _walk(value)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]
        raise UserError(f"{name} is damaged ({reason}): {remedy}") from None
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _walk(value: Any) -> None:
    """Raises ValueError for what JSON can say and nobody can use."""
    left: list[tuple[Any, int]] = [(value, 0)]
    while left:
        value, depth = left.pop()
        if isinstance(value, str):
            value.encode()  # half of a pair of surrogates cannot be
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError("a number is too large")
        elif isinstance(value, (list, dict)):
            if depth == MOST_DEPTH:
                raise RecursionError
            inside: Iterable[Any] = (*value, *value.values()) if isinstance(value, dict) else value
            left.extend((each, depth + 1) for each in inside)


def read_csv(path: Path, remedy: str, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV file in UTF-8, with or without a byte order mark; cells that are missing are empty.

    Names of columns lose the blanks around them. Raises UserError.
    """
    text = _text(path, MOST_TABLE, remedy)
    check("\0" not in text, f"{path} is damaged (it holds a zero byte): {remedy}")
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), restval="", delimiter=delimiter)
        names = [name.strip() for name in reader.fieldnames or ()]
        check(len(set(names)) == len(names), f"{path} has two columns of the same name: {', '.join(names)[:200]}")
        reader.fieldnames = names
        return [{name: value for name, value in row.items() if name is not None} for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} is damaged ({error}): {remedy}") from None


def read_arrays(path: Path, remedy: str, names: Iterable[str] | None = None) -> Arrays:
    """The arrays of a NumPy archive (.npz), all or those with these ``names``; no code from it is run.

    Raises UserError.
    """
    check_regular(path, MOST_ARRAYS, remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        check(unpacked <= MOST_ARRAYS, f"{path} is too large ({unpacked / 1e9:.1f} GB unpacked): {remedy}")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in (arrays.files if names is None else names)}
    except UserError:
        raise
    except Exception as error:
        # NumPy and zipfile raise a dozen unrelated types for damaged data.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path} is damaged ({reason}): {remedy}") from None


def named(values: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """Those of ``values`` that the class ``kind`` describes; files may tell more than is read."""
    return {name: values[name] for name in kind.__annotations__ if name in values}


def read_text(path: Path, remedy: str, most: int = MOST_JSON) -> str:
    """A text in UTF-8, with or without a byte order mark. Raises UserError."""
    return _text(path, most, remedy)


def check_regular(path: Path, most: int, remedy: str) -> None:
    """Raises UserError for what is no file (a device would never end), and for more than ``most`` bytes."""
    try:
        facts = path.stat()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UserError(f"{path} cannot be read ({reason}): {remedy}") from None
    check(stat.S_ISREG(facts.st_mode), f"{path} is not a file: {remedy}")
    check(facts.st_size <= most, f"{path} is too large ({facts.st_size / 1e6:.0f} MB): {remedy}")


def _text(path: Path, most: int, remedy: str) -> str:
    check_regular(path, most, remedy)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {remedy}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}): {remedy}") from None
