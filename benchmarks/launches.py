"""What a round of training asks of a graphics card, counted without one: PYTHONPATH=src python benchmarks/launches.py

The loop runs on torch's device without numbers (meta), so that every operator call, copy and wait is seen and none is
made. One JSON line for each recipe, per round, mean over the rounds. ``calls``: operators that the main thread starts
and which do work (no views); ``waits``: numbers or sizes the processor needs from the card before it goes on;
``blocking_copies``: copies to the card that it waits for. ``loader_calls`` and ``loader_blocking_copies``: the same for
the thread that prepares mini-batches. The times are estimates for an H100: that of the card is the sum over operators
of the longest of arithmetic, memory traffic and a launch; that of the processor is so much a call. Where the processor
has to wait often the two add up, else the longer one counts.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from line import print_line
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from twocet.data.dataset import Faces, Known
from twocet.networks.config import NetworkConfig
from twocet.runtime import devices
from twocet.runtime.distributed import ALONE
from twocet.training.checkpoint import Progress
from twocet.training.loader import Loader
from twocet.training.loop import Run, loop
from twocet.training.recipes.table import RECIPES

CARD = torch.device("meta")
PHOTOS = 64
RATES = {False: 200e12, True: 400e12}
"""Operations a second that convolutions reach, 40 % of the peak: in TF32, and in bfloat16."""
BANDWIDTH, LAUNCH, CALL, WAIT = 2.4e12, 3e-6, 7e-6, 20e-6
"""Bytes a second of the card, seconds of its shortest operator, seconds of the processor for a call and for a wait."""
OFTEN = 2
"""Waits in a round from which the processor does not get ahead of the card."""
NO_WORK = {
    "empty",
    "new_empty",
    "empty_like",
    "new_empty_strided",
    "empty_strided",
    "_unsafe_view",
    "detach",
    "lift_fresh",
}


class Counting(TorchDispatchMode):
    """Counts operators on the device, and answers for it where a number is asked for."""

    def __init__(self, bf16: bool) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        # The device without numbers knows no autocast: maps are float32 here and half as large on a card.
        self.rate, self.width = RATES[bf16], 0.5 if bf16 else 1.0
        self.card_seconds = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        there = any(t.device == CARD for t in given)
        if name == "_local_scalar_dense" and there:
            self.counts["waits"] += 1
            return 1.0
        if name == "index" and there and (masks := [m for m in args[1] if m is not None and m.dtype == torch.bool]):
            self.counts["waits"] += 1
            return args[0].new_empty(len(masks[0]), *args[0].shape[masks[0].dim() :])
        if name == "_to_copy" and there and kwargs.get("device") == devices.CPU:
            self.counts["waits"] += 1
            return torch.ones(given[0].shape, dtype=kwargs.get("dtype") or given[0].dtype, device="cpu")
        out = func(*args, **kwargs)
        made = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        if not there and any(t.device == CARD for t in made) and given:
            self.counts["copies" if kwargs.get("non_blocking") else "blocking_copies"] += 1
        elif any(t.device == CARD for t in made) and not func.is_view and name not in NO_WORK:
            self._count(func, args, kwargs, out, given, made)
        return out

    def _count(self, func: Any, args: Any, kwargs: Any, out: Any, given: Any, made: Any) -> None:
        self.counts["calls"] += 1
        flops = flop_registry.get(func.overloadpacket)
        arithmetic = flops(*args, **kwargs, out_val=out) / self.rate if flops else 0.0
        traffic = self.width * sum(t.numel() * t.element_size() for t in (*given, *made)) / BANDWIDTH
        self.card_seconds += max(arithmetic, traffic, LAUNCH)


class Bare(Run):
    """A run without files."""

    def __init__(self, recipe: str, size: int, rounds: int, settings: dict[str, Any], device: torch.device) -> None:
        config = dataclasses.replace(RECIPES[recipe].defaults, threads=1, **settings)
        config = dataclasses.replace(config, network=dataclasses.replace(config.network, size=size))
        self.method = RECIPES[recipe].method(config, [], Path(), ALONE)
        self.config, self.recipe, self.device, self.ranks = config, self.method.recipe, device, ALONE
        self.state, self.progress = self.method.new_state(device), Progress(steps=rounds)
        self.clock = time.perf_counter


def faces(config: NetworkConfig) -> Faces:
    """People with one photo of each domain, and what landmarks would tell of them."""
    photos = torch.zeros(PHOTOS, 3, config.size, config.size, dtype=torch.uint8)
    rows = [{"file": str(k)} for k in range(PHOTOS)]
    flows, mouths = torch.zeros(PHOTOS, 4, 64, 64).half(), torch.zeros(PHOTOS, 1, 64, 64).half()
    known = Known([*range(PHOTOS)], flows, mouths, torch.ones(PHOTOS, dtype=torch.bool))
    return Faces(photos, photos.clone(), rows, rows, [[k] for k in range(PHOTOS)], known)


def count(recipe: str, size: int, rounds: int, settings: dict[str, Any]) -> dict[str, Any]:
    """The figures of a recipe."""
    run = Bare(recipe, size, rounds, settings, CARD)
    sampler = run.method.sampler([faces(run.config.network)], [1.0])
    main, beside = Counting(run.config.bf16), Counting(run.config.bf16)
    work = Loader._work

    def counted_work(self: Loader[Any], *given: Any) -> None:
        with beside:
            work(self, *given)

    def adam_step(self: torch.optim.Adam) -> None:
        main.counts["calls"] += 2 * len(self.param_groups)

    patch = mock.patch.object
    with patch(Loader, "_work", counted_work), patch(torch.optim.Adam, "step", adam_step):
        loader = Loader(sampler, run.recipe.augment, 0, 0, ALONE.share, CARD)
        with devices.on(CARD), loader as draw, main:
            loop(run, None, draw, lambda step, steps: False)
    return summary(run, rounds, main, beside)


def summary(run: Run, rounds: int, main: Counting, beside: Counting) -> dict[str, Any]:
    """What is said of the counts."""
    a_round = {name: main.counts[name] / rounds for name in ("calls", "waits", "blocking_copies", "copies")}
    stops = a_round["waits"] + a_round["blocking_copies"]
    processor = a_round["calls"] * CALL + stops * WAIT
    card = main.card_seconds / rounds
    seconds = processor + card if stops > OFTEN else max(processor, card)
    photos = run.method.photos_per_row * run.config.batch * run.recipe.num_batches
    return {
        **{name: round(value, 1) for name, value in a_round.items()},
        "loader_calls": round(beside.counts["calls"] / rounds, 1),
        "loader_blocking_copies": round(beside.counts["blocking_copies"] / rounds, 1),
        "photos_a_round": photos, "processor_ms": round(1e3 * processor, 2), "card_ms": round(1e3 * card, 2),
        "estimated_photos_a_second": round(photos / seconds),
    }  # fmt: skip


def main(
    recipes: tuple[str, ...] = tuple(RECIPES),
    size: int = 128,
    rounds: int = 48,
    batch: int | None = None,
    bf16: bool | None = None,
) -> None:
    """Counts every recipe.

    Args:
        recipes: Which ones.
        size: Side of the photos in pixels.
        rounds: Rounds the mean is taken over.
        batch: In place of the recipe's own.
        bf16: In place of the recipe's own: for the estimate alone, the casts are not counted.
    """
    settings = {name: value for name, value in (("batch", batch), ("bf16", bf16)) if value is not None}
    for recipe in recipes:
        print_line(
            {
                "benchmark": "launches",
                "recipe": recipe,
                "size": size,
                **settings,
                **count(recipe, size, rounds, settings),
            }
        )


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
