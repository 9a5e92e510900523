"""Networks for shapes: three perceptrons on principal components."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.networks.interfaces import Networks
from twocet.shapes.config import ShapeConfig

SLOPE = 0.2
_CODE_GAIN = 2 * math.sqrt(3)
"""Brings codes drawn from U(-1/2, 1/2) to variance 1, that of the generator's other inputs."""


class Perceptron(nn.Module):
    """Fully connected layers with leaky rectifiers. (N, inputs) -> (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, *, width: int, depth: int, still: bool = False) -> None:
        """``depth`` hidden layers of ``width`` units, initialised after He et al. 2015; ``still``: it begins with 0."""
        super().__init__()
        sizes = [inputs, *[width] * depth, outputs]
        layers = [nn.Linear(a, b, dtype=torch.float32) for a, b in pairwise(sizes)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)
        if still:
            nn.init.zeros_(layers[-1].weight)
        self.layers = nn.ModuleList(layers)

    def forward(self, features: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            features = functional.leaky_relu(layer(features), SLOPE)
        output: Tensor = self.layers[-1](features)
        return output


class View(nn.Module):
    """How the networks see shapes (N, r): every component by its spread and, in training, with the reader's errors.

    These also hide what the generator might write into a fake for its own second pass.
    """

    spread: Tensor
    noise: Tensor

    def __init__(self, spread: Tensor, noise: Tensor) -> None:
        """``spread`` (r,): standard deviation of every component; ``noise`` (r,): that of the errors."""
        super().__init__()
        self.register_buffer("spread", spread)
        self.register_buffer("noise", noise)

    def forward(self, shape: Tensor) -> Tensor:
        seen = shape + self.noise * torch.randn_like(shape) if self.training else shape
        return seen / self.spread


class Generator(nn.Module):
    """G: a shape (N, r) and a code (N, d) to the shape with that expression. What it adds begins with 0."""

    def __init__(self, view: View, code_dim: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.view, components = view, len(view.spread)
        self.change = Perceptron(components + code_dim, components, width=width, depth=depth, still=True)

    def forward(self, shape: Tensor, code: Tensor) -> Tensor:
        output: Tensor = self.change(torch.cat([self.view(shape), _CODE_GAIN * code], dim=1))
        return shape + self.view.spread * output


class Reader(nn.Module):
    """E and D: a shape (N, r) to a code (N, d), or to a logit for each domain (N, 2)."""

    def __init__(self, view: View, outputs: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.view = view
        self.perceptron = Perceptron(len(view.spread), outputs, width=width, depth=depth)

    def forward(self, shape: Tensor) -> Tensor:
        output: Tensor = self.perceptron(self.view(shape))
        return output


def build(spread: Tensor, noise: Tensor, config: ShapeConfig) -> Networks:
    """New networks for shapes whose components have the standard deviations ``spread`` (r,); see :class:`View`."""
    sizes = {"width": config.width, "depth": config.depth}
    generator, encoder, discriminator = (View(spread, noise) for _ in range(3))
    return Networks(
        Generator(generator, config.code_dim, **sizes),
        Reader(encoder, config.code_dim, **sizes),
        Reader(discriminator, 2, **sizes),
    )
