"""``twocet continuum``: one expression in exact steps."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from twocet.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twocet.editor import Code, Editor, Result
    from twocet.series import Finish, Series, Step


def continuum(
    target: tyro.conf.Positional[Path],
    reference: tyro.conf.Positional[Path | None] = None,
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    preset: str | None = None,
    seed: int | None = None,
    steps: int = 11,
    start: Annotated[float, tyro.conf.arg(name="from")] = 0.0,
    stop: Annotated[float, tyro.conf.arg(name="to")] = 1.2,
    equalize: Literal["code", "landmarks"] = "code",
    size: int | None = None,
    mask: Literal["none", "oval"] = "none",
    grey: bool = False,
    match_luminance: bool = False,
    ramp: Literal["none", "gif", "mp4"] = "none",
    fps: float = 25.0,
    seconds: float = 1.0,
    hold: float = 0.5,
    easing: Literal["linear", "smooth"] = "linear",
    model: str = "default",
    aligned: bool = False,
    face: int | None = None,
    no_mark: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Give the face in TARGET one expression in exact steps, with a table of what each picture is.

    The folder gets one PNG for each step, stimuli.csv (strength, measured facial movement, identity distance, model;
    columns for PsychoPy and jsPsych), contact-sheet.png, recipe.json and, if asked for, a film. Equal strengths are not
    equal movements: --equalize landmarks chooses the strengths so that the measured movement grows in equal steps.

    examples:
      twocet continuum me.jpg smile.jpg -o smile
      twocet continuum me.jpg --preset happy --steps 9 --to 1 --equalize landmarks -o happy
      twocet continuum me.jpg smile.jpg --size 512 --mask oval --grey --match-luminance -o stimuli
      twocet continuum me.jpg smile.jpg --ramp mp4 --seconds 2 --easing smooth -o film

    Args:
        target: Photo whose face is edited.
        reference: Photo whose expression is copied.
        output: Folder for the pictures and the table, made if it is missing.
        preset: A named expression in place of a reference; twocet presets list names them.
        seed: A random expression in place of a reference; the same seed draws the same.
        steps: How many pictures, both ends included.
        start: Strength of the first picture; 0 is neutral, less opposes the expression.
        stop: Strength of the last picture; 1 is the reference's expression, more exaggerates.
        equalize: Equal steps of strength, or of the movement of the face's 478 landmarks.
        size: Write square face crops of this side, eyes always in the same place, instead of whole photos.
        mask: Make everything outside an oval about the face transparent.
        grey: Remove colour and keep luminance.
        match_luminance: Give all pictures the same mean and contrast of luminance inside the oval.
        ramp: Also write a film from the first to the last step.
        fps: Frames a second of the film.
        seconds: How long the film moves.
        hold: How many seconds its last frame stays.
        easing: Move evenly, or start and stop softly.
        model: Name of a packaged model, or a model file.
        aligned: The photos are square face crops already; look for no face.
        face: Which face of TARGET to edit, 1 is the largest.
        no_mark: Leave out the mark that says that a model changed the picture.
        device: Where the model runs, for example cpu or cuda.
        as_json: Report in JSON.
    """
    _check(target, reference, preset, seed, steps, start, stop, size, fps, seconds, hold)
    from twocet import editor as editors
    from twocet.commands.shared import make_folder
    from twocet.images import read_photo
    from twocet.series import Distances, Finish, Series, Step

    if ramp == "mp4":
        from twocet.clips import import_av

        import_av()
    editor = editors.load(model, device=device)
    code, name = _expression(editor, reference, preset, seed, aligned)
    series = Series(editor, target, code, aligned=aligned, face=face)
    problem = series.measure(start, stop)
    if problem and equalize == "landmarks":
        raise UserError(problem)
    strengths = series.strengths(start, stop, steps, equalize)
    make_folder(output)
    results = [series.render(strength) for strength in strengths]
    finish = Finish(size=size, oval=mask == "oval", grey=grey)
    finish = finish.matched(results) if match_luminance else finish
    distances = Distances(read_photo(target).pixels, series.photo_to_crop)
    stem, digits = f"{target.stem}-{name}", len(str(steps - 1))
    done = [
        Step(f"{stem}-{number:0{digits}}.png", result.strength, series.travel(result.strength), distances(result))
        for number, result in enumerate(results)
    ]
    written = _write_pictures(editor, finish, results, done, output, mark=not no_mark)
    if ramp != "none":
        from twocet.stimuli import ramp as ramp_strengths

        frames = ramp_strengths(strengths, fps, seconds, hold, easing)
        written.append(_write_ramp(series, finish, frames, fps, output / f"{stem}.{ramp}", mark=not no_mark))
    inputs = {"target": target, "reference": reference}
    facts = {
        "preset": preset,
        "seed": seed,
        "equalize": equalize,
        "code": [float(value) for value in code],
        "luminance": finish.luminance,
        "model": editor.name,
        "model_sha256": editor.sha256,
    }
    common = {
        "target": target.name,
        "reference": reference.name if reference else name,
        "seed": "" if seed is None else str(seed),
        "model": editor.name,
        "model_hash": editor.sha256 or "",
    }
    full = series.travel(1.0) if equalize == "landmarks" else None
    written += _write_tables(series, done, common, name, full, inputs, facts, written, output)
    notes = list(dict.fromkeys(note for result in results for note in result.notes))
    notes += [note for note in (problem, distances.missing) if note]
    _announce(written, done, notes, as_json)


