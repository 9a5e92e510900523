"""The recipes ``paper`` and ``authors``: both cycles, label-free, unpaired (Eq. 1-8).

Both do the same for a mini-batch: one step of the discriminator, one of generator and encoder. They differ in their
settings (``config.RECIPES``): a round of ``authors`` is three mini-batches, of which the last trains the neutral cycle
alone; its diversity is proportional, and it has R1 and averaged networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from torch import Generator, Tensor

from twocet import augment, codes, losses
from twocet.config import LossWeights, TrainConfig
from twocet.cycles import NeutralCycle, expressive_cycle, neutral_cycle
from twocet.data import Batch
from twocet.devices import autocast
from twocet.losses import Objective, Weights
from twocet.networks import Domain, Networks, judge
from twocet.recipes.base import Draw, TrainState, frozen, mean_terms, pieces, step_optimiser

Cycles = Literal["both", "neutral"]


def weights_at(weights: LossWeights, step: int) -> Weights:
    """Every schedule's value at ``step``."""
    return Weights(*(getattr(weights, name).at(step) for name in Weights._fields))


def totals(objectives: Iterable[Objective], record: list[dict[str, Tensor]]) -> Iterator[Tensor]:
    """The totals of ``objectives``; their terms go to ``record``."""
    for objective in objectives:
        record.append(objective.terms)
        yield objective.total


class PaperRecipe:
    """Rounds of the mini-batches in ``config.cycles``."""

    paired = False

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.num_batches = len(config.cycles)

    def augment(self, batch: Batch, generator: Generator) -> Batch:
        """The paper's augmentation, drawn for every photo, or none."""
        if self.config.augmentation == "none":
            return batch
        return Batch(augment.paper(batch.neutral, generator), augment.paper(batch.expressive, generator))

    def round(self, state: TrainState, draw: Draw[Batch], step: int) -> dict[str, Tensor]:
        """All mini-batches of one round."""
        weights = weights_at(self.config.weights, step)
        return mean_terms(
            self.mini_batch(state, draw(), weights, cycles, step * self.num_batches + index)
            for index, cycles in enumerate(self.config.cycles)
        )

    def mini_batch(
        self, state: TrainState, batch: Batch, weights: Weights, cycles: Cycles, number: int
    ) -> dict[str, Tensor]:
        """One step of the discriminator, one of generator and encoder."""
        parts = pieces(batch, self.config, number, "codes")
        judged: list[dict[str, Tensor]] = []
        made: list[dict[str, Tensor]] = []
        networks = state.networks
        objectives = (self.discriminator_total(networks, x, weights, cycles, number, draws) for x, draws in parts)
        step_optimiser(state.discriminator_optimiser, totals(objectives, judged))
        with frozen(networks.discriminator):
            objectives = (self.generator_total(networks, x, weights, cycles, draws) for x, draws in parts)
            step_optimiser(state.generator_optimiser, totals(objectives, made))
        return mean_terms(judged) | mean_terms(made)

    def discriminator_total(
        self, networks: Networks, batch: Batch, weights: Weights, cycles: Cycles, number: int, generator: Generator
    ) -> Objective:
        """Eq. 5 and 8, the side of D, with R1 where it is due."""
        domains = [(Domain.EXPRESSIVE, batch.neutral, batch.expressive, weights.adversarial_expressive)]
        codes_given = [self.sample(len(batch.neutral), generator)]
        if cycles == "both":
            domains.append((Domain.NEUTRAL, batch.expressive, batch.neutral, weights.adversarial_neutral))
            codes_given.append(codes.neutral(len(batch.expressive), self.config.network.code_dim))
        terms: dict[str, Tensor] = {}
        totals = []
        penalise = self.config.r1 > 0 and number % self.config.r1_every == 0
        for (domain, given, real, weight), code in zip(domains, codes_given, strict=True):
            with autocast(self.config.bf16):
                with frozen(networks.generator):
                    fake = networks.generator(given, code)
                real = real.detach().requires_grad_(penalise)
                real_logit = judge(networks.discriminator, real, domain)
                total = losses.discriminator_objective(real_logit, judge(networks.discriminator, fake, domain), weight)
            name = domain.name.lower()
            terms[f"discriminator_{name}"] = total
            if penalise:
                terms[f"r1_{name}"] = penalty = losses.r1(real_logit, real)
                total = total + self.config.r1 * self.config.r1_every * penalty
            totals.append(total)
        return Objective(sum(totals[1:], totals[0]), losses.detached(terms))

    def generator_total(
        self, networks: Networks, batch: Batch, weights: Weights, cycles: Cycles, generator: Generator
    ) -> Objective:
        """Eq. 5 and 8, the side of G and E."""
        code, other_code = (self.sample(len(batch.neutral), generator) for _ in range(2))
        with autocast(self.config.bf16):
            cycle = neutral_cycle(networks, batch.neutral, code, other_code)
            logit = judge(networks.discriminator, cycle.fake, Domain.EXPRESSIVE)
            spread = self.diversity(cycle, code, other_code)
            one = losses.neutral_cycle_objective(batch.neutral, code, cycle, logit, spread, weights)
            if cycles == "neutral":
                return one
            back = expressive_cycle(networks, batch.expressive)
            logit = judge(networks.discriminator, back.fake, Domain.NEUTRAL)
            two = losses.expressive_cycle_objective(batch.expressive, back, logit, weights)
        return Objective(one.total + two.total, {**one.terms, **two.terms})

    def diversity(self, cycle: NeutralCycle, code: Tensor, other_code: Tensor) -> Tensor:
        """Eq. 4 in the form the configuration names."""
        if self.config.diversity == "plain":
            return losses.diversity(cycle.fake, cycle.other)
        return losses.proportional_diversity(
            cycle.fake, cycle.other, code, other_code, code_range=self.config.code_range
        )

    def sample(self, num: int, generator: Generator) -> Tensor:
        """Random codes of the configured distribution."""
        draw = codes.SAMPLERS[self.config.codes]
        return draw(num, self.config.network.code_dim, self.config.code_range, generator)
