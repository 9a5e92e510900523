"""What a process started by torchrun or accelerate launch does in test_ranks.py."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from tiny import PAIRS, SETTINGS

from twocet.cli import main as command
from twocet.commands.train import configure
from twocet.networks.interfaces import Networks
from twocet.runtime.distributed import ALONE, Ranks, joined
from twocet.training.config import RunConfig, Sources
from twocet.training.loop import Run, train
from twocet.training.recipes.fast import FastRecipe

RARELY = (
    "batch=8",
    "lr=1e-4",
    "lr_encoder=1e-4",
    "warm_up=0",
    "log_every=1",
    "sample_every=100",
    "validate_every=100",
    "checkpoint_every=100",
)
WORDS: dict[str, tuple[str, ...]] = {
    "paper": (*SETTINGS, *RARELY, "lr_discriminator=1e-4", "cycles=both", "r1=0.0"),
    "authors": (*SETTINGS, *RARELY, "lr_discriminator=1e-4", "cycles=both,neutral", "r1_every=1"),
    "fast": (*PAIRS, *RARELY, "code_size=0.5"),
}
"""Recipe fast with a penalty of the codes' size that counts."""
ROUNDS = 2
CONFIGS: dict[str, RunConfig] = {
    recipe: configure("fast", recipe, words, steps=ROUNDS) for recipe, words in WORDS.items()
}
KILLED_IN_ROUND = 7


def train_all(folder: Path, data: Path, ranks: Ranks = ALONE, **changes: Any) -> None:
    """One run per recipe, in ``folder``/recipe."""
    for name, config in CONFIGS.items():
        sources = Sources(data=(str(data),), mix=(1.0,))
        run = Run(folder / name, dataclasses.replace(config, **changes), sources, progress=False, ranks=ranks)
        leave_gentle_start(run.state.networks)
        train(run)


@torch.no_grad()
def leave_gentle_start(networks: Networks) -> None:
    """Heads that start at zero would hide the code's way through the generator; small codes, their penalty."""
    for weight in (networks.generator.flow_head.weight, networks.generator.paint_head.weight):
        weight.copy_(torch.linspace(-0.3, 0.3, weight.numel())[torch.randperm(weight.numel())].view_as(weight))
    last = networks.encoder.trunk[-1]
    last.weight.mul_(2)


def killed_without_warning(recipe: FastRecipe, state: Any, draw: Any, step: int) -> Any:
    """A round of training; rank 1 dies in one of them."""
    if step + 1 == KILLED_IN_ROUND and recipe.ranks.share.part == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole_round(recipe, state, draw, step)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "equal":
        with joined() as ranks:
            train_all(Path(sys.argv[2]), Path(sys.argv[3]), ranks)
    else:
        whole_round = FastRecipe.round
        FastRecipe.round = killed_without_warning  # type: ignore[method-assign]
        sys.exit(command(["train", *sys.argv[2:]]))
