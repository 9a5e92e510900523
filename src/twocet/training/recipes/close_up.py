"""The recipes ``close_up`` and ``close_up_unpaired``: mouths for the generator of a finished model.

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
from torch.nn import functional

from twocet.errors import check
from twocet.method import codes, losses
from twocet.method.losses import detached
from twocet.method.schedules import learning_rate_factor
from twocet.networks.close_up import CloseUpDiscriminator, Retouch, cut
from twocet.networks.edit import compose
from twocet.networks.interfaces import Networks
from twocet.runtime import distributed
from twocet.runtime.devices import CPU, autocast
from twocet.training import augment
from twocet.training.config import TrainConfig
from twocet.training.recipes.base import Draw, TrainState, frozen, mean_terms, pieces, step_optimiser
from twocet.training.recipes.fast import noise
from twocet.training.sampler import Pair

CLOSED = 0.2
"""How likely, relative to the average pair, one is trained whose mouth does not change."""
SHIFT = 4
"""By how many pixels what the discriminator sees is moved at most, so that it does not learn people by heart."""


class CloseUpState(TrainState):
    """The close-up alone is trained, against its own discriminator, which is not part of a model."""

    def __init__(self, config: TrainConfig, device: torch.device = CPU) -> None:
        super().__init__(config, device)
        self.discriminator = CloseUpDiscriminator(config.network.size, config.network.code_dim).to(device)
        self.generator_optimiser = torch.optim.Adam(
            self.networks.generator.close_up.parameters(), lr=config.lr, betas=config.betas, fused=True
        )
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.lr_discriminator, betas=config.betas_discriminator, fused=True
        )

    def parts(self) -> dict[str, Any]:
        """The objects to be saved, by name."""
        return {
            **super().parts(),
            "discriminator_optimiser": self.discriminator_optimiser,
            "close_up_discriminator": self.discriminator,
        }

    def begin_round(self, step: int, steps: int | None) -> None:
        """Set the learning rates, which are functions of the step."""
        config = self.config
        factor = learning_rate_factor(step, steps, config.warm_up, config.decay)
        self.generator_optimiser.param_groups[0]["lr"] = config.lr * factor
        self.discriminator_optimiser.param_groups[0]["lr"] = config.lr_discriminator * factor

    def weights(self) -> Iterator[Tensor]:
        """Every weight, and its average where there is one."""
        yield from super().weights()
        yield from self.discriminator.parameters()


class Shown(NamedTuple):
    """Pairs, (N, 3, S, S) float32 in [-1, 1] each."""

    neutral: Tensor
    expressive: Tensor
    reference: Tensor
    """Real photos with the expressions of those in ``expressive``: themselves, unless expressions were lent."""


class Mouths(NamedTuple):
    """N pairs made expressive, N / 2 neutral photos with another's expression, N / 4 made neutral, N / 8 left so."""

    pairs: int
    """N."""
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
    real: Tensor
    """Photos as they are that show what these are meant to, (k, 3, s, s)."""
    before: Tensor
    """Their photos before the edit, (k, 3, s, s)."""
    place: tuple[int, int]
    """Where the discriminator looks, down and across: at ``SHIFT`` in its place."""

    def seen(self, parts: Tensor) -> Tensor:
        """What the discriminator sees of ``parts`` (n, 3, s, s), likewise; edges are repeated."""
        (top, left), side = self.place, parts.shape[-1]
        wide = functional.pad(parts, [SHIFT] * 4, mode="replicate")
        return wide[..., top : top + side, left : left + side]


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
        fewest = 4 * config.accumulate * distributed.share().parts
        check(config.batch >= fewest, f"the recipe close_up needs a batch of {fewest} or more, not {config.batch}")
        self.config = config

    def augment(self, batch: Pair, generator: Generator) -> Shown:
        """Half of the rows, those whose mouths change more likely than others; mirrored and relit."""
        chosen = changing(batch, generator)
        mirrored = augment.coin(0.5, len(chosen), generator)
        photos = batch.neutral, batch.expressive, batch.reference
        return Shown(*augment.photometric([augment.flip(x[chosen], mirrored) for x in photos], generator))

    def round(self, state: TrainState, draw: Draw[Shown], step: int) -> dict[str, Tensor]:
        """One mini-batch."""
        assert isinstance(state, CloseUpState)
        made: list[Finished] = []
        batch = draw()
        with frozen(state.discriminator):
            step_optimiser(state.generator_optimiser, self.close_up_totals(state, batch, step, made))
        totals = (self.discriminator_total(state.discriminator, finished, step) for finished in made)
        step_optimiser(state.discriminator_optimiser, totals)
        return mean_terms(finished.terms for finished in made)

    def close_up_totals(self, state: CloseUpState, batch: Shown, step: int, made: list[Finished]) -> Iterator[Tensor]:
        """The total of each piece of the mini-batch; what was finished is appended to ``made``."""
        for piece, generator in pieces(batch, self.config, step, "close-up"):
            mouths = self.mouths(state.networks, piece, generator, step)
            with autocast(self.config.bf16):
                retouch: Retouch = state.networks.generator.close_up(mouths.made, mouths.given)
            output = retouch.applied(mouths.made)
            total, terms = self.close_up_total(state.discriminator, mouths, output, retouch, step)
            made.append(Finished(mouths, output.detach(), terms))
            yield total

    @torch.no_grad()
    def mouths(self, networks: Networks, batch: Shown, generator: Generator, step: int) -> Mouths:
        """What there is to be finished."""
        num, dim = len(batch.neutral), self.config.network.code_dim
        half, quarter, eighth = num // 2, num // 4, num // 8
        with autocast(self.config.bf16):
            read = networks.encoder(batch.reference)
            noisy = read + noise(num, dim, self.config.code_noise.at(step), generator)
            others, nothing = read.roll(1, dims=0)[:half], codes.neutral(quarter + eighth, dim)
            pairs = [batch.neutral, batch.neutral[:half], batch.expressive[:quarter], batch.neutral[:eighth]]
            photos = torch.cat(pairs)
            given = torch.cat([noisy, others, nothing])
            made = compose(photos, networks.generator.whole(photos, given))
        kept = torch.cat([torch.arange(num), torch.arange(num + half, len(photos))]).to(photos.device)
        neutral = [batch.neutral[:quarter], batch.neutral[:eighth]]
        truth, real = (cut(torch.cat([x, *neutral])) for x in (batch.expressive, batch.reference))
        meant = torch.cat([read, others, nothing])
        top, left = torch.randint(2 * SHIFT + 1, (2,), generator=generator, device="cpu").tolist()
        return Mouths(num, cut(made), given, meant, kept, truth, real, cut(photos)[kept], (top, left))

    def close_up_total(
        self, discriminator: CloseUpDiscriminator, mouths: Mouths, output: Tensor, retouch: Retouch, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted sum for the close-up, and the unweighted terms."""
        config, kept = self.config, mouths.kept
        with autocast(config.bf16):
            seen = discriminator.features(mouths.seen(output))
            with torch.no_grad():
                wanted = discriminator.features(mouths.seen(mouths.truth))
            logits = discriminator.logits(seen[-1], mouths.meant)
        terms = {
            "pair": losses.unexplained_whole(mouths.truth, output[kept], mouths.before),
            "adversarial": losses.adversarial(logits, real=True),
            "features": losses.feature_difference([layer[kept] for layer in seen], wanted),
            "painted": retouch.added.abs().mean(),
        }
        total = terms["pair"] + config.adversarial.at(step) * terms["adversarial"]
        return total + config.features * terms["features"] + config.painted * terms["painted"], detached(terms)

    def discriminator_total(self, discriminator: CloseUpDiscriminator, finished: Finished, step: int) -> Tensor:
        """Realness given the code, real mouths with other people's codes as fakes, and R1 where it is due."""
        config, (mouths, output, terms) = self.config, finished
        penalise = config.r1 > 0 and step % config.r1_every == 0
        real = mouths.seen(mouths.real).requires_grad_(penalise)
        meant = mouths.meant[mouths.kept]
        with autocast(config.bf16):
            logits, seen = discriminator(real, meant), discriminator(mouths.seen(output), mouths.meant)
            mismatched = discriminator(real[: mouths.pairs], meant[: mouths.pairs].roll(1, dims=0))
        total = losses.adversarial(logits, real=True) + losses.adversarial(seen, real=False)
        total = total + config.mismatch * losses.adversarial(mismatched, real=False)
        if penalise:
            total = total + config.r1 * config.r1_every * losses.r1(logits, real)
        terms["discriminator"] = total.detach()
        return total


def changing(batch: Pair, generator: Generator) -> Tensor:
    """(N / 2,) indices of rows, without repetition; the more a pair's mouth changes, the likelier."""
    change = (cut(batch.expressive) - cut(batch.neutral)).abs().mean(dim=(1, 2, 3))
    weight = change + CLOSED * change.mean() + 1e-6
    return torch.multinomial(weight.cpu(), len(weight) // 2, generator=generator).to(change.device)
