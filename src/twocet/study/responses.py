"""Answers as they come from pages, servers and earlier analyses, joined with the key."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twocet.errors import UserError
from twocet.runtime.records import parse_json
from twocet.study.log import LOG, FormError, identity

COLUMNS = (
    *("study_id", "rater_id", "trial_index", "item_id", "target_id", "reference_id", "label", "method", "task"),
    *("question", "response", "rt_ms", "side", "is_check", "check_passed", "started_at", "device"),
    *("pair", "other_method", "score"),
)
_GIVEN = ("study_id", "rater_id", "trial_index", "item_id", "question", "response", "rt_ms", "started_at", "device")
"""What a file of answers must have; everything else comes from the key."""
_NUMBERS = ("trial_index", "response", "rt_ms")
Row = dict[str, Any]


class Answers(NamedTuple):
    """What a study collected."""

    rows: list[Row]
    """One for each answer, with ``COLUMNS``; those of raters who withdrew are not among them."""
    began: int
    """Raters who gave at least one answer or began on a server."""
    withdrawn: int
    damaged: int
    """Lines that could not be read: what a kill left half-written."""


def answer_files(folder: Path, given: Sequence[Path]) -> list[Path]:
    """The files of answers: those given, or what is in a study's folder. Raises UserError when there are none."""
    found = list(given) or [*folder.glob(LOG), *sorted((folder / "responses").glob("*.csv"))]
    if not found:
        raise UserError(
            f"{folder} has no answers: collect them with twocet study serve, or put the raters' CSV files into "
            f"{folder / 'responses'}"
        )
    return found


def read_answers(paths: Sequence[Path], design: Mapping[str, Any], key: Sequence[Mapping[str, str]]) -> Answers:
    """Read files of answers and join them with the key. An answer that comes twice counts once. Raises UserError."""
    items = {row["item_id"]: row for row in key}
    questions = {question["name"]: (number, question) for number, question in enumerate(design["questions"])}
    found: dict[tuple[Any, ...], Row] = {}
    raters: set[str] = set()
    withdrawn: set[str] = set()
    damaged = 0
    for path in paths:
        for place, record in _records(path):
            if record is None:
                damaged += 1
                continue
            _check(f"{path}, {place}", record, design, items, questions)
            raters.add(record["rater_id"])
            if record["type"] == "withdraw":
                withdrawn.add(record["rater_id"])
            elif record["type"] == "answer":
                found.setdefault(identity(record), record)
    rows = [
        _joined(record, items[record["item_id"]], *questions[record["question"]], design["task"])
        for record in found.values()
        if record["rater_id"] not in withdrawn
    ]
    rows.sort(key=lambda row: (row["rater_id"], row["trial_index"], questions[row["question"]][0]))
    return Answers(rows, len(raters), len(withdrawn), damaged)


def responses_csv(rows: Sequence[Row]) -> bytes:
    """The answers as a table that this module reads again."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def _records(path: Path) -> Iterator[tuple[str, Row | None]]:
    """The records of a file, each with where it stands; None for a line that is damaged. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error})") from None
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines(), start=1):
            if line:
                yield f"line {number}", _parsed(line)
        return
    table = csv.DictReader(io.StringIO(text))
    if missing := [name for name in _GIVEN if name not in (table.fieldnames or ())]:
        raise UserError(f"{path} is not a file of answers: it has no column {', '.join(missing)}")
    for number, row in enumerate(table, start=2):
        yield f"line {number}", {"type": "answer", **{name: row[name] for name in _GIVEN}}


def _parsed(line: str) -> Row | None:
    try:
        record = parse_json(line, "a line", "")
    except UserError:
        return None
    return record if isinstance(record, dict) and "type" in record and "rater_id" in record else None


def _check(
    where: str,
    record: Row,
    design: Mapping[str, Any],
    items: Mapping[str, Mapping[str, str]],
    questions: Mapping[str, tuple[int, Mapping[str, Any]]],
) -> None:
    """Make the numbers of a record numbers. Raises UserError unless it is one of this study."""
    if record.get("study_id") != design["study_id"]:
        raise UserError(f"{where}: an answer to study {record.get('study_id')}, this is study {design['study_id']}")
    if record["type"] != "answer":
        return
    try:
        for name in _NUMBERS:
            record[name] = int(record[name])
        item, question = record["item_id"], record["question"]
        if item not in items or question not in questions:
            raise FormError(f"no trial {item} with a question {question!r} is in the key")
        number = len(questions[question][1]["options"])
        if not 1 <= record["response"] <= number:
            raise FormError(f"the response is {record['response']}, not one of 1 to {number}")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{where}: no answer of this study ({error})") from None


def _joined(record: Row, item: Mapping[str, str], number: int, question: Mapping[str, Any], task: str) -> Row:
    """An answer with all that the key says of its trial."""
    is_check = item["kind"] == "check"
    passed = record["response"] == int(item["expected"].split()[number]) if is_check else None
    scores = question.get("scores")
    return {
        **{name: record[name] for name in _GIVEN},
        **{
            name: item[name]
            for name in ("target_id", "reference_id", "label", "method", "side", "pair", "other_method")
        },
        "task": task,
        "is_check": int(is_check),
        "check_passed": "" if passed is None else int(passed),
        "score": "" if scores is None or is_check else scores[record["response"] - 1],
    }
