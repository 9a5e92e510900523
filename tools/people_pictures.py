"""Results on real people for the documents: ``python tools/people_pictures.py PHOTOS`` writes ``docs/images``.

PHOTOS is a folder with ``london/neutral`` and ``london/smiling`` of the Face Research Lab London Set (CC BY 4.0) and
``wild`` (CC0). Only results are shown, never the photos. The failures that need a special pose or expression are made
with rendered people, who do not exist.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from docs_pictures import FOLDER, shrunk
from PIL import Image

import twocet
from twocet.photo.images import Photo, Pixels
from twocet.photo.marks import sheet_mark, write_marked
from twocet.photo.sheets import Cell, sheet
from twocet.synth import Head, Identity, render
from twocet.synth.expressions import units_from_text

PAIRS = (("001", "002"), ("021", "129"), ("143", "139"))
"""Target and reference; none of them was trained on."""
STRENGTHS = (0.5, 1.0, 1.3)
PRESETS = ("happy", "laugh", "surprise", "sad", "fear", "wink")
SHOWN = ("104", "136")
TARGET, MODEL = 950_003, 950_011
"""Rendered people."""
_MARGIN, _CLOSE = 0.14, 0.22

Rows = list[list[Cell | None]]


def people(editor: twocet.Editor, photos: Path) -> Rows:
    """Each person with another one's smile at three strengths, and the own smile removed."""
    rows: Rows = []
    for target, reference in PAIRS:
        smile, neutral = london(photos, "smiling", reference), london(photos, "neutral", target)
        cells = [Cell(middle(editor.transfer(neutral, smile, s).image), f"smile {s:g}") for s in STRENGTHS]
        own = editor.neutralize(london(photos, "smiling", target))
        rows.append([*cells, Cell(middle(own.image), "own smile removed")])
    return rows


def presets(editor: twocet.Editor, photos: Path) -> Rows:
    """Two people with packaged presets at strength 1."""
    return [
        [
            Cell(middle(editor.transfer(london(photos, "neutral", person), editor.preset(name)).image, _CLOSE), name)
            for name in PRESETS
        ]
        for person in SHOWN
    ]


def failures(editor: twocet.Editor, photos: Path) -> Rows:
    """What the gallery warns of."""
    plain, grimace = rendered(TARGET), rendered(MODEL, "noseSneer* 1, mouthUpperUp* 0.8, browDown* 0.7")
    smile = london(photos, "smiling", "030")
    real = [
        (london(photos, "neutral", "006"), london(photos, "smiling", "061"), "teeth of two tones"),
        (london(photos, "neutral", "136"), london(photos, "smiling", "091"), "half-open mouth"),
        (photos / "wild" / "lisa3.jpg", smile, "cold teeth in dim light"),
    ]
    first = [Cell(middle(editor.transfer(target, reference).image), label) for target, reference, label in real]
    turned = rendered(TARGET, pose=(0.0, 35.0, 0.0))
    closed = editor.transfer(rendered(950_005, "eyeBlink* 1"), rendered(MODEL, "eyeWide* 1, browInnerUp 1"))
    return [
        [*first, Cell(middle(editor.transfer(turned, smile).image, 0), "turned by 35 degrees")],
        [
            Cell(middle(closed.image, 0), "closed eyes stay closed"),
            Cell(middle(Image.fromarray(grimace), 0), "this reference ..."),
            Cell(middle(editor.transfer(plain, grimace).image, 0), "... comes out weaker"),
            Cell(middle(editor.transfer(plain, editor.preset("scream"), 1.8).image, 0), "scream at 1.8"),
        ],
    ]


def label_free(_: twocet.Editor, photos: Path) -> Rows:
    """The label-free model: another person's smile at three strengths, and the own smile removed."""
    return people(twocet.load("label-free"), photos)


def london(photos: Path, kind: Literal["neutral", "smiling"], person: str) -> Path:
    """A photo of the London set."""
    return photos / "london" / kind / f"{person}.jpg"


def rendered(person: int, units: str = "", pose: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Pixels:
    """A rendered portrait; ``pose`` is in degrees."""
    identity = dataclasses.replace(Identity.sample(person), pose=pose, gaze=(0.0, 0.0))
    return render(Head(identity), units_from_text(units) if units else {}, 768, "portrait").pixels


def middle(image: Image.Image, margin: float = _MARGIN) -> Pixels:
    """The pixels of a portrait without its margins, shares of its shorter side."""
    side = (1 - 2 * margin) * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (round(left), round(top), round(left + side), round(top + side))
    return np.asarray(image.convert("RGB").crop(box))


PICTURES: dict[str, tuple[Callable[[twocet.Editor, Path], Rows], int]] = {
    "people": (people, 240), "presets": (presets, 160), "failures": (failures, 240),
    "label-free-people": (label_free, 240)
}  # fmt: skip


def main(
    photos: tyro.conf.Positional[Path],
    names: tyro.conf.Positional[tuple[Literal["people", "presets", "failures", "label-free-people"], ...]] = (),
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = FOLDER,
) -> None:
    """Makes the pictures.

    Args:
        photos: Folder with the folders london and wild.
        names: Which ones; all if none is named.
        output: Folder to write them to.
    """
    editor = twocet.load()
    for name in names or PICTURES:
        make, side = PICTURES[name]
        mark = sheet_mark(editor.name, editor.sha256)
        made = write_marked(Path(f"{name}.png"), Photo(pixels=sheet(make(editor, photos), side=side)), mark)
        (output / f"{name}.jpg").write_bytes(shrunk(made))
        os.unlink(made)


if __name__ == "__main__":
    tyro.cli(main)
