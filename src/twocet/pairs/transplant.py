"""Pairs of photos whose movement is known, and their expressions transplanted to other people.

Another person's neutral photo moves as an expressive face did and gets what that one has between its lips: a real
neutral face beside an estimated expressive one, whose code is read from the donor's photo. Nothing of the
person can be in that code, and no trace of the expression is in the neutral face.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from tqdm import tqdm

from twocet.data.dataset import Faces, Known
from twocet.errors import UserError, check
from twocet.pairs import morph, neutral_estimate
from twocet.pairs.landmark_table import Meshes, found
from twocet.runtime.arrays import Floats
from twocet.runtime.randomness import generator_at

CHUNK = 64
FIELD = 32
"""Side of the flows that are kept: faces move smoothly."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """In which photos are moved by one thread."""
    import scipy.interpolate  # noqa: F401 - loads its BLAS, which is to have one thread
    from threadpoolctl import threadpool_limits

    # A tiny system is solved for each triangle: more threads would wait for each other, on a busy machine for minutes.
    with threadpool_limits(1, "blas"):
        yield


def check_ready() -> None:
    """Say before the photos are read which packages are missing. Raises UserError."""
    try:
        import scipy.interpolate  # noqa: F401
        import threadpoolctl  # noqa: F401
    except ImportError:
        raise UserError("training with landmarks needs scipy and threadpoolctl: pip install 'twocet[train]'") from None


def prepare(train: Sequence[Faces], meshes: Sequence[Meshes], unchanged: float, *, progress: bool) -> list[Faces]:
    """Pairs of the training photos of all datasets, where it is known who is who.

    Raises UserError if a dataset has none.
    """
    with one_blas_thread():
        known = [known_pairs(faces, table, progress=progress) for faces, table in zip(train, meshes, strict=True)]
        return [
            training_pairs(pairs, faces, table, moved, unchanged, supervised=False, progress=progress)
            for faces, table, (pairs, moved) in zip(train, meshes, known, strict=True)
        ]


def known_pairs(faces: Faces, meshes: Meshes, *, progress: bool) -> tuple[Faces, Floats]:
    """Each expressive photo with a neutral one of the same person, and (n, L, 2) how the landmarks moved.

    Of several neutral photos of a person, the expressive ones take turns. Photos without a face are left out.
    Raises UserError if none are left.
    """
    (own, at_rest), (places, points) = (found(rows, meshes) for rows in (faces.neutral_rows, faces.expressive_rows))
    row_of = {int(place): row for row, place in enumerate(own)}
    usable = [[row_of[k] for k in faces.companions[place] if k in row_of] for place in places]
    kept = [k for k, rows in enumerate(usable) if rows]
    check(bool(kept), "nobody has a neutral and an expressive photo in which landmarks are found")
    partner = [usable[k][turn % len(usable[k])] for turn, k in enumerate(kept)]
    chosen = places[kept]
    moved = neutral_estimate.quietened(points[kept] - at_rest[partner])
    flows = torch.empty(len(kept), 4, FIELD, FIELD, dtype=torch.float16)
    for part in parts(len(kept), "comparing photos", progress):
        wanted = at_rest[partner[part]] + moved[part]
        flows[part] = morph.there_and_back(morph.flows(at_rest[partner[part]], wanted, faces.neutral.shape[-1]), FIELD)
    pairs = Faces(
        faces.neutral,
        faces.expressive[torch.from_numpy(chosen)],
        faces.neutral_rows,
        [faces.expressive_rows[k] for k in chosen],
        [[int(own[row])] for row in partner],
        Known([*range(len(kept))], flows, morph.mouths(points[kept], FIELD), torch.ones(len(kept), dtype=torch.bool)),
    )
    return pairs, moved


def training_pairs(
    pairs: Faces, faces: Faces, meshes: Meshes, moved: Floats, unchanged: float, *, supervised: bool, progress: bool
) -> Faces:
    """The ``pairs`` made of ``faces``, transplants, and photos with themselves: ``unchanged`` is their share."""
    pairs = with_transplants(pairs, faces, meshes, moved, supervised=supervised, progress=progress)
    return with_nothing_to_change(pairs, faces, unchanged)


def with_transplants(
    pairs: Faces, faces: Faces, meshes: Meshes, moved: Floats, *, supervised: bool, progress: bool
) -> Faces:
    """The ``pairs`` made of ``faces``, and as many more: a neutral photo moves as the expressive one of a pair did.

    ``moved`` (n, L, 2) are the movements of the pairs' landmarks; ``supervised`` is whether what becomes of the neutral
    photos is good enough to be learnt: better than nothing where the truth is not known.

    The neutral photos take turns in an order that does not depend on the donors'.
    """
    assert pairs.known is not None
    own, neutral_points = found(faces.neutral_rows, meshes)
    _, points = found(pairs.expressive_rows, meshes)
    count = len(points)
    turns = torch.randperm(count, generator=generator_at(0, 0, "lent expressions")).numpy() % len(own)
    # Filled piece by piece: gigabytes for 20,000 photos are not copied more often than need be.
    expressive = pairs.expressive.new_empty(2 * count, *pairs.expressive.shape[1:])
    flows = torch.empty(2 * count, 4, FIELD, FIELD, dtype=torch.float16)
    expressive[:count], flows[:count] = pairs.expressive, pairs.known.flows
    for part in parts(count, "transplanting expressions", progress):
        turn, donor, row = turns[part], pairs.expressive[part], slice(count + part.start, count + part.stop)
        wanted = neutral_points[turn] + moved[part]
        both = morph.flows(np.stack([neutral_points[turn], points[part]], axis=1), wanted, expressive.shape[-1])
        own_flow, their_flow = both.unbind(dim=1)
        expressive[row] = morph.moved_with_mouths(faces.neutral[own[turn]], own_flow, donor, their_flow, wanted)
        flows[row] = morph.there_and_back(own_flow, FIELD)
    return Faces(
        torch.cat([pairs.neutral, faces.neutral[torch.from_numpy(own)]]),
        expressive,
        [*pairs.neutral_rows, *(faces.neutral_rows[k] for k in own)],
        [*pairs.expressive_rows, *pairs.expressive_rows],
        [*pairs.companions, *([len(pairs.neutral) + int(turn)] for turn in turns)],
        Known(
            [*range(count), *range(count)],
            flows,
            torch.cat([pairs.known.mouths, morph.mouths(neutral_points[turns] + moved, FIELD)]),
            torch.cat([pairs.known.supervised, torch.full((count,), supervised)]),
        ),
    )


def with_nothing_to_change(pairs: Faces, faces: Faces, share: float) -> Faces:
    """The ``pairs`` made of ``faces``, and neutral photos with themselves: this share of all, if there are enough."""
    most = min(len(faces.neutral), round(len(pairs.expressive) * share / (1 - share)))
    chosen = torch.linspace(0, len(faces.neutral) - 1, most).round().long()
    rows, photos = [faces.neutral_rows[k] for k in chosen], faces.neutral[chosen]
    neutral, expressive = len(pairs.neutral), len(pairs.expressive)
    assert pairs.known is not None
    references, flows, mouths, supervised = pairs.known
    return Faces(
        torch.cat([pairs.neutral, photos]),
        torch.cat([pairs.expressive, photos]),
        [*pairs.neutral_rows, *rows],
        [*pairs.expressive_rows, *rows],
        [*pairs.companions, *([neutral + k] for k in range(most))],
        Known(
            [*references, *range(expressive, expressive + most)],
            torch.cat([flows, flows.new_zeros(most, *flows.shape[1:])]),
            torch.cat([mouths, mouths.new_zeros(most, *mouths.shape[1:])]),
            torch.cat([supervised, torch.ones(most, dtype=torch.bool)]),
        ),
    )


def parts(count: int, text: str, progress: bool) -> Iterator[slice]:
    for start in tqdm(range(0, count, CHUNK), desc=text, disable=not progress):
        yield slice(start, min(start + CHUNK, count))
