"""How well movements of point sets are made, measured against true ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twocet.runtime.arrays import Floats


class Agreement(NamedTuple):
    """Made movements against true ones."""

    explained: float
    """Share of the squared true movement: 1 - sum |made - true|^2 / sum |true|^2. Standing still has 0."""
    explained_norm: float
    """The same of lengths: 1 - sum |made - true| / sum |true|. Small movements count for more in it."""
    cosine: float
    """Mean cosine of a made and a true movement; 0 where either is none."""
    cases: int
    """How many movements."""


def agreement(made: Floats, true: Floats) -> Agreement:
    """Compare movements (n, k, d) of all points of a set."""
    made, true = made.reshape(len(made), -1), true.reshape(len(true), -1)
    error, length, made_length = (np.linalg.norm(x, axis=1) for x in (made - true, true, made))
    product = np.maximum(length * made_length, 1e-12)
    return Agreement(
        explained=float(1 - np.square(error).sum() / np.square(length).sum()),
        explained_norm=float(1 - error.sum() / length.sum()),
        cosine=float(((made * true).sum(axis=1) / product).mean()),
        cases=len(made),
    )
