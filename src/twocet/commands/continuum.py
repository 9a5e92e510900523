"""``twocet continuum``: one expression in exact steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twocet.commands.messages import print_notes
from twocet.commands.options import Keep, kept
from twocet.errors import UserError

if TYPE_CHECKING:
    from twocet.stimuli.continuum import Made


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
    mouth: Literal["real", "painted"] = "real",
    mouth_from: Path | None = None,
    model: str = "default",
    aligned: bool = False,
    face: int | None = None,
    reference_face: int | None = None,
    keep: Keep = (),
    strict: bool = False,
    no_mark: bool = False,
    strip_private: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Give the face in TARGET one expression in exact steps, with a table that describes each picture.

    The folder gets a PNG for each step, stimuli.csv (strength, measured movement, identity distance, model; columns for
    PsychoPy and jsPsych), contact-sheet.png, recipe.json and, with --ramp, a film. Equal strengths are not equal
    movements: --equalize landmarks chooses strengths so that the measured movement grows in equal steps.

    examples:
      twocet continuum me.jpg smile.jpg -o smile
      twocet continuum me.jpg --preset happy --steps 9 --to 1 --equalize landmarks -o happy
      twocet continuum me.jpg smile.jpg --size 512 --mask oval --grey --match-luminance -o stimuli
      twocet continuum me.jpg smile.jpg --ramp mp4 --seconds 2 --easing smooth -o film

    Args:
        target: Photo whose face is edited. For shape models also points (.npz) or a mesh (.obj).
        reference: Photo whose expression is copied.
        output: Folder for the pictures and the table, made if it is missing.
        preset: A named expression instead of a reference (see twocet presets list).
        seed: A random expression instead of a reference; the same seed draws the same.
        steps: How many pictures, both ends included.
        start: Strength of the first picture; 0 is neutral, below 0 gives the opposite.
        stop: Strength of the last picture, above or below the first; 1 is the reference's expression.
        equalize: Equal steps of strength, or of the movement of the face's 478 landmarks.
        size: Write square face crops of this side instead of whole photos, with eyes always in the same place.
        mask: Make everything outside an oval about the face transparent.
        grey: Remove colour and keep luminance.
        match_luminance: Give all pictures the same mean and contrast of luminance inside the oval.
        ramp: Also write a film from the first to the last step.
        fps: Frames a second of the film.
        seconds: How long the film moves.
        hold: How many seconds its last frame stays.
        easing: Move evenly, or start and stop softly.
        mouth: real: made of photos' own pixels; painted: by the model alone.
        mouth_from: Another photo of the person in TARGET, with an open mouth, to show their own teeth.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        aligned: The photos are square face crops already; do not look for a face.
        face: Face of TARGET to edit: 1 is the largest.
        reference_face: Face of REFERENCE to read: 1 is the largest.
        keep: Parts of the face to leave as they are; gaze is what shows between the lids.
        strict: Refuse photos that cannot be edited well, instead of printing a note.
        no_mark: Leave out the marks that say that a model changed the picture.
        strip_private: Remove place (GPS), camera and owner from the results' metadata.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    from twocet.shapes.points import is_points

    if is_points(target):
        from twocet.commands import points

        points.continuum(target, reference, seed, output, steps, start, stop, model, as_json=as_json)
        return
    if target.is_dir():
        raise UserError(f"{target} is a folder: give one photo (twocet batch takes many).")
    from twocet.edit import editor as editors
    from twocet.stimuli.continuum import Continuum, Expression, Film, Look, Steps

    expression = Expression(reference=reference, preset=preset, seed=seed)
    wanted = Steps(number=steps, start=start, stop=stop, equalize=equalize)
    look = Look(size=size, oval=mask == "oval", grey=grey, match_luminance=match_luminance)
    film = Film(kind=ramp, fps=fps, seconds=seconds, hold=hold, easing=easing)
    continuum = Continuum(
        editor=editors.load(model, device=device, mouth=mouth, strict=strict, strip_private=strip_private),
        target=target, expression=expression,
        steps=wanted, look=look, film=film, aligned=aligned, face=face, reference_face=reference_face,
        regions=tuple(kept(keep)), mouth_from=mouth_from, mark=not no_mark,
    )  # fmt: skip
    _announce(continuum.make(output), as_json)


def _announce(made: Made, as_json: bool) -> None:
    if as_json:
        import json

        steps = [step._asdict() for step in made.steps]
        print(json.dumps({"output": [str(file) for file in made.files], "steps": steps, "notes": made.notes}, indent=2))
        return
    print_notes(made.notes)
    for file in made.files:
        print(f"wrote {file}")
