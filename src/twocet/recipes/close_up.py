"""The recipe ``close_up``: mouths for the generator of a finished model.

Generator and encoder stay as they are. What the generator makes of a pair, with a noisy code, is finished by its
close-up, and compared with the true mouth. A discriminator that knows the code judges the result, and that of other
people's codes, for which there is no true picture: between what may be said of a mouth and what one looks like stands
no mean of pixels. No emotion label is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from twocet import augment, codes, losses, ranks
from twocet.config import TrainConfig, check
from twocet.devices import CPU, autocast
from twocet.losses import detached
from twocet.networks import Networks, compose
from twocet.networks.close_up import CloseUpDiscriminator, Retouch, cut
from twocet.recipes.base import Draw, TrainState, frozen, mean_terms, pieces, step_optimiser
from twocet.recipes.fast import noise
from twocet.sampler import Batch
from twocet.schedules import learning_rate_factor

CLOSED = 0.2
"""How likely, relative to the average pair, one is trained whose mouth does not change."""


class CloseUpState(TrainState):
    """The close-up alone is trained, against its own discriminator, which is not part of a model."""

    def __init__(self, config: TrainConfig, device: torch.device = CPU) -> None:
        super().__init__(config, device)
        self.judge = CloseUpDiscriminator(config.network.size, config.network.code_dim).to(device)
        self.generator_optimiser = torch.optim.Adam(
            self.networks.generator.close_up.parameters(), lr=config.lr, betas=config.betas, fused=True
        )
        self.discriminator_optimiser = torch.optim.Adam(
            self.judge.parameters(), lr=config.lr_discriminator, betas=config.betas_discriminator, fused=True
        )

    def parts(self) -> dict[str, Any]:
        """The objects to be saved, by name."""
        return {**super().parts(), "judge": self.judge}

    def begin_round(self, step: int, steps: int | None) -> None:
        """Set the learning rates, which are functions of the step."""
        config = self.config
        factor = learning_rate_factor(step, steps, config.warm_up, config.decay)
        self.generator_optimiser.param_groups[0]["lr"] = config.lr * factor
        self.discriminator_optimiser.param_groups[0]["lr"] = config.lr_discriminator * factor

    def weights(self) -> Iterator[Tensor]:
        """Every weight, and its average where there is one."""
        yield from super().weights()
        yield from self.judge.parameters()


class Mouths(NamedTuple):
    """N pairs made expressive, N / 2 neutral photos with another's expression, N / 4 made neutral, N / 8 left so."""

    made: Tensor
    """What the generator makes of them, (n, 3, s, s)."""
    given: Tensor
    """Codes that the generator and the close-up get, (n, d)."""
    meant: Tensor
    """The same without noise."""
    kept: Tensor
    """(k,) int64: the rows whose true pictures are known."""
    truth: Tensor
    """Their true pictures, (k, 3, s, s)."""
    before: Tensor
    """Their photos before the edit, (k, 3, s, s)."""


class Finished(NamedTuple):
    """What the step of the close-up leaves for the discriminator and the record; nothing has a gradient."""

    mouths: Mouths
    output: Tensor
    terms: dict[str, Tensor]


