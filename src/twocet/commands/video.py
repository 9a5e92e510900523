"""``twocet video``: expressions in films."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twocet.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twocet.edit.editor import Editor
    from twocet.edit.stages import Code
    from twocet.photo.images import Photo
    from twocet.photo.marks import Mark
    from twocet.video.clips import ClipReader, Frame

    FilmEdit = Callable[[Iterable[Frame]], Iterator[tuple[Frame, bool]]]
    """The new frames, and whether each shows the face."""

_LONGEST_SIDE = 1920


def video(
    target: tyro.conf.Positional[Path],
    clip: tyro.conf.Positional[Path | None] = None,
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    edit: bool = False,
    strength: float | None = None,
    preset: str | None = None,
    smoothing: float = 1.0,
    no_sound: bool = False,
    face: int | None = None,
    reference_face: int | None = None,
    mouth: Literal["real", "painted"] = "real",
    mouth_from: Path | None = None,
    model: str = "default",
    no_mark: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Move the still face in TARGET as the face in CLIP moves, or (--edit) change the face in a clip.

    With --edit, TARGET is the clip: --strength 0 makes its face neutral, 1.5 exaggerates what it shows, and --preset
    gives it one expression throughout. Sound is copied. Needs the extra: pip install 'twocet[video]'

    examples:
      twocet video me.jpg speaker.mp4 -o me-speaking.mp4
      twocet video speaker.mp4 --edit --strength 0 -o calm.mp4
      twocet video speaker.mp4 --edit --preset happy --strength 0.6 -o happy.mp4

    Args:
        target: Photo whose face is moved, or with --edit the film.
        clip: Film whose face moves.
        output: Film to write (.mp4 .mkv .mov).
        edit: Change the face of the film itself.
        strength: Factor on every expression (1 if not given; with --edit and no preset it must be given).
        preset: With --edit, a named expression in place of the face's own.
        smoothing: How much jitter is taken out of expressions and face positions; 0 is none, more is slower.
        no_sound: Leave the sound out.
        face: Which face of TARGET, 1 is the largest (in a film: in its first frame with faces).
        reference_face: Which face of CLIP moves TARGET, 1 is the largest in the first frame with faces.
        mouth: real makes mouths of photos' own pixels; painted leaves them to the model alone.
        mouth_from: Another photo of the person in TARGET with an open mouth: shows their own teeth.
        model: Name of a packaged model, a model file, or a folder that twocet export wrote.
        no_mark: Leave out the mark that says that a model changed the film.
        device: Where the model runs, for example cpu or cuda.
        as_json: Report in JSON.
    """
    film = target if edit else clip
    _check(film, clip, edit, strength, preset, smoothing, reference_face, mouth_from)
    assert film is not None
    from twocet.edit import editor as editors
    from twocet.video.clips import ClipReader, check_clip_path

    check_clip_path(output)
    if output.exists() and output.resolve() in (target.resolve(), film.resolve()):
        raise UserError(f"{output} would overwrite what is read: choose another output.")
    with ClipReader(film) as reader:
        editor = editors.load(model, device=device, mouth=mouth)
        if edit:
            change, mark = _editing(editor, strength, preset, face, smoothing)
        else:
            factor = 1.0 if strength is None else strength
            change, mark = _driving(editor, target, factor, face, reference_face, mouth_from, smoothing)
        frames, without = _write(reader, output, change, None if no_mark else mark, sound=not no_sound)
    note = f"{without} of {frames} frames show no face and {'stay as they are' if edit else 'keep the expression'}."
    _announce(output, frames, reader, without, [note] if without else [], as_json)


