"""Place, size and rotation are taken out and put back."""

from __future__ import annotations

import numpy as np
import pytest
import toy

from twocet.shapes import frame as frames
from twocet.shapes import space as spaces


@pytest.fixture(params=[2, 3])
def faces(request: pytest.FixtureRequest) -> np.ndarray:
    return toy.people(50, 1, request.param)


def test_shape_does_not_depend_on_place_size_and_rotation(faces: np.ndarray) -> None:
    frame = frames.fit(faces, faces)
    expected = frame.place(faces)[0]
    assert np.abs(frame.place(toy.placed(faces, 2))[0] - expected).max() < 1e-9


def test_points_go_back_to_where_they_were(faces: np.ndarray) -> None:
    placed = toy.placed(faces, 3)
    shapes, placement = frames.fit(faces, faces).place(placed)
    assert np.abs(placement.back(shapes) - placed).max() < 1e-9


def test_a_mirrored_face_is_not_turned_inside_out(faces: np.ndarray) -> None:
    frame = frames.fit(faces, faces)
    rotation = frame.place(faces * ([-1.0] + [1.0] * (faces.shape[2] - 1)))[1].rotation
    assert np.linalg.det(rotation) == pytest.approx(np.ones(len(faces)))


def test_an_opened_mouth_leaves_the_eyes_where_they_are() -> None:
    rest = toy.people(50, 1)
    moved = rest + toy.expressions(50, 2)
    frame = frames.fit(rest, moved)
    still, shifted = frame.place(rest)[0], frame.place(rest + toy.OPEN)[0]
    unit = frame.place(rest)[1].scale
    assert np.abs((shifted - still)[:, :4] * unit).max() < 0.06
    assert (frame.weights[9] < frame.weights[:4]).all()


def test_the_mean_is_turned_as_faces_are_on_the_average() -> None:
    frame = frames.fit(toy.placed(toy.people(200, 1), 2), toy.placed(toy.people(200, 3), 4))
    across = frame.mean[3] - frame.mean[0]
    assert abs(np.arctan2(across[1], across[0])) < 0.05


def test_points_that_are_all_one_are_refused() -> None:
    with pytest.raises(ValueError, match="the same"):
        frames.fit(np.ones((4, 12, 2)), np.ones((4, 12, 2)))


def test_numbers_of_a_face_give_its_movement_back() -> None:
    rest, moved = toy.people(100, 1), toy.people(100, 1) + toy.expressions(100, 2)
    space = spaces.fit(rest, moved, 24, noise=0.0, evenness=0.5)
    placed = toy.placed(moved, 5)
    numbers, placement = space.numbers(placed)
    other, _ = space.numbers(rest)
    made, _ = space.frame.place(space.moved(placed, placement, other - numbers))
    assert np.abs(made - space.frame.place(rest)[0]).max() < 1e-6


def test_nothing_moves_where_no_number_changes() -> None:
    rest = toy.people(30, 1)
    space = spaces.fit(rest, rest + toy.expressions(30, 2), 5, noise=0.01, evenness=1.0)
    numbers, placement = space.numbers(rest)
    assert (space.moved(rest, placement, 0 * numbers) == rest).all()


@pytest.mark.parametrize("evenness", [0.0, 1.0])
def test_evenness_makes_variances_equal(evenness: float) -> None:
    rest = toy.people(200, 1)
    moved = rest + toy.expressions(200, 2)
    space = spaces.fit(rest, moved, 4, noise=0.0, evenness=evenness)
    both = np.concatenate([space.numbers(rest)[0], space.numbers(moved)[0]])
    variances = np.square(both).mean(axis=0)
    assert variances.mean() == pytest.approx(1)
    assert (variances.max() / variances.min() < 1.01) == bool(evenness)
