"""Point sets read from datasets of photos: the landmarks of every face, kept beside the photos."""

from __future__ import annotations

from pathlib import Path
from threading import local

import numpy as np

from twocet.data.dataset import open_dataset
from twocet.pairs.landmark_table import read_table
from twocet.photo.faces import FaceFinder
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats
from twocet.shapes.photos import POINTS
from twocet.shapes.points import PointSets

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
