"""The recipes ``paper`` and ``authors``: both cycles, label-free, unpaired (Eq. 1-8).

Both do the same for a mini-batch: one step of the discriminator, one of generator and encoder. They differ in their
settings (``recipe_settings.RECIPES``): a round of ``authors`` is three mini-batches, of which the last trains the
neutral cycle alone; its diversity is proportional, and it has R1 and averaged networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from torch import Generator, Tensor

from twocet.method import codes, losses
from twocet.method.cycles import NeutralCycle, expressive_cycle, neutral_cycle
from twocet.method.losses import Objective, Weights
from twocet.networks.fast import reduced
from twocet.networks.interfaces import Domain, Networks, judge
from twocet.runtime.devices import autocast
from twocet.training import augment
from twocet.training.config import LossWeights, TrainConfig
from twocet.training.recipes.base import AdversarialState, Draw, frozen, mean_terms, pieces, step_optimiser
from twocet.training.sampler import Batch

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
        if self.config.coarse:
            batch = Batch(*(reduced(x, self.config.network.coarse_size) for x in batch))
        if self.config.augmentation == "none":
            return batch
        return Batch(augment.paper(batch.neutral, generator), augment.paper(batch.expressive, generator))

    def round(self, state: AdversarialState, draw: Draw[Batch], step: int) -> dict[str, Tensor]:
        """All mini-batches of one round."""
        weights = weights_at(self.config.weights, step)
        return mean_terms(
            self.mini_batch(state, draw(), weights, cycles, step * self.num_batches + index)
            for index, cycles in enumerate(self.config.cycles)
        )

    def mini_batch(
        self, state: AdversarialState, batch: Batch, weights: Weights, cycles: Cycles, number: int
    ) -> dict[str, Tensor]:
        """One step of the discriminator, one of generator and encoder."""
        parts = pieces(batch, self.config, number, "codes")
        judged: list[dict[str, Tensor]] = []
        made: list[dict[str, Tensor]] = []
        networks = state.networks
        # The cycles have nothing in common but the networks: each is differentiated, and its graph freed, by itself.
        summands = 2 if cycles == "both" else 1
        objectives = (
            part for x, draws in parts for part in self.discriminator_parts(networks, x, weights, cycles, number, draws)
        )
        step_optimiser(state.discriminator_optimiser, totals(objectives, judged), summands)
        with frozen(networks.discriminator):
            objectives = (
                part for x, draws in parts for part in self.generator_parts(networks, x, weights, cycles, draws)
            )
            step_optimiser(state.generator_optimiser, totals(objectives, made), summands)
        return mean_terms(judged) | mean_terms(made)

    def discriminator_parts(
        self, networks: Networks, batch: Batch, weights: Weights, cycles: Cycles, number: int, generator: Generator
    ) -> Iterator[Objective]:
        """Eq. 5 and, with both cycles, Eq. 8: the side of D, with the mismatch term, and with R1 where it is due."""
        domains = [(Domain.EXPRESSIVE, batch.neutral, batch.expressive, weights.adversarial_expressive)]
        codes_given = [self.sample(len(batch.neutral), generator)]
        if cycles == "both":
            domains.append((Domain.NEUTRAL, batch.expressive, batch.neutral, weights.adversarial_neutral))
            codes_given.append(codes.neutral(len(batch.expressive), self.config.network.code_dim))
        penalise = self.config.r1 > 0 and number % self.config.r1_every == 0
        for (domain, given, real, weight), code in zip(domains, codes_given, strict=True):
            with autocast(self.config.bf16):
                with frozen(networks.generator):
                    fake = networks.generator(given, code)
                real = real.detach().requires_grad_(penalise)
                real_logit = judge(networks.discriminator, real, domain)
                total = losses.discriminator_objective(real_logit, judge(networks.discriminator, fake, domain), weight)
                if self.config.mismatch:
                    mismatched = judge(networks.discriminator, given, domain)
                    total = total + self.config.mismatch * losses.adversarial(mismatched, real=False)
            name = domain.name.lower()
            terms = {f"discriminator_{name}": total}
            if penalise:
                terms[f"r1_{name}"] = penalty = losses.r1(real_logit, real)
                total = total + self.config.r1 * self.config.r1_every * penalty
            yield Objective(total, losses.detached(terms))

    def generator_parts(
        self, networks: Networks, batch: Batch, weights: Weights, cycles: Cycles, generator: Generator
    ) -> Iterator[Objective]:
        """Eq. 5 and, with both cycles, Eq. 8: the side of G and E."""
        yield self.neutral_part(networks, batch.neutral, weights, generator)
        if cycles == "both":
            yield self.expressive_part(networks, batch.expressive, weights)

    def neutral_part(self, networks: Networks, neutral: Tensor, weights: Weights, generator: Generator) -> Objective:
        """Eq. 5, the side of G and E."""
        code, other_code = (self.sample(len(neutral), generator) for _ in range(2))
        with autocast(self.config.bf16):
            cycle = neutral_cycle(networks, neutral, code, other_code)
            logit = judge(networks.discriminator, cycle.fake, Domain.EXPRESSIVE)
            spread = self.diversity(cycle, code, other_code)
            return losses.neutral_cycle_objective(neutral, code, cycle, logit, spread, weights)

    def expressive_part(self, networks: Networks, expressive: Tensor, weights: Weights) -> Objective:
        """Eq. 8, the side of G and E."""
        with autocast(self.config.bf16):
            cycle = expressive_cycle(networks, expressive)
            logit = judge(networks.discriminator, cycle.fake, Domain.NEUTRAL)
            return losses.expressive_cycle_objective(expressive, cycle, logit, weights)

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
