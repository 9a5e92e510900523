"""``benchmarks/label_free.py``: whose expression goes where, and what is made of the errors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from twocet.data.dataset import Faces

EXPRESSIONS = [f"e{k:02d}" for k in range(9)]
PEOPLE = ["p0", "p1", "p2"]


@pytest.fixture(scope="module")
def label_free(load_benchmark):
    return load_benchmark("label_free")


@pytest.fixture
def faces():
    """Grey pictures: person k is 60 k when neutral, and lighter by 2 for each number of the expression."""
    shown = [(p, e) for p in range(3) for e in range(9)]

    def grey(levels):
        return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32).contiguous()

    return Faces(
        grey([60 * p for p in range(3)]),
        grey([60 * p + 2 * (e + 1) for p, e in shown]),
        [{"identity": person, "expression": "neutral"} for person in PEOPLE],
        [{"identity": PEOPLE[p], "expression": EXPRESSIONS[e]} for p, e in shown],
        [[p] for p, _ in shown],
    )


def test_references_are_other_people_with_the_same_and_with_another_expression(label_free, faces):
    cases = label_free.cases_of(faces, steps=(1,))
    rows = faces.expressive_rows
    for target, truth, right, wrong, owner in zip(*cases, strict=True):
        assert int(target) == owner
        assert rows[truth]["identity"] == PEOPLE[owner]
        assert rows[right] == {"identity": PEOPLE[(owner + 1) % 3], "expression": rows[truth]["expression"]}
        assert rows[wrong]["identity"] == rows[right]["identity"]
        assert rows[wrong]["expression"] != rows[truth]["expression"]


def test_gain_needs_the_right_reference_where_codes_are_expressions(label_free, faces):
    """The code is how much lighter the face is: a perfect model of these pictures."""
    unit = 127.5

    def encode(images):
        return ((images[:, 0, :1, 0] + 1) * unit).round() % 60 / 100

    def generate(images, code):
        level = ((images[:, :1, :1, :1] + 1) * unit).round()
        calm = level - level % 60
        return ((calm + code[:, :, None, None] * 100) / unit - 1).expand(-1, 3, 32, 32)

    found = label_free.measured(SimpleNamespace(encode=encode, generate=generate), faces, label_free.cases_of(faces))
    assert found["gain"]["value"] == pytest.approx(1)
    assert found["gain_made_neutral"]["value"] == pytest.approx(1)
    assert found["gain_of_wrong_reference"]["value"] < 0.5
    lost = found["gain_lost_by_wrong_reference"]["value"]
    assert lost == pytest.approx(1 - found["gain_of_wrong_reference"]["value"])
    assert found["codes_between_expressions"] == pytest.approx(1)
    assert found["codes_between_people"] == pytest.approx(0, abs=1e-6)


def test_steps_go_on_from_steps_before_them(label_free):
    names = list(label_free.STEPS)
    for name, step in label_free.STEPS.items():
        assert step.before is None or names.index(step.before) < names.index(name)
