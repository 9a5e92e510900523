"""Many edits from a table: checked before the work, done in many processes, resumable, bad rows set aside."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import multiprocessing
import signal
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twocet.edit.jobs import COLUMNS, RESERVED, Job, Shard, Table
from twocet.edit.notes import note_on_no_mark
from twocet.errors import UserError
from twocet.runtime import places
from twocet.runtime.configuration import from_dict, valid
from twocet.runtime.processes import die_with_parent
from twocet.runtime.records import parse_json

if TYPE_CHECKING:
    from twocet.edit.editor import Editor, MouthKind

REPORT_COLUMNS = ("line", "status", *COLUMNS, "error", "notes", "seconds")
REPORT, JOURNAL, SHARDS, _ = RESERVED
"""``SHARDS``: below the folder of journal and report, those of every shard."""
ENDED = "the process that edited it was ended (is there enough memory?)"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a row."""

    line: int
    key: str
    """Identifies inputs and settings: another key means that the picture would be another."""
    status: str
    """``done`` or ``failed``."""
    error: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all rows have in common. Picklable."""

    model: str
    model_sha256: str
    device: str
    mark: bool
    crop_only: bool
    mouth: MouthKind
    strict: bool
    strip_private: bool


def records_folder(output: str, journal: Path | None, shard: Shard) -> Path:
    """Where journal and report of a batch lie: a shard has its own below those of the whole. Raises UserError."""
    if journal is None and places.is_remote(output):
        raise UserError(f"{output} is not on this machine: give --journal, a folder for journal and report")
    records = journal or Path(output)
    return records if shard.parts == 1 else records / SHARDS / str(shard)


def key_of(job: Job, settings: Settings) -> str:
    """Changes when a photo, the row or the settings change."""
    photos = [p for p in (job.target, job.reference, job.mouth_from) if p]
    state = [places.state(p) for p in photos]
    parts = json.dumps([{**asdict(job), "line": None}, state, {**asdict(settings), "device": None}])
    return hashlib.sha256(parts.encode()).hexdigest()


class Journal:
    """What has been done, one line for each row as soon as it is finished: survives a kill at any moment.

    What shards of the same folder have done counts too.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.outcomes: dict[str, Outcome] = {}
        for path in (self.path, *sorted((folder / SHARDS).glob(f"*/{JOURNAL}"))):
            self._read(path)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n")

    def _read(self, path: Path) -> None:
        if path.is_file():
            for line in path.read_bytes().splitlines():
                # A line that a kill cut off or a disk damaged costs its row alone, which is done again.
                with contextlib.suppress(UserError):
                    outcome: Outcome = from_dict(Outcome, valid(dict[str, Any], parse_json(line, "a line", ""), "line"))
                    self.outcomes[outcome.key] = outcome

    def add(self, outcome: Outcome) -> None:
        """Notes a finished row."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")

    def done(self, key: str, output: str) -> Outcome | None:
        """The outcome of an equal row whose picture is still there."""
        outcome = self.outcomes.get(key)
        return outcome if outcome and outcome.status == "done" and places.is_file(output) else None


def run(jobs: Sequence[tuple[Job, str]], settings: Settings, workers: int) -> Iterator[Outcome]:
    """Does the jobs (with their keys), yields outcomes in any order. One worker: in this process."""
    if workers == 1 or len(jobs) < 2:
        prepare(settings)
        for job, key in jobs:
            yield attempt(job, key)
        return
    left = list(reversed(jobs))
    while left:
        suspects = yield from _run_pool(left, settings, min(workers, len(left)))
        # A process died. Each row that was under way is tried alone, so that only the culprit is lost.
        for job, key in suspects:
            alone = [(job, key)]
            broken = yield from _run_pool(alone, settings, 1)
            if broken:
                yield Outcome(line=job.line, key=key, status="failed", error=ENDED)


def _run_pool(
    left: list[tuple[Job, str]], settings: Settings, workers: int
) -> Generator[Outcome, None, list[tuple[Job, str]]]:
    """Takes jobs from the end of ``left``; returns those that were under way when a process died, if one did."""
    # Forking is not safe once torch has threads: start fresh processes.
    context = multiprocessing.get_context("spawn")
    under_way: dict[Future[Outcome], tuple[Job, str]] = {}
    pool = ProcessPoolExecutor(workers, context, _start, (settings,))
    try:
        while left or under_way:
            # Two for each process: none waits, and what is queued stays small.
            while left and len(under_way) < 2 * workers:
                item = left.pop()
                under_way[pool.submit(attempt, *item)] = item
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                outcome = future.result()
                del under_way[future]
                yield outcome
        return []
    except BrokenProcessPool:
        return list(under_way.values())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_fetched = places.Fetched()
_editor: Editor | None = None
_settings: Settings | None = None


def _start(settings: Settings) -> None:
    """The beginning of a worker process."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    prepare(settings)


