"""Point sets read from photos: the landmarks of every face; those of datasets are kept beside the photos."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import numpy as np
from tqdm import tqdm

from twocet.data.dataset import open_dataset
from twocet.errors import check
from twocet.pairs.landmark_table import read_table
from twocet.photo.faces import FaceFinder
from twocet.photo.images import READABLE_SUFFIXES, Pixels, read_pixels
from twocet.runtime.arrays import Floats
from twocet.shapes.points import DOMAINS, PointSets

POINTS = 468
"""Landmarks of a face without the irises, which follow the gaze."""
TABLE = "shapes.npz"


def read_dataset(folder: Path, split: str, work: Path, threads: int) -> PointSets:
    """The faces of one split of a dataset folder, (468, 3) in sides of the crop; photos without a face are left out.

    They are read once and kept beside the photos, or in ``work`` if that cannot be written. Raises UserError.
    """
    dataset = open_dataset(folder, allow_one_sided=True)
    table = read_table(dataset, work, TABLE, SteadyReader(), threads)
    rows = [row for row in dataset.select(split) if np.isfinite(table[row["file"]]).all()]
    return PointSets(
        points=np.array([table[row["file"]][:POINTS] for row in rows]).reshape(-1, POINTS, 3),
        neutral=np.array([row["domain"] == "neutral" for row in rows], bool),
        person=[row["identity"] for row in rows],
        label=[row["expression"] for row in rows],
    )


def read_photos(folder: Path, threads: int) -> PointSets:
    """The faces of photos in ``neutral`` and ``expressive``, (468, 3) in pixels; photos without a face are left out.

    A file name up to its first ``_`` is taken for the person, the folder that it lies in for the label. Raises
    UserError.
    """
    files = [file for domain in DOMAINS for file in sorted((folder / domain).rglob("*")) if _is_photo(file)]
    reader = SteadyReader()
    with ThreadPoolExecutor(threads) as pool:
        read = pool.map(lambda file: reader(read_pixels(file))[:POINTS], files)
        bar = tqdm(read, total=len(files), desc="landmarks", unit="photo", disable=None)
        found = [(file, points) for file, points in zip(files, bar, strict=True) if np.isfinite(points).all()]
    check(bool(found), f"{folder}: no face was found in any photo of its folders neutral and expressive")
    return PointSets(
        points=np.stack([points for _, points in found]),
        neutral=np.array([file.relative_to(folder).parts[0] == DOMAINS[0] for file, _ in found]),
        person=[file.stem.partition("_")[0] for file, _ in found],
        label=[file.parent.name for file, _ in found],
    )


def _is_photo(file: Path) -> bool:
    return file.suffix.lower() in READABLE_SUFFIXES


class SteadyReader:
    """Reads landmarks (478, 3) in pixels of a picture, several times over; NaN where no face is found.

    Every thread has its own graphs.
    """

    def __init__(self) -> None:
        self._own = local()

    def __call__(self, pixels: Pixels) -> Floats:
        if not hasattr(self._own, "finder"):
            self._own.finder = FaceFinder(threads=1)
        finder: FaceFinder = self._own.finder
        faces = finder.find(pixels)
        return finder.steadied(pixels, faces[0]).landmarks.astype(np.float64) if faces else np.full((478, 3), np.nan)
