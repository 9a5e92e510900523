"""Floating-point operations of one round of training: PYTHONPATH=src python benchmarks/training_flops.py

Counted by torch's FlopCounterMode with one photo of each domain in a mini-batch, times the recipe's batch (a
convolution's operations grow with it in proportion). A multiplication and an addition are two. One JSON line each.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from twocet.runtime.distributed import ALONE
from twocet.training.recipes import base
from twocet.training.recipes.configs import CyclesConfig
from twocet.training.recipes.table import RECIPES
from twocet.training.sampler import Batch


class _NoModules:
    """Stands for torch's ModuleTracker where everything is counted together."""

    parents = frozenset({"Global"})

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def round_flops(name: str) -> int:
    """Operations of a round of the recipe ``name`` with all its settings."""
    config = RECIPES[name].defaults
    # Every update of D with R1 costs more; the penalty that comes every r1_every updates is averaged over them.
    # Fake tensors have shapes and no contents: the operations are counted and not made.
    # They cannot be converted in place, and are float32 as they are.
    unconverted = mock.patch.object(torch.nn.Module, "float", lambda network: network)
    # Nor do they have numbers that could be looked at.
    unread = mock.patch.object(base, "check_finite")
    with FakeTensorMode(allow_non_fake_inputs=True), unconverted, unread:
        with_r1, without = (_counted(name, step) for step in (0, 1))
    if not isinstance(config, CyclesConfig) or config.r1 == 0 or config.r1_every == 1:
        return with_r1 * config.batch
    return round((with_r1 + (config.r1_every - 1) * without) / config.r1_every * config.batch)


def _counted(name: str, step: int) -> int:
    config = dataclasses.replace(RECIPES[name].defaults, batch=1, bf16=False)
    method = RECIPES[name].method(config, [], Path(), ALONE)
    state, recipe = method.new_state(torch.device("cpu")), method.recipe
    size = config.network.size
    generator = torch.Generator().manual_seed(0)
    batch = Batch(*(torch.rand(1, 3, size, size, generator=generator) * 2 - 1 for _ in range(2)))
    state.begin_round(step, config.steps)
    counter = FlopCounterMode(display=False)
    # Its hooks for counting by module do not allow the gradient inside R1.
    counter.mod_tracker = _NoModules()  # type: ignore[assignment]
    with counter:
        recipe.round(state, lambda: batch, step)
    return counter.get_total_flops()


if __name__ == "__main__":
    for recipe_name in ("paper", "authors", "fast"):
        flops, rounds = round_flops(recipe_name), RECIPES[recipe_name].defaults.steps
        print(json.dumps({"recipe": recipe_name, "flops_per_round": flops, "rounds": rounds, "flops": flops * rounds}))
