"""The table of a batch: one row per picture, read and checked before any work is done."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from twocet.errors import UserError
from twocet.runtime import places

COLUMNS = (
    "target",
    "reference",
    "preset",
    "strength",
    "output",
    "face",
    "aligned",
    "mouth_from",
    "reference_face",
    "keep",
)
"""Of the table; all but ``target`` may be missing. Others are carried over to the report."""
CodeOf = Callable[[str], tuple[float, ...]]
"""The code of a preset; raises UserError."""
RESERVED = ("report.csv", ".batch-journal.jsonl", "shards", ".lock")
"""What a batch writes itself in its output folder."""
_MOST_DIGITS = 6
_YES, _NO = ("1", "yes", "true"), ("", "0", "no", "false")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row that can be tried. Picklable."""

    line: int
    target: str
    reference: str | None
    preset: str | None
    code: tuple[float, ...] | None
    """Of the preset."""
    strength: float
    output: str
    """Absolute path of the picture."""
    face: int | Literal["all"] | None
    aligned: bool
    mouth_from: str | None
    """Another photo of the target's person."""
    reference_face: int | None
    keep: tuple[str, ...]
    """Regions of the face."""


@dataclass
class Table:
    """A table of jobs, read and checked."""

    rows: dict[int, dict[str, str]] = field(default_factory=dict)
    """By line number; as they are in the file."""
    extra: list[str] = field(default_factory=list)
    """Columns that are carried over only."""
    jobs: list[Job] = field(default_factory=list)
    wrong: dict[int, str] = field(default_factory=dict)
    """By line number, why a row cannot be tried."""


class Shard(NamedTuple):
    """Every ``parts``-th row of a table, from the ``part``-th (1, 2, ...) on."""

    part: int
    parts: int

    def __str__(self) -> str:
        return f"{self.part}-of-{self.parts}"


WHOLE = Shard(1, 1)


