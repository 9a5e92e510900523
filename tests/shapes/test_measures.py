"""Figures of movements: hand values."""

from __future__ import annotations

import numpy as np
import pytest

from twocet.shapes.measures import agreement

TRUE = np.array([[[3.0, 4.0]], [[0.0, 1.0]]])


def test_the_truth_explains_all() -> None:
    assert agreement(TRUE, TRUE) == (1, 1, 1, 2)


def test_standing_still_explains_nothing() -> None:
    assert agreement(0 * TRUE, TRUE) == (0, 0, 0, 2)


def test_half_of_every_movement() -> None:
    assert agreement(TRUE / 2, TRUE) == (0.75, 0.5, pytest.approx(1), 2)


def test_small_movements_count_in_the_norm() -> None:
    """The larger movement is right, the smaller one goes the opposite way: 4 of 26 squared, 2 of 6 in length."""
    figures = agreement(TRUE * [[[1.0]], [[-1.0]]], TRUE)
    assert figures.explained == pytest.approx(1 - 4 / 26)
    assert figures.explained_norm == pytest.approx(1 - 2 / 6)
    assert figures.cosine == pytest.approx(0)
