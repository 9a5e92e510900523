"""What the trainer needs of a kind of model, and what all recipes of 2CET have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from twocet.data.dataset import Faces
from twocet.training.config import ModelConfig, RunConfig, Selection
from twocet.training.diagnosis import Sample, diagnose
from twocet.training.export import History, export_model, raw_file, sample_rows
from twocet.training.loader import Batches
from twocet.training.recipes.base import Recipe, TrainState
from twocet.training.selection import METRICS, Metric

B = TypeVar("B", bound=tuple[Any, ...])


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

    def diagnose(self, state: Any, sets: Sequence[Faces]) -> dict[str, float]:
        """Further figures for the record, on validation photos (training ones where there are none)."""
        ...

    def sample_rows(self, state: Any, sets: Sequence[Faces]) -> list[Tensor]:
        """The rows of a sample sheet, (n, 3, S, S) each, made by the averaged networks."""
        ...

    def export(self, path: Path, state: Any, history: History) -> object:
        """Write the averaged networks as a model file, and the others beside it where they may be better."""
        ...


class Prepare(Protocol):
    """See :meth:`Method.prepare`."""

    def __call__(
        self, train: Sequence[Faces], validation: Sequence[Faces], *, progress: bool
    ) -> tuple[Sequence[Faces], Sequence[Faces]]: ...


def as_they_are(
    train: Sequence[Faces], validation: Sequence[Faces], *, progress: bool
) -> tuple[Sequence[Faces], Sequence[Faces]]:
    """The photos without a change."""
    return train, validation


@dataclass(frozen=True)
class TwoCet(Generic[B]):
    """Generator and encoder, trained by one of the recipes."""

    config: ModelConfig
    recipe: Recipe[Any, B]
    new_state: Callable[[torch.device], TrainState]
    """What a round changes, as it is at the start."""
    sampler: Callable[[Sequence[Faces], Sequence[float]], Batches[B]]
    """Mini-batches from the training photos of all datasets, which have these shares."""
    prepare: Prepare = as_they_are
    photos_per_row: int = 2
    sample: Sample | None = None
    """Draws random codes where the generator is trained with such, against a discriminator. Then it is recorded what
    these networks do, and those of the last round are written beside their averages."""
    drawn: Mapping[str, Any] | None = None
    """What it draws them from, see :func:`twocet.training.export.export_model`."""

    @property
    def size(self) -> int:
        """Side of the photos in pixels."""
        return self.config.network.size

    @property
    def select(self) -> Selection:
        """The name of the metric."""
        return self.config.select

    @property
    def metric(self) -> Metric:
        """What chooses the best checkpoint."""
        return METRICS[self.config.select]

    def measure(self, state: TrainState, sets: Sequence[Faces]) -> float:
        """See :class:`Method`."""
        return self.metric.measure(state.average, sets, self.config.bf16)

    def diagnose(self, state: TrainState, sets: Sequence[Faces]) -> dict[str, float]:
        """See :class:`Method`."""
        if self.sample is None:
            return {}
        return diagnose(state.networks, sets, self.sample, self.config.bf16)

    def sample_rows(self, state: TrainState, sets: Sequence[Faces]) -> list[Tensor]:
        """See :class:`Method`."""
        return sample_rows(state.average, sets, self.config.bf16)

    def export(self, path: Path, state: TrainState, history: History) -> object:
        """See :class:`Method`."""
        if self.sample is not None:
            export_model(raw_file(path), state.networks, self.config, history, self.drawn)
        return export_model(path, state.average, self.config, history, self.drawn)
