"""What the commands that edit photos have in common: which files, in which order, and what is reported."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from twocet.commands.messages import as_flags, print_notes
from twocet.edit.editor import Editor
from twocet.edit.notes import note_on_no_mark
from twocet.edit.result import Result
from twocet.errors import UserError, check
from twocet.photo import credentials
from twocet.photo.images import (
    READABLE_SUFFIXES,
    SUFFIXES,
    Photo,
    Pixels,
    check_fits,
    check_writable,
    notes_on_writing,
    read_pixels,
)
from twocet.photo.marks import edit_mark, write_marked
from twocet.photo.privacy import privacy_notes
from twocet.photo.sheets import Cell, fitted, sheet
from twocet.runtime.files import make_folder as make_folder

Report = dict[str, object]
"""What happened to one photo, JSON-able; ``output`` is the file that was written."""

_NAMED = 5
"""Of many files so many are named."""

Job = tuple[Path, Path]
"""A target and the file for its result."""


def photos_in(path: Path) -> list[Path]:
    """The file itself, or the pictures of a folder in alphabetical order. Raises UserError for an empty folder."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if not file.name.startswith(".") and not file.is_dir())
    found = [file for file in files if file.suffix.lower() in READABLE_SUFFIXES]
    if found:
        print_notes(_skipped([file.name for file in files if file not in found], path))
    else:
        raise UserError(f"The folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    return found


def _skipped(names: Sequence[str], folder: Path) -> list[str]:
    """One line that names the files of a folder which are no pictures by their names."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    listed = ", ".join(names[:_NAMED])
    return [f"{folder}: left out, no pictures by their names: {listed}{more}"] if names else []


def is_folder(output: Path) -> bool:
    """Whether an output is meant as a folder: it is one, or its name has no suffix."""
    return output.is_dir() or not output.suffix


def plan(given: Sequence[Path], output: Path, inputs: Sequence[Path] = (), *, whole: bool = True) -> list[Job]:
    """Which file each of the photos ``given``, or of the folders of photos, goes to.

    Several photos and folders go to a folder (made if it is missing), one photo to a file or into a folder. Raises
    UserError, before any work is done, when an output cannot be written or would overwrite a photo that is read: a
    target or one of ``inputs``; also when its format has no room for the photo, if that is written ``whole``.
    """
    targets = [file for path in given for file in photos_in(path)]
    if len(given) > 1 or given[0].is_dir() or is_folder(output):
        check(
            output.is_dir() or output.suffix.lower() not in SUFFIXES,
            f"Several photos need a folder: give a folder instead of {output}.",
        )
        jobs = [(file, output / output_name(file)) for file in targets]
        _refuse_collisions(jobs)
        make_folder(output)
    else:
        jobs = [(targets[0], output)]
    read = {file.resolve() for file in (*targets, *inputs)}
    for _, file in jobs:
        check_writable(file)
        if file.resolve() in read:
            raise UserError(f"{file} would overwrite a photo that is read: choose another output.")
    if whole and len(jobs) == 1:
        check_fits(jobs[0][1], jobs[0][0])
    return jobs


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    """Raises UserError where two targets of the same name would go to one file."""
    taken: dict[Path, Path] = {}
    for target, file in jobs:
        other = taken.setdefault(file, target)
        check(other is target, f"{other} and {target} would both be written as {file}: rename one of them.")


def check_one_face(face: object, crop_only: bool) -> None:
    """Raises UserError where the crop of one face is wanted and several are edited."""
    if face == "all" and crop_only:
        raise UserError("--crop-only writes one face: choose it with --face and its number.")


def output_name(photo: Path) -> str:
    """A result's file name: that of the photo, with .png added where its format is only read."""
    return photo.name if photo.suffix.lower() in SUFFIXES else f"{photo.name}.png"


def run_jobs(jobs: Sequence[Job], edit: Callable[[Path, Path], Report], *, as_json: bool, whole: bool = True) -> None:
    """Does every job, prints what was written, and raises UserError at the end when some failed."""
    if len(jobs) == 1:
        announce([edit(*jobs[0])], as_json=as_json)
        return
    reports: list[Report] = []
    failures: list[str] = []
    for target, output in tqdm(jobs, unit="photo", disable=None):
        try:
            if whole:
                check_fits(output, target)
            reports.append(edit(target, output))
        except UserError as error:
            failures.append(str(error))
            reports.append({"target": str(target), "output": None, "error": str(error)})
    announce(reports, as_json=as_json)
    if failures:
        for failure in failures:
            print(f"failed: {as_flags(failure)}", file=sys.stderr)
        raise UserError(f"{len(failures)} of {len(jobs)} photos failed (listed above); the others were written.")


def announce(reports: Sequence[Report], *, as_json: bool) -> None:
    """Prints the reports: as JSON, or the files on standard output and the notes on standard error."""
    if as_json:
        print(json.dumps(reports[0] if len(reports) == 1 else reports, indent=2))
        return
    said: set[str] = set()
    for report in reports:
        notes = report.get("notes")
        new = [note for note in notes if note not in said] if isinstance(notes, list) else []
        print_notes(new)
        said.update(new)
        if report["output"] is not None:
            print(f"wrote {report['output']}")
    hint = credentials.hint()
    # To somebody who reads it, once; not to logs.
    if hint and sys.stderr.isatty() and any(report.get("marked") for report in reports):
        print(f"hint: {hint}", file=sys.stderr)


def save_result(result: Result, target: Path, output: Path, *, mark: bool, crop_only: bool) -> Report:
    """Writes one result and reports it."""
    result.save(output, mark=mark, crop=crop_only)
    width, height = (result.size, result.size) if crop_only else result.target.size
    return {
        "target": str(target),
        "output": str(output),
        "size": [width, height],
        "strength": result.strength,
        "model": result.mark.model,
        "model_sha256": result.mark.model_sha256,
        "marked": mark and bool(result.photo.edited),
        "notes": [*notes_of([result], output, mark=mark), *notes_on_writing(result.target, output)],
    }


def transfer_sheet(
    target: Path,
    references: Sequence[Path | str],
    rows: Sequence[Sequence[Result]],
    *,
    mark: bool,
    crop_only: bool = False,
) -> Pixels:
    """One row per reference: target (first row only), reference, then its results with their strengths.

    A reference that is no path is the name of a preset, of which there is no picture.
    """
    shown = Cell(fitted(read_pixels(target)), f"target: {target.name}")
    cells = [
        [
            shown if number == 0 else None,
            Cell(fitted(read_pixels(reference)), f"reference: {reference.name}")
            if isinstance(reference, Path)
            else None,
            *(
                Cell(
                    fitted(shown_in_sheet(r, mark=mark, crop_only=crop_only)),
                    f"{'' if isinstance(reference, Path) else f'{reference}, '}strength {r.strength:g}",
                )
                for r in results
            ),
        ]
        for number, (reference, results) in enumerate(zip(references, rows, strict=True))
    ]
    return sheet(cells)


def shown_in_sheet(result: Result, *, mark: bool, crop_only: bool = False) -> Pixels:
    """A result's picture for a sheet: with the watermark, unless there shall be no marks."""
    if mark:
        return result.marked(crop=crop_only)
    return result.crop if crop_only else result.pixels


def save_sheet(
    pixels: Pixels, editor: Editor, results: Sequence[Result], target: Path, output: Path, *, mark: bool
) -> Report:
    """Writes a sheet of results and reports it."""
    seal = edit_mark(results[0].target, model=editor.name, model_sha256=editor.sha256, strength=None)
    write_marked(output, Photo(pixels=pixels), seal if mark else None)
    return {
        "target": str(target),
        "output": str(output),
        "size": [pixels.shape[1], pixels.shape[0]],
        "strength": [result.strength for result in results],
        "model": editor.name,
        "model_sha256": editor.sha256,
        "marked": mark,
        "notes": [
            note for note in notes_of(results, output, mark=mark) if note not in privacy_notes(results[0].target)
        ],
    }


def notes_of(results: Sequence[Result], output: Path, *, mark: bool) -> list[str]:
    """The notes of the results, each once, and one when the mark was left off."""
    notes = [note for result in results for note in result.notes]
    if not mark:
        notes.append(note_on_no_mark(output))
    return list(dict.fromkeys(notes))
