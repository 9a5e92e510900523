"""What turns a face and a code into features at full detail: the body of the fast generators."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.networks.layers import AdaIN, AdaINBlock, ResidualBlock, activation, instance_norm

MAX_FLOW = 0.125
"""Largest displacement, in sides of the picture that is seen."""
FLOW_GAIN = 0.1
"""Expressions move a face by about a hundredth of the crop: without it one step of Adam would move it further."""


def smooth_flow(raw: Tensor, scale: float) -> Tensor:
    """Displacements in sides from a head's output ``raw`` (N, 2, h, w), ``scale`` times as large: (N, 2, .., ..)."""
    flow = torch.tanh(raw.float() * FLOW_GAIN) * MAX_FLOW
    return functional.interpolate(flow, scale_factor=scale, mode="bilinear", align_corners=False)


class CodedBody(nn.Module):
    """Unshuffles a picture of ``side``, halves it, and doubles it again, steered by the code.

    ``widths`` are the channels at side / shuffle and at each halving from there. Skip connections keep the exact place
    of lips and lids.
    """

    def __init__(
        self, side: int, code_dim: int, widths: tuple[int, ...], shuffle: int, placed: bool, num_in: int = 3
    ) -> None:
        super().__init__()
        levels = list(pairwise(widths))
        first, deepest = widths[0], widths[-1]
        self.shuffle = shuffle
        self.stem = nn.Conv2d(num_in * shuffle**2, first, 3, padding=1)
        self.down = nn.ModuleList(ResidualBlock(few, many, instance_norm, halves=True) for few, many in levels)
        self.middle = ResidualBlock(deepest, deepest, instance_norm)
        self.coded = nn.ModuleList(AdaINBlock(deepest, deepest, code_dim) for _ in range(2))
        self.up = nn.ModuleList(AdaINBlock(many, few, code_dim, doubles=True) for few, many in reversed(levels))
        self.merge = nn.ModuleList(nn.Conv2d(2 * few, few, 1) for few, _ in reversed(levels))
        finest = side // shuffle
        self.places = nn.ModuleList(
            CodeMap(code_dim, few, finest >> level) if placed else NoMap()
            for level, (few, _) in reversed(list(enumerate(levels)))
        )
        self.norm = AdaIN(first, code_dim)

    def encode(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What does not depend on the code: the deepest features, and those to be merged back, finest first."""
        features = self.stem(functional.pixel_unshuffle(image, self.shuffle))
        skipped = []
        for block in self.down:
            skipped.append(features)
            features = block(features)
        return self.middle(features), skipped

    def decode(self, features: Tensor, skipped: list[Tensor], code: Tensor) -> Tensor:
        """Features at size / shuffle of the face with the expression ``code``."""
        for block in self.coded:
            features = block(features, code)
        for block, place, merge, finer in zip(self.up, self.places, self.merge, reversed(skipped), strict=True):
            features = merge(torch.cat([block(features, code), finer], dim=1)) + place(code)
        return activation(self.norm(features, code))


class CodeMap(nn.Module):
    """Where in the aligned crop a code acts: a linear map from the code to features (N, C, side, side).

    Modulation alone treats every place alike, and convolutions have to find out from the zeros at the border where a
    mouth corner is. The map has no bias: the zero code leaves the features as they are.
    """

    CHANNELS = 16

    def __init__(self, code_dim: int, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.linear = nn.Linear(code_dim, self.CHANNELS * side**2, bias=False)
        self.mix = nn.Conv2d(self.CHANNELS, width, 1, bias=False)

    def forward(self, code: Tensor) -> Tensor:
        mixed: Tensor = self.mix(self.linear(code).view(-1, self.CHANNELS, self.side, self.side))
        return mixed


class NoMap(nn.Module):
    """In place of a :class:`CodeMap`: nothing is added."""

    def forward(self, code: Tensor) -> Tensor:
        return code.new_zeros(())
