"""``twocet demo``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import tyro

from twocet.errors import UserError

if TYPE_CHECKING:
    from twocet.edit.editor import Editor
    from twocet.edit.result import Result
    from twocet.photo.sheets import Cell

STRENGTHS = (0.5, 1.0, 1.5)
_EXAMPLES = Path(__file__).parent / "examples"
_OVERVIEW_SIDE = 240


class Pair(NamedTuple):
    """Two packaged example photos."""

    name: str
    target: Path
    reference: Path


def demo(
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("demo-output"),
    model: str = "default",
    device: str = "cpu",
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Transfer expressions between the packaged example photos and print where the pictures are.

    The examples are synthetic people. Every sheet shows target, reference and the result at three strengths.

    examples:
      twocet demo
      twocet demo -o pictures --model my-model.safetensors

    Args:
        output: Folder for the pictures, made if it is missing.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        device: Where the model runs: cpu, cuda or mps.
        as_json: Print a report as JSON.
    """
    from tqdm import tqdm

    from twocet.commands.shared import save_sheet
    from twocet.edit import editor as editors
    from twocet.photo.sheets import sheet
    from twocet.runtime.files import make_folder

    pairs = example_pairs()
    make_folder(output)
    editor = editors.load(model, device=device)
    written, overview = [], []
    for pair in tqdm(pairs, unit="pair", disable=None):
        results = [editor.transfer(pair.target, pair.reference, strength) for strength in STRENGTHS]
        written += _save_pair(editor, pair, results, output)
        overview.append(_overview_row(pair, results))
    everything = output / "overview.png"
    save_sheet(sheet(overview, side=_OVERVIEW_SIDE), editor, results, pair.target, everything, mark=True)
    if as_json:
        import json

        print(json.dumps({"output": [str(file) for file in (*written, everything)]}, indent=2))
        return
    for file in (*written, everything):
        print(file)


def example_pairs(folder: Path = _EXAMPLES) -> list[Pair]:
    """``target-N.*`` with ``reference-N-EXPRESSION.*``, by number. Raises UserError when there are none."""
    targets = {_number(file): file for file in folder.glob("target-*")}
    references = {_number(file): file for file in folder.glob("reference-*")}
    common = sorted(targets.keys() & references.keys())
    if not common:
        raise UserError(f"The example photos are missing from {folder}: install twocet again.")
    return [
        Pair(references[number].stem.removeprefix("reference-"), targets[number], references[number])
        for number in common
    ]


def _number(file: Path) -> int:
    found = re.search(r"\d+", file.stem)
    return int(found.group()) if found else 0


def _save_pair(editor: Editor, pair: Pair, results: list[Result], output: Path) -> list[Path]:
    """The sheet of one pair, and its results as whole pictures."""
    from twocet.commands.shared import save_sheet, transfer_sheet

    compared = output / f"{pair.name}.png"
    save_sheet(
        transfer_sheet(pair.target, [pair.reference], [results], mark=True),
        *(editor, results, pair.target, compared),
        mark=True,
    )
    photos = [result.save(output / f"{pair.name}-strength-{result.strength:g}.jpg") for result in results]
    return [compared, *photos]


def _overview_row(pair: Pair, results: list[Result]) -> list[Cell]:
    from twocet.photo.images import read_pixels
    from twocet.photo.sheets import Cell

    expression = pair.name.partition("-")[2] or pair.name
    shown = [
        Cell(read_pixels(pair.target), "target"),
        Cell(read_pixels(pair.reference), f"reference: {expression}"),
    ]
    return shown + [Cell(result.marked(), f"strength {result.strength:g}") for result in results]
