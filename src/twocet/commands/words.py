"""What people type, made into what the parser knows: spellings, patterns, and slips with their remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from glob import glob, has_magic
from pathlib import Path

from twocet.errors import UserError

_SPELLINGS = {
    "neutralise": "neutralize",
    "analyse": "analyze",
    "--equalise": "--equalize",
    "--gray": "--grey",
    "--license": "--licence",
    "--organization": "--organisation",
}
_SYNONYMS = {
    "--amount": "--strength",
    "--intensity": "--strength",
    "--out": "--output",
    "--source": "the first photo, TARGET, without a flag",
    "--target": "the first photo, TARGET, without a flag",
    "--reference": "the second photo, REFERENCE, without a flag",
    "--watermark": "--no-mark to leave the mark out",
}
_COMMA = re.compile(r"[-+]?\d*,\d+")
_PERCENT = re.compile(r"([-+]?\d+(?:\.\d+)?)\s?%")


def spelled(words: Sequence[str]) -> list[str]:
    """The words in the spelling of the commands and options: ``neutralise`` becomes ``neutralize``."""
    return [_SPELLINGS.get(word, word) for word in words]


def refuse_slips(words: Iterable[str]) -> None:
    """Raises UserError for numbers such as ``0,5`` and ``50%`` and for options with another name, with the remedy."""
    for word in words:
        option, _, value = word.partition("=")
        if option in _SYNONYMS:
            raise UserError(f"There is no {option}: use {_SYNONYMS[option]}.")
        number = value if option.startswith("--") else word
        if _COMMA.fullmatch(number):
            raise UserError(f"{number} has a decimal comma: write {number.replace(',', '.')}")
        if share := _PERCENT.fullmatch(number):
            raise UserError(f"{number} is not understood: write {float(share[1]) / 100:g}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``", did you mean NAME?"`` for the known word that looks most like it; empty if none does."""
    similar = get_close_matches(word, list(known), n=1)
    return f", did you mean {similar[0]}?" if similar else ""


def expand(paths: Iterable[Path]) -> list[Path]:
    """The files that patterns such as ``*.jpg`` stand for, where the shell has not done so (Windows, quotes).

    Raises UserError for a pattern that fits no file.
    """
    found: list[Path] = []
    for path in paths:
        if not has_magic(str(path)) or path.exists():
            found.append(path)
            continue
        matches = sorted(glob(str(path)))
        if not matches:
            raise UserError(f"No file matches {path}.")
        found += map(Path, matches)
    return found
