"""The table of docs/recipes.md says what the recipes are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from twocet.method.schedules import Schedule, constant
from twocet.training.recipes.table import RECIPES

ROOT = Path(__file__).parents[2]


def _script():
    spec = importlib.util.spec_from_file_location("recipe_table", ROOT / "scripts" / "recipe_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = _script()


def cells():
    """Item to (paper, authors, fast, option) as the document says them."""
    text = TABLE.DOCUMENT.read_text(encoding="utf-8").split(TABLE.BEGIN)[1].split(TABLE.END)[0]
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.strip().splitlines()[2:]]
    return {line[0].strip(): tuple(line[3:]) for line in lines}


def test_document_is_up_to_date():
    document = TABLE.DOCUMENT.read_text(encoding="utf-8")
    assert TABLE.rewritten(document) == document, "run: PYTHONPATH=src python scripts/recipe_table.py"


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ("image size, px", ("128", "128", "128", "`network.size`")),
        ("rounds", ("100,000", "100,000")),
        ("learning rate G, E, D", ("0.0001, like G, like G", "0.0001, like G, like G")),
        ("λ cycle, expressive", ("1 → 1.5 by 10,000", "1")),
        ("λ code", ("0 → 1 by 5,000", "0 → 1 by 5,000")),
        ("λ diversity", ("1 → 0 by 10,000", "1 → 0 by 100,000")),
        ("R1 (times the ½ in it)", ("0.5", "0.5")),
        ("diversity loss", ("plain", "proportional")),
        ("mini-batches of a round", ("both", "both, both, neutral")),
        ("average of G and E", ("0.999", "0.999")),
        ("validation every … rounds", ("5,000", "5,000")),
    ],
)
def test_the_published_values_are_in_the_recipes(item, wanted):
    """Values of the paper's text and of the authors' command, typed here once more."""
    assert cells()[item][: len(wanted)] == wanted


def test_every_weight_of_the_objective_is_in_the_table():
    listed = {field for item in TABLE.ITEMS for field in item.fields}
    assert {f"weights.{name}" for name in vars(RECIPES["paper"].defaults.weights)} <= listed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (constant(1.0), "1"),
        (Schedule(end=10, start=1.0, stop=0.0), "1 → 0 by 10"),
        (Schedule(rise=5, end=30), "0 → 1 by 5"),
        (Schedule(rise=500, end=1_500, start=0.0, stop=0.003), "0 → 0 by 500 → 0.003 by 1,500"),
        (True, "yes"),
        ((0.0, 0.99), "0, 0.99"),
        (100_000, "100,000"),
        ("plain", "plain"),
        (None, "like G"),
    ],
)
def test_values_are_shown_in_words(value, text):
    assert TABLE.show(value) == text
