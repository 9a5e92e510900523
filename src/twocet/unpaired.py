"""The photos of the recipe ``unpaired``: strangers' photos become pairs, in two ways.

The landmarks of all photos are read once. Their statistics tell where those of each expressive face would lie at rest
(``rest``), and so how it moved. Backwards, the photo's own pixels are moved there: an estimated neutral face beside a
real expressive one. Forwards, a stranger's neutral photo moves as the expressive face did and is lent what it has
between its lips: a real neutral face beside an estimated expressive one, whose code is read from the lender's photo.
The first kind shows what real expressions look like; the second has no traces of the expression in the neutral face,
and no trace of the person in the code.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from twocet import morph, ranks, rest
from twocet.config import check
from twocet.data import DatasetFolder, Faces, table_path
from twocet.errors import UserError
from twocet.expression import ExpressionReader
from twocet.images import read_photo
from twocet.metrics import Floats
from twocet.randomness import generator_at
from twocet.work import write_whole

TABLE = "meshes.npz"
BLOCK = 1024
"""Photos between two savings of the table."""
CHUNK = 64
FIELD = 32
"""Side of the flows that are kept: faces move smoothly."""

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
        landmarks = own.reader.read(photo).landmarks / photo.shape[1]
        # As exact as they are kept, so that a run that goes on sees the same.
        return np.asarray(landmarks, np.float32).astype(np.float64)

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


def estimated_pairs(faces: Faces, meshes: Meshes, at_rest: rest.Rest, *, progress: bool) -> Faces:
    """Every expressive photo in which a face was found, with the neutral face estimated for it."""
    places, points = found(faces.expressive_rows, meshes)
    rested = points - rest.quietened(at_rest.movement(points))
    rows, expressive = [faces.expressive_rows[k] for k in places], faces.expressive[places]
    neutral, flows = torch.empty_like(expressive), torch.empty(len(rows), 4, FIELD, FIELD, dtype=torch.float16)
    for part in _parts(len(rows), "estimating neutral faces", progress):
        back = morph.flows(points[part], rested[part], expressive.shape[-1])
        neutral[part] = morph.moved(expressive[part], back)
        flows[part] = morph.there_and_back(back, FIELD)[:, [2, 3, 0, 1]]
    itself = [*range(len(rows))]
    mouths = morph.mouths(points, FIELD) if rows else torch.empty(0, 1, FIELD, FIELD, dtype=torch.float16)
    return Faces(neutral, expressive, rows, rows, [[k] for k in itself], itself, flows, mouths)


def with_lent_expressions(pairs: Faces, faces: Faces, meshes: Meshes, at_rest: rest.Rest, *, progress: bool) -> Faces:
    """The ``pairs`` made of ``faces``, and as many more: a neutral photo moves as the expressive one of a pair did.

    The neutral photos take turns in an order that does not depend on the lenders'.
    """
    assert pairs.flows is not None
    assert pairs.mouths is not None
    own, neutral_points = found(faces.neutral_rows, meshes)
    _, points = found(pairs.expressive_rows, meshes)
    count, moved = len(points), rest.quietened(at_rest.movement(points))
    turns = torch.randperm(count, generator=generator_at(0, 0, "lent expressions")).numpy() % len(own)
    # Filled piece by piece: gigabytes for 20,000 photos are not copied more often than need be.
    expressive = pairs.expressive.new_empty(2 * count, *pairs.expressive.shape[1:])
    flows = torch.empty(2 * count, 4, FIELD, FIELD, dtype=torch.float16)
    expressive[:count], flows[:count] = pairs.expressive, pairs.flows
    for part in _parts(count, "lending expressions", progress):
        turn, lender, lent = turns[part], pairs.expressive[part], slice(count + part.start, count + part.stop)
        wanted = neutral_points[turn] + moved[part]
        both = morph.flows(np.stack([neutral_points[turn], points[part]], axis=1), wanted, expressive.shape[-1])
        own_flow, their_flow = both.unbind(dim=1)
        expressive[lent] = morph.moved_with_mouths(faces.neutral[own[turn]], own_flow, lender, their_flow, wanted)
        flows[lent] = morph.there_and_back(own_flow, FIELD)
    return Faces(
        torch.cat([pairs.neutral, faces.neutral[torch.from_numpy(own)]]),
        expressive,
        [*pairs.neutral_rows, *(faces.neutral_rows[k] for k in own)],
        [*pairs.expressive_rows, *pairs.expressive_rows],
        [*pairs.companions, *([count + int(turn)] for turn in turns)],
        [*range(count), *range(count)],
        flows,
        torch.cat([pairs.mouths, morph.mouths(neutral_points[turns] + moved, FIELD)]),
    )


def with_nothing_to_change(pairs: Faces, faces: Faces, share: float) -> Faces:
    """The ``pairs`` made of ``faces``, and neutral photos with themselves: this share of all, if there are enough."""
    most = min(len(faces.neutral), round(len(pairs.expressive) * share / (1 - share)))
    chosen = torch.linspace(0, len(faces.neutral) - 1, most).round().long()
    rows, photos = [faces.neutral_rows[k] for k in chosen], faces.neutral[chosen]
    neutral, expressive = len(pairs.neutral), len(pairs.expressive)
    assert pairs.references is not None
    assert pairs.flows is not None
    assert pairs.mouths is not None
    return Faces(
        torch.cat([pairs.neutral, photos]),
        torch.cat([pairs.expressive, photos]),
        [*pairs.neutral_rows, *rows],
        [*pairs.expressive_rows, *rows],
        [*pairs.companions, *([neutral + k] for k in range(most))],
        [*pairs.references, *range(expressive, expressive + most)],
        *(torch.cat([known, known.new_zeros(most, *known.shape[1:])]) for known in (pairs.flows, pairs.mouths)),
    )


def _parts(count: int, text: str, progress: bool) -> Iterator[slice]:
    for start in tqdm(range(0, count, CHUNK), desc=text, disable=not progress):
        yield slice(start, min(start + CHUNK, count))


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

    # A tiny system is solved for each triangle: more threads would wait for each other, on a busy machine for minutes.
    with threadpool_limits(1, "blas"):
        fitted = [fit_rest(faces, table) for faces, table in zip(train, meshes, strict=True)]
        known = list(zip(train, validation, meshes, fitted, strict=True))
        return (
            [training_pairs(faces, table, at_rest, unchanged, progress=progress) for faces, _, table, at_rest in known],
            [estimated_pairs(faces, table, at_rest, progress=progress) for _, faces, table, at_rest in known],
        )


def training_pairs(faces: Faces, meshes: Meshes, at_rest: rest.Rest, unchanged: float, *, progress: bool) -> Faces:
    """Pairs of all kinds, ``unchanged`` being the share of those with nothing to change."""
    pairs = estimated_pairs(faces, meshes, at_rest, progress=progress)
    pairs = with_lent_expressions(pairs, faces, meshes, at_rest, progress=progress)
    return with_nothing_to_change(pairs, faces, unchanged)
