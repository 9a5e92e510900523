"""One round of the paper's method on shapes: batch -> outputs -> objective -> step."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from twocet.method import ema, losses
from twocet.method.cycles import ExpressiveCycle, NeutralCycle, expressive_cycle, neutral_cycle
from twocet.method.losses import Weights
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
    """Networks, the averages of generator and encoder, and the optimisers."""

    def __init__(self, networks: Networks, config: ShapeConfig) -> None:
        self.networks, self.config = networks, config
        self.average = Networks(copy.deepcopy(networks.generator), copy.deepcopy(networks.encoder))
        makers = [*networks.generator.parameters(), *networks.encoder.parameters()]
        self.maker_optimiser = torch.optim.Adam(makers, config.lr, betas=_BETAS)
        self.judge_optimiser = torch.optim.Adam(networks.discriminator.parameters(), config.lr, betas=_BETAS)

    def parts(self) -> dict[str, Any]:
        """Everything that a checkpoint holds, by name."""
        averages = {f"average_{name}": network for name, network in self.average.named().items()}
        optimisers = {"maker_optimiser": self.maker_optimiser, "judge_optimiser": self.judge_optimiser}
        return {**self.networks.named(), **averages, **optimisers}

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight, and its average where there is one."""
        for networks in (self.networks, self.average):
            for name, network in networks.named().items():
                yield from ((f"{name}.{weight}", tensor) for weight, tensor in network.named_parameters())

    def round(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """A step of D, a step of G and E, and their averages: the unweighted terms, detached."""
        progress = step / self.config.steps
        weights = weights_at(progress, self.config)
        code, other_code = sampled_codes(self.networks, batch, progress, self.config)
        neutral = neutral_cycle(self.networks, batch.neutral, code, other_code, batch.shifts[0])
        expressive = expressive_cycle(self.networks, batch.expressive, batch.seen, batch.shifts[1])
        rate = learning_rate(step, self.config)
        terms = self._step_judge(batch, neutral, expressive, rate)
        terms |= self._step_makers(batch, code, neutral, expressive, weights, rate)
        for name, network in self.average.named().items():
            ema.update(network, self.networks.named()[name], ema.decay_at(step, self.config.ema, warm_up=True))
        return terms

    def _step_judge(
        self, batch: Batch, neutral: NeutralCycle, expressive: ExpressiveCycle, rate: float
    ) -> dict[str, Tensor]:
        """Eq. 5 and 8, the side of D, with R1."""
        discriminator, total = self.networks.discriminator, torch.zeros(())
        terms: dict[str, Tensor] = {}
        for domain, real, fake in (
            (Domain.EXPRESSIVE, batch.expressive, neutral.fake),
            (Domain.NEUTRAL, batch.neutral, expressive.fake),
        ):
            real = real.detach().requires_grad_()
            logit = judge(discriminator, real, domain)
            adversarial = losses.discriminator_objective(logit, judge(discriminator, fake.detach(), domain), 1.0)
            penalty = losses.r1(logit, real)
            total = total + adversarial + self.config.r1 * penalty
            terms |= {f"discriminator_{domain.name.lower()}": adversarial, f"r1_{domain.name.lower()}": penalty}
        step_optimiser(self.judge_optimiser, total, rate)
        return losses.detached(terms)

    def _step_makers(
        self,
        batch: Batch,
        code: Tensor,
        neutral: NeutralCycle,
        expressive: ExpressiveCycle,
        weights: Weights,
        rate: float,
    ) -> dict[str, Tensor]:
        """Eq. 5 and 8, the side of G and E. The discriminator has just learnt from the same fakes."""
        discriminator = self.networks.discriminator.requires_grad_(False)
        spread = losses.diversity(neutral.fake, neutral.other)
        logit = judge(discriminator, neutral.fake, Domain.EXPRESSIVE)
        there = losses.neutral_cycle_objective(batch.neutral, code, neutral, logit, spread, weights)
        logit = judge(discriminator, expressive.fake, Domain.NEUTRAL)
        back = losses.expressive_cycle_objective(batch.expressive, expressive, logit, weights)
        step_optimiser(self.maker_optimiser, there.total + back.total, rate)
        discriminator.requires_grad_(True)
        return {**there.terms, **back.terms}


@torch.no_grad()
def sampled_codes(networks: Networks, batch: Batch, progress: float, config: ShapeConfig) -> tuple[Tensor, Tensor]:
    """Two codes (B, d) for the neutral cycle: uniform, or read from strangers' faces, with noise.

    Codes are read from more and more of the rows over the first quarter of the run, up to ``config.read``: until the
    encoder reads something they would all be alike. In this the paper differs, whose codes are uniform; what the
    encoder reads in photos then is in a place of its own, where the generator was never asked to work.
    """
    read = batch.read < config.read * min(1.0, 4 * progress)
    own = networks.encoder(batch.lenders)
    spread = config.read_noise * own.std(dim=0)
    one, other = (given + spread * noise for given, noise in zip((own, own.roll(1, 0)), batch.read_noise, strict=True))
    return torch.where(read, one, batch.code), torch.where(read, other, batch.other_code)


def step_optimiser(optimiser: torch.optim.Optimizer, total: Tensor, rate: float) -> None:
    """One step down the gradient of ``total``."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
