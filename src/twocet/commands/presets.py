"""``twocet presets``: named expressions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twocet.commands.messages import print_notes
from twocet.errors import UserError

if TYPE_CHECKING:
    from twocet.edit.presets import Preset


def presets(
    action: tyro.conf.Positional[Literal["list", "save", "remove", "show"]] = "list",
    name: tyro.conf.Positional[str | None] = None,
    references: tyro.conf.Positional[tuple[Path, ...]] = (),
    /,
    model: str = "default",
    aligned: bool = False,
    reference_face: int | None = None,
    strict: bool = False,
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """List, save, show or remove named expressions, which other commands use as --preset NAME.

    The action save reads the expression of each photo and keeps the mean. A preset fits only the model that it was made
    with. Your own presets are kept in ~/.config/twocet/presets.json (or in XDG_CONFIG_HOME).

    examples:
      twocet presets list
      twocet presets save grin grin-1.jpg grin-2.jpg
      twocet transfer me.jpg --preset grin -o out.png
      twocet presets show grin --json
      twocet presets remove grin

    Args:
        action: What to do.
        name: Name of the preset; list needs none.
        references: Photos, or folders of photos, whose expression is saved.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        aligned: The photos are square face crops already; do not look for a face.
        reference_face: Face of each photo to read: 1 is the largest.
        strict: Refuse photos that cannot be read well, instead of printing a note.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    from twocet.edit import presets as book
    from twocet.model.model import find_model, identify_model

    if references and action != "save":
        raise UserError(f"twocet presets {action} takes no photos: {references[0]}")
    if action == "save":
        _announce([_save(name, references, model, aligned, reference_face, strict, device)], as_json, verb="saved")
        return
    known_as, sha256 = identify_model(find_model(model))
    if action == "list":
        found = sorted(book.fitting(known_as, sha256).values(), key=lambda preset: (preset.own, preset.name))
        _announce(found, as_json, verb="")
    elif name is None:
        raise UserError(f"The name is missing: twocet presets {action} NAME")
    elif action == "show":
        _announce([book.find(name, known_as, sha256)], as_json, verb="", codes=True)
    else:
        print(f"removed {name} from {book.remove(name, sha256)}")


def _save(
    name: str | None,
    references: tuple[Path, ...],
    model: str,
    aligned: bool,
    face: int | None,
    strict: bool,
    device: str,
) -> Preset:
    import numpy as np

    from twocet.commands.shared import photos_in
    from twocet.edit import editor as editors
    from twocet.edit import presets as book

    if name is None or not references:
        raise UserError("Give a name and at least one photo: twocet presets save NAME PHOTO...")
    files = [file for path in references for file in photos_in(path)]
    editor = editors.load(model, device=device, strict=strict)
    if editor.sha256 is None:
        raise UserError("Presets can be saved only for models that were read from a file.")
    read = [editor.read_expression(file, aligned=aligned, face=face) for file in files]
    print_notes(note for expression in read for note in expression.notes)
    shown = ", ".join(file.name for file in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    code = tuple(round(float(value), 6) for value in np.mean([expression.code for expression in read], axis=0))
    preset = book.Preset(name, code, editor.sha256, shown, own=True)
    book.save(preset)
    if name in {other.name for other in book.read_file(book.packaged_file(editor.name), own=False)}:
        print_notes([f"{name} is also the name of a packaged preset: yours is used until twocet presets remove {name}"])
    return preset


def _announce(found: list[Preset], as_json: bool, *, verb: str, codes: bool = False) -> None:
    if as_json:
        import json

        print(json.dumps([preset._asdict() for preset in found], indent=2))
        return
    if not found:
        print("no presets for this model; make one with: twocet presets save NAME PHOTO")
        return
    width = max(len(preset.name) for preset in found)
    for preset in found:
        length = sum(value * value for value in preset.code) ** 0.5
        kind = "your own" if preset.own else "packaged"
        line = f"{preset.name:<{width}}  {kind}, code of length {length:.3g}, from {preset.made_from}"
        print(f"{verb} {line}".strip())
        if codes:
            print(" ".join(f"{value:g}" for value in preset.code))
