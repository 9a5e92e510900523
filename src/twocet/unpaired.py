"""The photos of the recipe ``unpaired``: strangers' photos become pairs, their neutral faces being estimated.

The landmarks of all photos are read once. Their statistics tell where those of each expressive face would lie at rest
(``rest``), and the photo's own pixels are moved there: a neutral face that comes close, of the very person, in the
very light. What moving cannot do, opened mouths above all, is learnt from the other side: the expressive photo is real.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from twocet import ranks, rest
from twocet.config import check
from twocet.data import DatasetFolder, Faces, table_path, to_image
from twocet.errors import UserError
from twocet.expression import ExpressionReader
from twocet.images import read_photo
from twocet.metrics import Floats
from twocet.networks import warp
from twocet.work import write_whole

TABLE = "meshes.npz"
BLOCK = 1024
"""Photos between two savings of the table."""
CHUNK = 64
_EDGE = 9
"""Points on each edge of the crop that stay where they are."""

Meshes = dict[str, Floats]
"""By file: (478, 2) landmarks in sides of the crop; NaN where no face was found."""


def read_meshes(dataset: DatasetFolder, folder: Path, threads: int) -> Meshes:
    """The landmarks of a dataset's photos; goes on where an interrupted reading stopped.

    They are kept in ``TABLE`` beside faces.csv, or in ``folder`` if that cannot be written. Raises UserError.
    """
    path = table_path(dataset, folder, TABLE)
    meshes = load_meshes(path) if path.exists() else {}
    missing = [row["file"] for row in dataset.rows if row["file"] not in meshes]
    own = local()

    def read(file: str) -> Floats:
        if not hasattr(own, "reader"):
            own.reader = ExpressionReader()
        photo = read_photo(dataset.path / file).pixels
        return np.asarray(own.reader.read(photo).landmarks / photo.shape[1])

    bar = tqdm(total=len(missing), desc="landmarks", unit="photo", disable=None if missing else True)
    with ThreadPoolExecutor(threads) as pool, bar:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            for file, mesh in zip(block, pool.map(read, block), strict=True):
                meshes[file] = mesh
                bar.update()
            save_meshes(path, meshes)
    return meshes


def shared_meshes(dataset: DatasetFolder, folder: Path, threads: int) -> Meshes:
    """:func:`read_meshes` where several processes need them: the lead reads the photos, the others find the table."""
    if ranks.share().parts > 1:
        ranks.from_lead(lambda: len(read_meshes(dataset, folder, threads)))
    return read_meshes(dataset, folder, threads)


def save_meshes(path: Path, meshes: Mapping[str, Floats]) -> None:
    """Write them, whole or not at all."""
    archive = io.BytesIO()
    points = np.stack(list(meshes.values())).astype(np.float32)
    np.savez_compressed(archive, files=np.array(list(meshes)), landmarks=points)
    write_whole(path, archive.getvalue())


def load_meshes(path: Path) -> Meshes:
    """What :func:`save_meshes` wrote. Raises UserError."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(zip(archive["files"].tolist(), archive["landmarks"].astype(np.float64), strict=True))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read ({error}): delete it, and it is made again") from None


def found(rows: Sequence[dict[str, str]], meshes: Meshes) -> tuple[NDArray[np.int64], Floats]:
    """Which of the rows show a face (n,), and the landmarks of these (n, 478, 2)."""
    points = np.stack([meshes[row["file"]] for row in rows]) if rows else np.empty((0, 478, 2))
    places = np.flatnonzero(np.isfinite(points).all(axis=(1, 2)))
    return places, points[places]


def fit_rest(faces: Faces, meshes: Meshes) -> rest.Rest:
    """Where the faces of a dataset lie at rest, from its training photos. Raises UserError if they are too few."""
    return rest.fit(*(found(rows, meshes)[1] for rows in (faces.neutral_rows, faces.expressive_rows)))


