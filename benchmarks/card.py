"""Photos a second of every recipe and the memory it takes, on a card or the processor; one JSON line each.

Photos are random and lie where a run would keep them; their choice and augmentation count, reading files does not. A
recipe is measured as it is configured, and with a larger mini-batch in bfloat16. Needs no tyro:

    PYTHONPATH=src python benchmarks/card.py --device cuda
    PYTHONPATH=src python benchmarks/card.py --size 32 --seconds 0.1 --widest 8 --batch 4     # to see that it works
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

import torch
from launches import Bare, faces
from line import peak_memory_mb, print_line

from twocet.runtime import devices
from twocet.runtime.randomness import generator_at
from twocet.training.checkpoint import Progress
from twocet.training.config import RunConfig
from twocet.training.loader import Loader
from twocet.training.loop import loop
from twocet.training.recipes.table import RECIPES

UNTIMED = 6
LARGE = {"paper": 32, "authors": 32}
"""Photos of each domain in the larger mini-batch; 128 where a recipe is not named."""


def measure(recipe: str, size: int, seconds: float, settings: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Photos a second over about so many seconds, and the peak of the memory."""
    run = Bare(recipe, size, UNTIMED, settings, device)
    photos = faces(run.config.network)
    for pictures in (photos.neutral, photos.expressive):
        pictures.random_(generator=generator_at(0, 0, "photos"))
    if device.type == "cuda":
        photos = photos.to(device)
        torch.cuda.reset_peak_memory_stats(device)
    sampler = run.method.sampler([photos], [1.0])
    loader = Loader(sampler, run.recipe.augment, 0, 0, device=device)
    with devices.on(device), loader as draw:
        for _ in range(2):
            began, first = time.perf_counter(), run.progress.step
            loop(run, None, draw, lambda step, steps: False)
            devices.wait(device)
            took = (time.perf_counter() - began) / (run.progress.step - first)
            run.progress = Progress(step=run.progress.step, steps=run.progress.step + max(1, round(seconds / took)))
    a_round = run.method.photos_per_row * run.config.batch * run.recipe.num_batches
    memory = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else peak_memory_mb()
    return {
        "batch": run.config.batch, "bf16": run.config.bf16, "ms_per_round": round(1e3 * took, 2),
        "photos_per_second": round(a_round / took, 1), "peak_mb": round(memory),
    }  # fmt: skip


def settings_of(defaults: RunConfig, batch: int | None, widest: int | None) -> list[dict[str, Any]]:
    """What is measured of a recipe: as it is configured, and with a larger mini-batch in bfloat16."""
    network = defaults.network
    if widest:
        narrow = {"max_width": widest, "first_width": widest, "generator_widths": (widest,), "trunk_widths": (widest,)}
        network = dataclasses.replace(network, **narrow)
    # Checkpoints have no place to go.
    shared = {"network": network, "checkpoint_minutes": 1e6}
    small = {"batch": batch} if batch else {}
    return [shared | small, shared | {"bf16": True, "batch": batch or LARGE.get(defaults.recipe, 128)}]


def main() -> None:
    """Measures every recipe."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--device", default="cpu")
    words.add_argument("--recipes", nargs="+", default=list(RECIPES))
    words.add_argument("--size", type=int, default=128)
    words.add_argument("--seconds", type=float, default=8.0)
    words.add_argument("--batch", type=int, help="photos of each domain in every mini-batch")
    words.add_argument("--widest", type=int, help="channels of the networks, if they shall be small")
    given = words.parse_args()
    device = devices.find(given.device)
    devices.tune(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    for recipe in given.recipes:
        for settings in settings_of(RECIPES[recipe].defaults, given.batch, given.widest):
            found = measure(recipe, given.size, given.seconds, settings, device)
            print_line({"benchmark": "card", "device": name, "recipe": recipe, "size": given.size, **found})


if __name__ == "__main__":
    main()
