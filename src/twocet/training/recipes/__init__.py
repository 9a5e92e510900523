"""What happens in one round of training. A recipe is found by its name in the configuration."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from twocet.training.config import TrainConfig
from twocet.training.recipes.base import AdversarialState, Recipe, State, TrainState

__all__ = ["AdversarialState", "Recipe", "State", "TrainState", "TwoCetRecipe", "build_recipe", "new_state"]


class TwoCetRecipe(Recipe[Any, Any], Protocol):
    """A recipe for generator, encoder and, where something is judged, discriminator."""

    paired: bool
    """Whether row i of both domains must show the same person."""


def build_recipe(config: TrainConfig) -> TwoCetRecipe:
    """The recipe ``config.recipe``."""
    if config.recipe in ("fast", "landmarks", "unpaired"):
        from twocet.training.recipes.fast import FastRecipe

        return FastRecipe(config)
    if config.finishes_mouths:
        from twocet.training.recipes.close_up import CloseUpRecipe

        return CloseUpRecipe(config)
    from twocet.training.recipes.paper import PaperRecipe

    return PaperRecipe(config)


def new_state(config: TrainConfig, device: torch.device) -> TrainState:
    """What the recipe ``config.recipe`` changes, as it is at the start."""
    if config.finishes_mouths:
        from twocet.training.recipes.close_up import CloseUpState

        return CloseUpState(config, device)
    return AdversarialState(config, device) if config.adversarial_networks else TrainState(config, device)
