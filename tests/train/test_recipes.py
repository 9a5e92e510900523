"""The table of recipes: each has its own settings, and no other."""

from __future__ import annotations

import dataclasses
import json

import pytest

from twocet import cli
from twocet.compare.methods import METHODS
from twocet.training import config as shared
from twocet.training.recipes.table import RECIPES, owners

SHARED = {
    field.name
    for kind in vars(shared).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    for field in dataclasses.fields(kind)
}


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_has_few_settings_of_its_own(name):
    fields = {field.name for field in dataclasses.fields(METHODS[name].defaults)}
    assert METHODS[name].defaults.recipe == name
    assert len(fields - SHARED) <= 20


@pytest.mark.parametrize(
    ("recipe", "word", "said"),
    [
        ("fast", "features=9", "features is a setting of close_up, close_up_unpaired"),
        ("fast", "cycles=neutral", "cycles is a setting of paper, authors"),
        ("paper", "sketch=5", "sketch is a setting of fast, landmarks, unpaired"),
        ("close_up", "lr_encoder=1", "lr_encoder is a setting of paper, authors, fast, landmarks, unpaired"),
        ("authors", "weights.nonsense=1", "no such field, or no such value"),
        ("unpaired", "journeys=True", "no such field, or no such value"),
    ],
)
def test_settings_of_other_recipes_are_refused_in_one_line(recipe, word, said, capsys):
    assert cli.main(["train", "-o", "run", "--recipe", recipe, "--dry-run", "--set", word]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("recipe", RECIPES)
def test_dry_run_shows_the_recipes_own_settings_alone(recipe, capsys):
    assert cli.main(["train", "-o", "run", "--recipe", recipe, "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == [field.name for field in dataclasses.fields(RECIPES[recipe].defaults)]
    assert ("weights" in shown) == (recipe in ("paper", "authors"))


def test_unknown_recipes_are_named(capsys):
    assert cli.main(["train", "-o", "run", "--recipe", "magic", "--dry-run"]) == 2
    assert "there is no recipe 'magic': use paper, authors, fast," in capsys.readouterr().err


def test_every_setting_knows_its_recipes():
    assert owners()["weights"] == ["paper", "authors"]
    assert owners()["lr"] == list(RECIPES)
    assert owners(METHODS)["critic_steps"] == ["ganimation"]