class CloseUpRecipe:
    """One mini-batch a round: a step of the close-up, then one of its discriminator."""

    paired = True
    num_batches = 1

    def __init__(self, config: TrainConfig) -> None:
        fewest = 4 * config.accumulate * ranks.share().parts
        check(config.batch >= fewest, f"the recipe close_up needs a batch of {fewest} or more, not {config.batch}")
        self.config = config

    def augment(self, batch: Batch, generator: Generator) -> Batch:
        """Half of the rows, those whose mouths change more likely than others; mirrored and relit."""
        chosen = changing(batch, generator)
        mirrored = augment.coin(0.5, len(chosen), generator)
        pair = [augment.flip(x[chosen], mirrored) for x in batch]
        return Batch(*augment.photometric(pair, generator))

    def round(self, state: TrainState, draw: Draw[Batch], step: int) -> dict[str, Tensor]:
        """One mini-batch."""
        assert isinstance(state, CloseUpState)
        made: list[Finished] = []
        batch = draw()
        with frozen(state.judge):
            step_optimiser(state.generator_optimiser, self.close_up_totals(state, batch, step, made))
        totals = (self.discriminator_total(state.judge, finished, step) for finished in made)
        step_optimiser(state.discriminator_optimiser, totals)
        return mean_terms(finished.terms for finished in made)

    def close_up_totals(self, state: CloseUpState, batch: Batch, step: int, made: list[Finished]) -> Iterator[Tensor]:
        """The total of each piece of the mini-batch; what was finished is appended to ``made``."""
        for piece, generator in pieces(batch, self.config, step, "close-up"):
            mouths = self.mouths(state.networks, piece, generator, step)
            with autocast(self.config.bf16):
                retouch: Retouch = state.networks.generator.close_up(mouths.made, mouths.given)
            output = retouch.applied(mouths.made)
            total, terms = self.close_up_total(state.judge, mouths, output, retouch, step)
            made.append(Finished(mouths, output.detach(), terms))
            yield total

    @torch.no_grad()
    def mouths(self, networks: Networks, batch: Batch, generator: Generator, step: int) -> Mouths:
        """What there is to be finished."""
        num, dim = len(batch.neutral), self.config.network.code_dim
        half, quarter, eighth = num // 2, num // 4, num // 8
        with autocast(self.config.bf16):
            read = networks.encoder(batch.expressive)
            noisy = read + noise(num, dim, self.config.code_noise.at(step), generator)
            others, nothing = read.roll(1, dims=0)[:half], codes.neutral(quarter + eighth, dim)
            pairs = [batch.neutral, batch.neutral[:half], batch.expressive[:quarter], batch.neutral[:eighth]]
            photos = torch.cat(pairs)
            given = torch.cat([noisy, others, nothing])
            made = compose(photos, networks.generator.whole(photos, given))
        kept = torch.cat([torch.arange(num), torch.arange(num + half, len(photos))]).to(photos.device)
        truth = cut(torch.cat([batch.expressive, batch.neutral[:quarter], batch.neutral[:eighth]]))
        meant = torch.cat([read, others, nothing])
        return Mouths(cut(made), given, meant, kept, truth, cut(photos)[kept])

    def close_up_total(
        self, judge: CloseUpDiscriminator, mouths: Mouths, output: Tensor, retouch: Retouch, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted sum for the close-up, and the unweighted terms."""
        config, kept = self.config, mouths.kept
        with autocast(config.bf16):
            seen = judge.features(output)
            with torch.no_grad():
                wanted = judge.features(mouths.truth)
            logits = judge.judge(seen[-1], mouths.meant)
        terms = {
            "pair": losses.unexplained_whole(mouths.truth, output[kept], mouths.before),
            "adversarial": losses.adversarial(logits, real=True),
            "features": losses.feature_difference([layer[kept] for layer in seen], wanted),
            "painted": retouch.added.abs().mean(),
        }
        total = terms["pair"] + config.adversarial.at(step) * terms["adversarial"]
        return total + config.features * terms["features"] + config.painted * terms["painted"], detached(terms)

    def discriminator_total(self, judge: CloseUpDiscriminator, finished: Finished, step: int) -> Tensor:
        """Realness given the code, real mouths with other people's codes as fakes, and R1 where it is due."""
        config, (mouths, output, terms) = self.config, finished
        penalise = config.r1 > 0 and step % config.r1_every == 0
        real = mouths.truth.detach().requires_grad_(penalise)
        meant = mouths.meant[mouths.kept]
        expressive = len(mouths.meant) - len(mouths.kept)
        with autocast(config.bf16):
            logits, seen = judge(real, meant), judge(output, mouths.meant)
            mismatched = judge(mouths.truth[: 2 * expressive], meant[: 2 * expressive].roll(1, dims=0))
        total = losses.adversarial(logits, real=True) + losses.adversarial(seen, real=False)
        total = total + config.mismatch * losses.adversarial(mismatched, real=False)
        if penalise:
            total = total + config.r1 * config.r1_every * losses.r1(logits, real)
        terms["discriminator"] = total.detach()
        return total


def changing(batch: Batch, generator: Generator) -> Tensor:
    """(N / 2,) indices of rows, without repetition; the more a pair's mouth changes, the likelier."""
    change = (cut(batch.expressive) - cut(batch.neutral)).abs().mean(dim=(1, 2, 3))
    weight = change + CLOSED * change.mean() + 1e-6
    return torch.multinomial(weight.cpu(), len(weight) // 2, generator=generator).to(change.device)
