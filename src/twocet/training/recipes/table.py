"""The recipes: what each one is called, its settings, what it needs. Nothing here imports torch.

To add a recipe, write its configuration (``configs``), its module with a function ``method``, and its entry here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twocet.errors import check
from twocet.method.schedules import Schedule, constant
from twocet.networks.config import NetworkConfig, Preset
from twocet.runtime.configuration import from_dict
from twocet.training.config import RunConfig
from twocet.training.recipes.configs import CloseUpConfig, CyclesConfig, FastConfig, LandmarksConfig, LossWeights

if TYPE_CHECKING:
    from twocet.data.dataset import DatasetFolder
    from twocet.runtime.distributed import Ranks
    from twocet.training.method import Method


class Entry(NamedTuple):
    """One recipe."""

    defaults: RunConfig
    """Its settings with their values; their class says which it has."""
    method: Callable[[Any, Sequence[DatasetFolder], Path, Ranks], Method]
    """Makes what trains it, from the settings, the datasets, the run folder and the other processes; imports torch."""
    strangers: bool
    """Whether it takes photos of people who are in one domain only, which make others fail (paper, Sec. 5)."""


def _cycles(*run: Any) -> Method:
    from twocet.training.recipes import paper

    return paper.method(*run)


def _pairs(*run: Any) -> Method:
    from twocet.training.recipes import fast

    return fast.method(*run)


def _landmarks(*run: Any) -> Method:
    from twocet.training.recipes import landmarks

    return landmarks.method(*run)


def _close_up(*run: Any) -> Method:
    from twocet.training.recipes import close_up

    return close_up.method(*run)


NETWORKS: dict[Preset, NetworkConfig] = {"paper": NetworkConfig(preset="paper"), "fast": NetworkConfig()}
"""The networks of every preset."""
_CLOSE_UP: dict[str, Any] = {
    "network": NetworkConfig(close_up=True), "batch": 32, "lr": 5e-4, "betas": (0.5, 0.99), "mismatch": 0.5, "r1": 1.0,
    "steps": 3_000, "validate_every": 1_000_000,
}  # fmt: skip
_AS_PUBLISHED: dict[str, Any] = {
    "network": NETWORKS["paper"], "batch": 8, "steps": 100_000, "lr": 1e-4,
    "betas": (0.0, 0.99), "betas_discriminator": (0.0, 0.99), "weight_decay": 1e-4,
    "warm_up": 0, "decay": "none", "ema_warm_up": False, "bf16": False, "validate_every": 5_000, "mismatch": 0.0,
    "even": False, "select": "agreement",
}  # fmt: skip

RECIPES: dict[str, Entry] = {
    # As the text says: both cycles in every iteration, plain L1 diversity; best at 65,000. R1 and average are those
    # of the code that it builds on: the text is silent, and without R1 such a discriminator is said to diverge.
    "paper": Entry(
        CyclesConfig(recipe="paper", **_AS_PUBLISHED, r1=0.5, r1_every=1, diversity="plain", cycles=("both",)),
        _cycles,
        strangers=False,
    ),
    # As published code and README command do: three mini-batches a round, proportional diversity, R1, average.
    "authors": Entry(
        CyclesConfig(
            recipe="authors", **_AS_PUBLISHED, r1=0.5, r1_every=1, diversity="proportional",
            cycles=("both", "both", "neutral"),
            weights=LossWeights(
                cycle_expressive=constant(1.0),
                code=Schedule(rise=5_000, end=30_000),
                diversity=Schedule(end=100_000, start=1.0, stop=0.0),
            ),
        ),
        _cycles,
        strangers=False,
    ),
    # Pairs of one person's photos.
    "fast": Entry(FastConfig(), _pairs, strangers=False),
    # The same, and landmarks say how faces move; every expression is transplanted to another person too.
    "landmarks": Entry(LandmarksConfig(recipe="landmarks", moving=0.5, view=0.5), _landmarks, strangers=False),
    # The same without knowing who is who: every neutral face is estimated, not quite as far from the expressive one as
    # the true one is, so that changes and codes are smaller.
    # Transplants keep the person out of the code, so that the encoder may see where in the crop everything lies.
    "unpaired": Entry(
        LandmarksConfig(
            recipe="unpaired", change_floor=0.02, code_noise=Schedule(rise=3_000, end=8_000, start=0.0, stop=0.1),
            sketch=1.0, view=0.25, mouths=10.0,
        ),
        _landmarks,
        strangers=True,
    ),
    # Mouths for the generator of a finished model. Sharp ones lose against any pixel's mean, so nothing is selected.
    "close_up": Entry(CloseUpConfig(recipe="close_up", **_CLOSE_UP), _close_up, strangers=False),
    # The same for photos of strangers: true mouths are those that were transplanted.
    "close_up_unpaired": Entry(CloseUpConfig(recipe="close_up_unpaired", **_CLOSE_UP), _close_up, strangers=True),
}  # fmt: skip
"""The recipes with all their settings."""


def preset_config(preset: Preset, recipe: str | None = None) -> RunConfig:
    """The settings of ``recipe`` (by default the one named like the preset) with the networks of ``preset``."""
    base = RECIPES[recipe or preset].defaults
    return dataclasses.replace(base, network=dataclasses.replace(NETWORKS[preset], close_up=base.network.close_up))


def owners(entries: Mapping[str, Entry] = RECIPES) -> dict[str, list[str]]:
    """For every setting, the recipes that have it."""
    found: dict[str, list[str]] = {}
    for name, entry in entries.items():
        for field in dataclasses.fields(entry.defaults):
            found.setdefault(field.name, []).append(name)
    return found


_REMOVED = {"strengths", "journeys", "returned", "code", "judged", "scales", "shape", "focus", "landmarks", "unpaired"}
"""Settings that earlier versions had."""
_FLAGS = {("fast", "landmarks"): "landmarks", ("close_up", "unpaired"): "close_up_unpaired"}
"""Recipes that were a flag of another one."""


def config_from_dict(values: Mapping[str, Any], entries: Mapping[str, Entry] = RECIPES) -> RunConfig:
    """Rebuild the settings of a run from ``dataclasses.asdict`` or its JSON. Raises UserError.

    Runs of earlier versions had the settings of all recipes: those that theirs does not use are left out.
    """
    check(not values.get("journeys"), "this run used journeys, which are no longer supported: train a new one")
    name = values.get("recipe", "fast")
    name = next((new for (old, flag), new in _FLAGS.items() if old == name and values.get(flag)), name)
    known = isinstance(name, str) and name in entries
    check(known, f"the run was made by the recipe {name!r:.60}, unknown here: use another version of twocet")
    kind = type(entries[name].defaults)
    foreign = (_REMOVED | owners(entries).keys()) - {field.name for field in dataclasses.fields(kind)}
    config: RunConfig = from_dict(kind, {key: v for key, v in values.items() if key not in foreign} | {"recipe": name})
    return config
