"""The recipes ``fast`` and ``unpaired``: pairs, and if wanted transfers between the people of a batch.

A laboratory set knows who is who, so the same person's two photos can supervise both passes directly (``fast``);
where nobody is known, the neutral photo of each pair is estimated (``unpaired``, see ``twocet.pairs.unpaired``). No
emotion label is used. What pairs alone do not teach is that a code must not carry the identity. Three things serve
that: codes become noisy on their way to the generator, so that it relies on what they say clearly (``code_noise``),
neutral photos have the zero code (``neutral_code``), and with ``journeys`` codes travel to another person and back
(the neutral cycle of Eq. 1-3 with encoded codes in place of sampled ones), where the code read back must still make
the expression of its first owner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from twocet.method import codes, losses
from twocet.method.losses import detached
from twocet.networks import Domain, Edit, Networks, compose, judge
from twocet.networks.fast import FastEncoder, reduced
from twocet.runtime import distributed
from twocet.runtime.devices import autocast
from twocet.runtime.randomness import rows
from twocet.training import augment
from twocet.training.config import TrainConfig
from twocet.training.recipes.base import Draw, TrainState, frozen, mean_terms, pieces, step_optimiser
from twocet.training.sampler import Lent, Pair

SMALL_CHANGE = 0.01
"""Changes of brightness below this (images are in [-1, 1]) need not be told by a code."""

SMALL_MOVEMENT = 0.001
"""Movements of this many sides of the crop, in the mean square over all pixels, hardly show."""


class Pairs(NamedTuple):
    """What the two photos of each person become."""

    encoded: Tensor
    """E(x_e) of the people of all processes, (ranks * N, d)."""
    of_neutral: Tensor
    """E(x_n), (N, d)."""
    restored: Tensor
    """G(x_n, E(x_e) + noise)."""
    neutralised: Tensor
    """G(x_e, 0)."""
    painted: Tensor
    """Mean of both passes' masks: the share of pixels that are made up, not moved; (N,)."""
    flow: Tensor
    """(N, 4, S, S): how both passes move pixels, the first one first."""
    mask: Tensor
    """(N, 1, S, S): what the first pass makes up."""


class Journey(NamedTuple):
    """Codes that travel to another person of the batch and back."""

    travelling: Tensor
    """Row i: the code of person i - 1, scaled by a random strength, (N, d)."""
    fake: Tensor
    """G(x_n, travelling)."""
    recovered: Tensor
    """E(fake), (N, d)."""
    returned: Tensor
    """G(x_n, the code read on another person's face, unscaled, back with its owner)."""


class Made(NamedTuple):
    """What the step of generator and encoder leaves for the discriminator and the record; nothing has a gradient."""

    batch: Pair
    neutralised: Tensor
    fake: Tensor | None
    """None without journeys."""
    terms: dict[str, Tensor]


