"""GANimation-style (Pumarola et al. 2018): a generator that is told action units and paints through a mask.

"Style", because the action units come from blendshapes unless OpenFace's are given, see ``units``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from twocet.compare.baselines import losses as own
from twocet.compare.baselines.config import GANimationConfig
from twocet.compare.baselines.networks import GANimationNetworks
from twocet.compare.baselines.state import BaselineState, augmented
from twocet.compare.baselines.units import row_units
from twocet.data.dataset import Faces, as_images
from twocet.errors import check
from twocet.method import losses
from twocet.method.losses import Objective, detached
from twocet.runtime.devices import autocast
from twocet.runtime.distributed import ALONE, Ranks
from twocet.runtime.randomness import WHOLE, Share, generator_at, rows
from twocet.training.recipes.base import Draw, Terms, backward, descend, frozen, mean_terms, pieces
from twocet.training.sampler import epoch_indices, shares

State = BaselineState[GANimationNetworks]


class UnitBatch(NamedTuple):
    """Row i: a photo, its action units, and those it shall get."""

    image: Tensor
    """(N, 3, S, S)."""
    units: Tensor
    """(N, 17) in [0, 1]."""
    wanted: Tensor
    """(N, 17): those of another photo with a little noise."""


class UnitSampler:
    """Mini-batches of photos in which a face was found; a function of (seed, number)."""

    def __init__(self, sets: Sequence[Faces], mix: Sequence[float], batch: int, seed: int, noise: float) -> None:
        self.sets, self.counts, self.seed, self.noise = list(sets), shares(batch, mix), seed, noise
        self.units = [torch.tensor([row_units(row) for row in faces.rows]) for faces in sets]
        self.usable = [torch.nonzero(units.isfinite().all(dim=1))[:, 0] for units in self.units]
        check(all(len(usable) > 1 for usable in self.usable), "a dataset has no photos whose action units are known")

    def batch(self, number: int, share: Share = WHOLE) -> UnitBatch:
        """Batch ``number`` >= 0, or a share of its rows."""
        parts = [self._part(k, number) for k in range(len(self.sets))]
        image, units, wanted = (share.of(torch.cat(column)) for column in zip(*parts, strict=True))
        return UnitBatch(as_images(image), units, wanted)

    def _part(self, k: int, number: int) -> UnitBatch:
        faces, count, usable = self.sets[k], self.counts[k], self.usable[k]
        chosen, asked = (
            usable[epoch_indices(len(usable), count, self.seed, number, f"{purpose} {k}")]
            for purpose in ("photos", "action units")
        )
        draws = torch.rand(count, self.units[k].shape[1], generator=generator_at(self.seed, number, f"unit noise {k}"))
        return UnitBatch(
            faces.take(chosen.tolist()), self.units[k][chosen], self.units[k][asked] + (2 * draws - 1) * self.noise
        )


class GANimationRecipe:
    """``critic_steps`` mini-batches of the critic (each with a step of the gradient penalty); the last one trains G."""

    def __init__(self, config: GANimationConfig, ranks: Ranks = ALONE) -> None:
        self.config, self.ranks, self.num_batches = config, ranks, config.critic_steps

    def augment(self, batch: UnitBatch, generator: Generator) -> UnitBatch:
        """Every photo is changed for itself; action units have no sides, so that a flip leaves them as they are."""
        return batch._replace(image=augmented(batch.image, self.config.augmentation, generator))

    def round(self, state: State, draw: Draw[UnitBatch], step: int) -> Terms:
        """All mini-batches of a round."""
        networks, optimiser = state.networks, state.optimisers["discriminator"]
        terms = []
        for index in range(self.num_batches):
            parts = pieces(draw(), self.config, step * self.num_batches + index, "penalty", self.ranks)
            terms += [backward(self.critic_total(networks, piece)) for piece, _ in parts]
            descend([optimiser], len(parts), self.ranks)
            terms += [backward(self.penalty_total(networks, piece, generator)) for piece, generator in parts]
            descend([optimiser], len(parts), self.ranks)
        with frozen(networks.discriminator):
            terms += [backward(self.generator_total(networks, piece)) for piece, _ in parts]
            descend([state.generator_optimiser], len(parts), self.ranks)
        return mean_terms(terms)

    def critic_total(self, networks: GANimationNetworks, batch: UnitBatch) -> Objective:
        """Photos more real than fakes, and the photos' action units."""
        with autocast(self.config.bf16):
            with torch.no_grad():
                fake = networks.generator(batch.image, batch.wanted).image
            real, made = networks.discriminator(batch.image), networks.discriminator(fake)
        terms = {
            "critic": own.critic(real.realness, made.realness),
            "units_of_photos": own.unit_error(real.units, batch.units),
        }
        return Objective(terms["critic"] + self.config.units * terms["units_of_photos"], detached(terms))

    def penalty_total(self, networks: GANimationNetworks, batch: UnitBatch, generator: Generator) -> Objective:
        """The gradient penalty on the lines between fakes and photos; in float32, it is a derivative's derivative."""
        share = rows(torch.rand, len(batch.image), generator=generator)
        with autocast(self.config.bf16), torch.no_grad():
            fake = networks.generator(batch.image, batch.wanted).image
        image = own.between(batch.image, fake, share)
        penalty = own.gradient_penalty(networks.discriminator(image).realness, image)
        return Objective(self.config.penalty * penalty, {"penalty": penalty.detach()})

    def generator_total(self, networks: GANimationNetworks, batch: UnitBatch) -> Objective:
        """Realness, the wanted action units, the way back, and two terms for the masks of both passes."""
        config = self.config
        with autocast(config.bf16):
            fake = networks.generator(batch.image, batch.wanted)
            back = networks.generator(fake.image, batch.units)
            judged = networks.discriminator(fake.image)
        masks = (fake.mask, back.mask)
        terms = {
            "unconvincing": own.unconvincing(judged.realness),
            "units": own.unit_error(judged.units, batch.wanted),
            "cycle": losses.cycle_consistency(batch.image, back.image),
            "mask": torch.stack([own.mask_share(mask) for mask in masks]).sum(),
            "mask_variation": torch.stack([own.mask_variation(mask) for mask in masks]).sum(),
        }
        total = terms["unconvincing"] + config.units * terms["units"] + config.cycle * terms["cycle"]
        total = total + config.mask * terms["mask"] + config.mask_variation * terms["mask_variation"]
        return Objective(total, detached(terms))
