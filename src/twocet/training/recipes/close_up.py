"""The recipes ``close_up`` and ``close_up_unpaired``: mouths for the generator of a finished model.

Generator and encoder stay as they are. What the generator makes of a pair, with a noisy code, is finished by its
close-up, and compared with the true mouth. A discriminator that knows the code judges the result, and that of other
people's codes, for which there is no true picture: between what may be said of a mouth and what one looks like stands
no mean of pixels. No emotion label is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from twocet.data.dataset import DatasetFolder, Faces
from twocet.errors import check
from twocet.method import codes, losses
from twocet.method.losses import Objective
from twocet.networks.close_up import CloseUpDiscriminator, Retouch, cut
from twocet.networks.edit import compose, reduced
from twocet.networks.interfaces import Networks
from twocet.pairs import landmark_table, transplant, unpaired
from twocet.pairs import losses as pair_losses
from twocet.runtime.devices import CPU, autocast
from twocet.runtime.distributed import ALONE, Ranks
from twocet.training import augment
from twocet.training.method import TwoCet
from twocet.training.recipes.base import (
    Draw,
    JudgedState,
    Terms,
    Trained,
    backward,
    descend,
    frozen,
    mean_terms,
    new_networks,
    pieces,
    weighted_sum,
)
from twocet.training.recipes.configs import CloseUpConfig
from twocet.training.recipes.fast import noise
from twocet.training.sampler import Pair, Sampler, TransplantSampler

CLOSED = 0.2
"""How likely, relative to the average pair, one is trained whose mouth does not change."""
UNCHANGED = 0.1
"""Photos of strangers: share of pairs with nothing to change."""
SHIFT = 4
"""By how many pixels what the discriminator sees is moved at most, so that it does not learn people by heart."""


def method(config: CloseUpConfig, datasets: Sequence[DatasetFolder], folder: Path, ranks: Ranks) -> TwoCet[Any]:
    """What trains the recipes."""
    recipe = CloseUpRecipe(config, ranks)

    def prepare(
        train: Sequence[Faces], validation: Sequence[Faces], *, progress: bool
    ) -> tuple[Sequence[Faces], Sequence[Faces]]:
        transplant.check_ready()
        tables = [landmark_table.shared_meshes(data, folder, config.threads, ranks) for data in datasets]
        return unpaired.prepare(train, validation, tables, UNCHANGED, transplants_alone=True, progress=progress)

    if config.recipe == "close_up_unpaired":
        return TwoCet(
            config,
            recipe,
            lambda device: close_up_state(config, device),
            lambda sets, mix: TransplantSampler(sets, mix, config.batch, config.seed),
            prepare,
        )
    return TwoCet(
        config,
        recipe,
        lambda device: close_up_state(config, device),
        lambda sets, mix: Sampler(sets, mix, config.batch, config.seed, paired=True),
    )


def close_up_state(config: CloseUpConfig, device: torch.device = CPU) -> JudgedState:
    """The close-up alone is trained, against its own discriminator, which is not part of a model."""
    networks = new_networks(config, device, discriminator=False)
    discriminator = CloseUpDiscriminator(config.network.fine_size, config.network.code_dim).to(device)
    trained = [Trained(networks.generator.close_up, config.lr)]
    return JudgedState(config, networks, trained, discriminator, saved_as="close_up_discriminator")


class Shown(NamedTuple):
    """Pairs, (N, 3, S, S) float32 in [-1, 1] each."""

    neutral: Tensor
    expressive: Tensor
    reference: Tensor
    """Real photos with the expressions of those in ``expressive``: themselves, unless expressions were transplanted."""


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


class CloseUpRecipe:
    """One mini-batch a round: a step of the close-up, then one of its discriminator."""

    num_batches = 1

    def __init__(self, config: CloseUpConfig, ranks: Ranks = ALONE) -> None:
        fewest = 4 * config.accumulate * ranks.share.parts
        check(config.batch >= fewest, f"the recipe close_up needs a batch of {fewest} or more, not {config.batch}")
        self.config, self.ranks = config, ranks

    def augment(self, batch: Pair, generator: Generator) -> Shown:
        """Half of the rows, those whose mouths change more likely than others; mirrored and relit."""
        chosen = changing(batch, generator)
        mirrored = augment.coin(0.5, len(chosen), generator)
        photos = [
            reduced(x[chosen], self.config.network.fine_size)
            for x in (batch.neutral, batch.expressive, batch.reference)
        ]
        return Shown(*augment.photometric([augment.flip(x, mirrored) for x in photos], generator))

    def round(self, state: JudgedState, draw: Draw[Shown], step: int) -> Terms:
        """One mini-batch."""
        parts = pieces(draw(), self.config, step, "close-up", self.ranks)
        terms, finished = [], []
        with frozen(state.discriminator):
            for batch, generator in parts:
                mouths = self.mouths(state.networks, batch, generator, step)
                with autocast(self.config.bf16):
                    retouch: Retouch = state.networks.generator.close_up(mouths.made, mouths.given)
                output = retouch.applied(mouths.made)
                objective = self.close_up_objective(state.discriminator, mouths, output, retouch, step)
                terms.append(backward(objective))
                finished.append((mouths, output.detach()))
            descend([state.generator_optimiser], len(parts), self.ranks)
        judged = [backward(self.discriminator_objective(state.discriminator, *made, step)) for made in finished]
        descend([state.discriminator_optimiser], len(parts), self.ranks)
        return mean_terms(terms) | mean_terms(judged)

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

    def close_up_objective(
        self, discriminator: CloseUpDiscriminator, mouths: Mouths, output: Tensor, retouch: Retouch, step: int
    ) -> Objective:
        """What the close-up minimises."""
        config, kept = self.config, mouths.kept
        with autocast(config.bf16):
            seen = discriminator.features(mouths.seen(output))
            with torch.no_grad():
                wanted = discriminator.features(mouths.seen(mouths.truth))
            logits = discriminator.logits(seen[-1], mouths.meant)
        of_features = pair_losses.feature_difference([layer[kept] for layer in seen], wanted)
        return weighted_sum(
            {
                "pair": (1.0, pair_losses.unexplained_whole(mouths.truth, output[kept], mouths.before)),
                "adversarial": (config.adversarial.at(step), losses.adversarial(logits, real=True)),
                "features": (config.features, of_features),
                "painted": (config.painted, retouch.added.abs().mean()),
            }
        )

    def discriminator_objective(
        self, discriminator: CloseUpDiscriminator, mouths: Mouths, output: Tensor, step: int
    ) -> Objective:
        """Realness given the code, real mouths with other people's codes as fakes, and R1 where it is due."""
        config = self.config
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
        return Objective(total, {"discriminator": total.detach()})


def changing(batch: Pair, generator: Generator) -> Tensor:
    """(N / 2,) indices of rows, without repetition; the more a pair's mouth changes, the likelier."""
    change = (cut(batch.expressive) - cut(batch.neutral)).abs().mean(dim=(1, 2, 3))
    weight = change + CLOSED * change.mean() + 1e-6
    return torch.multinomial(weight.cpu(), len(weight) // 2, generator=generator).to(change.device)
