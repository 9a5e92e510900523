"""``twocet transfer``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twocet.errors import UserError

if TYPE_CHECKING:
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
    face: int | None = None,
    crop_only: bool = False,
    no_mark: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Give the face in TARGET the expression of the face in REFERENCE.

    The face is found, aligned, edited and blended back at the photo's own resolution; outside the face every pixel
    stays. Several references, presets or strengths, or a folder of references, make one labelled grid. A folder of
    targets needs a folder as output.

    examples:
      twocet transfer me.jpg smile.jpg -o out.png
      twocet transfer me.jpg smile.jpg -o out.jpg --strength 0.6
      twocet transfer me.jpg smile.jpg anger.jpg -o grid.png --strength 0.5 1.0 1.5
      twocet transfer me.jpg --preset happy -o out.png
      twocet transfer portraits/ smile.jpg -o smiling/

    Args:
        target: Photo whose face is edited, or a folder of photos.
        references: Photos whose expression is copied, or folders of photos.
        output: Picture to write (.png .jpg .webp .tif), or a folder if TARGET is one.
        preset: Named expressions in place of references, or besides them; twocet presets list names them.
        strength: 0 is neutral, 1 the reference's expression, more exaggerates, less than 0 opposes.
        mouth: real makes mouths of photos' own pixels; painted leaves them to the model alone.
        mouth_from: Another photo of the person in TARGET with an open mouth: shows their own teeth.
        model: Name of a packaged model, a model file, or a folder that twocet export wrote.
        aligned: The photos are square face crops already; look for no face.
        face: Which face of TARGET to edit, 1 is the largest.
        crop_only: Write the aligned face alone, at the model's size.
        no_mark: Leave out the mark that says that a model changed the picture.
        device: Where the model runs, for example cpu or cuda.
        as_json: Report in JSON.
    """
    from twocet.commands.shared import Report, photos_in, plan, run_jobs, save_result, save_sheet, transfer_sheet
    from twocet.edit import editor as editors
    from twocet.edit.presets import preset_code

    if not references and not preset:
        raise UserError("A reference is missing: twocet transfer TARGET REFERENCE -o OUT, or --preset NAME")
    if not strength:
        raise UserError("A strength is missing: for example --strength 0.5 1.0")
    reference_files = [file for path in references for file in photos_in(path)]
    jobs = plan(target, output, reference_files)
    editor = editors.load(model, device=device, mouth=mouth)
    given: list[tuple[Path | str, Path | Code]] = [(file, file) for file in reference_files]
    given += [(name, preset_code(name, editor)) for name in preset]
    # A reference without a face is wrong for every target: say so before any work is done.
    expressions = [
        (shown, editor.expression(reference, aligned=aligned, mouth_from=mouth_from)) for shown, reference in given
    ]

    def edit(photo: Path, file: Path) -> Report:
        rows = [
            [editor.transfer(photo, expression, value, aligned=aligned, face=face) for value in strength]
            for _, expression in expressions
        ]
        if len(rows) == len(strength) == 1:
            return save_result(rows[0][0], photo, file, mark=not no_mark, crop_only=crop_only)
        grid = transfer_sheet(photo, [shown for shown, _ in expressions], rows, crop_only=crop_only)
        return save_sheet(grid, editor, [result for row in rows for result in row], photo, file, mark=not no_mark)

    run_jobs(jobs, edit, as_json=as_json)
