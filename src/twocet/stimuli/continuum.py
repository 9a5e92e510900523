"""A continuum from its wishes to its folder: pictures, contact sheet, film, stimuli.csv, recipe.json."""

from __future__ import annotations

import csv
import io
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from twocet import __version__
from twocet.edit.editor import Editor
from twocet.edit.result import Result
from twocet.edit.stages import Code
from twocet.errors import UserError
from twocet.metrics import linearity
from twocet.model.model import file_hash
from twocet.photo.images import read_pixels
from twocet.photo.marks import edit_mark, marked_pixels, write_marked
from twocet.photo.sheets import Cell, fitted, sheet
from twocet.runtime.configuration import valid
from twocet.runtime.files import make_folder, write_whole
from twocet.runtime.records import read_object
from twocet.stimuli import calibration
from twocet.stimuli.series import COLUMNS, Distances, Equalize, Finish, Series, Step, gif_frames, opaque, table
from twocet.video.clips import ClipWriter, import_av
from twocet.video.gif import write_gif

RECIPE = "recipe.json"
_SHEET_COLUMNS = 6
_SHEET_SIDE = 240


@dataclass(frozen=True, kw_only=True)
class Expression:
    """One of: a reference photo, a preset's name, a random seed."""

    reference: Path | None
    preset: str | None
    seed: int | None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.reference, self.preset, self.seed)) != 1:
            raise UserError("Give one expression: a REFERENCE photo, --preset NAME or --seed NUMBER.")

    @property
    def name(self) -> str:
        """A short name, for files and answers."""
        return self.reference.stem if self.reference else self.preset or f"seed{self.seed}"

    def given(self, editor: Editor) -> Path | Code:
        """What an editor takes as reference. Raises UserError."""
        if self.reference is not None:
            return self.reference
        if self.preset is not None:
            return editor.preset(self.preset)
        assert self.seed is not None
        drawn: Code = editor.draw_codes(1, self.seed)[0]
        return drawn


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which strengths."""

    number: int
    start: float
    stop: float
    equalize: Equalize

    def __post_init__(self) -> None:
        if not 2 <= self.number <= 1000:
            raise UserError(f"A continuum of {self.number} steps cannot be made: ask for 2 to 1000.")
        if not (abs(self.start) < 100 and abs(self.stop) < 100 and self.start != self.stop):
            raise UserError(f"--from {self.start:g} --to {self.stop:g} is not a range: give two different numbers.")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is done to every picture."""

    size: int | None
    oval: bool
    grey: bool
    match_luminance: bool

    def __post_init__(self) -> None:
        if self.size is not None and not 32 <= self.size <= 4096:
            raise UserError(f"A crop of {self.size} pixels cannot be made: ask for 32 to 4096.")

    def finish(self, results: Sequence[Result]) -> Finish:
        """For the pictures of one series."""
        finish = Finish(size=self.size, oval=self.oval, grey=self.grey)
        return finish.matched(results) if self.match_luminance else finish


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film from the first to the last step, or none."""

    kind: Literal["none", "gif", "mp4"]
    fps: float
    seconds: float
    hold: float
    easing: Literal["linear", "smooth"]

    def __post_init__(self) -> None:
        if not (0 < self.fps <= 240 and 0 < self.seconds <= 600 and 0 <= self.hold <= 600):
            raise UserError(
                "A film has up to 240 frames a second and up to 600 seconds: change --fps, --seconds, --hold."
            )
        if self.kind == "mp4":
            import_av()


class Made(NamedTuple):
    """What was written."""

    files: list[Path]
    steps: list[Step]
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class Continuum:
    """One target with one expression, as a folder of stimuli."""

    editor: Editor
    target: Path
    expression: Expression
    steps: Steps
    look: Look
    film: Film
    aligned: bool
    face: int | None
    reference_face: int | None
    regions: tuple[str, ...]
    """Parts of the face that stay as they are."""
    mouth_from: Path | None
    mark: bool

    def make(self, output: Path) -> Made:
        """Writes everything into the folder ``output``, made if it is missing. Raises UserError."""
        given = self.expression.given(self.editor)
        shown = self.editor.expression(
            given, aligned=self.aligned, face=self.reference_face, mouth_from=self.mouth_from
        )
        series = Series(self.editor, self.target, shown, aligned=self.aligned, face=self.face, regions=self.regions)
        problem = series.measure(self.steps.start, self.steps.stop)
        if problem and self.steps.equalize == "landmarks":
            raise UserError(problem)
        strengths = series.strengths(self.steps.start, self.steps.stop, self.steps.number, self.steps.equalize)
        results = [series.render(strength) for strength in strengths]
        finish = self.look.finish(results)
        distances = Distances(read_pixels(self.target), series.photo_to_crop)
        done = [
            Step(self._name(number), result.strength, series.travel(result.strength), distances(result))
            for number, result in enumerate(results)
        ]
        make_folder(output)
        earlier = _listed_files(output)
        written = self._write_pictures(finish, results, done, output)
        if self.film.kind != "none":
            written.append(self._write_film(series, finish, strengths, output))
        recipe = self._write_recipe(shown.code, finish, done, written, output)
        written += [self._write_table(series, done, output), recipe]
        _remove_stale(output, earlier, written)
        noted = [note for result in results for note in result.notes]
        noted += [note for note in (problem, distances.missing) if note]
        return Made(written, done, list(dict.fromkeys(noted)))

    @property
    def _stem(self) -> str:
        return f"{self.target.stem}-{self.expression.name}"

    def _name(self, number: int) -> str:
        return f"{self._stem}-{number:0{len(str(self.steps.number - 1))}}.png"

    def _write_pictures(
        self, finish: Finish, results: Sequence[Result], done: Sequence[Step], output: Path
    ) -> list[Path]:
        """The pictures of the steps, and the contact sheet."""
        written, cells = [], []
        for result, step in zip(results, done, strict=True):
            photo = finish(result)
            seal = result.mark if self.mark and photo.edited else None
            written.append(write_marked(output / step.file, photo, seal))
            if seal is not None:
                photo = replace(photo, pixels=marked_pixels(photo, seal))
            moved = "" if step.movement is None else f" · movement {step.movement:.1f}"
            cells.append(Cell(fitted(opaque(photo, 255), _SHEET_SIDE), f"{step.strength:.2f}{moved}"))
        rows = [cells[first : first + _SHEET_COLUMNS] for first in range(0, len(cells), _SHEET_COLUMNS)]
        overview = replace(
            results[0].target, pixels=sheet(rows, side=_SHEET_SIDE), alpha=None, low=None, icc=None, edited=()
        )
        seal = edit_mark(results[0].target, model=self.editor.name, model_sha256=self.editor.sha256, strength=None)
        return [*written, write_marked(output / "contact-sheet.png", overview, seal if self.mark else None)]

    def _write_film(self, series: Series, finish: Finish, strengths: Sequence[float], output: Path) -> Path:
        """Each strength is rendered anew, once."""
        film, path = self.film, output / f"{self._stem}.{self.film.kind}"
        course = calibration.ramp(strengths, film.fps, film.seconds, film.hold, film.easing)
        shown = {strength: finish(series.render(strength)) for strength in dict.fromkeys(course)}
        seal = replace(series.neutral.mark, strength=None) if self.mark else None
        if seal is not None:
            shown = {s: replace(photo, pixels=marked_pixels(photo, seal)) for s, photo in shown.items()}
        if film.kind == "gif":
            frames = dict(zip(shown, gif_frames(list(shown.values())), strict=True))
            return write_gif(path, [frames[strength] for strength in course], film.fps, seal)
        with ClipWriter(path, Fraction(film.fps).limit_denominator(1001), seal, source=self.target) as clip:
            for number, strength in enumerate(course):
                clip.write(opaque(shown[strength]), number / film.fps)
        return path

    def _write_table(self, series: Series, done: Sequence[Step], output: Path) -> Path:
        expression = self.expression
        common = {
            "target": self.target.name,
            "reference": expression.reference.name if expression.reference else expression.name,
            "seed": "" if expression.seed is None else str(expression.seed),
            "model": self.editor.name,
            "model_hash": self.editor.sha256 or "",
            "crop": calibration.describe_crop(series.photo_to_crop),
        }
        full = series.travel(1.0) if self.steps.equalize == "landmarks" else None
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table(done, common, expression.name, full))
        return write_whole(output / "stimuli.csv", text.getvalue().encode())

    def _write_recipe(
        self, code: Code, finish: Finish, done: Sequence[Step], written: Sequence[Path], output: Path
    ) -> Path:
        inputs = {"target": self.target, "reference": self.expression.reference}
        moved = np.array([np.nan if step.movement is None else step.movement for step in done])
        recipe: dict[str, Any] = {
            "made_by": shlex.join(["twocet", *sys.argv[1:]]),
            "version": __version__,
            **{role: {"file": file.name, "sha256": file_hash(file)} for role, file in inputs.items() if file},
            "preset": self.expression.preset,
            "seed": self.expression.seed,
            "equalize": self.steps.equalize,
            "code": [float(value) for value in code],
            "luminance": finish.luminance,
            "model": self.editor.name,
            "model_sha256": self.editor.sha256,
            "marked": self.mark,
            "strengths": [step.strength for step in done],
            "measured_movement": [step.movement for step in done],
            "linearity": None if np.isnan(moved).any() else linearity(np.arange(len(done), dtype=np.float64), moved),
            "files": {file.name: file_hash(file) for file in written},
        }
        return write_whole(output / RECIPE, (json.dumps(recipe, indent=2) + "\n").encode())


def _listed_files(output: Path) -> dict[str, str]:
    """Names and hashes of the files that an earlier recipe in the folder lists; none if there is no such recipe."""
    try:
        files = valid(dict[str, str], read_object(output / RECIPE, "").get("files"), "files")
        return {Path(name).name: sha256 for name, sha256 in files.items()}
    except UserError:
        return {}


def _remove_stale(output: Path, earlier: Mapping[str, str], written: Sequence[Path]) -> None:
    """Removes what the earlier run wrote and this one did not, unless somebody has changed it since."""
    kept = {path.name for path in written}
    for name, sha256 in earlier.items():
        path = output / name
        if name not in kept and path.is_file() and file_hash(path) == sha256:
            path.unlink()
