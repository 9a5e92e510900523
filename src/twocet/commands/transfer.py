"""``twocet transfer``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twocet.commands.options import Face, Keep, kept
from twocet.errors import UserError, check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twocet.edit.stages import Code


def transfer(
    target: tyro.conf.Positional[Path],
    references: tyro.conf.Positional[tuple[Path, ...]] = (),
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    preset: tuple[str, ...] = (),
    strength: tuple[float, ...] = (1.0,),
    mouth: Literal["real", "painted"] = "real",
    mouth_from: Path | None = None,
    model: str = "default",
    aligned: bool = False,
    face: Face = None,
    reference_face: int | None = None,
    keep: Keep = (),
    strict: bool = False,
    crop_only: bool = False,
    no_mark: bool = False,
    strip_private: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Give the face in TARGET the expression of the face in REFERENCE.

    Only the face changes, at the photo's own resolution. Several references, presets or strengths make one labelled
    grid. If the output is a folder, every photo but the last is a target. If TARGET is a folder, all others are
    references.

    examples:
      twocet transfer me.jpg smile.jpg -o out.png
      twocet transfer me.jpg smile.jpg -o out.jpg --strength 0.6
      twocet transfer me.jpg smile.jpg anger.jpg -o grid.png --strength 0.5 1.0 1.5
      twocet transfer me.jpg --preset happy -o out.png
      twocet transfer us.jpg smile.jpg -o out.png --face all --keep eyes
      twocet transfer portraits/ smile.jpg -o smiling
      twocet transfer anna.jpg ben.jpg smile.jpg -o smiling
      twocet transfer faces.npz smile.npz -o out.npz

    Args:
        target: Photo whose face is edited, or a folder of photos. For shape models also points (.npz), a mesh (.obj) or
            a folder of meshes.
        references: Photos whose expression is copied, or folders of photos.
        output: Picture to write (.png .jpg .webp .tif), or a folder for the results.
        preset: Named expressions instead of references, or beside them (see twocet presets list).
        strength: 0 is neutral, 1 the reference's expression, more exaggerates, below 0 gives the opposite.
        mouth: real: made of photos' own pixels; painted: by the model alone.
        mouth_from: Another photo of the person in TARGET, with an open mouth, to show their own teeth.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        aligned: The photos are square face crops already; do not look for a face.
        face: Face of TARGET to edit: 1 is the largest, or all.
        reference_face: Face of each REFERENCE to read: 1 is the largest.
        keep: Parts of the face to leave as they are; gaze is what shows between the lids.
        strict: Refuse photos that cannot be edited well, instead of printing a note.
        crop_only: Write only the aligned face, at the model's size.
        no_mark: Leave out the marks that say that a model changed the picture.
        strip_private: Remove place (GPS), camera and owner from the results' metadata.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    from twocet.commands import points
    from twocet.commands.shared import (
        Report,
        check_one_face,
        photos_in,
        plan,
        run_jobs,
        save_result,
        save_sheet,
        transfer_sheet,
    )
    from twocet.edit import editor as editors
    from twocet.shapes.points import is_points

    if is_points(target):
        check(bool(references) and not preset, "Points take the expression of a REFERENCE with points.")
        points.transfer(target, references, output, model, strength, as_json=as_json)
        return
    if not references and not preset:
        raise UserError("A reference is missing: twocet transfer TARGET REFERENCE -o OUT, or --preset NAME")
    check_one_face(face, crop_only)
    if not strength:
        raise UserError("A strength is missing: for example --strength 0.5 1.0")
    targets, lending = _roles([target, *references], output, bool(preset))
    reference_files = [file for path in lending for file in photos_in(path)]
    whole = not crop_only and len(reference_files) + len(preset) == len(strength) == 1
    jobs = plan(targets, output, reference_files, whole=whole)
    editor = editors.load(model, device=device, mouth=mouth, strict=strict, strip_private=strip_private)
    given: list[tuple[Path | str, Path | Code]] = [(file, file) for file in reference_files]
    given += [(name, editor.preset(name)) for name in preset]
    # A reference without a face is wrong for every target: say so before any work is done.
    expressions = [
        (shown, editor.expression(reference, aligned=aligned, face=reference_face, mouth_from=mouth_from))
        for shown, reference in given
    ]

    def edit(photo: Path, file: Path) -> Report:
        rows = [
            [
                editor.transfer(photo, expression, value, aligned=aligned, face=face, regions=kept(keep))
                for value in strength
            ]
            for _, expression in expressions
        ]
        if len(rows) == len(strength) == 1:
            return save_result(rows[0][0], photo, file, mark=not no_mark, crop_only=crop_only)
        names = [shown for shown, _ in expressions]
        grid = transfer_sheet(photo, names, rows, mark=not no_mark, crop_only=crop_only)
        return save_sheet(grid, editor, [result for row in rows for result in row], photo, file, mark=not no_mark)

    run_jobs(jobs, edit, as_json=as_json, whole=whole)


def _roles(photos: Sequence[Path], output: Path, has_preset: bool) -> tuple[list[Path], list[Path]]:
    """Targets and references: the last photo is the reference if the output is a folder, else the first the target."""
    from twocet.commands.messages import print_notes
    from twocet.commands.shared import is_folder
    from twocet.commands.words import expand

    files = expand(photos)
    if is_folder(output) and len(files) > 1 and not files[0].is_dir():
        return (files, []) if has_preset else (files[:-1], files[-1:])
    if len(files) > 2 and not files[0].is_dir():
        print_notes(
            [f"{files[0]} is the target, the others are references; for several targets name a folder as output."]
        )
    return files[:1], files[1:]
