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
        target: Photo whose face is edited; or points (.npz) or a mesh (.obj).
        reference: Photo whose expression is copied.
        output: Folder for the pictures and the table, made if it is missing.
        preset: A named expression in place of a reference; twocet presets list names them.
        seed: A random expression in place of a reference; the same seed draws the same.
        steps: How many pictures, both ends included.
        start: Strength of the first picture; 0 is neutral, less opposes the expression.
        stop: Strength of the last picture, more or less than the first; 1 is the reference's expression.
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
        mouth: real makes mouths of photos' own pixels; painted leaves them to the model alone.
        mouth_from: Another photo of the person in TARGET with an open mouth: shows their own teeth.
        model: Name of a packaged model, a model file, or a folder that twocet export wrote.
        aligned: The photos are square face crops already; look for no face.
        face: Which face of TARGET to edit, 1 is the largest.
        reference_face: Which face of REFERENCE, 1 is the largest.
        keep: Parts of the face that stay as they are; gaze is what is seen between the lids.
        strict: Refuse what would otherwise be done with a note that it cannot be done well.
        no_mark: Leave out the mark that says that a model changed the picture.
        strip_private: Leave out of the results where (GPS), with which camera and by whom the photo was taken.
        device: Where the model runs, for example cpu or cuda.
        as_json: Report in JSON.
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