def _check(
    target: Path,
    reference: Path | None,
    preset: str | None,
    seed: int | None,
    steps: int,
    start: float,
    stop: float,
    size: int | None,
    fps: float,
    seconds: float,
    hold: float,
) -> None:
    if target.is_dir():
        raise UserError(f"{target} is a folder: give one photo (twocet batch takes many).")
    if sum(value is not None for value in (reference, preset, seed)) != 1:
        raise UserError("Give one expression: a REFERENCE photo, --preset NAME or --seed NUMBER.")
    if not 2 <= steps <= 1000:
        raise UserError(f"A continuum of {steps} steps cannot be made: ask for 2 to 1000.")
    if not (abs(start) < 100 and abs(stop) < 100 and start < stop):
        raise UserError(f"--from {start:g} --to {stop:g} is no range: the first must be the smaller number.")
    if size is not None and not 32 <= size <= 4096:
        raise UserError(f"A crop of {size} pixels cannot be made: ask for 32 to 4096.")
    if not (0 < fps <= 240 and 0 < seconds <= 600 and 0 <= hold <= 600):
        raise UserError("A film has up to 240 frames a second and up to 600 seconds: change --fps, --seconds, --hold.")


def _expression(
    editor: Editor, reference: Path | None, preset: str | None, seed: int | None, aligned: bool
) -> tuple[Code, str]:
    """The code at strength 1 and a short name of the expression."""
    if reference is not None:
        return editor.encode(reference, aligned=aligned), reference.stem
    if preset is not None:
        from twocet.presets import preset_code

        return preset_code(preset, editor), preset
    assert seed is not None
    return editor.draw_codes(1, seed)[0], f"seed{seed}"


def _write_pictures(
    editor: Editor, finish: Finish, results: Sequence[Result], done: Sequence[Step], output: Path, *, mark: bool
) -> list[Path]:
    """The pictures of the steps, and the contact sheet."""
    from twocet.commands.shared import save_sheet
    from twocet.marks import write_marked
    from twocet.series import opaque
    from twocet.sheets import Cell, sheet

    written, cells = [], []
    for result, step in zip(results, done, strict=True):
        photo = finish(result)
        written.append(write_marked(output / step.file, photo, result.mark if mark else None))
        moved = "" if step.movement is None else f" · movement {step.movement:.1f}"
        cells.append(Cell(opaque(photo, 255), f"{step.strength:.2f}{moved}"))
    columns = 6
    rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
    overview = output / "contact-sheet.png"
    save_sheet(sheet(rows, side=240), editor, results, Path(done[0].file), overview, mark=mark)
    return [*written, overview]


def _write_ramp(
    series: Series, finish: Finish, strengths: Sequence[float], fps: float, path: Path, *, mark: bool
) -> Path:
    """The film; each strength is rendered anew, once."""
    from dataclasses import replace
    from fractions import Fraction

    from twocet.clips import ClipWriter, write_gif
    from twocet.series import gif_frames, opaque

    shown = {strength: finish(series.render(strength)) for strength in dict.fromkeys(strengths)}
    seal = replace(series.neutral.mark, strength=None) if mark else None
    if path.suffix == ".gif":
        frames = dict(zip(shown, gif_frames(list(shown.values())), strict=True))
        return write_gif(path, [frames[strength] for strength in strengths], fps, seal)
    with ClipWriter(path, Fraction(fps).limit_denominator(1001), seal) as film:
        for number, strength in enumerate(strengths):
            film.write(opaque(shown[strength]), number / fps)
    return path


def _write_tables(
    series: Series,
    done: Sequence[Step],
    common: dict[str, str],
    answer: str,
    full: float | None,
    inputs: dict[str, Path | None],
    facts: dict[str, Any],
    written: Sequence[Path],
    output: Path,
) -> list[Path]:
    """stimuli.csv and recipe.json."""
    import csv
    import io
    import json

    import numpy as np

    from twocet import __version__
    from twocet.images import write_bytes
    from twocet.metrics import linearity
    from twocet.model import file_hash
    from twocet.series import COLUMNS, table
    from twocet.stimuli import describe_crop

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table(done, {**common, "crop": describe_crop(series.photo_to_crop)}, answer, full))
    moved = np.array([np.nan if step.movement is None else step.movement for step in done])
    recipe = {
        "made_by": shlex.join(["twocet", *sys.argv[1:]]),
        "version": __version__,
        **{role: {"file": file.name, "sha256": file_hash(file)} for role, file in inputs.items() if file},
        **facts,
        "strengths": [step.strength for step in done],
        "measured_movement": [step.movement for step in done],
        "linearity": None if np.isnan(moved).any() else linearity(np.arange(len(done), dtype=np.float64), moved),
        "files": {file.name: file_hash(file) for file in written},
    }
    return [
        write_bytes(output / "stimuli.csv", text.getvalue().encode()),
        write_bytes(output / "recipe.json", (json.dumps(recipe, indent=2) + "\n").encode()),
    ]


def _announce(written: Sequence[Path], done: Sequence[Step], notes: Sequence[str], as_json: bool) -> None:
    if as_json:
        import json

        steps = [step._asdict() for step in done]
        print(json.dumps({"output": [str(file) for file in written], "steps": steps, "notes": notes}, indent=2))
        return
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    for file in written:
        print(f"wrote {file}")
