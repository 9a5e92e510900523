"""The laboratory set keeps CFEE's plan and the paper's splits."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from twocet.cli import main
from twocet.errors import UserError
from twocet.evaluation.people import read_people
from twocet.photo.faces import FaceFinder
from twocet.synth import render
from twocet.synth.expressions import FACE_UNITS
from twocet.synth.head import Head
from twocet.synth.identity import BENCHMARK_START
from twocet.synth.lab import ACTION_UNITS, CATEGORIES, LabPlan, units_of


def test_plan_is_that_of_cfee():
    plan = LabPlan()
    assert len(plan.seeds) == 230
    assert plan.pictures == 26
    assert len({tuple(sorted(actions)) for actions in CATEGORIES.values()}) == 25
    splits = [plan.split(number) for number in plan.seeds]
    assert (splits.count("train"), splits.count("test")) == (222, 8)
    assert {number for number in plan.seeds if plan.split(number) == "test"} == {122, 174, 185, 224, 272, 188, 187, 265}
    other = LabPlan(test_people=16)
    splits = [other.split(number) for number in other.seeds]
    assert (splits.count("train"), splits.count("test")) == (214, 16)


def test_people_who_choose_the_round_are_taken_from_those_who_train():
    plan = LabPlan(test_people=16, val_people=14)
    splits = [plan.split(number) for number in plan.seeds]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (200, 14, 16)
    with pytest.raises(UserError, match="validation people are 214: give 0 to 213"):
        LabPlan(test_people=16, val_people=214)


@pytest.mark.parametrize("test_people", [8, 16])
def test_people_who_test_are_never_people_who_train(test_people):
    """Who is for testing in either split has a number of the benchmarks' people, in both splits."""
    plan = LabPlan(test_people=test_people)
    seeds = {number: plan.person(number).seed for number in plan.seeds}
    assert len(set(seeds.values())) == 230
    assert all(seeds[number] >= BENCHMARK_START for number in seeds if plan.split(number) == "test")


def test_every_unit_exists_and_is_within_its_range():
    for units in ACTION_UNITS.values():
        assert set(units) <= set(FACE_UNITS)
        assert all(0 < weight <= 1 for weight in units.values())
    assert units_of((25, 26)) == {
        "mouthLowerDownLeft": 0.4,
        "mouthLowerDownRight": 0.4,
        "mouthUpperUpLeft": 0.15,
        "mouthUpperUpRight": 0.15,
        "jawOpen": 0.5,
    }


def test_everybody_has_the_same_light_and_looks_straight_ahead():
    plan = LabPlan()
    for number in plan.seeds[:5]:
        person = plan.person(number)
        assert (person.pose, person.gaze) == ((0.0, 0.0, 0.0), (0.0, 0.0))
        assert person.key_light == plan.person(118).key_light


def test_crop_is_the_square_about_the_jaw_that_the_paper_used():
    """In the paper's crop the jaw's ends are 1 / 1.9 of the side apart and 5 % of that above the middle."""
    errors = []
    for number in (130, 140, 150):
        pixels = render(Head(LabPlan().person(number)), {}, 256, "paper", 2).pixels
        ends = FaceFinder().find(pixels)[0].landmarks[[127, 356], :2] / 256
        errors.append([ends[1, 0] - ends[0, 0] - 1 / 1.9, ends[:, 1].mean() - (0.5 - 0.05 / 1.9)])
    assert np.abs(errors).max() < 0.06
    assert np.abs(np.mean(errors, axis=0)).max() < 0.03


def test_command_renders_the_set_and_goes_on_with_more_people(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("twocet.synth.lab.CATEGORIES", {name: CATEGORIES[name] for name in ("happy", "fearful")})
    words = ["synth", "lab", str(tmp_path / "lab"), "--size", "16", "--workers", "1", "--people"]
    assert main([*words, "9"]) == 0
    first = (tmp_path / "lab" / "faces" / "0000118" / "02-fearful.png").stat().st_mtime_ns
    assert main([*words, "10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["pictures"] == 30
    assert (tmp_path / "lab" / "faces" / "0000118" / "02-fearful.png").stat().st_mtime_ns == first
    with (tmp_path / "lab" / "faces.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 30
    assert sum(row["split"] == "test" for row in rows) == 8 * 3
    about = json.loads((tmp_path / "lab" / "dataset.json").read_text())
    assert about["template"] == "paper-v1"
    assert read_people(tmp_path / "lab", "test", 16).has_truth
    assert about["made_by"] == "twocet synth lab DIR --people 10 --size 16 --test-people 8 --val-people 0"
    with Image.open(tmp_path / "lab" / rows[0]["file"]) as picture:
        assert picture.size == (16, 16)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"people": 8}, "give 9 to 230"), ({"people": 231}, "give 9 to 230"), ({"size": 8}, "16 or more")],
)
def test_impossible_numbers_are_refused(wrong, reason):
    with pytest.raises(UserError, match=reason):
        LabPlan(**wrong)