class FastRecipe:
    """One mini-batch a round: a step of generator and encoder, then one of the discriminator on the same fakes."""

    paired = True
    num_batches = 1

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        # Pairs whose movements are known have theirs already.
        self.empty_edits = 0.0 if config.knows_movements else config.zero_edits
        self.judges = config.journeys and config.judged

    def augment(self, batch: Pair, generator: Generator) -> Pair:
        """The same flip, crop and light for all photos of a row; sometimes the neutral photo takes both places."""
        num = len(batch.neutral)
        # What is known of lent expressions, a flow and where mouths are open, is changed as the photos are.
        images, known, rest = list(batch[:3]), list(batch[3:5]), batch[5:]
        if self.config.coarse:
            images = [reduced(x, self.config.network.coarse_size) for x in images]
        mirrored = augment.coin(0.5, num, generator)
        images = [augment.flip(x, mirrored) for x in images]
        known = [change(x, mirrored) for change, x in zip((augment.flip_flow, augment.flip), known, strict=False)]
        if self.config.moved:
            affine = augment.similarity(num, generator)
            images = [augment.resample(x, affine) for x in images]
            changes = augment.resample_flow, augment.resample
            known = [change(x, affine) for change, x in zip(changes, known, strict=False)]
            if self.config.shape:
                bent = augment.shape(num, images[0].shape[-1], self.config.shape, generator)
                images = [augment.bend(x, bent) for x in images]
        neutral, expressive, *reference = images
        unchanged = augment.coin(self.empty_edits, num, generator)[:, None, None, None]
        expressive = torch.where(unchanged, neutral, expressive)
        return type(batch)(*augment.photometric([neutral, expressive, *reference], generator), *known, *rest)

    def round(self, state: TrainState, draw: Draw[Pair], step: int) -> dict[str, Tensor]:
        """One mini-batch."""
        made: list[Made] = []
        with frozen(state.networks.discriminator):
            step_optimiser(state.generator_optimiser, self.generator_totals(state.networks, draw(), step, made))
        if self.judges:
            step_optimiser(state.discriminator_optimiser, self.discriminator_totals(state.networks, step, made))
        return mean_terms(piece.terms for piece in made)

    def generator_totals(self, networks: Networks, batch: Pair, step: int, made: list[Made]) -> Iterator[Tensor]:
        """The total of each piece of the mini-batch; what was made for it is appended to ``made``."""
        for piece, generator in pieces(batch, self.config, step, "fast"):
            pairs, journey = self.passes(networks, piece, generator, step)
            total, terms = self.generator_total(networks, piece, pairs, journey, step)
            fake = journey.fake.detach() if journey else None
            made.append(Made(piece, pairs.neutralised.detach(), fake, terms))
            yield total

    def discriminator_totals(self, networks: Networks, step: int, made: Sequence[Made]) -> Iterator[Tensor]:
        """The total of each piece, on the fakes of the generator's step."""
        for batch, neutralised, fake, terms in made:
            if fake is not None:
                total = self.discriminator_total(networks, batch, neutralised, fake, step)
                terms["discriminator"] = total.detach()
                yield total

    def passes(self, networks: Networks, batch: Pair, generator: Generator, step: int) -> tuple[Pairs, Journey | None]:
        """All images and codes of a round; calls of the generator are fused where they can be."""
        num, config = len(batch.neutral), self.config
        nothing = codes.neutral(num, config.network.code_dim)
        with autocast(config.bf16):
            views = [self.view(x, generator) for x in (batch.reference, batch.neutral)]
            encoded, of_neutral = networks.encoder(torch.cat(views)).chunk(2)
            everyone, share = distributed.of_all(encoded), distributed.share()
            noisy = encoded + noise(num, config.network.code_dim, config.code_noise.at(step), generator)
            images, given = [batch.neutral, batch.expressive], [noisy, nothing]
            if not config.journeys:
                made, edit = generate(networks, torch.cat(images), torch.cat(given))
                restored, neutralised = made.chunk(2)
                flow = torch.cat(edit.flow.chunk(2), dim=1)
                mask = edit.mask[:num]
                return Pairs(everyone, of_neutral, restored, neutralised, painted(edit.mask, num), flow, mask), None
            strength = augment.between(*config.strengths, num, generator)[:, None]
            travelling = share.of(everyone.roll(1, dims=0)) * strength
            made, edit = generate(networks, torch.cat([*images, batch.neutral]), torch.cat([*given, travelling]))
            restored, neutralised, fake = made.chunk(3)
            flow = torch.cat(edit.flow.chunk(3)[:2], dim=1)
            recovered = networks.encoder(self.view(fake, generator))
            returned = networks.generator(
                batch.neutral, share.of(distributed.of_all(recovered / strength).roll(-1, dims=0))
            )
        pairs = Pairs(everyone, of_neutral, restored, neutralised, painted(edit.mask, num), flow, edit.mask[:num])
        return pairs, Journey(travelling, fake, recovered, returned)

    def view(self, image: Tensor, generator: Generator) -> Tensor:
        """What the encoder sees of ``image`` (N, 3, S, S)."""
        return augment.encoder_input(image, generator, self.config.shape, self.config.view)

    def generator_total(
        self, networks: Networks, batch: Pair, pairs: Pairs, journey: Journey | None, step: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted sum for G and E, and the unweighted terms."""
        config = self.config
        size = pairs.encoded.square().mean()
        pictured = (
            batch.pictured.float()
            if isinstance(batch, Lent)
            else torch.ones(len(batch.neutral), device=batch.neutral.device)
        )
        terms = {
            "pair_expressive": self.unexplained_where_pictured(batch, batch.expressive, pairs.restored, batch.neutral),
            "pair_neutral": self.unexplained_where_pictured(batch, batch.neutral, pairs.neutralised, batch.expressive),
            "painted": (pairs.painted * pictured).mean(),
            "code_of_neutral": pairs.of_neutral.square().mean(),
        }
        total = terms["pair_expressive"] + terms["pair_neutral"] + config.painted * terms["painted"]
        total = total + config.code_size * torch.relu(size - 1)
        total = total + config.neutral_code.at(step) * terms["code_of_neutral"]
        if config.sketch and isinstance(networks.encoder, FastEncoder):
            terms["unsketched"] = unsketched(networks.encoder, batch, distributed.share().of(pairs.encoded))
            total = total + config.sketch * terms["unsketched"]
        if isinstance(batch, Lent):
            terms["astray"] = losses.astray(*equally_fine(batch.flow, pairs.flow), floor=SMALL_MOVEMENT)
            open_mouths, mask = equally_fine(batch.mouth, pairs.mask)
            shown = pictured[:, None, None, None].expand_as(mask)
            terms["mouths"] = functional.binary_cross_entropy(mask, open_mouths, weight=shown)
            total = total + config.moving * terms["astray"] + config.mouths * terms["mouths"]
        if journey:
            travelled = journey.travelling.detach()
            terms["returned"] = self.unexplained(batch.expressive, journey.returned, batch.neutral)
            scale = distributed.mean_of_all(travelled.abs().mean())
            terms["code"] = losses.code_reconstruction(travelled, journey.recovered) / scale
            total = total + config.returned * terms["returned"] + config.code * terms["code"]
        if journey and self.judges:
            with autocast(config.bf16):
                expressive = judge(networks.discriminator, journey.fake, Domain.EXPRESSIVE)
                neutral = judge(networks.discriminator, pairs.neutralised, Domain.NEUTRAL)
            terms["adversarial_expressive"] = losses.adversarial(expressive, real=True)
            terms["adversarial_neutral"] = losses.adversarial(neutral, real=True)
            realness = terms["adversarial_expressive"] + terms["adversarial_neutral"]
            total = total + config.adversarial.at(step) * realness
        return total, {**detached(terms), "code_size": size.detach()}

    def unexplained_where_pictured(self, batch: Pair, truth: Tensor, output: Tensor, given: Tensor) -> Tensor:
        """:meth:`unexplained`, but nothing for those rows of which the movement alone is to be learnt."""
        if not isinstance(batch, Lent) or bool(batch.pictured.all()):
            return self.unexplained(truth, output, given)
        if not batch.pictured.any():
            return output.new_zeros(())
        error = self.unexplained(truth[batch.pictured], output[batch.pictured], given[batch.pictured])
        return batch.pictured.float().mean() * error

    def unexplained(self, truth: Tensor, output: Tensor, given: Tensor) -> Tensor:
        """What identity pairs ask for; every image is (N, 3, S, S)."""
        config = self.config
        return losses.unexplained_over_scales(
            truth, output, given, floor=config.change_floor, focus=config.focus, scales=config.scales
        )

    def discriminator_total(
        self, networks: Networks, batch: Pair, neutralised: Tensor, fake: Tensor, step: int
    ) -> Tensor:
        """Realness in both domains, the mismatch term, and R1 where it is due."""
        config = self.config
        penalise = config.r1 > 0 and step % config.r1_every == 0
        real = torch.cat([batch.expressive, batch.neutral]).detach().requires_grad_(penalise)
        made = torch.cat([fake, neutralised]).detach()
        with autocast(config.bf16):
            logits = networks.discriminator(real)
            fake_logits = networks.discriminator(made)
        matching, mismatched = by_half(logits, Domain.EXPRESSIVE), by_half(logits, Domain.NEUTRAL)
        total = losses.discriminator_objective(matching, by_half(fake_logits, Domain.EXPRESSIVE), 1.0)
        total = total + config.mismatch * losses.adversarial(mismatched, real=False)
        if penalise:
            total = total + config.r1 * config.r1_every * losses.r1(matching, real)
        return total


def generate(networks: Networks, image: Tensor, code: Tensor) -> tuple[Tensor, Edit]:
    """G(image, code), and what it does to the image."""
    edit = networks.generator.edit(image, code)
    return compose(image, edit), edit


def painted(mask: Tensor, num: int) -> Tensor:
    """(num,) mean of each row's masks; ``mask`` (k * num, 1, S, S) of k passes."""
    return mask.mean(dim=(1, 2, 3)).view(-1, num).mean(dim=0)


def equally_fine(field: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both (N, C, k, k), reduced to the smaller side."""
    side = min(field.shape[-1], other.shape[-1])
    return reduced(field, side), reduced(other, side)


def unsketched(encoder: FastEncoder, batch: Pair, code: Tensor) -> Tensor:
    """What the encoder's sketch of the change misses; ``code`` (N, d) of the batch's references.

    The change of brightness; where pixels' movements are known, these, in tenths of the crop: to the right and, below
    that, downwards, each squeezed to half the height of the sketch.
    """
    side = encoder.sketch_side
    if isinstance(batch, Lent):
        change = 10 * functional.adaptive_avg_pool2d(batch.flow[:, :2], (side // 2, side)).reshape(-1, 1, side, side)
    else:
        change = reduced((batch.expressive - batch.neutral).mean(dim=1, keepdim=True), side)
    size = distributed.mean_of_all(change.square().mean())
    return losses.unsketched_change(change, encoder.sketch(code), size + SMALL_CHANGE**2)


def noise(num: int, code_dim: int, amount: float, generator: Generator) -> Tensor:
    """What is added to codes, (num, d): normal, every row with a standard deviation drawn from 0 to 2 ``amount``."""
    strength = augment.between(0, 2 * amount, num, generator)[:, None]
    return strength * rows(torch.randn, num, code_dim, generator=generator)


def by_half(logits: Tensor, first: Domain) -> Tensor:
    """(2N, 2) logits to (2N,): the column ``first`` for the first half of the rows, the other one for the second."""
    num = len(logits) // 2
    return torch.cat([logits[:num, first], logits[num:, 1 - first]])
