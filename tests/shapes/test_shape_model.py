"""What a shape model does to faces: laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy

from twocet.errors import UserError
from twocet.shapes import model as models
from twocet.shapes.model import ShapeModel
from twocet.shapes.reports import find_cases


@pytest.fixture
def model(model_file: Path) -> ShapeModel:
    return models.load(model_file)


def test_neutral_faces_stay_to_the_last_bit(model: ShapeModel) -> None:
    rest = toy.placed(toy.people(200, 7), 8)
    same = (model.neutralize(rest) == rest).all(axis=(1, 2))
    assert same.mean() > 0.85
    assert (same == model.is_neutral(rest)).all()


def test_strong_expressions_are_removed(model: ShapeModel) -> None:
    assert not model.is_neutral(toy.placed(toy.people(50, 7) + toy.SMILE + toy.OPEN, 8)).any()


def test_it_does_not_matter_where_a_face_lies(model: ShapeModel) -> None:
    face = toy.people(5, 7) + toy.SMILE
    frame = model.space.frame
    here, there = (frame.place(model.neutralize(faces))[0] for faces in (face, toy.placed(face, 9)))
    assert np.abs(here - there).max() < 1e-5


def test_strength_0_is_the_neutral_face(model: ShapeModel) -> None:
    target = toy.placed(toy.people(3, 7) + toy.OPEN, 8)
    code = model.encode(toy.people(1, 9) + toy.SMILE)
    assert (model.transfer(target, code, 0.0) == model.neutralize(target)).all()


def test_a_continuum_grows(model: ShapeModel) -> None:
    code = model.encode(toy.people(1, 9) + toy.SMILE)[0]
    faces = model.continuum(toy.people(1, 7)[0], code, np.linspace(0, 1, 5))
    corner = faces[:, 6, 1]
    assert (np.diff(corner) > 0).all()
    assert (faces[0] == model.neutralize(toy.people(1, 7))[0]).all()


def test_samples_depend_on_the_seed_alone(model: ShapeModel) -> None:
    assert (model.draw_codes(3, 5) == model.draw_codes(3, 5)).all()
    assert (model.draw_codes(3, 5) != model.draw_codes(3, 6)).any()


def test_faces_of_other_points_are_refused(model: ShapeModel) -> None:
    with pytest.raises(UserError, match="faces of 12 points in 2 dimensions"):
        model.neutralize(np.zeros((1, 13, 2)))


def test_a_file_of_another_kind_is_refused() -> None:
    from twocet.model.model import packaged_file

    with pytest.raises(UserError, match="not a shape model"):
        models.load(packaged_file("default"))


def test_cases_take_another_person_with_the_same_expression() -> None:
    sets = toy.known(3)
    assert sets.person is not None
    assert sets.label is not None
    cases = find_cases(sets)
    for face, rest, other, other_rest, label in zip(*cases, strict=True):
        assert sets.person[face] == sets.person[rest] != sets.person[other] == sets.person[other_rest]
        assert sets.label[face] == sets.label[other] == label
        assert sets.label[rest] == sets.label[other_rest] == "neutral"
    assert len(cases.labels) == 9
