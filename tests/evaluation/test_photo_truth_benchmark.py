"""``benchmarks/photo_truth.py``: who gives what to whom, and what is made of the figures."""

import csv

import numpy as np
import pytest

from twocet.errors import UserError


@pytest.fixture(scope="module")
def photo_truth(load_benchmark):
    return load_benchmark("photo_truth")


@pytest.fixture
def folder(tmp_path):
    def write(rows):
        with (tmp_path / "faces.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "identity", "expression"))
            writer.writerows((f"{who}-{label}.png", who, label) for who, label in rows)
        return tmp_path

    return write


def test_everyone_gets_each_expression_of_the_seventh_next(photo_truth, folder):
    shown = folder([(f"p{k}", label) for k in range(9) for label in ("neutral", "happy", "sad")])
    cases = photo_truth.read_cases(shown)
    assert len(cases) == 18
    assert cases[3][:2] == (1, "sad")
    assert [path.name for path in cases[3][2:]] == ["p1-neutral.png", "p1-sad.png", "p8-sad.png", "p8-neutral.png"]


def test_seven_people_do_not_lend_to_themselves(photo_truth, folder):
    cases = photo_truth.read_cases(folder([(f"p{k}", label) for k in range(7) for label in ("neutral", "happy")]))
    assert all(case.target.name != case.reference_neutral.name for case in cases)


def test_people_who_share_no_expressions_have_no_truth(photo_truth, folder):
    with pytest.raises(UserError, match="not all people show the same expressions"):
        photo_truth.read_cases(folder([("a", "neutral"), ("a", "happy"), ("b", "neutral"), ("b", "sad"), ("b", "x")]))


def test_gain_of_an_expression_is_over_its_cases(photo_truth):
    cases = [photo_truth.Case(k, label, *[None] * 4) for k, label in enumerate(("happy", "happy", "sad"))]
    rest = [0.0] * (len(photo_truth.Figures._fields) - 2)
    figures = [photo_truth.Figures(*pair, *rest) for pair in ((0.1, 0.4), (0.3, 0.4), (0.3, 0.2))]
    assert photo_truth.by_expression(cases, figures) == {"happy": 0.5, "sad": -0.5}


def test_the_error_is_that_of_the_face(photo_truth):
    dark, light = np.zeros((128, 128, 3), np.uint8), np.zeros((128, 128, 3), np.uint8)
    light[:14] = 255
    assert photo_truth.face_error(dark, light) == 0
    light[:] = 255
    assert photo_truth.face_error(dark, light) == 1
