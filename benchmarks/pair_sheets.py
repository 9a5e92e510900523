"""Sheets for a viewer: what becomes of a fixed list of real people's photos, and the table in which it is judged.

DATA is a folder with ``london/neutral``, ``london/smiling``, ``snapshots`` and ``wild``. Which photos these are is said
by the lists below; the photos themselves do not belong to the project. See ``real_pairs`` and ``judged``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import portraits
from PIL import Image
from tqdm import tqdm

import twocet
from twocet.edit import presets
from twocet.photo.align import upright_square
from twocet.photo.images import Pixels, read_photo
from twocet.photo.resample import crop
from twocet.photo.sheets import Cell, sheet
from twocet.readers.expression import ExpressionReader

PAIRS = (
    # Drawn with seed 22: the ten people who were not trained on, ten others, snapshots of six people with closed mouths
    # and of one with an open one, and three everyday photos. Of the references 26 show teeth.
    ("london/neutral/001.jpg", "london/smiling/104.jpg"),
    ("london/neutral/002.jpg", "london/smiling/130.jpg"),
    ("london/neutral/006.jpg", "london/smiling/061.jpg"),
    ("london/neutral/021.jpg", "london/smiling/139.jpg"),
    ("london/neutral/104.jpg", "london/smiling/126.jpg"),
    ("london/neutral/129.jpg", "london/smiling/027.jpg"),
    ("london/neutral/136.jpg", "london/smiling/091.jpg"),
    ("london/neutral/139.jpg", "london/smiling/100.jpg"),
    ("london/neutral/143.jpg", "london/smiling/124.jpg"),
    ("london/neutral/172.jpg", "london/smiling/029.jpg"),
    ("london/neutral/005.jpg", "london/smiling/082.jpg"),
    ("london/neutral/013.jpg", "london/smiling/127.jpg"),
    ("london/neutral/025.jpg", "london/smiling/094.jpg"),
    ("london/neutral/032.jpg", "london/smiling/172.jpg"),
    ("london/neutral/039.jpg", "london/smiling/032.jpg"),
    ("london/neutral/081.jpg", "london/smiling/099.jpg"),
    ("london/neutral/096.jpg", "london/smiling/006.jpg"),
    ("london/neutral/101.jpg", "london/smiling/020.jpg"),
    ("london/neutral/108.jpg", "london/smiling/107.jpg"),
    ("london/neutral/128.jpg", "london/smiling/002.jpg"),
    ("snapshots/image_0005.jpg", "snapshots/image_0139.jpg"),
    ("snapshots/image_0134.jpg", "london/smiling/016.jpg"),
    ("snapshots/image_0159.jpg", "london/smiling/007.jpg"),
    ("snapshots/image_0197.jpg", "london/smiling/034.jpg"),
    ("snapshots/image_0115.jpg", "snapshots/image_0173.jpg"),
    ("snapshots/image_0082.jpg", "london/smiling/128.jpg"),
    ("snapshots/image_0173.jpg", "snapshots/image_0163.jpg"),
    ("wild/lisa1.jpg", "london/smiling/036.jpg"),
    ("wild/15cm.jpg", "snapshots/image_0184.jpg"),
    ("wild/lisa3.jpg", "london/smiling/030.jpg"),
)
NEUTRALISED = (
    *(f"london/smiling/{name}.jpg" for name in ("002", "006", "129", "136", "139")),
    *(f"snapshots/image_{name}.jpg" for name in ("0064", "0084", "0160", "0173", "0184")),
)
PRESET_PEOPLE = (
    *(f"london/neutral/{name}.jpg" for name in ("002", "021", "129")),
    "snapshots/image_0029.jpg",
    "wild/15cm.jpg",
)
STRENGTHS = (0.5, 1.5)

TABLE = "judged.csv"
COLUMNS = ("kind", "number", "target", "given", "publish", "reason")
"""``publish`` is to be filled with yes or no, ``reason`` with one line."""

_SIDE = 480
"""Of a cell: faces of London photos are shown at about their own size, mouths at 333 %."""
_HEAD = 2.7
"""Side of a face cell in distances between the outer corners of the eyes."""
_ROWS = 5
_COLUMNS = 7


class Viewer:
    """Cuts out of photos what is looked at."""

    def __init__(self, data: Path, editor: twocet.Editor) -> None:
        self.data, self.editor = data, editor
        self._reader = ExpressionReader()

    def photo(self, name: str) -> Pixels:
        """One of the photos of the lists."""
        return read_photo(self.data / name).pixels

    def cells(self, pixels: Pixels, label: str, *, made: bool) -> tuple[Cell, Cell]:
        """The face and the mouth of a photo; where no face is found both show the whole photo."""
        points = self._reader.read(pixels).landmarks
        if not np.isfinite(points).all():
            return Cell(pixels, f"{label} (no face)", made), Cell(pixels, f"{label} (no face)", made)
        side = _HEAD * float(np.linalg.norm(points[33] - points[263]))
        left, top = (points.min(axis=0) + points.max(axis=0) - side) / 2
        face = crop(pixels, upright_square(left, top, side), _SIDE, outside="constant")
        mouth = Image.fromarray(portraits.mouth_crop(pixels, points)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        return Cell(face, label, made), Cell(np.asarray(mouth), label, made)

    def transferred(self, target: str, reference: str, strength: float = 1.0) -> tuple[Cell, Cell]:
        """Face and mouth of a transfer."""
        result = self.editor.transfer(self.data / target, self.data / reference, strength)
        return self.cells(result.pixels, f"strength {strength:g}", made=True)


def pair_rows(viewer: Viewer) -> Iterator[list[Cell | None]]:
    """Target, reference and result, then their mouths, of all pairs."""
    for number, (target, reference) in enumerate(PAIRS, 1):
        given = (viewer.cells(viewer.photo(name), f"{number}: {name}", made=False) for name in (target, reference))
        yield _faces_then_mouths([*given, viewer.transferred(target, reference)])


def strength_rows(viewer: Viewer) -> Iterator[list[Cell | None]]:
    """The results at other strengths, beside the targets."""
    for number, (target, reference) in enumerate(PAIRS, 1):
        given = viewer.cells(viewer.photo(target), f"{number}: {target}", made=False)
        yield _faces_then_mouths([given, *(viewer.transferred(target, reference, s) for s in STRENGTHS)])


def neutral_rows(viewer: Viewer) -> Iterator[list[Cell | None]]:
    """Photos made neutral."""
    for number, name in enumerate(NEUTRALISED, 1):
        made = viewer.editor.neutralize(viewer.data / name).pixels
        given = viewer.cells(viewer.photo(name), f"{number}: {name}", made=False)
        yield _faces_then_mouths([given, viewer.cells(made, "neutral", made=True)])


def preset_rows(viewer: Viewer) -> Iterator[list[Cell | None]]:
    """Every preset on each of five people: a row of faces, a row of mouths, and so on."""
    editor = viewer.editor
    for target in PRESET_PEOPLE:
        shown = [viewer.cells(viewer.photo(target), target, made=False)]
        for name in preset_names(editor):
            made = editor.transfer(viewer.data / target, editor.preset(name)).pixels
            shown.append(viewer.cells(made, name, made=True))
        for k in range(0, len(shown), _COLUMNS):
            faces, mouths = zip(*shown[k : k + _COLUMNS], strict=True)
            yield list(faces)
            yield list(mouths)


def preset_names(editor: twocet.Editor) -> list[str]:
    """The packaged presets."""
    return sorted(preset.name for preset in presets.read_file(presets.packaged_file(editor.name), own=False))


ROWS = {"pairs": pair_rows, "strengths": strength_rows, "neutral": neutral_rows, "presets": preset_rows}
"""What can be shown."""


def _faces_then_mouths(shown: Sequence[tuple[Cell, Cell]]) -> list[Cell | None]:
    faces, mouths = zip(*shown, strict=True)
    return [*faces, *mouths]


def draw(editor: twocet.Editor, data: Path, folder: Path, kinds: Sequence[str]) -> None:
    """Write numbered sheets of five rows for every kind, and the table to be filled, unless it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    viewer = Viewer(data, editor)
    for kind in kinds:
        rows: list[list[Cell | None]] = []
        number = 0
        for row in tqdm(ROWS[kind](viewer), desc=kind, disable=None):
            rows.append(row)
            if len(rows) == _ROWS:
                number += 1
                _write(folder / f"{kind}-{number}.png", rows)
                rows = []
        if rows:
            _write(folder / f"{kind}-{number + 1}.png", rows)
    if not (folder / TABLE).exists():
        write_table(folder / TABLE, kinds, preset_names(editor))


def _write(path: Path, rows: list[list[Cell | None]]) -> None:
    Image.fromarray(sheet(rows, side=_SIDE)).save(path)


def write_table(path: Path, kinds: Sequence[str], names: Sequence[str]) -> None:
    """An empty table, one line for every picture to be judged."""
    given = {
        "pairs": list(PAIRS),
        "strengths": [(target, f"{reference} x {s:g}") for target, reference in PAIRS for s in STRENGTHS],
        "neutral": [(target, "neutral") for target in NEUTRALISED],
        "presets": [(target, name) for target in PRESET_PEOPLE for name in names],
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for kind in kinds:
            writer.writerows([kind, number, *pair, "", ""] for number, pair in enumerate(given[kind], 1))
