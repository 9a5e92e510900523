"""StarGAN v2 (Choi et al. 2020): one generator for many domains, here the expressions, the neutral one among them.

A style says how a face looks within a domain; it is made from a latent code by F or read from a photo by E. The losses
are those of ``twocet.method.losses``.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from twocet.compare.baselines.config import StarGANConfig
from twocet.compare.baselines.domains import DomainBatch
from twocet.compare.baselines.networks import StarGANNetworks
from twocet.compare.baselines.state import BaselineState, augmented
from twocet.method import losses
from twocet.method.losses import Objective, detached
from twocet.runtime.devices import autocast
from twocet.runtime.distributed import ALONE, Ranks
from twocet.runtime.randomness import rows
from twocet.training.recipes.base import Draw, Terms, backward, descend, frozen, mean_terms, pieces

State = BaselineState[StarGANNetworks]


class StarGANRecipe:
    """One mini-batch: D with styles from latent codes and from photos, then G, F and E, then G alone."""

    num_batches = 1

    def __init__(self, config: StarGANConfig, ranks: Ranks = ALONE) -> None:
        self.config, self.ranks = config, ranks

    def augment(self, batch: DomainBatch, generator: Generator) -> DomainBatch:
        """Every photo is changed for itself."""
        kind = self.config.augmentation
        image, reference, other = (
            augmented(x, kind, generator) for x in (batch.image, batch.reference, batch.other_reference)
        )
        return batch._replace(image=image, reference=reference, other_reference=other)

    def round(self, state: State, draw: Draw[DomainBatch], step: int) -> Terms:
        """One mini-batch."""
        parts = [
            (piece, self.latents(piece, generator))
            for piece, generator in pieces(draw(), self.config, step, "latent codes", self.ranks)
        ]
        networks, optimisers = state.networks, state.optimisers
        terms = []
        for guided in (False, True):
            terms += [backward(self.discriminator_total(networks, *part, step, guided=guided)) for part in parts]
            descend([optimisers["discriminator"]], len(parts), self.ranks)
        with frozen(networks.discriminator):
            terms += [backward(self.generator_total(networks, *part, step, guided=False)) for part in parts]
            descend([optimisers[name] for name in ("generator", "mapping", "encoder")], len(parts), self.ranks)
            with frozen(networks.encoder):
                terms += [backward(self.generator_total(networks, *part, step, guided=True)) for part in parts]
                descend([optimisers["generator"]], len(parts), self.ranks)
        return mean_terms(terms)

    def latents(self, batch: DomainBatch, generator: Generator) -> tuple[Tensor, Tensor]:
        """Two normal latent codes for each row."""
        num = len(batch.image)
        first, second = (rows(torch.randn, num, self.config.latent_dim, generator=generator) for _ in range(2))
        return first, second

    def styles(
        self, networks: StarGANNetworks, batch: DomainBatch, latents: tuple[Tensor, Tensor], guided: bool
    ) -> Iterator[Tensor]:
        """Two styles of the target domain, made when they are asked for: read from photos if ``guided``."""
        network = networks.encoder if guided else networks.mapping
        for given in (batch.reference, batch.other_reference) if guided else latents:
            yield network(given, batch.target)

    def discriminator_total(
        self, networks: StarGANNetworks, batch: DomainBatch, latents: tuple[Tensor, Tensor], step: int, *, guided: bool
    ) -> Objective:
        """Realness of photos in their own domain and of fakes in the target domain, with R1 where it is due."""
        config = self.config
        penalise = config.r1 > 0 and step % config.r1_every == 0
        image = batch.image.detach().requires_grad_(penalise)
        with autocast(config.bf16):
            with torch.no_grad():
                fake = networks.generator(batch.image, next(self.styles(networks, batch, latents, guided)))
            real = networks.discriminator(image, batch.domain)
            total = losses.discriminator_objective(real, networks.discriminator(fake, batch.target), 1.0)
        terms = {f"discriminator_{suffix(guided)}": total}
        if penalise:
            terms["r1"] = losses.r1(real, image)
            total = total + config.r1 * config.r1_every * terms["r1"]
        return Objective(total, detached(terms))

    def generator_total(
        self, networks: StarGANNetworks, batch: DomainBatch, latents: tuple[Tensor, Tensor], step: int, *, guided: bool
    ) -> Objective:
        """Realness in the target domain, style read back, diversity, and the way back with the photo's own style."""
        config, generator, encoder = self.config, networks.generator, networks.encoder
        with autocast(config.bf16):
            styles = self.styles(networks, batch, latents, guided)
            style = next(styles)
            fake = generator(batch.image, style)
            with torch.no_grad():
                other = generator(batch.image, next(styles))
            logit = networks.discriminator(fake, batch.target)
            restored = generator(fake, encoder(batch.image, batch.domain))
            recovered = encoder(fake, batch.target)
        terms = {
            "adversarial": losses.adversarial(logit, real=True),
            "style": losses.code_reconstruction(style, recovered),
            "diversity": losses.diversity(fake, other),
            "cycle": losses.cycle_consistency(batch.image, restored),
        }
        total = terms["adversarial"] + config.style * terms["style"] + config.cycle * terms["cycle"]
        total = total - config.diversity.at(step) * terms["diversity"]
        return Objective(total, {f"{name}_{suffix(guided)}": term for name, term in detached(terms).items()})


def suffix(guided: bool) -> str:
    """The end of a term's name: where the style came from."""
    return "reference" if guided else "latent"
