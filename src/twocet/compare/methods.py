"""The kinds of models that the trainer can train: 2CET and the baselines it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from twocet.compare.baselines.config import GANimationConfig, StarGANConfig
from twocet.data.dataset import DatasetFolder, Faces
from twocet.errors import check
from twocet.pairs import landmark_table
from twocet.training.config import RunConfig, Selection, TrainConfig, from_dict
from twocet.training.export import History, export_model, sample_rows
from twocet.training.loader import Batches
from twocet.training.recipes import Recipe, TrainState, build_recipe, new_state
from twocet.training.sampler import Sampler
from twocet.training.selection import METRICS, Metric

_BASELINES: dict[str, type[RunConfig]] = {"starganv2": StarGANConfig, "ganimation": GANimationConfig}


class Method(Protocol):
    """One kind of model: what the trainer changes, how, on what, and what it makes of the result."""

    @property
    def config(self) -> RunConfig:
        """The settings, completed by what the data say."""
        ...

    @property
    def size(self) -> int:
        """Side of the photos in pixels."""
        ...

    @property
    def recipe(self) -> Recipe[Any, Any]:
        """What happens in a round."""
        ...

    @property
    def select(self) -> Selection:
        """The name of the metric."""
        ...

    @property
    def metric(self) -> Metric:
        """What chooses the best checkpoint."""
        ...

    @property
    def photos_per_row(self) -> int:
        """Photos in one row of a mini-batch."""
        ...

    def prepare(
        self, train: Sequence[Faces], validation: Sequence[Faces], *, progress: bool
    ) -> tuple[Sequence[Faces], Sequence[Faces]]:
        """The photos of all datasets as they are trained on and judged by."""
        ...

    def new_state(self, device: torch.device) -> Any:
        """A ``recipes.State``: what a round changes, as it is at the start."""
        ...

    def sampler(self, sets: Sequence[Faces], mix: Sequence[float]) -> Batches[Any]:
        """Mini-batches from the training photos."""
        ...

    def measure(self, state: Any, sets: Sequence[Faces]) -> float:
        """The metric of the averaged networks on validation photos."""
        ...

    def sample_rows(self, state: Any, sets: Sequence[Faces]) -> list[Tensor]:
        """The rows of a sample sheet, (n, 3, S, S) each, made by the averaged networks."""
        ...

    def export(self, path: Path, state: Any, history: History) -> object:
        """Write the averaged networks as a model file."""
        ...


class TwoCet:
    """Generator and encoder, trained by the recipe ``config.recipe``."""

    photos_per_row = 2

    def __init__(self, config: TrainConfig, datasets: Sequence[DatasetFolder], folder: Path) -> None:
        self.config, self.size = config, config.network.size
        self._datasets, self._folder = datasets, folder
        self.recipe = build_recipe(config)
        self.select, self.metric = config.select, METRICS[config.select]

    def prepare(
        self, train: Sequence[Faces], validation: Sequence[Faces], *, progress: bool
    ) -> tuple[Sequence[Faces], Sequence[Faces]]:
        """See :class:`Method`."""
        if not self.config.knows_movements:
            return train, validation
        from twocet.pairs import transplant, unpaired

        transplant.check_ready()
        tables = [landmark_table.shared_meshes(data, self._folder, self.config.threads) for data in self._datasets]
        unchanged = self.config.zero_edits
        if self.config.knows_nobody:
            lent_alone = self.config.finishes_mouths
            return unpaired.prepare(train, validation, tables, unchanged, lent_alone=lent_alone, progress=progress)
        return transplant.prepare(train, tables, unchanged, progress=progress), validation

    def new_state(self, device: torch.device) -> TrainState:
        """See :class:`Method`."""
        return new_state(self.config, device)

    def sampler(self, sets: Sequence[Faces], mix: Sequence[float]) -> Sampler:
        """See :class:`Method`."""
        return Sampler(sets, mix, self.config.batch, self.config.seed, paired=self.recipe.paired)

    def measure(self, state: TrainState, sets: Sequence[Faces]) -> float:
        """See :class:`Method`."""
        return self.metric.measure(state.average, sets, self.config.bf16)

    def sample_rows(self, state: TrainState, sets: Sequence[Faces]) -> list[Tensor]:
        """See :class:`Method`."""
        return sample_rows(state.average, sets, self.config.bf16)

    def export(self, path: Path, state: TrainState, history: History) -> object:
        """See :class:`Method`."""
        return export_model(path, state, history)


def build_method(config: RunConfig, datasets: Sequence[DatasetFolder], folder: Path) -> Method:
    """The method that ``config`` is for, with new networks, for a run in ``folder``."""
    if isinstance(config, StarGANConfig):
        from twocet.compare.baselines.methods import StarGAN

        return StarGAN(config, datasets)
    if isinstance(config, GANimationConfig):
        from twocet.compare.baselines.methods import GANimation

        return GANimation(config, datasets, folder)
    assert isinstance(config, TrainConfig)
    return TwoCet(config, datasets, folder)


_REMOVED = ("strengths", "journeys", "returned", "code", "judged", "scales", "shape", "focus", "landmarks", "unpaired")
"""Settings that earlier versions had."""


def config_from_dict(values: dict[str, Any]) -> RunConfig:
    """Rebuild the settings of any method from ``dataclasses.asdict`` or its JSON. Raises UserError.

    Those of earlier versions too, unless they ask for what is not there any more.
    """
    check(not values.get("journeys"), "this run used journeys, which are no longer supported: train a new one")
    names = {("fast", "landmarks"): "landmarks", ("close_up", "unpaired"): "close_up_unpaired"}
    kept = {name: value for name, value in values.items() if name not in _REMOVED}
    for (recipe, flag), name in names.items():
        if values.get("recipe") == recipe and values.get(flag):
            kept["recipe"] = name
    config: RunConfig = from_dict(_BASELINES.get(kept.get("recipe", ""), TrainConfig), kept)
    return config
