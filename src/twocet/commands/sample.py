"""``twocet sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from twocet.commands.options import Face, Keep, kept
from twocet.errors import UserError

_SHEET_COLUMNS = 5


def sample(
    target: tyro.conf.Positional[Path],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    num: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 8,
    seed: int = 0,
    strength: float = 1.0,
    mouth: Literal["real", "painted"] = "real",
    mouth_from: Path | None = None,
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
    """Give the face in TARGET random expressions: a picture of each, and a sheet of all.

    examples:
      twocet sample me.jpg -n 8 -o samples
      twocet sample me.jpg -n 20 --seed 7 --strength 1.3 -o samples

    Args:
        target: Photo whose face is edited. For shape models also points (.npz) or a mesh (.obj).
        output: Folder for the pictures, made if it is missing.
        num: How many expressions.
        seed: The same seed draws the same expressions.
        strength: More than 1 exaggerates, less weakens.
        mouth: real: made of photos' own pixels; painted: by the model alone.
        mouth_from: Another photo of the person in TARGET, with an open mouth, to show their own teeth.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        aligned: The photo is a square face crop already; do not look for a face.
        face: Face of TARGET to edit: 1 is the largest, or all.
        keep: Parts of the face to leave as they are; gaze is what shows between the lids.
        strict: Refuse photos that cannot be edited well, instead of printing a note.
        crop_only: Write only the aligned face, at the model's size.
        no_mark: Leave out the marks that say that a model changed the picture.
        strip_private: Remove place (GPS), camera and owner from the results' metadata.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    from tqdm import tqdm

    from twocet.commands import points
    from twocet.commands.shared import (
        announce,
        check_one_face,
        output_name,
        plan,
        save_result,
        save_sheet,
        shown_in_sheet,
    )
    from twocet.edit import editor as editors
    from twocet.photo.colour import shown
    from twocet.photo.images import SUFFIXES, read_photo
    from twocet.photo.sheets import Cell, fitted, sheet
    from twocet.runtime.files import make_folder
    from twocet.shapes.points import is_points

    if is_points(target):
        points.sample(target, output, num, seed, strength, model, as_json=as_json)
        return
    if target.is_dir():
        raise UserError(f"{target} is a folder: give one photo.")
    if output.suffix.lower() in SUFFIXES:
        raise UserError(f"{num} pictures need a folder: give a folder instead of {output}.")
    check_one_face(face, crop_only)
    photo = read_photo(target)
    editor = editors.load(model, device=device, mouth=mouth, strict=strict, strip_private=strip_private)
    results = editor.sample(
        photo, num, seed=seed, strength=strength, aligned=aligned, face=face, regions=kept(keep), mouth_from=mouth_from
    )
    make_folder(output)
    name = Path(output_name(target))
    digits = len(str(num))
    reports = []
    for number, result in enumerate(tqdm(results, unit="picture", disable=None), start=1):
        _, file = plan([target], output / f"{name.stem}-{number:0{digits}}{name.suffix}", whole=not crop_only)[0]
        reports.append(save_result(result, target, file, mark=not no_mark, crop_only=crop_only))
    cells = [Cell(fitted(shown(photo)), f"target: {target.name}")]
    cells += [
        Cell(fitted(shown_in_sheet(result, mark=not no_mark, crop_only=crop_only)), f"{number}")
        for number, result in enumerate(results, start=1)
    ]
    rows = [cells[first : first + _SHEET_COLUMNS] for first in range(0, len(cells), _SHEET_COLUMNS)]
    overview = output / f"{name.stem}-sheet{name.suffix}"
    reports.append(save_sheet(sheet(rows), editor, results, target, overview, mark=not no_mark))
    announce(reports, as_json=as_json)
