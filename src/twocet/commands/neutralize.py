"""``twocet neutralize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from twocet.commands.options import Face, Keep, kept
from twocet.errors import UserError, check


def neutralize(
    targets: tyro.conf.Positional[tuple[Path, ...]],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    mouth: Literal["real", "painted"] = "real",
    model: str = "default",
    aligned: bool = False,
    face: Face = None,
    keep: Keep = (),
    strict: bool = False,
    crop_only: bool = False,
    no_mark: bool = False,
    strip_private: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Remove the expression of the faces in TARGETS.

    examples:
      twocet neutralize smile.jpg -o neutral.png
      twocet neutralize portraits/ -o neutral
      twocet neutralize anna.jpg ben.jpg -o neutral

    Args:
        targets: Photos whose faces are edited, or folders of photos. For shape models also points (.npz), a mesh (.obj)
            or a folder of meshes.
        output: Picture to write (.png .jpg .webp .tif), or a folder for the results.
        mouth: real: made of photos' own pixels; painted: by the model alone.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        aligned: The photos are square face crops already; do not look for a face.
        face: Face of each photo to edit: 1 is the largest, or all.
        keep: Parts of the face to leave as they are; gaze is what shows between the lids.
        strict: Refuse photos that cannot be edited well, instead of printing a note.
        crop_only: Write only the aligned face, at the model's size.
        no_mark: Leave out the marks that say that a model changed the picture.
        strip_private: Remove place (GPS), camera and owner from the results' metadata.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    from twocet.commands import points
    from twocet.commands.shared import Report, check_one_face, plan, run_jobs, save_result
    from twocet.commands.words import expand
    from twocet.edit import editor as editors
    from twocet.shapes.points import is_points

    if not targets:
        raise UserError("A photo is missing: twocet neutralize TARGET -o OUT")
    if is_points(targets[0]):
        check(len(targets) == 1, "Give points one file at a time.")
        points.neutralize(targets[0], output, model, as_json=as_json)
        return
    check_one_face(face, crop_only)
    jobs = plan(expand(targets), output, whole=not crop_only)
    editor = editors.load(model, device=device, mouth=mouth, strict=strict, strip_private=strip_private)

    def edit(photo: Path, file: Path) -> Report:
        result = editor.neutralize(photo, aligned=aligned, face=face, regions=kept(keep))
        return save_result(result, photo, file, mark=not no_mark, crop_only=crop_only)

    run_jobs(jobs, edit, as_json=as_json, whole=not crop_only)
