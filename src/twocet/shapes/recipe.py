"""One round of the paper's method on shapes: batch -> outputs -> objective -> step."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from twocet.method import ema, losses
from twocet.method.cycles import ExpressiveCycle, NeutralCycle
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
        adversarial_expressive=config.adversarial_expressive,
        adversarial_neutral=config.adversarial_neutral,
        cycle_neutral=config.cycle_neutral,
        cycle_expressive=config.cycle_expressive * (1 + progress / 2),
        code=min(1.0, 2 * progress),
        diversity=config.diversity * (1 - progress),
    )


class State:
    """Networks, the averages of generator and encoder, and the optimisers."""

    def __init__(self, networks: Networks, config: ShapeConfig) -> None:
        self.variance = networks.generator.view.spread.square().mean()
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
        weights = weights_at(step / self.config.steps, self.config)
        batch = batch._replace(code=sampled_codes(self.networks, batch, self.config.read))
        neutral, expressive = cycles(self.networks, batch)
        rate = learning_rate(step, self.config)
        terms = self._step_judge(batch, neutral, expressive, rate)
        terms |= self._step_makers(batch, neutral, expressive, weights, rate)
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
        self, batch: Batch, neutral: NeutralCycle, expressive: ExpressiveCycle, weights: Weights, rate: float
    ) -> dict[str, Tensor]:
        """Eq. 5 and 8, the side of G and E. The discriminator has just learnt from the same fakes."""
        discriminator = self.networks.discriminator.requires_grad_(False)
        seen = (
            judge(discriminator, neutral.fake, Domain.EXPRESSIVE),
            judge(discriminator, expressive.fake, Domain.NEUTRAL),
        )
        terms = {
            "adversarial_expressive": losses.adversarial(seen[0], real=True),
            "adversarial_neutral": losses.adversarial(seen[1], real=True),
            "cycle_neutral": self.squared(batch.neutral, neutral.restored),
            "cycle_expressive": self.squared(batch.expressive, expressive.restored),
            "code": losses.code_reconstruction(batch.code, neutral.recovered),
            "diversity": -losses.diversity(neutral.fake, neutral.other),
        }
        total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        step_optimiser(self.maker_optimiser, total, rate)
        discriminator.requires_grad_(True)
        return losses.detached(terms)

    def squared(self, shape: Tensor, restored: Tensor) -> Tensor:
        """Eq. 2 and 7 with squares: their least is the mean of all faces that it may be, that of Eq. 2 their median."""
        error: Tensor = (shape - restored).square().mean() / self.variance
        return error


def cycles(networks: Networks, batch: Batch) -> tuple[NeutralCycle, ExpressiveCycle]:
    """Fig. 2 (a) and (b), with one difference: no gradient goes from a second pass into the first.

    What a cycle costs teaches to undo a fake, and not to make fakes that are easily undone: on shapes, which have
    few numbers, generator and encoder would soon agree on those, unlike any face. The second pass of the neutral cycle
    sees the expression on another person, to whom ``batch.shift`` leads.
    """
    generator, encoder, _ = networks
    rest = torch.zeros_like(batch.code)
    fake = generator(batch.neutral, batch.code)
    with torch.no_grad():
        other = generator(batch.neutral, batch.other_code)
    seen = fake.detach() + batch.shift
    neutral = NeutralCycle(fake, other, generator(seen, rest) - batch.shift, recovered=encoder(seen))
    encoded, removed = encoder(batch.expressive), generator(batch.expressive, rest)
    return neutral, ExpressiveCycle(removed, encoded, generator(removed.detach(), encoded))


@torch.no_grad()
def sampled_codes(networks: Networks, batch: Batch, share: float) -> Tensor:
    """(B, d) codes for the neutral cycle: uniform as in the paper, or for a ``share`` of the rows read from strangers.

    Uniform codes are combinations of everything with everything, those that are read are expressions that people make.
    The encoder's codes vary less than those of the movements themselves: the rest of the variance is drawn.
    """
    read = networks.encoder(batch.lenders)
    rest = (batch.code.var(dim=0) - read.var(dim=0)).clamp(min=0).sqrt()
    return torch.where(batch.read < share, read + rest * batch.missing, batch.code)


def step_optimiser(optimiser: torch.optim.Optimizer, total: Tensor, rate: float) -> None:
    """One step down the gradient of ``total``."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
