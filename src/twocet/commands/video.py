"""``twocet video``: expressions in films."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import tyro

from twocet.commands.messages import print_notes
from twocet.commands.options import Face, Keep, kept
from twocet.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twocet.edit.editor import Editor
    from twocet.edit.stages import Code
    from twocet.photo.images import Photo
    from twocet.photo.mark import Mark
    from twocet.video.clips import ClipReader, Frame
    from twocet.video.film import Tracker

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
    face: Face = None,
    reference_face: int | None = None,
    keep: Keep = (),
    strict: bool = False,
    mouth: Literal["real", "painted"] = "real",
    mouth_from: Path | None = None,
    model: str = "default",
    no_mark: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Move the still face in TARGET as the face in CLIP moves, or change the face in a film (--edit).

    With --edit, TARGET is the film: --strength 0 makes its face neutral, 1.5 exaggerates what it shows, and --preset
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
        preset: With --edit, a named expression instead of the face's own.
        smoothing: How much jitter to remove; 0 is none, more makes movements slower.
        no_sound: Leave out the sound.
        face: Which face of TARGET, 1 is the largest (in a film: in its first frame with faces); of a photo also all.
        reference_face: Face of CLIP that moves TARGET: 1 is the largest in the first frame with faces.
        keep: Parts of the face to leave as they are; gaze is what shows between the lids.
        strict: Refuse a photo that cannot be moved well, instead of printing a note.
        mouth: real: made of photos' own pixels; painted: by the model alone.
        mouth_from: Another photo of the person in TARGET, with an open mouth, to show their own teeth.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        no_mark: Leave out the marks that say that a model changed the film.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    film = target if edit else clip
    _check(film, clip, edit, strength, preset, smoothing, face, reference_face, mouth_from)
    assert film is not None
    from twocet.edit import editor as editors
    from twocet.video.clips import ClipReader, check_clip_path
    from twocet.video.film import Tracker

    check_clip_path(output)
    if output.exists() and output.resolve() in (target.resolve(), film.resolve()):
        raise UserError(f"{output} would overwrite what is read: choose another output.")
    with ClipReader(film) as reader:
        editor = editors.load(model, device=device, mouth=mouth, strict=strict)
        factor = 1.0 if strength is None else strength
        if face != "all" and edit:
            work = _editing(editor, factor, preset, face, kept(keep), smoothing)
        else:
            tracker = Tracker(editor, face=reference_face, smoothing=smoothing, argument="reference_face")
            work = _driving(editor, _film_sized(target), factor, face, kept(keep), mouth_from, tracker)
        frames, without = _write(
            reader, output, work.change, None if no_mark else work.mark, target, sound=not no_sound
        )
    without_face = f"{without} of {frames} frames show no face and {work.without_face}."
    notes = [*work.notes, *reader.notes, *([without_face] if without else [])]
    _announce(output, frames, reader, without, notes, as_json)


def _check(
    film: Path | None,
    clip: Path | None,
    edit: bool,
    strength: float | None,
    preset: str | None,
    smoothing: float,
    face: Face,
    reference_face: int | None,
    mouth_from: Path | None,
) -> None:
    if film is None:
        raise UserError("A clip is missing: twocet video TARGET CLIP -o OUT.mp4, or twocet video CLIP --edit ...")
    from twocet.photo.images import READABLE_SUFFIXES

    if not edit and film.suffix.lower() in READABLE_SUFFIXES - {".gif"}:
        raise UserError(f"{film} is a picture, not a film: for two photos use twocet transfer, or continuum --ramp mp4")
    if edit and clip is not None:
        raise UserError("--edit takes one clip: twocet video CLIP --edit --strength 0 -o OUT.mp4")
    if edit and strength is None and preset is None:
        raise UserError("--edit needs --strength (0 = neutral) or --preset NAME.")
    if preset is not None and not edit:
        raise UserError("--preset is for --edit; for a still picture use twocet transfer --preset.")
    if edit and mouth_from is not None:
        raise UserError("--edit takes no --mouth-from: mouths are those of the film.")
    if edit and face == "all":
        raise UserError("--edit changes one face of a film: choose it with --face and its number.")
    if edit and reference_face is not None:
        raise UserError("--edit takes no reference: choose the face of the clip with --face.")
    if not 0 <= smoothing <= 100:
        raise UserError(f"The smoothing {smoothing} cannot be used: give 0 (none) to 100.")
    if strength is not None and not abs(strength) < 100:
        raise UserError(f"The strength {strength} cannot be used: give one such as 0.8.")


class _Work(NamedTuple):
    """What is done to a film."""

    change: FilmEdit
    mark: Mark
    notes: tuple[str, ...]
    without_face: str
    """What happens to frames without a face."""


def _editing(
    editor: Editor, strength: float, preset: str | None, face: int | None, keep: list[str], smoothing: float
) -> _Work:
    """Changes the face of each frame."""
    import numpy as np

    from twocet.edit.regions import parse_regions
    from twocet.photo.images import Photo
    from twocet.photo.marks import edit_mark
    from twocet.video.film import Tracked, Tracker, edit_film

    tracker = Tracker(editor, face=face, smoothing=smoothing)
    fixed = editor.preset(preset) if preset else None
    regions = parse_regions(keep)

    def code_of(tracked: Tracked) -> Code:
        return tracked.own_code if fixed is None else fixed

    def change(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        return edit_film(editor, frames, tracker, code_of if strength else None, strength, smoothing, regions)

    unmarked = Photo(pixels=np.zeros((1, 1, 3), np.uint8))
    mark = edit_mark(unmarked, model=editor.name, model_sha256=editor.sha256, strength=strength)
    return _Work(change, mark, (), "stay as they are")


def _driving(
    editor: Editor,
    still: Photo,
    strength: float,
    face: Face,
    keep: list[str],
    mouth_from: Path | None,
    tracker: Tracker,
) -> _Work:
    """Gives the still face the expression of each frame."""
    from dataclasses import replace

    import numpy as np

    neutral = editor.transfer(still, np.zeros(editor.model.code_dim, np.float32), 0.0, face=face, regions=keep)

    def change(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        last = neutral.photo
        for frame in frames:
            tracked = tracker.follow(frame.pixels, frame.seconds)
            if tracked is not None:
                shown = editor.expression(tracked.expression(), mouth_from=mouth_from)
                last = editor.transfer(still, shown, strength, face=face, regions=keep).photo
            yield frame._replace(pixels=last.pixels, edited=last.edited), tracked is not None

    return _Work(change, replace(neutral.mark, strength=strength), neutral.notes, "keep the expression")


def _film_sized(target: Path) -> Photo:
    """The photo, made smaller if it is larger than films are."""
    from dataclasses import replace

    import numpy as np
    from PIL import Image

    from twocet.photo.colour import shown
    from twocet.photo.images import read_photo

    photo = read_photo(target)
    if max(photo.size) <= _LONGEST_SIDE:
        return replace(photo, pixels=shown(photo), icc=None)
    small = Image.fromarray(shown(photo))
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return replace(photo, pixels=np.array(small), alpha=None, low=None, icc=None)


def _write(
    reader: ClipReader, output: Path, change: FilmEdit, mark: Mark | None, source: Path, *, sound: bool
) -> tuple[int, int]:
    """Edits every frame; returns how many there were, and how many without a face. Raises UserError."""
    from tqdm import tqdm

    from twocet.video.clips import ClipWriter

    frames = without = 0
    with ClipWriter(output, reader.fps, mark, reader, sound=sound, source=source) as writer:
        for frame, found in change(tqdm(reader, total=reader.count, unit="frame", disable=None)):
            writer.write(*frame)
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
    print_notes(notes)
    print(f"wrote {output} ({frames} frames)")
