"""A file of answers to which lines are only ever added, one JSON object each, on the disk before they are confirmed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twocet.runtime.records import parse_json

LOG = "responses.jsonl"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "begin": ("list",),
    "answer": ("trial_index", "item_id", "question", "response", "rt_ms"),
    "end": (),
    "withdraw": (),
}
"""What a record of each type tells besides ``COMMON``."""
COMMON = ("type", "study_id", "rater_id", "started_at", "device")
DEVICES = ("phone", "tablet", "computer")
_MOST_MS = 24 * 60 * 60 * 1000


class FormError(ValueError):
    """A record that is not one of this study's."""


class Form:
    """What a record of one study may look like."""

    def __init__(self, design: Mapping[str, Any], items: set[str]) -> None:
        self._study = design["study_id"]
        self._options = {question["name"]: len(question["options"]) for question in design["questions"]}
        self._most = {"list": design["lists"] - 1, "trial_index": design["trials"] - 1, "rt_ms": _MOST_MS}
        self._items = items

    def checked(self, record: object) -> dict[str, Any]:
        """The record with its known fields alone. Raises FormError."""
        if not isinstance(record, dict) or record.get("type") not in tuple(FIELDS):
            raise FormError("no record of a known type")
        names = (*COMMON, *FIELDS[record["type"]])
        if lacking := [name for name in names if name not in record]:
            raise FormError(f"{lacking[0]} is missing")
        if wrong := [name for name in names if not self._fits(name, record[name], record)]:
            raise FormError(f"{wrong[0]} is {str(record[wrong[0]])[:40]!r}")
        return {name: record[name] for name in names}

    def _fits(self, name: str, value: object, record: Mapping[str, Any]) -> bool:
        if name in ("list", "trial_index", "rt_ms", "response"):
            least, most = (1, self._options.get(record["question"], 0)) if name == "response" else (0, self._most[name])
            return type(value) is int and least <= value <= most
        if not isinstance(value, str):
            return False
        if name == "rater_id":
            return re.fullmatch(r"[0-9a-f]{16}", value) is not None
        if name == "started_at":
            return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) is not None
        known = {
            "type": FIELDS, "study_id": (self._study,), "device": DEVICES, "item_id": self._items,
            "question": self._options,
        }  # fmt: skip
        return value in known[name]


class Log:
    """The file of a study that is being collected. Not for several threads at once."""

    def __init__(self, path: Path, form: Form, lists: int) -> None:
        """Opens or makes the file; what a kill left half-written stays a line of its own, which readers pass over."""
        self._form = form
        self._known: set[tuple[Any, ...]] = set()
        self.offered = [0] * lists
        whole = True
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                whole = line.endswith(b"\n")
                self._remember(line)
        self._file = path.open("ab")
        if not whole:
            self._file.write(b"\n")

    def _remember(self, line: bytes) -> None:
        try:
            record = self._form.checked(parse_json(line, "a line", ""))
        except (ValueError, TypeError):
            return
        if record["type"] == "begin" and identity(record) not in self._known:
            self.offered[record["list"]] += 1
        self._known.add(identity(record))

    def offer(self) -> int:
        """The list that the fewest raters were offered."""
        chosen = self.offered.index(min(self.offered))
        self.offered[chosen] += 1
        return chosen

    def add(self, records: list[Any]) -> None:
        """Append those records that are new, and return when they are on the disk. Raises FormError, adding nothing."""
        checked = [self._form.checked(record) for record in records]
        new = {identity(record): record for record in checked if identity(record) not in self._known}
        if not new:
            return
        self._file.write(b"".join(json.dumps(record).encode() + b"\n" for record in new.values()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._known |= new.keys()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def counts(self) -> dict[str, int]:
        """How many raters began, ended and withdrew."""
        return {kind: sum(key[1] == kind for key in self._known) for kind in ("begin", "end", "withdraw")}


def identity(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two records the same one: a page repeats a record until it is confirmed."""
    return (record["rater_id"], record["type"], record.get("trial_index"), record.get("question"))
