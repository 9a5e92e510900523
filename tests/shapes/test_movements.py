"""Movements are told from strangers: kinds, sources, laws."""

from __future__ import annotations

import numpy as np
import pytest

from twocet.pairs import neutral_estimate
from twocet.shapes.movements import Movements, fit

NOISE = np.full(3, 0.01)


def faces(num: int, seed: int, centre: float = 0.0) -> np.ndarray:
    """(num, 3) faces at rest."""
    return np.random.default_rng(seed).normal(centre, [1.0, 0.5, 0.2], (num, 3))


def shown(num: int, seed: int) -> np.ndarray:
    """(num, 3) movements of two kinds, hardly varied."""
    random = np.random.default_rng(seed)
    kinds = np.array([[0, 3, 0], [0, 0, -2]], float)
    return kinds[random.integers(0, 2, num)] + random.normal(0, 0.1, (num, 3))


def estimated(movements: Movements, given: np.ndarray) -> np.ndarray:
    """(n, 3) by the definition: linear estimates, weighted by their probabilities."""
    known = movements.estimates()
    difference = given[:, None] - known.centres
    white = np.einsum("nqr,qsr->nqs", difference, known.whitening)
    chances = np.exp(known.logs - np.square(white).sum(axis=2) / 2)
    chances /= chances.sum(axis=1, keepdims=True)
    return np.einsum("nq,nqr->nr", chances, known.means + np.einsum("nqr,qsr->nqs", difference, known.filters))


def test_kinds_are_told_apart_better_than_by_one_linear_estimate() -> None:
    neutral, expressive = faces(800, 0), faces(800, 1) + shown(800, 2)
    rest, true = faces(300, 3), shown(300, 4)
    linear = neutral_estimate.estimate(neutral, expressive, NOISE**2).movement(rest + true)
    kinds = estimated(fit([neutral], [expressive], [1.0], NOISE, 2, 0), rest + true)
    errors = [np.square(made - true).sum() / np.square(true).sum() for made in (kinds, linear)]
    assert 1.5 * errors[0] < errors[1] < 0.05


def test_faces_at_rest_of_another_source_are_not_taken_for_movements() -> None:
    neutral = [faces(400, 0), faces(400, 1, centre=4.0)]
    expressive = [faces(400, 2) + shown(400, 3), faces(400, 4, centre=4.0) + shown(400, 5)]
    rest, true = faces(200, 6, centre=4.0), shown(200, 7)
    made = estimated(fit(neutral, expressive, [0.9, 0.1], NOISE, 2, 0), rest + true)
    assert np.square(made - true).sum() < 0.1 * np.square(true).sum()


def test_few_faces_have_few_kinds() -> None:
    movements = fit([faces(16, 0)], [faces(16, 1) + shown(16, 2)], [1.0], NOISE, 12, 0)
    assert movements.shares == pytest.approx([1.0])


def test_all_movements_vary_as_the_kinds_do() -> None:
    movements = fit([faces(2000, 0)], [faces(2000, 1) + shown(2000, 2)], [1.0], NOISE, 2, 0)
    assert movements.covariance() == pytest.approx(np.cov(shown(2000, 2).T), abs=0.25)
