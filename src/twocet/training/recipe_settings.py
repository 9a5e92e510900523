"""The recipes with all their settings. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
from typing import Any

from twocet.method.schedules import Schedule, constant
from twocet.networks.config import NetworkConfig, Preset
from twocet.training.config import NOISE_COMES_IN, LossWeights, Recipe, TrainConfig

_PAPER_NETWORK = NetworkConfig(preset="paper")
_ADAM_OF_PAPER: dict[str, Any] = {
    "lr": 1e-4, "lr_encoder": 1e-4, "lr_discriminator": 1e-4, "betas": (0.0, 0.99), "betas_discriminator": (0.0, 0.99),
    "weight_decay": 1e-4, "warm_up": 0, "decay": "none", "ema_warm_up": False, "bf16": False, "validate_every": 5_000,
}  # fmt: skip

_CLOSE_UP: dict[str, Any] = {
    "network": NetworkConfig(close_up=True), "batch": 32, "lr": 5e-4, "betas": (0.5, 0.99), "coarse": False,
    "code_noise": constant(0.3), "painted": 0.02, "mismatch": 0.5, "r1": 1.0, "steps": 3_000,
    "validate_every": 1_000_000,
}  # fmt: skip

RECIPES: dict[str, TrainConfig] = {
    # As the text says: both cycles in every iteration, plain L1 diversity, no R1, no average; best at 65,000.
    "paper": TrainConfig(
        recipe="paper", network=_PAPER_NETWORK, batch=8, steps=100_000, **_ADAM_OF_PAPER,
        ema=0.0, r1=0.0, diversity="plain", cycles=("both",), coarse=False, mismatch=0.0, even=False,
    ),
    # As published code and README command do: three mini-batches a round, proportional diversity, R1, average.
    "authors": TrainConfig(
        recipe="authors", network=_PAPER_NETWORK, batch=8, steps=100_000, **_ADAM_OF_PAPER,
        ema=0.999, r1=0.5, r1_every=1, diversity="proportional", cycles=("both", "both", "neutral"),
        coarse=False, mismatch=0.0, even=False,
        weights=LossWeights(
            cycle_expressive=constant(1.0),
            code=Schedule(rise=5_000, end=30_000),
            diversity=Schedule(end=100_000, start=1.0, stop=0.0),
        ),
    ),
    "fast": TrainConfig(),
    # The same, told by landmarks how faces move; every expression is lent to another person too.
    "landmarks": TrainConfig(recipe="landmarks", moving=0.5, view=0.5),
    # The same without knowing who is who: every neutral face is estimated, not quite as far from the expressive one as
    # the true one is, so that changes and codes are smaller.
    # Lent expressions keep the person out of the code, so that the encoder may see where in the crop everything lies.
    "unpaired": TrainConfig(
        recipe="unpaired", change_floor=0.02, code_noise=dataclasses.replace(NOISE_COMES_IN, stop=0.1),
        sketch=1.0, view=0.25, mouths=10.0,
    ),
    # Mouths for the generator of a finished model. Sharp ones lose against any pixel's mean, so nothing is selected.
    "close_up": TrainConfig(recipe="close_up", **_CLOSE_UP),
    # The same for photos of strangers: true mouths are those that were lent.
    "close_up_unpaired": TrainConfig(recipe="close_up_unpaired", **_CLOSE_UP),
}  # fmt: skip
"""The recipes with all their settings."""


def preset_config(preset: Preset, recipe: Recipe | None = None) -> TrainConfig:
    """The settings of ``recipe`` (by default the one named like the preset) with the networks of ``preset``."""
    base = RECIPES[recipe or preset]
    network = RECIPES[preset].network
    return dataclasses.replace(base, network=dataclasses.replace(network, close_up=base.network.close_up))
