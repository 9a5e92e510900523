"""One round of the paper's method on shapes: batch -> outputs -> objective -> step."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from twocet.method import ema, losses
from twocet.method.cycles import ExpressiveCycle, NeutralCycle
from twocet.method.losses import Objective, Weights
from twocet.networks.interfaces import Domain, Networks, judge
from twocet.shapes.config import ShapeConfig
from twocet.shapes.sampler import Batch

_WARM_UP = 100
"""Rounds in which the learning rate rises."""
_BETAS = (0.0, 0.99)
"""Adam's, as in the authors' code."""


def learning_rate(step: int, config: ShapeConfig) -> float:
    """It rises over the first rounds, stays, and falls linearly to 0 over the second half."""
    return config.lr * min(1.0, (step + 1) / _WARM_UP, 2 * (1 - step / config.steps))


def weights_at(progress: float, config: ShapeConfig) -> Weights:
    """The dynamic weights of the paper's Sec. 4.6 at ``progress`` in [0, 1] of the run."""
    return Weights(
        adversarial_expressive=1.0,
        adversarial_neutral=1.0,
        cycle_neutral=config.cycle,
        cycle_expressive=config.cycle * (1 + progress / 2),
        code=min(1.0, 2 * progress),
        diversity=1 - progress,
    )


class State:
    """Networks, their averages and the optimisers."""

    def __init__(self, networks: Networks, config: ShapeConfig) -> None:
        self.networks, self.config = networks, config
        self.average = Networks(copy.deepcopy(networks.generator), copy.deepcopy(networks.encoder))
        makers = [*networks.generator.parameters(), *networks.encoder.parameters()]
        self.maker_optimiser = torch.optim.Adam(makers, config.lr, betas=_BETAS)
        self.judge_optimiser = torch.optim.Adam(networks.discriminator.parameters(), config.lr, betas=_BETAS)

    def parts(self) -> dict[str, Any]:
        """Everything a checkpoint holds, by name."""
        averages = {f"average_{name}": network for name, network in self.average.named().items()}
        optimisers = {"maker_optimiser": self.maker_optimiser, "judge_optimiser": self.judge_optimiser}
        return {**self.networks.named(), **averages, **optimisers}

    def begin(self, step: int) -> None:
        """Set the learning rate of a round."""
        for optimiser in (self.maker_optimiser, self.judge_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, self.config)

    def end(self, step: int) -> None:
        """Move the averages."""
        for name, network in self.average.named().items():
            ema.update(network, self.networks.named()[name], ema.decay_at(step, self.config.ema, warm_up=True))

    def round(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """One mini-batch through both cycles; one step of D, one of G and E. The unweighted terms, detached."""
        progress = step / self.config.steps
        code, other_code = self._sampled(batch, progress)
        first = self._fakes(batch, code)
        judged = self._judge(batch, first.detach())
        neutral, expressive = self._cycles(batch, code, other_code, first)
        made = self._make(batch, code, neutral, expressive, weights_at(progress, self.config))
        return {**judged, **made.terms}
