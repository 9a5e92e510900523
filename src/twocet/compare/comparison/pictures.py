"""The sheet of the paper's Fig. 3: targets, references, and a row of results for each model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twocet.compare.baselines.models import load_any
from twocet.compare.comparison.plan import Entry, size_of
from twocet.data.dataset import open_dataset
from twocet.evaluation.figures.grids import cast, load_split, pictures
from twocet.model.model import file_hash
from twocet.photo.images import Photo
from twocet.photo.marks import sheet_mark, write_marked
from twocet.photo.sheets import Cell, sheet
from twocet.training.export import MODEL_FILE

COLUMNS = 8
_SIDE = 160


def draw_rows(folder: Path, entries: Sequence[Entry], data: Path, split: str, output: Path, seed: int) -> None:
    """Write the sheet of up to ``COLUMNS`` targets and references, drawn with ``seed``, as a marked PNG.

    It shows those models whose files are there; without any it is not written.
    """
    entries = [entry for entry in entries if (folder / entry.key / MODEL_FILE).exists()]
    if not entries:
        return
    files = [folder / entry.key / MODEL_FILE for entry in entries]
    size = size_of(entries)
    models = [load_any(file, size=size) for file in files]
    faces = load_split(open_dataset(data, allow_one_sided=True), split, size)
    people = cast(faces, COLUMNS, COLUMNS, seed)
    count = min(len(people.targets), len(people.references))
    targets, references, labels = people.targets[:count], people.references[:count], people.expressions[:count]
    rows = [
        [Cell(pixels, "target") for pixels in pictures(targets)],
        [Cell(pixels, label) for pixels, label in zip(pictures(references), labels, strict=True)],
    ]
    for entry, model in zip(entries, models, strict=True):
        rows.append([Cell(x, entry.title) for x in pictures(model.transfer(targets, references, 1.0, labels))])
    names = ", ".join(entry.title for entry in entries)
    write_marked(output, Photo(pixels=sheet(rows, side=_SIDE)), sheet_mark(names, file_hash(files[0])))