def _check(
    film: Path | None,
    clip: Path | None,
    edit: bool,
    strength: float | None,
    preset: str | None,
    smoothing: float,
    reference_face: int | None,
    mouth_from: Path | None,
) -> None:
    if film is None:
        raise UserError("A clip is missing: twocet video TARGET CLIP -o OUT.mp4, or twocet video CLIP --edit ...")
    if edit and clip is not None:
        raise UserError("--edit takes one clip: twocet video CLIP --edit --strength 0 -o OUT.mp4")
    if edit and strength is None and preset is None:
        raise UserError("--edit needs --strength (0 = neutral) or --preset NAME.")
    if preset is not None and not edit:
        raise UserError("--preset is for --edit; for a still picture use twocet transfer --preset.")
    if edit and mouth_from is not None:
        raise UserError("--edit takes no --mouth-from: mouths are those of the film.")
    if edit and reference_face is not None:
        raise UserError("--edit takes no reference: choose the face of the clip with --face.")
    if not 0 <= smoothing <= 100:
        raise UserError(f"A smoothing of {smoothing} cannot be: use 0 (none) to 100.")
    if strength is not None and not abs(strength) < 100:
        raise UserError(f"The strength {strength} is of no use: use one such as 0.8.")


def _editing(
    editor: Editor, strength: float | None, preset: str | None, face: int | None, smoothing: float
) -> tuple[FilmEdit, Mark]:
    """Changes the face of each frame."""
    import numpy as np

    from twocet.edit.presets import preset_code
    from twocet.photo.images import Photo
    from twocet.photo.marks import edit_mark
    from twocet.video.film import Tracked, Tracker, edit_film

    tracker = Tracker(editor, face=face, smoothing=smoothing)
    fixed = preset_code(preset, editor) if preset else None
    factor = 1.0 if strength is None else strength

    def code_of(tracked: Tracked) -> Code:
        return tracked.own_code if fixed is None else fixed

    def change(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        return edit_film(editor, frames, tracker, code_of if factor else None, factor, smoothing)

    unmarked = Photo(pixels=np.zeros((1, 1, 3), np.uint8))
    return change, edit_mark(unmarked, model=editor.name, model_sha256=editor.sha256, strength=factor)


def _driving(
    editor: Editor,
    target: Path,
    strength: float,
    face: int | None,
    reference_face: int | None,
    mouth_from: Path | None,
    smoothing: float,
) -> tuple[FilmEdit, Mark]:
    """Gives the still face the expression of each frame."""
    from dataclasses import replace

    from twocet.video.film import Tracker

    tracker = Tracker(editor, face=reference_face, smoothing=smoothing, option="--reference-face")
    still = _film_sized(target)
    neutral = editor.neutralize(still, face=face)

    def change(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        last = neutral.pixels
        for frame in frames:
            tracked = tracker.follow(frame.pixels, frame.seconds)
            if tracked is not None:
                shown = editor.expression(tracked.expression(), mouth_from=mouth_from)
                last = editor.transfer(still, shown, strength, face=face).pixels
            yield frame._replace(pixels=last), tracked is not None

    return change, replace(neutral.mark, strength=strength)


def _film_sized(target: Path) -> Photo:
    """The photo, made smaller if it is larger than films are."""
    from dataclasses import replace

    import numpy as np
    from PIL import Image

    from twocet.photo.images import read_photo

    photo = read_photo(target)
    if max(photo.size) <= _LONGEST_SIDE:
        return photo
    small = Image.fromarray(photo.pixels)
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return replace(photo, pixels=np.array(small), alpha=None)


def _write(reader: ClipReader, output: Path, change: FilmEdit, mark: Mark | None, *, sound: bool) -> tuple[int, int]:
    """Edits every frame; returns how many there were, and how many without a face. Raises UserError."""
    from tqdm import tqdm

    from twocet.video.clips import ClipWriter

    frames = without = 0
    with ClipWriter(output, reader.fps, mark, reader if sound else None) as writer:
        for frame, found in change(tqdm(reader, total=reader.count, unit="frame", disable=None)):
            writer.write(frame.pixels, frame.seconds)
            frames, without = frames + 1, without + (not found)
        if without == frames:
            raise UserError(f"No face found in any of the {frames} frames of {reader.path}: use another film.")
    return frames, without


def _announce(output: Path, frames: int, reader: ClipReader, without: int, notes: list[str], as_json: bool) -> None:
    if as_json:
        import json

        facts = {"output": str(output), "frames": frames, "fps": float(reader.fps), "without_face": without}
        print(json.dumps({**facts, "notes": notes}, indent=2))
        return
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"wrote {output} ({frames} frames)")
