"""Measures training rounds on one core: pairs of photos a CPU-second and peak memory. Prints one JSON line for each.

What counts is the same mathematics as in the authors' code: a mini-batch with both cycles, one step of the
discriminator and one of generator and encoder, at 128 px. ``authors`` has R1 in every step as their code does,
``paper`` none as in the text; both have the published networks and a mini-batch of 2 pairs. ``fast`` is measured as it
is. Photos are random and in memory, their augmentation counts. Each measurement has a process of its own and one
thread. Seconds are those of the processor, but a processor shared with other work is slower. About 6 minutes.

    python benchmarks/round.py
    python benchmarks/round.py --recipes fast --rounds 100
    python benchmarks/round.py --recipes authors --precisions float32 --size 32 --rounds 1    # to see that it works
"""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import time
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from line import peak_memory_mb, print_line

from twocet.runtime.distributed import ALONE
from twocet.training.config import RunConfig
from twocet.training.recipes.table import RECIPES
from twocet.training.sampler import Batch

Precision = Literal["float32", "bfloat16"]
ROUNDS = {"authors": 2, "paper": 2, "fast": 40}
UNTIMED = {"authors": 1, "paper": 1, "fast": 5}
AUTHORS_CPU_SECONDS = 23.8
"""Of the authors' code for a pair in an update of both cycles: mini-batch of 2, 128 px, one core with AVX-512."""
AUTHORS_PEAK_MB = 4500


def configured(recipe: str, precision: Precision, accumulate: int, size: int) -> RunConfig:
    """The recipe with one thread; a round of ``authors`` or ``paper`` is one mini-batch with both cycles."""
    config: Any = RECIPES[recipe].defaults
    config = dataclasses.replace(
        config, threads=1, bf16=precision == "bfloat16", accumulate=accumulate,
        network=dataclasses.replace(config.network, size=size),
    )  # fmt: skip
    return config if recipe == "fast" else dataclasses.replace(config, batch=2, cycles=("both",))


def measure(config: RunConfig, untimed: int, rounds: int) -> tuple[float, float]:
    """CPU-seconds of a round, and the peak memory of this process in 10^6 bytes."""
    torch.set_num_threads(1)
    method = RECIPES[config.recipe].method(config, [], Path(), ALONE)
    state, recipe = method.new_state(torch.device("cpu")), method.recipe
    draws = torch.Generator().manual_seed(0)
    size = config.network.size

    def draw() -> Batch:
        photos = (torch.rand(config.batch, 3, size, size, generator=draws) * 2 - 1 for _ in range(2))
        return recipe.augment(Batch(*photos), draws)

    for step in range(untimed + rounds):
        if step == untimed:
            began = time.process_time()
        state.begin_round(step, config.steps)
        recipe.round(state, draw, step)
        state.end_round(step)
    return (time.process_time() - began) / rounds, peak_memory_mb()


def figures(config: RunConfig, cpu_seconds: float, peak_mb: float) -> dict[str, Any]:
    """What is said of a measurement."""
    pairs = config.batch / cpu_seconds
    return {
        "batch": config.batch, "accumulate": config.accumulate, "size": config.network.size,
        "cpu_seconds_per_round": round(cpu_seconds, 3), "pairs_per_cpu_second": round(pairs, 4),
        "times_the_authors": round(pairs * AUTHORS_CPU_SECONDS, 2), "peak_mb": round(peak_mb),
        "peak_over_the_authors": round(peak_mb / AUTHORS_PEAK_MB, 3),
    }  # fmt: skip


def main(
    recipes: tuple[Literal["authors", "paper", "fast"], ...] = ("fast", "paper", "authors"),
    precisions: tuple[Precision, ...] = ("float32", "bfloat16"),
    accumulate: tuple[int, ...] = (1, 2),
    rounds: int | None = None,
    size: int = 128,
) -> None:
    """Measures every recipe in every precision.

    Args:
        recipes: Which ones.
        precisions: Of the convolutions; bfloat16 is only used where the processor has instructions for it.
        accumulate: Pieces of a mini-batch, one after the other for less memory, where the networks are the published.
        rounds: Rounds that are measured; 2 for authors and paper, 40 for fast if not given.
        size: Side of the photos in pixels.
    """
    for recipe in recipes:
        for precision, pieces in itertools.product(precisions, (1,) if recipe == "fast" else accumulate):
            config, timed = configured(recipe, precision, pieces, size), rounds or ROUNDS[recipe]
            # A process that has only done this, so that the peak is its own.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found = pool.apply(measure, (config, UNTIMED[recipe], timed))
            values = {"benchmark": "round", "recipe": recipe, "precision": precision, "rounds": timed}
            print_line({**values, **figures(config, *found)})


if __name__ == "__main__":
    tyro.cli(main)