def read_shard(text: str) -> Shard:
    """From K/N. Raises UserError."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UserError(f"shard {text!r} must be K/N, for example 3/8: the third of eight")
    return Shard(int(part), int(parts))


def read_table(path: str | Path, output: str | Path, code_of: CodeOf, shard: Shard = WHOLE) -> Table:
    """Reads and checks a shard of the table; paths in it are relative to its folder, outputs to ``output``.

    All of them may be URLs (see ``runtime.places``). ``code_of`` gives the code of a preset or raises UserError. Rows
    that cannot be tried are in ``wrong``. Raises UserError for a file that is no such table.
    """
    try:
        with io.StringIO(places.read_bytes(path).decode("utf-8-sig"), newline="") as file:
            heading = file.readline()
            file.seek(0)
            # Excel writes semicolons where the decimal sign is a comma.
            reader = csv.DictReader(file, restval="", delimiter=";" if ";" in heading else ",")
            names = [_known(name.strip()) for name in reader.fieldnames or ()]
            reader.fieldnames = names
            rows: dict[int, dict[str, str]] = {}
            given: dict[str, int] = {}
            for number, row in enumerate(reader):
                # Another shard's rows are not kept, but for the pictures that they write.
                if shard.parts > 1 and (named := (row.get("output") or "").strip()):
                    given.setdefault(posixpath.normpath(named), reader.line_num)
                # Spreadsheets write rows of nothing but separators below the last one.
                if number % shard.parts == shard.part - 1 and any(v for k, v in row.items() if k):
                    rows[reader.line_num] = {k: (v or "").strip() for k, v in row.items() if k}
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: give a table of jobs (CSV).") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV table ({error}): save it as CSV in UTF-8.") from None
    if "target" not in names or not {"reference", "preset"} & set(names):
        raise UserError(f"{path} needs the columns target and reference (or preset); it has: {', '.join(names)}")
    if len(set(names)) < len(names):
        raise UserError(f"{path} has two columns of the same name: {', '.join(names)}")
    if not rows:
        raise UserError(f"{path} has no rows{f' for shard {shard.part}/{shard.parts}' if shard.parts > 1 else ''}.")
    table = Table(rows, [name for name in names if name and name not in COLUMNS])
    taken: dict[str, int] = {}
    for line, row in rows.items():
        try:
            job = _job(line, row, places.parent(path), os.fspath(output), code_of)
            first = taken.setdefault(job.output, line)
            if row.get("output"):
                first = min(first, given.get(posixpath.normpath(row["output"]), line))
            if first != line:
                raise UserError(f"writes the same picture as line {first}: {row['output'] or job.output}")
            table.jobs.append(job)
        except UserError as error:
            table.wrong[line] = str(error)
    _keep_inputs(table)
    return table


def _known(name: str) -> str:
    """The name of our column that ``name`` is in other capitals, else ``name``."""
    return name.lower() if name.lower() in COLUMNS else name


def _job(line: int, row: dict[str, str], folder: str, output: str, code_of: CodeOf) -> Job:
    """Raises UserError."""
    from twocet.photo.images import SUFFIXES

    reference, preset, further = (row.get(name, "") for name in ("reference", "preset", "mouth_from"))
    if not row["target"]:
        raise UserError("target is empty")
    if bool(reference) == bool(preset):
        raise UserError("give a reference or a preset, and not both")
    for name in filter(None, (row["target"], reference, further)):
        if not places.is_file(places.join(folder, name)):
            raise UserError(f"{name} does not exist")
    expression = Path(reference).stem if reference else preset
    name = row.get("output") or f"{line:05d}-{Path(row['target']).stem}-{expression}.png"
    if places.is_remote(name) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"output {name} leaves the output folder")
    if not places.is_remote(output) and not _is_inside(os.path.join(output, name), output):
        raise UserError(f"output {name} leaves the output folder through a link")
    if Path(name).parts[0] in RESERVED:
        raise UserError(f"output {name} would take the place of {Path(name).parts[0]}, which the batch writes")
    if Path(name).suffix.lower() not in SUFFIXES:
        raise UserError(f"output {name} must end in {', '.join(sorted(SUFFIXES))}")
    return Job(
        line=line,
        target=places.join(folder, row["target"]),
        reference=places.join(folder, reference) if reference else None,
        preset=preset or None,
        code=code_of(preset) if preset else None,
        strength=_number(row.get("strength") or "1"),
        output=places.join(output, name) if places.is_remote(output) else os.path.abspath(os.path.join(output, name)),
        face="all" if row.get("face") == "all" else _face(row.get("face", ""), "face", " and is not all"),
        aligned=_truth(row.get("aligned", "")),
        mouth_from=places.join(folder, further) if further else None,
        reference_face=_face(row.get("reference_face", ""), "reference_face"),
        keep=_regions(row.get("keep", "")),
    )


def _is_inside(path: str, folder: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)


def _number(text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise UserError(f"strength {text!r} is not a number") from None
    if not abs(value) < 100:
        raise UserError(f"strength {text} is not a strength that can be used")
    return value


def _face(text: str, column: str, otherwise: str = "") -> int | None:
    if text and not (text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) >= 1):
        raise UserError(f"{column} {text!r} is not a whole number from 1{otherwise}")
    return int(text) if text else None


def _regions(text: str) -> tuple[str, ...]:
    """The names in a cell, between which are spaces, commas or semicolons."""
    from twocet.edit.regions import parse_regions

    return parse_regions(text.replace(",", " ").replace(";", " ").split())


def _truth(text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise UserError(f"aligned {text!r} must be yes or no")
    return text.lower() in _YES


def _keep_inputs(table: Table) -> None:
    """Rows that would overwrite a photo that any row reads are wrong."""
    read = {places.canonical(p) for job in table.jobs for p in (job.target, job.reference, job.mouth_from) if p}
    for job in [job for job in table.jobs if places.canonical(job.output) in read]:
        table.jobs.remove(job)
        table.wrong[job.line] = f"{job.output} would overwrite a photo that is read"
