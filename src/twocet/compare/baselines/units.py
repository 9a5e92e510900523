"""Action units of photos: from the landmark runtime's blendshapes, or from OpenFace's CSV files.

The 17 units are those whose intensity OpenFace measures. Values are in [0, 1]: blendshapes, or OpenFace's intensities
0..5 divided by 5.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import numpy as np
from tqdm import tqdm

from twocet.data.dataset import DatasetFolder, table_path
from twocet.errors import UserError, check
from twocet.photo.images import Pixels, read_pixels
from twocet.readers.expression import EXPRESSION_NAMES, ExpressionReader
from twocet.runtime.arrays import Floats
from twocet.runtime.files import write_whole
from twocet.runtime.records import read_csv

UNITS = tuple(f"AU{number:02d}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45))
"""The action units, in OpenFace's order."""
TABLE = "action-units.csv"
BLOCK = 512
"""Photos between two savings of the table."""

BLENDSHAPES_OF = {
    "AU01": ("browInnerUp",),
    "AU02": ("browOuterUp*",),
    "AU04": ("browDown*",),
    "AU05": ("eyeWide*",),
    "AU06": ("cheekSquint*", "eyeSquint*"),
    "AU07": ("eyeSquint*",),
    "AU09": ("noseSneer*",),
    "AU10": ("mouthUpperUp*",),
    "AU12": ("mouthSmile*",),
    "AU14": ("mouthDimple*",),
    "AU15": ("mouthFrown*",),
    "AU17": ("mouthShrugLower",),
    "AU20": ("mouthStretch*",),
    "AU23": ("mouthPress*",),
    "AU25": ("mouthLowerDown*", "jawOpen"),
    "AU26": ("jawOpen",),
    "AU45": ("eyeBlink*",),
}
"""An action unit is the largest of these; ``stem*`` is the mean of the left and the right blendshape."""


def units_of(blendshapes: Floats) -> Floats:
    """Action units (..., 17) of blendshapes (..., 51) in the order of ``EXPRESSION_NAMES``; NaN stays NaN."""

    def column(name: str) -> Floats:
        stem = name.removesuffix("*")
        sides = (name,) if stem == name else (f"{stem}Left", f"{stem}Right")
        return np.asarray(blendshapes[..., [EXPRESSION_NAMES.index(side) for side in sides]].mean(axis=-1))

    return np.stack([np.max([column(name) for name in BLENDSHAPES_OF[unit]], axis=0) for unit in UNITS], axis=-1)


class UnitReader:
    """Reads the action units of pictures; may be used by several threads."""

    def __init__(self) -> None:
        self._own = local()

    def read(self, pixels: Pixels) -> Floats:
        """(17,) of the largest face in (H, W, 3) uint8; NaN where there is none."""
        if not hasattr(self._own, "reader"):
            self._own.reader = ExpressionReader()
        return units_of(self._own.reader.read(pixels).blendshapes)


def annotate(dataset: DatasetFolder, folder: Path, given: str, threads: int, read: Callable[[Pixels], Floats]) -> None:
    """Give every row of a dataset's faces.csv the columns of ``UNITS``.

    ``given`` is an OpenFace table or folder; if it is empty, the units are read from the photos (once: they are kept in
    ``TABLE`` beside faces.csv, or in ``folder`` if that cannot be written). Raises UserError.
    """
    if given:
        table = read_openface(Path(given), [row["file"] for row in dataset.rows])
    else:
        table = _kept_table(dataset, folder, threads, read)
    for row in dataset.rows:
        row.update(zip(UNITS, (f"{value:.4f}" for value in table[row["file"]]), strict=True))


def row_units(row: dict[str, str]) -> list[float]:
    """The action units of an annotated row; NaN where no face was found."""
    return [float(row[unit]) for unit in UNITS]


def _kept_table(
    dataset: DatasetFolder, folder: Path, threads: int, read: Callable[[Pixels], Floats]
) -> dict[str, Floats]:
    """The table of a dataset, completed by reading photos that it lacks; goes on where an interrupted one stopped."""
    path = table_path(dataset, folder, TABLE)
    table = read_table(path) if path.exists() else {}
    files = [row["file"] for row in dataset.rows]
    missing = [file for file in files if file not in table]
    if not missing:
        return table
    with (
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(missing), desc="action units", unit="photo", disable=None) as bar,
    ):
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            work = pool.map(lambda file: read(read_pixels(dataset.path / file)), block)
            for file, units in zip(block, work, strict=True):
                table[file] = units
                bar.update()
            write_whole(path, table_bytes((file, table[file]) for file in files if file in table))
    return table


def table_bytes(rows: Iterable[tuple[str, Floats]]) -> bytes:
    """The table as CSV: ``file`` and one column for each unit; empty where no face was found."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", *UNITS))
    for file, units in rows:
        writer.writerow((file, *("" if np.isnan(value) else f"{value:.4f}" for value in units)))
    return text.getvalue().encode()


def read_table(path: Path) -> dict[str, Floats]:
    """The units of every file of a table. Raises UserError."""
    return {row["file"]: _numbers(path, row, UNITS) for row in _rows(path, ("file", *UNITS))}


def read_openface(path: Path, files: Sequence[str]) -> dict[str, Floats]:
    """The units of ``files`` from OpenFace: one CSV with a column ``file``, or a folder with one CSV for each photo.

    Intensities are the columns ``AU01_r`` and so on, 0..5. In a folder, the photo ``faces/a.png`` is looked for as
    ``a.csv``; of several faces the first one counts. Raises UserError where one is missing.
    """
    columns = tuple(f"{unit}_r" for unit in UNITS)
    if path.is_dir():
        found = {file: _rows(path / f"{Path(file).stem}.csv", columns)[0] for file in files}
    else:
        found = {row["file"]: row for row in _rows(path, ("file", *columns))}
        missing = [file for file in files if file not in found]
        check(not missing, f"{path} has no row for {missing[:1]} and {len(missing) - 1} more: run OpenFace on them")
    return {file: _numbers(path, found[file], columns) / 5 for file in files}


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file whose names may be padded with blanks, as OpenFace's are; at least one."""
    check(path.exists(), f"there is no table of action units {path}")
    rows = read_csv(path, "give the CSV file that OpenFace wrote")
    missing = [column for column in columns if not rows or column not in rows[0]]
    check(not missing, f"{path} has no column {', '.join(missing[:3])}, or no row")
    return rows


def _numbers(path: Path, row: dict[str, str], columns: Sequence[str]) -> Floats:
    try:
        return np.array([float(row[column] or "nan") for column in columns])
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: an action unit is not a number ({error})") from None
