"""The recipes ``paper`` and ``authors``: both cycles, label-free, unpaired (Eq. 1-8).

Both do the same for a mini-batch: one step of the discriminator, one of generator and encoder. They differ in their
settings (``table``): a round of ``authors`` is three mini-batches, of which the last trains the
neutral cycle alone; its diversity is proportional, and it has R1 and averaged networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Generator, Tensor

from twocet.data.dataset import DatasetFolder
from twocet.method import codes, losses
from twocet.method.cycles import NeutralCycle, expressive_cycle, neutral_cycle
from twocet.method.losses import Objective, Weights
from twocet.networks.edit import reduced
from twocet.networks.interfaces import Domain, Networks, judge, judge_all
from twocet.runtime.devices import autocast
from twocet.runtime.distributed import ALONE, Ranks
from twocet.training import augment
from twocet.training.method import TwoCet
from twocet.training.recipes.base import (
    Draw,
    JudgedState,
    Terms,
    adversarial_state,
    backward,
    descend,
    frozen,
    mean_terms,
    pieces,
)
from twocet.training.recipes.configs import CyclesConfig, LossWeights
from twocet.training.sampler import Batch, Sampler

Cycles = Literal["both", "neutral"]


def weights_at(weights: LossWeights, step: int) -> Weights:
    """Every schedule's value at ``step``."""
    return Weights(*(getattr(weights, name).at(step) for name in Weights._fields))


def method(config: CyclesConfig, datasets: Sequence[DatasetFolder], folder: Path, ranks: Ranks) -> TwoCet[Batch]:
    """What trains the recipes."""
    recipe = PaperRecipe(config, ranks)
    return TwoCet(
        config,
        recipe,
        lambda device: adversarial_state(config, device),
        lambda sets, mix: Sampler(sets, mix, config.batch, config.seed, paired=False),
        sample=recipe.sample,
        drawn={"name": config.codes, "width": config.code_range},
    )


class PaperRecipe:
    """Rounds of the mini-batches in ``config.cycles``."""

    def __init__(self, config: CyclesConfig, ranks: Ranks = ALONE) -> None:
        self.config, self.ranks = config, ranks
        self.num_batches = len(config.cycles)

    def augment(self, batch: Batch, generator: Generator) -> Batch:
        """The paper's augmentation, drawn for every photo, or none."""
        if self.config.coarse:
            batch = Batch(*(reduced(x, self.config.network.coarse_size) for x in batch))
        if self.config.augmentation == "none":
            return batch
        return Batch(augment.paper(batch.neutral, generator), augment.paper(batch.expressive, generator))

    def round(self, state: JudgedState, draw: Draw[Batch], step: int) -> Terms:
        """All mini-batches of one round."""
        weights = weights_at(self.config.weights, step)
        return mean_terms(
            self.mini_batch(state, draw(), weights, cycles, step * self.num_batches + index)
            for index, cycles in enumerate(self.config.cycles)
        )

    def mini_batch(self, state: JudgedState, batch: Batch, weights: Weights, cycles: Cycles, number: int) -> Terms:
        """One step of the discriminator, one of generator and encoder.

        The cycles have nothing in common but the networks: each is differentiated, and its graph freed, by itself.
        """
        parts = pieces(batch, self.config, number, "codes", self.ranks)
        networks = state.networks
        judged = [
            backward(objective)
            for piece, draws in parts
            for objective in self.discriminator_objectives(networks, piece, weights, cycles, number, draws)
        ]
        descend([state.discriminator_optimiser], len(parts), self.ranks)
        with frozen(networks.discriminator):
            made = [
                backward(objective)
                for piece, draws in parts
                for objective in self.generator_objectives(networks, piece, weights, cycles, draws)
            ]
            descend([state.generator_optimiser], len(parts), self.ranks)
        return mean_terms(judged) | mean_terms(made)

    def discriminator_objectives(
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
                with torch.no_grad():
                    fake = networks.generator(given, code)
                unreal = [fake, given] if self.config.mismatch else [fake]
                if not penalise:
                    real_logit, *logits = judge_all(networks.discriminator, [real, *unreal], domain)
                else:
                    logits = [*judge_all(networks.discriminator, unreal, domain)]
            if penalise:
                # Gradients of gradients are too small for bfloat16.
                real = real.detach().requires_grad_()
                real_logit = judge(networks.discriminator, real, domain)
            total = losses.discriminator_objective(real_logit, logits[0], weight)
            for mismatched in logits[1:]:
                total = total + self.config.mismatch * losses.adversarial(mismatched, real=False)
            name = domain.name.lower()
            terms = {f"discriminator_{name}": total}
            if penalise:
                terms[f"r1_{name}"] = penalty = losses.r1(real_logit, real)
                total = total + self.config.r1 * self.config.r1_every * penalty
            yield Objective(total, losses.detached(terms))

    def generator_objectives(
        self, networks: Networks, batch: Batch, weights: Weights, cycles: Cycles, generator: Generator
    ) -> Iterator[Objective]:
        """Eq. 5 and, with both cycles, Eq. 8: the side of G and E."""
        yield self.neutral_objective(networks, batch.neutral, weights, generator)
        if cycles == "both":
            yield self.expressive_objective(networks, batch.expressive, weights)

    def neutral_objective(
        self, networks: Networks, neutral: Tensor, weights: Weights, generator: Generator
    ) -> Objective:
        """Eq. 5, the side of G and E."""
        code, other_code = (self.sample(len(neutral), generator) for _ in range(2))
        with autocast(self.config.bf16):
            cycle = neutral_cycle(networks, neutral, code, other_code)
            logit = judge(networks.discriminator, cycle.fake, Domain.EXPRESSIVE)
            spread = self.diversity(cycle, code, other_code)
            objective = losses.neutral_cycle_objective(neutral, code, cycle, logit, spread, weights)
            if not weights.kept:
                return objective
            kept = losses.neutral_kept(neutral, networks.generator(neutral, torch.zeros_like(code)))
            return Objective(objective.total + weights.kept * kept, {**objective.terms, "kept": kept.detach()})

    def expressive_objective(self, networks: Networks, expressive: Tensor, weights: Weights) -> Objective:
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
