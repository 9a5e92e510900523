"""Networks for shapes: three perceptrons on principal components, two of them beside an estimate of movements."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.networks.interfaces import Networks
from twocet.runtime.arrays import Floats
from twocet.shapes.config import ShapeConfig
from twocet.shapes.movements import Movements

SLOPE = 0.2
_CODE_GAIN = 2 * math.sqrt(3)
"""Brings codes drawn from U(-1/2, 1/2) to variance 1, that of the generator's other inputs."""


_LEAST = 1e-6
"""Movements of a smaller share of the largest variance are errors of rounding, whose directions mean nothing."""


class Perceptron(nn.Module):
    """Fully connected layers with leaky rectifiers. (N, inputs) -> (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, *, width: int, depth: int, still: bool = False) -> None:
        """``depth`` hidden layers of ``width`` units, initialised after He et al. 2015.

        ``still``: it begins with 0 everywhere, and its last layer has no bias.
        """
        super().__init__()
        hidden = [nn.Linear(a, b, dtype=torch.float32) for a, b in pairwise([inputs, *[width] * depth])]
        layers = [*hidden, nn.Linear(width, outputs, bias=not still, dtype=torch.float32)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
        for layer in layers[: depth if still else None]:
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


class Estimate(nn.Module):
    """The estimated movements of shapes, see :class:`twocet.shapes.movements.Movements`. It does not learn."""

    logs: Tensor
    centres: Tensor
    whitening: Tensor
    means: Tensor
    filters: Tensor

    def __init__(self, movements: Movements) -> None:
        super().__init__()
        for name, value in movements.estimates()._asdict().items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)

    def forward(self, shape: Tensor) -> Tensor:
        """How the shapes (N, r) have moved, (N, r)."""
        difference = shape[:, None] - self.centres
        white = torch.einsum("nqr,qsr->nqs", difference, self.whitening)
        chances = torch.softmax(self.logs - white.square().sum(dim=2) / 2, dim=1)
        movements = self.means + torch.einsum("nqr,qsr->nqs", difference, self.filters)
        return torch.einsum("nq,nqr->nr", chances, movements)


class Generator(nn.Module):
    """G: a shape (N, r) and a code (N, d) to the shape with that expression.

    The zero code takes a face to rest: ``x - m(x)`` with the estimate m, and what a perceptron adds. All other codes
    are given to faces at rest, in both cycles and afterwards: ``x + axes @ c``, and what a second perceptron adds,
    which is nothing where c is 0.
    """

    axes: Tensor

    def __init__(self, view: View, estimate: Estimate, axes: Tensor, *, width: int, depth: int) -> None:
        """``axes`` (r, d): see :func:`code_axes`."""
        super().__init__()
        self.view, self.estimate, (components, code_dim) = view, estimate, axes.shape
        self.register_buffer("axes", axes)
        self.remove = Perceptron(components, components, width=width, depth=depth, still=True)
        self.give = Perceptron(components + code_dim, components, width=width, depth=depth, still=True)

    def forward(self, shape: Tensor, code: Tensor) -> Tensor:
        seen = self.view(shape)
        if not code.any():
            removed: Tensor = self.view.spread * self.remove(seen) - self.estimate(shape)
            return shape + removed
        with_code, without = (torch.cat([seen, _CODE_GAIN * c], dim=1) for c in (code, torch.zeros_like(code)))
        bent = self.give(with_code) - self.give(without)
        given: Tensor = shape + functional.linear(code, self.axes) + self.view.spread * bent
        return given


class Encoder(nn.Module):
    """E: a shape (N, r) to a code (N, d), which begins as that of the estimated movement."""

    reading: Tensor

    def __init__(self, view: View, estimate: Estimate, reading: Tensor, *, width: int, depth: int) -> None:
        """``reading`` (d, r): see :func:`code_axes`."""
        super().__init__()
        self.view, self.estimate, code_dim = view, estimate, len(reading)
        self.register_buffer("reading", reading)
        self.change = Perceptron(len(view.spread), code_dim, width=width, depth=depth, still=True)

    def forward(self, shape: Tensor) -> Tensor:
        output: Tensor = (
            functional.linear(self.estimate(shape), self.reading) + self.change(self.view(shape)) / _CODE_GAIN
        )
        return output


class Discriminator(nn.Module):
    """D: a shape (N, r) to a logit for each domain (N, 2)."""

    def __init__(self, view: View, *, width: int, depth: int) -> None:
        super().__init__()
        self.view = view
        self.perceptron = Perceptron(len(view.spread), 2, width=width, depth=depth)

    def forward(self, shape: Tensor) -> Tensor:
        output: Tensor = self.perceptron(self.view(shape))
        return output


def build(spread: Tensor, noise: Tensor, movements: Movements, config: ShapeConfig) -> Networks:
    """New networks for shapes whose components have the standard deviations ``spread`` (r,); see :class:`View`.

    Generator and encoder begin at the estimate that ``movements`` tell.
    """
    sizes = {"width": config.width, "depth": config.depth}
    generator, encoder, discriminator = (View(spread, noise) for _ in range(3))
    axes, reading = code_axes(movements.covariance(), config.code_dim)
    return Networks(
        Generator(generator, Estimate(movements), axes, **sizes),
        Encoder(encoder, Estimate(movements), reading, **sizes),
        Discriminator(discriminator, **sizes),
    )


def code_axes(covariance: Floats, code_dim: int) -> tuple[Tensor, Tensor]:
    """What codes begin as: (r, d) movements are about ``axes @ code``, (d, r) codes ``reading @ movement``.

    They are the components of movements of ``covariance`` (r, r). Codes from U(-1/2, 1/2) give faces at rest movements
    of this covariance, so that both domains agree at second order from the start; the zero code is no movement.
    """
    variances, axes = np.linalg.eigh(covariance)
    num = min(code_dim, int((variances > _LEAST * variances[-1]).sum()))
    gain, axes = _CODE_GAIN * np.sqrt(variances[::-1][:num]), axes[:, ::-1][:, :num]
    unused = np.zeros((len(axes), code_dim - num))
    arrays = np.concatenate([axes * gain, unused], axis=1), np.concatenate([axes / gain, unused], axis=1).T
    return torch.tensor(arrays[0], dtype=torch.float32), torch.tensor(arrays[1], dtype=torch.float32)
