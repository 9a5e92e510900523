"""The networks of the paper (Sec. 3.1), after the published description and the parameter counts.

Full resolution throughout, no normalisation in the encoder and the discriminator, PyTorch's own initialisation.
At 128 px with a code of 32: generator 33,361,667, encoder 20,748,192, discriminator 20,735,106 parameters.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from twocet.networks.edit import Edit
from twocet.networks.layers import AdaINBlock, ResidualBlock, activation, instance_norm, no_norm


def widths(size: int, depth: int, first: int | None, cap: int) -> list[int]:
    """Channels before and after each of ``depth`` halvings: from 2^14 / size (or ``first``) doubling up to ``cap``."""
    start = first or 2**14 // size
    return [min(start * 2**level, cap) for level in range(depth + 1)]


class PaperGenerator(nn.Module):
    """G: down to size / 2^(log2(size) - 4) = 16 px with instance norm, up again with AdaIN."""

    moves = False

    def __init__(self, size: int, code_dim: int, first_width: int | None = None, max_width: int = 512) -> None:
        super().__init__()
        channels = widths(size, size.bit_length() - 5, first_width, max_width)
        levels = list(pairwise(channels))
        deepest = channels[-1]
        self.stem = nn.Conv2d(3, channels[0], 3, padding=1)
        self.down = nn.Sequential(*(ResidualBlock(few, many, instance_norm, halves=True) for few, many in levels))
        self.middle = nn.Sequential(*(ResidualBlock(deepest, deepest, instance_norm) for _ in range(2)))
        self.coded = nn.ModuleList(AdaINBlock(deepest, deepest, code_dim) for _ in range(2))
        self.up = nn.ModuleList(AdaINBlock(many, few, code_dim, doubles=True) for few, many in reversed(levels))
        self.norm = instance_norm(channels[0])
        self.head = nn.Conv2d(channels[0], 3, 1)

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        features = self.middle(self.down(self.stem(image)))
        for block in (*self.coded, *self.up):
            features = block(features, code)
        output: Tensor = self.head(activation(self.norm(features), in_place=True))
        return output.float()

    def edit(self, image: Tensor, code: Tensor) -> Edit:
        """Everything is painted anew, nothing is moved. The colour is the raw output: the paper has no tanh."""
        flow, mask = torch.zeros_like(image[:, :2]), torch.ones_like(image[:, :1])
        return Edit(flow.float(), mask.float(), self(image, code))


def trunk(size: int, num_in: int, first_width: int | None, max_width: int) -> tuple[nn.Sequential, int]:
    """From an image (N, num_in, size, size) to features (N, width, 1, 1); also returns the width."""
    channels = widths(size, size.bit_length() - 3, first_width, max_width)
    deepest = channels[-1]
    blocks = (ResidualBlock(few, many, no_norm, halves=True) for few, many in pairwise(channels))
    stem = nn.Conv2d(num_in, channels[0], 3, padding=1)
    tail = (nn.LeakyReLU(0.2), nn.Conv2d(deepest, deepest, 4), nn.LeakyReLU(0.2))
    return nn.Sequential(stem, *blocks, *tail), deepest


class PaperEncoder(nn.Module):
    """E: a face to its code. ``grey`` encodes the channel mean (paper, Sec. 4.6)."""

    def __init__(
        self, size: int, code_dim: int, grey: bool = True, first_width: int | None = None, max_width: int = 512
    ) -> None:
        super().__init__()
        self.grey = grey
        self.trunk, width = trunk(size, 1 if grey else 3, first_width, max_width)
        self.head = nn.Linear(width, code_dim)

    def forward(self, image: Tensor) -> Tensor:
        seen = image.mean(dim=1, keepdim=True) if self.grey else image
        code: Tensor = self.head(self.trunk(seen).flatten(1))
        return code.float()


class PaperDiscriminator(nn.Module):
    """D: a face to two logits, one per domain."""

    def __init__(self, size: int, first_width: int | None = None, max_width: int = 512) -> None:
        super().__init__()
        self.trunk, width = trunk(size, 3, first_width, max_width)
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(image)).flatten(1)
        return logits.float()
