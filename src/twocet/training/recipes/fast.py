"""The recipe ``fast``: both photos of a person supervise both passes directly.

A laboratory set knows who is who. No emotion label is used. What pairs alone do not teach is that a code must not carry
the identity. Two things serve that: codes become noisy on their way to the generator, so that it relies on what they
say clearly (``code_noise``), and neutral photos have the zero code (``neutral_code``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from twocet.data.dataset import DatasetFolder
from twocet.method import codes
from twocet.method.losses import Objective
from twocet.networks.edit import compose, reduced
from twocet.networks.fast import FastEncoder
from twocet.networks.interfaces import Networks
from twocet.pairs import losses
from twocet.runtime.devices import autocast
from twocet.runtime.distributed import ALONE, Ranks
from twocet.runtime.randomness import rows
from twocet.training import augment
from twocet.training.method import TwoCet
from twocet.training.recipes.base import (
    Draw,
    Terms,
    TrainState,
    backward,
    descend,
    mean_terms,
    pair_state,
    pieces,
    weighted_sum,
)
from twocet.training.recipes.configs import FastConfig, PairsConfig
from twocet.training.sampler import Batch, Pair, Sampler

SMALL_CHANGE = 0.01
"""Changes of brightness below this (images are in [-1, 1]) need not be told by a code."""


def method(config: FastConfig, datasets: Sequence[DatasetFolder], folder: Path, ranks: Ranks) -> TwoCet[Batch]:
    """What trains the recipe."""
    return TwoCet(
        config,
        FastRecipe(config, ranks),
        lambda device: pair_state(config, device),
        lambda sets, mix: Sampler(sets, mix, config.batch, config.seed, paired=True),
    )


class FastRecipe:
    """One mini-batch a round: a step of generator and encoder."""

    num_batches = 1

    def __init__(self, config: FastConfig, ranks: Ranks = ALONE) -> None:
        self.config, self.ranks = config, ranks

    def augment(self, batch: Batch, generator: Generator) -> Batch:
        """The same flip, place and light for both photos of a row; sometimes the neutral photo takes both places."""
        num = len(batch.neutral)
        images = [batch.neutral, batch.expressive]
        if self.config.coarse:
            images = [reduced(image, self.config.network.coarse_size) for image in images]
        mirrored = augment.coin(0.5, num, generator)
        images = [augment.flip(image, mirrored) for image in images]
        if self.config.moved:
            affine = augment.similarity(num, generator)
            images = [augment.resample(image, affine) for image in images]
        neutral, expressive = images
        unchanged = augment.coin(self.config.zero_edits, num, generator)[:, None, None, None]
        expressive = torch.where(unchanged, neutral, expressive)
        return Batch(*augment.photometric([neutral, expressive], generator))

    def round(self, state: TrainState, draw: Draw[Batch], step: int) -> Terms:
        """One mini-batch."""
        parts = pieces(draw(), self.config, step, "fast", self.ranks)
        terms = []
        for batch, generator in parts:
            made = outputs(state.networks, batch, self.config, generator, step, self.ranks)
            terms.append(backward(self.objective(state.networks, batch, made, step)))
        descend([state.generator_optimiser], len(parts), self.ranks)
        return mean_terms(terms)

    def objective(self, networks: Networks, batch: Batch, made: Outputs, step: int) -> Objective:
        """What generator and encoder minimise."""
        config = self.config
        terms = {
            "pair_expressive": (1.0, unexplained(config, batch.expressive, made.restored, batch.neutral)),
            "pair_neutral": (1.0, unexplained(config, batch.neutral, made.neutralised, batch.expressive)),
            "painted": (config.painted, made.painted.mean()),
            **code_terms(config, made, step),
        }
        if sketches(config):
            change = (batch.expressive - batch.neutral).mean(dim=1, keepdim=True)
            small = reduced(change, networks.encoder.sketch_side)
            terms["unsketched"] = (config.sketch, unsketched(networks.encoder, small, made.encoded, self.ranks))
        return weighted_sum(terms)


class Outputs(NamedTuple):
    """What the networks make of a mini-batch of pairs."""

    encoded: Tensor
    """E(x_e) of the references, (N, d)."""
    everyone: Tensor
    """The same of all processes, (ranks * N, d)."""
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


def outputs(
    networks: Networks, batch: Pair, config: PairsConfig, generator: Generator, step: int, ranks: Ranks
) -> Outputs:
    """Both passes of a mini-batch, in one call of each network."""
    num, dim = len(batch.neutral), config.network.code_dim
    with autocast(config.bf16):
        views = [augment.encoder_input(image, generator, config.view) for image in (batch.reference, batch.neutral)]
        encoded, of_neutral = networks.encoder(torch.cat(views)).chunk(2)
        noisy = encoded + noise(num, dim, config.code_noise.at(step), generator)
        images = torch.cat([batch.neutral, batch.expressive])
        edit = networks.generator.edit(images, torch.cat([noisy, codes.neutral(num, dim)]))
        restored, neutralised = compose(images, edit).chunk(2)
    painted = edit.mask.mean(dim=(1, 2, 3)).view(-1, num).mean(dim=0)
    flow = torch.cat(edit.flow.chunk(2), dim=1)
    return Outputs(encoded, ranks.all_rows(encoded), of_neutral, restored, neutralised, painted, flow, edit.mask[:num])


def unexplained(
    config: PairsConfig, truth: Tensor, output: Tensor, given: Tensor, weight: Tensor | None = None
) -> Tensor:
    """What is asked of a pair's pixels; every image is (N, 3, S, S), ``weight`` (N,) says how much a row counts."""
    return losses.unexplained_over_scales(truth, output, given, floor=config.change_floor, weight=weight)


def code_terms(config: PairsConfig, made: Outputs, step: int) -> dict[str, tuple[float, Tensor]]:
    """What is asked of codes, with its weights: a mean square of at most 1, and 0 for neutral photos."""
    size = made.everyone.square().mean()
    return {
        "code_excess": (config.code_size, torch.relu(size - 1)),
        "code_of_neutral": (config.neutral_code.at(step), made.of_neutral.square().mean()),
    }


def sketches(config: PairsConfig) -> bool:
    """Whether the encoder shall sketch the change: those of preset fast can."""
    return config.sketch > 0 and config.network.preset == "fast"


def unsketched(encoder: FastEncoder, change: Tensor, code: Tensor, ranks: Ranks) -> Tensor:
    """What the encoder's sketch of the ``change`` (N, 1, k, k) misses; ``code`` (N, d)."""
    size = ranks.mean(change.square().mean())
    return losses.unsketched_change(change, encoder.sketch(code), size + SMALL_CHANGE**2)


def noise(num: int, code_dim: int, amount: float, generator: Generator) -> Tensor:
    """What is added to codes, (num, d): normal, every row with a standard deviation drawn from 0 to 2 ``amount``."""
    strength = augment.between(0, 2 * amount, num, generator)[:, None]
    return strength * rows(torch.randn, num, code_dim, generator=generator)