def prepare(settings: Settings) -> None:
    """Makes this process ready for :func:`attempt`; nothing if it is."""
    global _editor, _settings
    from twocet.edit import editor as editors

    if settings == _settings:
        return
    _editor, _settings = (
        editors.load(
            settings.model,
            device=settings.device,
            mouth=settings.mouth,
            strict=settings.strict,
            strip_private=settings.strip_private,
        ),
        settings,
    )


def attempt(job: Job, key: str) -> Outcome:
    """Does one row; never raises."""
    began = time.perf_counter()
    try:
        notes = _edit(job)
    except UserError as error:
        return Outcome(line=job.line, key=key, status="failed", error=_fetched.named(str(error)))
    except Exception as error:
        fault = f"this is a fault of the program ({type(error).__name__}: {error})"
        return Outcome(line=job.line, key=key, status="failed", error=fault)
    return Outcome(line=job.line, key=key, status="done", notes=notes, seconds=time.perf_counter() - began)


def _edit(job: Job) -> tuple[str, ...]:
    import numpy as np

    from twocet.photo.images import check_fits, notes_on_writing

    assert _editor is not None
    assert _settings is not None
    expression = np.array(job.code, np.float32) if job.reference is None else _fetched.get(job.reference)
    target = _fetched.get(job.target)
    if job.face == "all" and _settings.crop_only:
        raise UserError("face is all, but --crop-only writes one face: give its number")
    if not _settings.crop_only:
        check_fits(job.output, Path(target))
    result = _editor.transfer(
        target,
        expression,
        job.strength,
        aligned=job.aligned,
        face=job.face,
        reference_face=job.reference_face if job.reference else None,
        regions=job.keep,
        mouth_from=_fetched.get(job.mouth_from) if job.mouth_from else None,
    )
    with places.whole_copy(job.output) as output:
        result.save(output, mark=_settings.mark, crop=_settings.crop_only)
    unmarked = () if _settings.mark else (note_on_no_mark(job.output),)
    return (*result.notes, *notes_on_writing(result.target, job.output), *unmarked)


def report_csv(table: Table, outcomes: dict[int, Outcome]) -> bytes:
    """The report: one line for each row of the table, in its order, with the table's other columns at the end."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*REPORT_COLUMNS, *_extra(table)], lineterminator="\n", restval="")
    writer.writeheader()
    written = {job.line: job.output for job in table.jobs}
    for line, row in table.rows.items():
        outcome = outcomes.get(line)
        shown = {name: row.get(name, "") for name in (*COLUMNS, *_extra(table))}
        facts = {
            "line": line,
            "status": outcome.status if outcome else "failed",
            "error": outcome.error if outcome else table.wrong[line],
            "notes": " ".join(outcome.notes) if outcome else "",
            "seconds": f"{outcome.seconds:.3f}" if outcome and outcome.status == "done" else "",
        }
        cells = {**shown, **facts, "output": written.get(line, row.get("output", ""))}
        writer.writerow({name: _harmless(value) for name, value in cells.items()})
    return text.getvalue().encode()


def _harmless(cell: object) -> object:
    """The cell, so that no spreadsheet takes a text for a formula (OWASP, CSV injection)."""
    if not isinstance(cell, str) or cell[:1] not in _FORMULA:
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _extra(table: Table) -> list[str]:
    return [name for name in table.extra if name not in REPORT_COLUMNS]
