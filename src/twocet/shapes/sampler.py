"""Mini-batches of shapes: a function of seed and round, so that a run that goes on sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from twocet.method import codes
from twocet.runtime.arrays import Floats
from twocet.runtime.randomness import generator_at
from twocet.shapes.config import ShapeConfig


class Batch(NamedTuple):
    """What a round is made of; B rows each."""

    neutral: Tensor
    """(B, r) neutral shapes."""
    expressive: Tensor
    """(B, r) expressive shapes, of other people as it happens."""
    seen: Tensor
    """(B, r) the same expressions on other people: what the encoder sees of them."""
    shifts: Tensor
    """(2, B, r) from one person to another: for the second passes of both cycles."""
    lenders: Tensor
    """(B, r) further expressive shapes: codes are read from them."""
    code: Tensor
    """(B, d) from U(-1/2, 1/2)."""
    other_code: Tensor
    """(B, d) likewise."""
    read: Tensor
    """(B, 1) in [0, 1): rows below the share of codes that are read take those of their lenders."""
    read_noise: Tensor
    """(2, B, d) normal, for the codes that are read."""


class Sample(NamedTuple):
    """The shapes of one domain from all sets, and how often each is drawn."""

    shapes: Tensor
    """(n, r)."""
    weights: Tensor
    """(n,) of sum 1."""

    def draw(self, num: int, generator: torch.Generator) -> Tensor:
        """(num, r)."""
        return self.shapes[torch.multinomial(self.weights, num, replacement=True, generator=generator)]


def weighted(sets: Sequence[Floats], mix: Sequence[float]) -> Sample:
    """Sets of shapes (n, r), each drawn with its share of ``mix``."""
    weights = [np.full(len(shapes), share / sum(mix) / len(shapes)) for shapes, share in zip(sets, mix, strict=True)]
    shapes, weight = (torch.tensor(np.concatenate(parts), dtype=torch.float32) for parts in (sets, weights))
    return Sample(shapes, weight)


class Sampler:
    """Draws the mini-batches of a run."""

    def __init__(self, neutral: Sample, expressive: Sample, config: ShapeConfig) -> None:
        self.neutral, self.expressive, self.config = neutral, expressive, config

    def batch(self, step: int) -> Batch:
        """The mini-batch of a round."""
        num, dim, config = self.config.batch, self.config.code_dim, self.config
        drawn = generator_at(config.seed, step, "shapes")
        expressive = self.expressive.draw(num, drawn)
        return Batch(
            neutral=self._mixed(self.neutral.draw(num, drawn), drawn),
            expressive=self._mixed(expressive, drawn),
            seen=self._mixed(expressive, drawn),
            shifts=torch.stack([self._shift(num, drawn) for _ in range(2)]),
            lenders=self._mixed(self.expressive.draw(num, drawn), drawn),
            code=codes.uniform(num, dim, 1.0, drawn),
            other_code=codes.uniform(num, dim, 1.0, drawn),
            read=torch.rand(num, 1, generator=drawn),
            read_noise=torch.randn(2, num, dim, generator=drawn),
        )

    def _mixed(self, shapes: Tensor, generator: torch.Generator) -> Tensor:
        """The same expressions on more people than there are."""
        return shapes + self._shift(len(shapes), generator)

    def _shift(self, num: int, generator: torch.Generator) -> Tensor:
        """(num, r) parts of differences of two strangers' neutral shapes."""
        share = self.config.mixing * torch.rand(num, 1, generator=generator)
        one, other = (self.neutral.draw(num, generator) for _ in range(2))
        return share * (one - other)
