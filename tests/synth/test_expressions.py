from __future__ import annotations

import numpy as np
import pytest

from twocet.synth import EXPRESSIONS, FACE_UNITS, random_units, sample_expression
from twocet.synth.assets import load_assets
from twocet.synth.expressions import shared_expressions


def test_units_are_those_of_the_asset_file():
    assert len(FACE_UNITS) == len(set(FACE_UNITS)) == 52
    assert {f"face/{unit}" for unit in FACE_UNITS} == {m for m in load_assets().morphs if m.startswith("face/")}


def test_named_expressions_hold_both_sides_of_starred_units():
    assert EXPRESSIONS["blink"] == {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
    assert EXPRESSIONS["pucker"] == {"mouthPucker": 0.95, "browInnerUp": 0.25}
    assert list(EXPRESSIONS["sad"])[:3] == ["browInnerUp", "mouthFrownLeft", "mouthFrownRight"]
    assert len(EXPRESSIONS) == 12


def test_weights_are_known_units_within_bounds():
    rng = np.random.default_rng(5)
    drawn = [sample_expression(rng).units for _ in range(300)] + [random_units(rng) for _ in range(300)]
    drawn += [expression.units for expression in shared_expressions(rng, 40)]
    for units in drawn:
        assert set(units) <= set(FACE_UNITS)
        assert all(0 <= weight <= 1 for weight in units.values())
    strongest = max(weight for units in drawn for weight in units.values())
    assert strongest == 1.0


def test_half_of_the_training_expressions_are_named():
    rng = np.random.default_rng(6)
    names = [sample_expression(rng).name for _ in range(1000)]
    assert 0.45 < sum(name in EXPRESSIONS for name in names) / 1000 < 0.55
    assert set(EXPRESSIONS) < set(names)


def test_opposed_units_never_meet():
    rng = np.random.default_rng(7)
    for _ in range(1000):
        units = random_units(rng)
        assert not {"jawLeft", "jawRight"} <= set(units)
        assert not {"mouthFunnel", "mouthSmileLeft"} <= set(units)


def test_some_random_expressions_are_one_sided():
    rng = np.random.default_rng(8)
    drawn = [random_units(rng) for _ in range(400)]
    left_only = [u for u in drawn if "mouthSmileLeft" in u and "mouthSmileRight" not in u]
    both = [u for u in drawn if {"mouthSmileLeft", "mouthSmileRight"} <= set(u)]
    assert 0 < len(left_only) < len(both)


def test_draws_are_part_of_the_data_format():
    rng = np.random.default_rng([9001, 0])
    first, second = sample_expression(rng), sample_expression(rng)
    assert first == ("units", 1.0, {"mouthPucker": 0.601, "jawLeft": 0.42})
    assert list(second.units) == ["eyeBlinkLeft", "eyeBlinkRight", "mouthRollLower", "mouthRollUpper"]


def test_shared_expressions_are_the_named_ones_then_random():
    drawn = shared_expressions(np.random.default_rng(4242), 16)
    assert [expression.name for expression in drawn[:12]] == list(EXPRESSIONS)
    assert [expression.name for expression in drawn[12:]] == ["units0", "units1", "units2", "units3"]
    for expression in drawn[:12]:
        assert 0.6 <= expression.strength < 1
        for unit, weight in expression.units.items():
            assert weight == pytest.approx(EXPRESSIONS[expression.name][unit] * expression.strength)
    assert [e.name for e in shared_expressions(np.random.default_rng(4242), 3)] == list(EXPRESSIONS)[:3]
