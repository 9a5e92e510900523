"""``twocet neutralize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro


def neutralize(
    target: tyro.conf.Positional[Path],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    mouth: Literal["real", "painted"] = "real",
    model: str = "default",
    aligned: bool = False,
    face: int | None = None,
    crop_only: bool = False,
    no_mark: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Remove the expression of the face in TARGET.

    A folder of targets needs a folder as output.

    examples:
      twocet neutralize smile.jpg -o neutral.png
      twocet neutralize portraits/ -o neutral/

    Args:
        target: Photo whose face is edited, or a folder of photos.
        output: Picture to write (.png .jpg .webp .tif), or a folder if TARGET is one.
        mouth: real makes mouths of photos' own pixels; painted leaves them to the model alone.
        model: Name of a packaged model, a model file, or a folder that twocet export wrote.
        aligned: The photos are square face crops already; look for no face.
        face: Which face of TARGET to edit, 1 is the largest.
        crop_only: Write the aligned face alone, at the model's size.
        no_mark: Leave out the mark that says that a model changed the picture.
        device: Where the model runs, for example cpu or cuda.
        as_json: Report in JSON.
    """
    from twocet.commands.shared import Report, plan, run_jobs, save_result
    from twocet.edit import editor as editors

    jobs = plan(target, output)
    editor = editors.load(model, device=device, mouth=mouth)

    def edit(photo: Path, file: Path) -> Report:
        result = editor.neutralize(photo, aligned=aligned, face=face)
        return save_result(result, photo, file, mark=not no_mark, crop_only=crop_only)

    run_jobs(jobs, edit, as_json=as_json)
