"""What happens in one round of training. A recipe is found by its name in the configuration."""

from __future__ import annotations

from twocet.config import TrainConfig
from twocet.recipes.base import Recipe, TrainState

__all__ = ["Recipe", "TrainState", "build_recipe"]


def build_recipe(config: TrainConfig) -> Recipe:
    """The recipe ``config.recipe``."""
    if config.recipe == "fast":
        from twocet.recipes.fast import FastRecipe

        return FastRecipe(config)
    from twocet.recipes.paper import PaperRecipe

    return PaperRecipe(config)
