"""The kinds of models that the trainer can train: 2CET and the baselines it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twocet.compare.baselines.config import GANimationConfig, StarGANConfig
from twocet.training.recipes.table import RECIPES, Entry

if TYPE_CHECKING:
    from twocet.training.method import Method


def _stargan(*run: Any) -> Method:
    from twocet.compare.baselines.methods import StarGAN

    return StarGAN(*run)


def _ganimation(*run: Any) -> Method:
    from twocet.compare.baselines.methods import GANimation

    return GANimation(*run)


METHODS: dict[str, Entry] = {
    **RECIPES,
    "starganv2": Entry(StarGANConfig(), _stargan, strangers=False),
    "ganimation": Entry(GANimationConfig(), _ganimation, strangers=False),
}
"""All of them, by the name of their recipe."""
