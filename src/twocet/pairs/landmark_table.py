"""The landmarks of a dataset's photos, read once and kept beside them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from twocet.data.dataset import DatasetFolder, table_path
from twocet.errors import check
from twocet.photo.images import Pixels, read_pixels
from twocet.readers.expression import ExpressionReader
from twocet.runtime.arrays import Floats
from twocet.runtime.distributed import Ranks
from twocet.runtime.files import write_whole
from twocet.runtime.records import read_arrays

TABLE = "meshes.npz"
BLOCK = 1024
"""Photos between two savings of the table."""

Meshes = dict[str, Floats]
"""By file: (478, 2) or (478, 3) landmarks in sides of the crop; NaN where no face was found."""


def read_meshes(dataset: DatasetFolder, folder: Path, threads: int) -> Meshes:
    """The landmarks of a dataset's photos, kept in ``TABLE``; see :func:`read_table`."""
    own = local()

    def read(pixels: Pixels) -> Floats:
        if not hasattr(own, "reader"):
            own.reader = ExpressionReader()
        landmarks: Floats = own.reader.read(pixels).landmarks
        return landmarks

    return read_table(dataset, folder, TABLE, read, threads)


def read_table(
    dataset: DatasetFolder, folder: Path, name: str, read: Callable[[Pixels], Floats], threads: int
) -> Meshes:
    """What ``read``, called by several threads, reads in a dataset's photos; goes on where it was interrupted.

    ``read`` gives places in pixels, the table has them in sides of the crop. It is kept as ``name`` beside faces.csv,
    or in ``folder`` if that cannot be written. Raises UserError.
    """
    path = table_path(dataset, folder, name)
    meshes = load_meshes(path) if path.exists() else {}
    missing = [row["file"] for row in dataset.rows if row["file"] not in meshes]

    def places(file: str) -> Floats:
        pixels = read_pixels(dataset.path / file)
        # As exact as they are kept, so that a run that goes on sees the same.
        return np.asarray(read(pixels) / pixels.shape[1], np.float32).astype(np.float64)

    bar = tqdm(total=len(missing), desc="landmarks", unit="photo", disable=None if missing else True)
    with ThreadPoolExecutor(threads) as pool, bar:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            for file, mesh in zip(block, pool.map(places, block), strict=True):
                meshes[file] = mesh
                bar.update()
            save_meshes(path, meshes)
    return meshes


def shared_meshes(dataset: DatasetFolder, folder: Path, threads: int, ranks: Ranks) -> Meshes:
    """:func:`read_meshes` where several processes need them: rank 0 reads the photos, the others find the table."""
    return ranks.rank_0_first(lambda: read_meshes(dataset, folder, threads))


def save_meshes(path: Path, meshes: Mapping[str, Floats]) -> None:
    """Write them, whole or not at all."""
    archive = io.BytesIO()
    points = np.stack(list(meshes.values())).astype(np.float32)
    np.savez_compressed(archive, files=np.array(list(meshes)), landmarks=points)
    write_whole(path, archive.getvalue())


def load_meshes(path: Path) -> Meshes:
    """What :func:`save_meshes` wrote. Raises UserError."""
    remedy = "delete it, and it is made again"
    arrays = read_arrays(path, remedy, ("files", "landmarks"))
    files, points = arrays["files"], arrays["landmarks"]
    fits = files.ndim == 1 and points.shape in [(len(files), 478, dimensions) for dimensions in (2, 3)]
    fits = fits and np.issubdtype(points.dtype, np.floating)
    check(fits, f"{path} is damaged (its arrays do not fit together): {remedy}")
    return dict(zip(files.astype(str).tolist(), points.astype(np.float64), strict=True))


def found(rows: Sequence[dict[str, str]], meshes: Meshes) -> tuple[NDArray[np.int64], Floats]:
    """Which of the rows show a face (n,), and the landmarks of these (n, 478, 2)."""
    points = np.stack([meshes[row["file"]] for row in rows]) if rows else np.empty((0, 478, 2))
    places = np.flatnonzero(np.isfinite(points).all(axis=(1, 2)))
    return places, points[places]
