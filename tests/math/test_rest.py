"""Where faces lie at rest, told from two piles of strangers: faces that are made up of known parts."""

from __future__ import annotations

import numpy as np
import pytest

from twocet.errors import UserError
from twocet.pairs import neutral_estimate

MEAN = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.4, 0.7], [0.6, 0.7], [0.5, 0.8]])
"""Eyes, nose, corners of the mouth, chin: symmetrical about x = 0.5."""
WIDER = np.array([[-1, 0], [1, 0], [0, 0], [-1, 0], [1, 0], [0, 0]]) * 0.02
LONGER = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [0, 1], [0, 2]]) * 0.02
SMILE = np.array([[0, 0], [0, 0], [0, 0], [-1, -1], [1, -1], [0, 0]]) * 0.03
DROP = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 1]]) * 0.04


def combined(parts, amounts):
    """(N, 6, 2): sums of ``parts`` (k, 6, 2), ``amounts`` (N, k) of each."""
    return np.einsum("nk,klx->nlx", amounts, np.stack(parts))


@pytest.fixture(scope="module")
def piles():
    """Neutral faces of strangers, expressive faces of others, and how the latter moved."""
    random = np.random.default_rng(0)
    neutral = MEAN + combined((WIDER, LONGER), random.normal(size=(3000, 2)))
    moved = combined((SMILE, DROP), random.uniform(0, 2, size=(3000, 2)))
    expressive = MEAN + combined((WIDER, LONGER), random.normal(size=(3000, 2))) + moved
    return neutral, expressive, moved


def test_movements_are_estimated_as_well_as_they_can_be(piles):
    """The best linear estimate knows the covariances that the faces were made with."""
    neutral, expressive, moved = piles
    error = np.square(neutral_estimate.fit(neutral, expressive).movement(expressive) - moved).mean()
    at_rest, by_movement = (
        sum(np.outer(part.ravel(), part.ravel()) * variance for part in parts)
        for parts, variance in (((WIDER, LONGER), 1.0), ((SMILE, DROP), 4 / 12))
    )
    gain = by_movement @ np.linalg.pinv(at_rest + by_movement)
    mean = MEAN + SMILE + DROP
    best = SMILE + DROP + ((expressive - mean).reshape(len(moved), -1) @ gain.T).reshape(moved.shape)
    bound = np.square(best - moved).mean()
    nothing = np.square(moved).mean()
    assert bound < 0.05 * nothing
    assert error < 1.5 * bound + 0.01 * nothing


def test_what_everybody_does_is_movement_too(piles):
    neutral, _, _ = piles
    movement = neutral_estimate.fit(neutral, neutral + DROP).movement(neutral[:5] + DROP)
    assert movement == pytest.approx(np.broadcast_to(DROP, movement.shape), abs=2e-3)


def test_equal_piles_do_not_move(piles):
    neutral, _, _ = piles
    fitted = neutral_estimate.fit(neutral[:1500], neutral[1500:])
    # What is left is chance: variances of 1,500 faces differ by some 0.04 of their size, and so does what is filtered;
    # means differ by a standard deviation of 0.04 at the chin.
    assert np.linalg.norm(fitted.filter, 2) < 0.15
    assert np.abs(fitted.offset).max() < 4 * 0.04 * np.sqrt(2 / 1500)


def test_directions_in_which_faces_at_rest_differ_more_are_no_movement(piles):
    """The expressive pile is as long as others are at most half as long: C_e - C_n is negative there."""
    neutral, expressive, _ = piles
    long = neutral + 2 * combined((LONGER,), np.random.default_rng(2).normal(size=(3000, 1)))
    filtered = neutral_estimate.fit(long, expressive).filter @ LONGER.ravel()
    assert np.linalg.norm(filtered) < 0.05 * np.linalg.norm(LONGER)


def test_mirrored_photos_move_as_in_the_mirror(piles):
    """Only the right corner of the mouth moves in the photos; the left one's movement is known from their mirror."""
    neutral, _, _ = piles
    random = np.random.default_rng(1)
    right = np.where([[True], [False], [False], [True], [False], [False]], SMILE, 0.0)
    expressive = neutral + combined((right,), random.uniform(0, 2, size=(len(neutral), 1)))
    fitted = neutral_estimate.fit(neutral, expressive)
    left = neutral_estimate.mirrored(right[[1, 0, 2, 4, 3, 5]]) * [1, 1] - [1, 0]
    moved = fitted.movement(neutral[:1] + 2 * left) - fitted.movement(neutral[:1])
    assert moved[0, 4] == pytest.approx(2 * left[4], abs=0.02)
    assert np.abs(moved[0, 4]).max() > 0.03


def test_small_movements_are_none():
    moved = np.array(
        [
            [neutral_estimate.STILL / 2, 0],
            [0, -2 * neutral_estimate.STILL],
            [3 * neutral_estimate.STILL, 4 * neutral_estimate.STILL],
            [0, 0],
        ]
    )
    wanted = np.array(
        [
            [0, 0],
            [0, -neutral_estimate.STILL],
            [0.6 * 4 * neutral_estimate.STILL, 0.8 * 4 * neutral_estimate.STILL],
            [0, 0],
        ]
    )
    assert neutral_estimate.quietened(moved) == pytest.approx(wanted)


def test_counterparts_are_the_mirror_images():
    assert neutral_estimate.counterparts(MEAN).tolist() == [1, 0, 2, 4, 3, 5]
    mirrored = neutral_estimate.with_mirrored(MEAN[None] + WIDER, neutral_estimate.counterparts(MEAN))
    assert mirrored[1] == pytest.approx(mirrored[0])


def test_small_piles_are_refused(piles):
    with pytest.raises(UserError, match="a set of 15 faces is too small"):
        neutral_estimate.fit(piles[0][:15], piles[1])
