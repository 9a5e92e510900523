"""``benchmarks/rest.py``: what it says of estimated movements."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

MOVED = np.array([[0.3, 0.0], [0.0, 0.4]])


@pytest.fixture(scope="module")
def rest(load_benchmark):
    return load_benchmark("rest")


def known_pairs(rest, people, labels):
    """Pairs of photos in which one landmark of two moves by 0.3 to the right, the other one by 0.4 down."""
    photos = torch.zeros(len(people), 3, 8, 8, dtype=torch.uint8)
    at_rest = np.random.default_rng(0).random((len(people), 2, 2))
    return rest.KnownPairs(photos, photos, at_rest, at_rest + MOVED, people, labels)


def test_what_an_estimate_explains_of_the_squared_movement(rest):
    known = known_pairs(rest, ["anna", "ben"], ["happy", "units0"])
    half = np.broadcast_to(MOVED / 2, (2, 2, 2))
    assert_allclose(rest.explained(known, half), [[0.0625, 0.25]] * 2)
    assert rest.by_kind(rest.explained(known, half), known.labels) == {"named": 0.75, "random": 0.75}
    assert rest.by_kind(rest.explained(known, 0 * half), known.labels) == {"named": 0.0, "random": 0.0}


def test_figures_are_quotients_of_sums_and_only_of_kinds_that_occur(rest):
    figures = np.array([[1.0, 2.0], [1.0, 8.0]])
    assert rest.by_kind(figures, ["happy", "sad"]) == {"named": 0.8}


def test_expressions_are_lent_by_one_other_person_if_that_one_shows_them_too(rest):
    people = [name for name in ("anna", "ben", "carl", "dora") for _ in range(2)]
    known = known_pairs(rest, people, ["happy", "sad"] * 3 + ["happy", "angry"])
    # Seven people on is three on here: dora lends to anna, and has no sad face.
    targets, references = rest.lenders(known)
    assert_array_equal(targets, [0, 2, 3, 4, 5, 6])
    assert_array_equal(references, [6, 0, 1, 2, 3, 4])


def test_error_is_that_of_the_face_and_of_what_was_given(rest):
    truth = torch.full((1, 3, 128, 128), 100, dtype=torch.uint8)
    assert_array_equal(rest.remaining(truth, truth, truth), [[0, 0]])
    wrong, whole = rest.remaining(truth + 10, truth, truth + 40)[0]
    assert_allclose(whole / wrong, 4)
