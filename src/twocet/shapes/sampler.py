"""Mini-batches of shapes: a function of seed and round, so that a run that goes on sees the same."""

from __future__ import annotations

import math
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
    """(B, r) neutral shapes of new people: each is a blend of two."""
    expressive: Tensor
    """(B, r) expressive shapes, of other people as it happens."""
    shift: Tensor
    """(B, r) from those neutral shapes to others: the second pass of the neutral cycle sees another person."""
    code: Tensor
    """(B, d) from U(-1/2, 1/2)."""
    other_code: Tensor
    """(B, d) likewise."""
    lenders: Tensor
    """(B, r) further expressive shapes: some codes are read from them."""
    read: Tensor
    """(B, 1) in [0, 1): rows below the share of codes that are read."""
    missing: Tensor
    """(B, d) normal: what reading leaves out of those codes."""


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
        self.mean = neutral.weights @ neutral.shapes

    def batch(self, step: int) -> Batch:
        """The mini-batch of a round."""
        num, dim = self.config.batch, self.config.code_dim
        drawn = generator_at(self.config.seed, step, "shapes")
        neutral = self._blended(num, drawn)
        return Batch(
            neutral=neutral,
            expressive=self.expressive.draw(num, drawn),
            shift=self._blended(num, drawn) - neutral,
            code=codes.uniform(num, dim, 1.0, drawn),
            other_code=codes.uniform(num, dim, 1.0, drawn),
            lenders=self.expressive.draw(num, drawn),
            read=torch.rand(num, 1, generator=drawn),
            missing=torch.randn(num, dim, generator=drawn),
        )

    def _blended(self, num: int, generator: torch.Generator) -> Tensor:
        """(num, r) neutral shapes, each blended of two so that they vary as the people do, no more and no less.

        The few people of a set would be learnt by heart.
        """
        angle = torch.rand(num, 1, generator=generator) * (math.pi / 2)
        one, other = (self.neutral.draw(num, generator) - self.mean for _ in range(2))
        return self.mean + torch.cos(angle) * one + torch.sin(angle) * other
