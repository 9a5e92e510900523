"""The photos of the recipe ``unpaired``: strangers' photos become pairs, in two ways.

The landmarks of all photos are read once. Their statistics tell where those of each expressive face would lie at rest
(``rest``), and so how it moved. Backwards, the photo's own pixels are moved there: an estimated neutral face beside a
real expressive one, which shows what real expressions look like. Forwards, strangers' neutral photos move in the same
way (``transplant``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from twocet.data.dataset import Faces, Known
from twocet.pairs import morph, neutral_estimate, transplant
from twocet.pairs.landmark_table import Meshes, found
from twocet.pairs.transplant import FIELD
from twocet.runtime.arrays import Floats


def fit_rest(faces: Faces, meshes: Meshes) -> neutral_estimate.Rest:
    """Where the faces of a dataset lie at rest, from its training photos. Raises UserError if they are too few."""
    return neutral_estimate.fit(*(found(rows, meshes)[1] for rows in (faces.neutral_rows, faces.expressive_rows)))


def movements(points: Floats, at_rest: neutral_estimate.Rest) -> Floats:
    """How the landmarks (N, L, 2) of expressive faces are estimated to have moved, but for what hardly shows."""
    return neutral_estimate.quietened(at_rest.movement(points))


def estimated_pairs(faces: Faces, meshes: Meshes, at_rest: neutral_estimate.Rest, *, progress: bool) -> Faces:
    """Every expressive photo in which a face was found, with the neutral face estimated for it."""
    places, points = found(faces.expressive_rows, meshes)
    rested = points - movements(points, at_rest)
    rows, expressive = [faces.expressive_rows[k] for k in places], faces.expressive[places]
    neutral, flows = torch.empty_like(expressive), torch.empty(len(rows), 4, FIELD, FIELD, dtype=torch.float16)
    for part in transplant.parts(len(rows), "estimating neutral faces", progress):
        back = morph.flows(points[part], rested[part], expressive.shape[-1])
        neutral[part] = morph.moved(expressive[part], back)
        flows[part] = morph.there_and_back(back, FIELD)[:, [2, 3, 0, 1]]
    itself = [*range(len(rows))]
    mouths = morph.mouths(points, FIELD) if rows else torch.empty(0, 1, FIELD, FIELD, dtype=torch.float16)
    known = Known(itself, flows, mouths, torch.ones(len(rows), dtype=torch.bool))
    return Faces(neutral, expressive, rows, rows, [[k] for k in itself], known)


def prepare(
    train: Sequence[Faces],
    validation: Sequence[Faces],
    meshes: Sequence[Meshes],
    unchanged: float,
    *,
    transplants_alone: bool = False,
    progress: bool,
) -> tuple[list[Faces], list[Faces]]:
    """Pairs of the training and of the validation photos of all datasets.

    The training photos of each dataset tell where its faces lie at rest: between two datasets more differs than
    expressions. ``transplants_alone`` leaves out the pairs whose neutral face was estimated: it keeps traces of
    teeth. Raises UserError for sets that are too small.
    """
    with transplant.one_blas_thread():
        fitted = [fit_rest(faces, table) for faces, table in zip(train, meshes, strict=True)]
        known = list(zip(train, validation, meshes, fitted, strict=True))
        return (
            [
                training_pairs(faces, table, at_rest, unchanged, transplants_alone=transplants_alone, progress=progress)
                for faces, _, table, at_rest in known
            ],
            [estimated_pairs(faces, table, at_rest, progress=progress) for _, faces, table, at_rest in known],
        )


def training_pairs(
    faces: Faces,
    meshes: Meshes,
    at_rest: neutral_estimate.Rest,
    unchanged: float,
    *,
    transplants_alone: bool = False,
    progress: bool,
) -> Faces:
    """Pairs of all kinds, ``unchanged`` being the share of those with nothing to change; see :func:`prepare`."""
    pairs = estimated_pairs(faces, meshes, at_rest, progress=progress)
    moved = movements(found(pairs.expressive_rows, meshes)[1], at_rest)
    made = transplant.training_pairs(pairs, faces, meshes, moved, unchanged, supervised=True, progress=progress)
    if not transplants_alone:
        return made
    estimated = len(pairs.expressive)
    return made._replace(companions=[[] for _ in range(estimated)] + made.companions[estimated:])
