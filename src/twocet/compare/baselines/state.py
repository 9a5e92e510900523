"""What training a baseline changes, and what both baselines have in common."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Generator, Tensor, nn

from twocet.compare.baselines.config import Augmentation, BaselineConfig
from twocet.method import ema
from twocet.method.schedules import learning_rate_factor
from twocet.training import augment
from twocet.training.recipes.base import Saved

N = TypeVar("N", bound=tuple[nn.Module, ...])


class BaselineState(Generic[N]):
    """Networks, their averages, and an optimiser for each of them."""

    def __init__(
        self, config: BaselineConfig, networks: N, averaged: tuple[str, ...], rates: Mapping[str, float]
    ) -> None:
        """``networks`` is a NamedTuple; ``averaged`` names those that are averaged, ``rates`` the learning rates."""
        self.config, self.networks, self.averaged, self.rates = config, networks, averaged, rates
        copies = {name: copy.deepcopy(self.named()[name]).eval().requires_grad_(False) for name in averaged}
        self.average: N = networks._replace(**copies)  # type: ignore[attr-defined]
        self.optimisers = {
            name: torch.optim.Adam(
                part.parameters(), lr=rates[name], betas=config.betas, weight_decay=config.weight_decay, fused=True
            )
            for name, part in self.named().items()
        }
        self.generator_optimiser: torch.optim.Optimizer = self.optimisers["generator"]

    def named(self) -> dict[str, nn.Module]:
        """The networks by name."""
        names: dict[str, nn.Module] = self.networks._asdict()  # type: ignore[attr-defined]
        return names

    def parts(self) -> dict[str, Saved]:
        """The objects to be saved, by name."""
        averages = {f"average_{name}": getattr(self.average, name) for name in self.averaged}
        optimisers = {f"{name}_optimiser": optimiser for name, optimiser in self.optimisers.items()}
        return {**self.named(), **averages, **optimisers}

    def load(self, parts: Mapping[str, Any]) -> None:
        """Take over the states of all parts."""
        for name, part in self.parts().items():
            part.load_state_dict(parts[name])

    def begin_round(self, step: int, steps: int | None) -> None:
        """Set the learning rates, which are functions of the step."""
        factor = learning_rate_factor(step, steps, self.config.warm_up, self.config.decay)
        for name, optimiser in self.optimisers.items():
            optimiser.param_groups[0]["lr"] = self.rates[name] * factor

    def end_round(self, step: int) -> None:
        """Move the averages."""
        decay = ema.decay_at(step, self.config.ema, self.config.ema_warm_up)
        for name in self.averaged:
            ema.update(getattr(self.average, name), getattr(self.networks, name), decay)

    def weights(self) -> Iterator[Tensor]:
        """Every weight, and its average where there is one."""
        averages: list[nn.Module] = [getattr(self.average, name) for name in self.averaged]
        return itertools.chain.from_iterable(m.parameters() for m in (*self.networks, *averages))

    def is_finite(self) -> bool:
        """Whether every weight, averaged or not, is a number."""
        return bool(torch.stack([torch.isfinite(tensor).all() for tensor in self.weights()]).all())


def augmented(image: Tensor, kind: Augmentation, generator: Generator) -> Tensor:
    """``image`` (N, 3, S, S) in [-1, 1], every row changed at random for itself."""
    if kind == "paper":
        return augment.paper(image, generator)
    if kind == "none":
        return image
    num = len(image)
    image = augment.flip(image, augment.coin(0.5, num, generator))
    if kind == "flip":
        return image
    moved = augment.resample(image, augment.similarity(num, generator))
    return augment.photometric([moved], generator)[0]
