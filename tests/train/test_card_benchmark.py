"""``benchmarks/card.py``: every recipe can be timed, at sizes that are no trouble to a processor."""

from __future__ import annotations

import pytest

from twocet.runtime.devices import CPU
from twocet.training.recipes.table import RECIPES


@pytest.fixture(scope="module")
def card(load_benchmark):
    return load_benchmark("card")


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_timed_with_its_memory(card, recipe) -> None:
    as_configured, larger = card.settings_of(RECIPES[recipe].defaults, 4, 8)
    found = card.measure(recipe, 32, 0.01, as_configured, CPU)
    assert found["batch"] == 4
    assert found["photos_per_second"] > 0
    assert found["peak_mb"] > 0
    assert larger["bf16"]


def test_mini_batches_are_larger_the_second_time(card) -> None:
    sizes = {
        name: [found.get("batch") for found in card.settings_of(RECIPES[name].defaults, None, None)]
        for name in ("authors", "fast")
    }
    assert sizes == {"authors": [None, 32], "fast": [None, 128]}
