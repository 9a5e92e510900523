"""Results on real people for the README: ``python tools/people_picture.py LONDON`` writes ``docs/images/people.jpg``.

LONDON is a folder with ``neutral`` and ``smiling`` of the Face Research Lab London Set (CC BY 4.0). Only results are
shown, never the photos: each person with another one's smile at three strengths, and the own smile removed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from docs_pictures import FOLDER, shrunk
from PIL import Image

import twocet
from twocet.photo.images import Photo
from twocet.photo.marks import sheet_mark, write_marked
from twocet.photo.sheets import Cell, sheet

PAIRS = (("001", "002"), ("021", "129"), ("143", "139"))
"""Target and reference; none of them was trained on."""
STRENGTHS = (0.5, 1.0, 1.3)
_MARGIN = 0.14


def main(london: tyro.conf.Positional[Path], output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = FOLDER) -> None:
    """Makes the picture.

    Args:
        london: Folder with the folders neutral and smiling.
        output: Folder to write people.jpg to.
    """
    editor = twocet.load()
    rows = []
    for target, reference in PAIRS:
        smile = next((london / "smiling").glob(f"{reference}*"))
        neutral = next((london / "neutral").glob(f"{target}*"))
        cells = [Cell(middle(editor.transfer(neutral, smile, s).image), f"smile {s:g}") for s in STRENGTHS]
        own = editor.neutralize(next((london / "smiling").glob(f"{target}*")))
        rows.append([*cells, Cell(middle(own.image), "own smile removed")])
    made = write_marked(Path("people.png"), Photo(pixels=sheet(rows, side=240)), sheet_mark(editor.name, editor.sha256))
    (output / "people.jpg").write_bytes(shrunk(made))
    os.unlink(made)


def middle(image: Image.Image) -> np.ndarray:
    """The pixels of a portrait without its margins."""
    width, height = image.size
    box = (_MARGIN * width, _MARGIN * height, (1 - _MARGIN) * width, (1 - _MARGIN) * height)
    return np.asarray(image.convert("RGB").crop(tuple(map(round, box))))


if __name__ == "__main__":
    tyro.cli(main)