def estimated_pairs(faces: Faces, meshes: Meshes, at_rest: rest.Rest, unchanged: float, *, progress: bool) -> Faces:
    """Every expressive photo with the neutral face estimated for it, and neutral photos that are pairs of themselves.

    Args:
        faces: The photos of one split; those without a face are left out.
        meshes: Their landmarks.
        at_rest: The estimate.
        unchanged: Share of the pairs that shall be neutral photos with themselves, if there are enough.
        progress: Whether to show it.
    """
    places, points = found(faces.expressive_rows, meshes)
    moved = rest.quietened(at_rest.movement(points))
    most = min(len(faces.neutral), round(len(places) * unchanged / (1 - unchanged)))
    real = np.linspace(0, len(faces.neutral) - 1, most).round().astype(np.int64)
    rows = [*(faces.expressive_rows[k] for k in places), *(faces.neutral_rows[k] for k in real)]
    # Filled piece by piece: a gigabyte for 20,000 photos is not copied more often than need be.
    neutral, expressive = (faces.neutral.new_empty(len(rows), *faces.neutral.shape[1:]) for _ in range(2))
    for start in tqdm(range(0, len(places), CHUNK), desc="estimating neutral faces", disable=not progress):
        part = slice(start, min(start + CHUNK, len(places)))
        expressive[part] = faces.expressive[places[part]]
        neutral[part] = estimated_neutrals(expressive[part], points[part], moved[part])
    neutral[len(places) :] = expressive[len(places) :] = faces.neutral[real]
    return Faces(neutral, expressive, rows, rows, [[k] for k in range(len(rows))])


def estimated_neutrals(photos: Tensor, landmarks: Floats, movement: Floats) -> Tensor:
    """Photos (N, 3, S, S) uint8 whose landmarks (N, L, 2) are moved back by ``movement``, in sides of the crop."""
    size = photos.shape[-1]
    flow = np.stack([resting_flow(*face, size) for face in zip(landmarks, movement, strict=True)])
    images = warp(to_image(photos), torch.from_numpy(flow).float())
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def resting_flow(landmarks: Floats, movement: Floats, size: int) -> Floats:
    """(2, size, size): which pixel of a face each pixel of the face at rest shows, see ``networks.warp``.

    Linear in the triangles between the landmarks at rest and the edge of the crop.

    Args:
        landmarks: (L, 2) of the face, in sides of the crop.
        movement: (L, 2) how far each is from its place at rest.
        size: Side in pixels.
    """
    from scipy.interpolate import LinearNDInterpolator

    line = np.linspace(0, 1, _EDGE)
    edge = np.unique([point for t in line for point in ((0, t), (1, t), (t, 0), (t, 1))], axis=0)
    known: Any = LinearNDInterpolator(
        np.concatenate([landmarks - movement, edge]), np.concatenate([movement, np.zeros_like(edge)]), fill_value=0.0
    )
    centres = (np.arange(size) + 0.5) / size
    return np.moveaxis(np.asarray(known(*np.meshgrid(centres, centres))), -1, 0)


def check_ready() -> None:
    """Say before the photos are read which packages are missing. Raises UserError."""
    try:
        import scipy.interpolate  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError:
        raise UserError("the recipe unpaired needs scipy and threadpoolctl: pip install 'twocet[train]'") from None


def prepare(
    train: Sequence[Faces], validation: Sequence[Faces], meshes: Sequence[Meshes], unchanged: float, *, progress: bool
) -> tuple[list[Faces], list[Faces]]:
    """Pairs of the training and of the validation photos of all datasets.

    The training photos of each dataset tell where its faces lie at rest: between two datasets more differs than
    expressions. Raises UserError for impossible settings and piles that are too small.
    """
    import scipy.interpolate  # noqa: F401 - loads its BLAS, which is to have one thread
    from threadpoolctl import threadpool_limits

    check(0 <= unchanged < 1, f"zero_edits must be from 0 to less than 1, not {unchanged}")

    def pairs(sets: Sequence[Faces], share: float) -> list[Faces]:
        return [
            estimated_pairs(faces, table, at_rest, share, progress=progress)
            for faces, table, at_rest in zip(sets, meshes, fitted, strict=True)
        ]

    # A tiny system is solved for each triangle: more threads would wait for each other, on a busy machine for minutes.
    with threadpool_limits(1, "blas"):
        fitted = [fit_rest(faces, table) for faces, table in zip(train, meshes, strict=True)]
        return pairs(train, unchanged), pairs(validation, 0.0)
