"""The building blocks of the networks: kernels as functions, modules as thin holders of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Negative slope of every leaky ReLU."""


def activation(features: Tensor) -> Tensor:
    """Leaky ReLU with the slope used everywhere."""
    return functional.leaky_relu(features, SLOPE)


def halve(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, H/2, W/2) by averaging 2 x 2 pixels."""
    return functional.avg_pool2d(features, 2)


def double(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W) by repeating pixels."""
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


def keep(features: Tensor) -> Tensor:
    """Leave the size as it is."""
    return features


def residual_sum(shortcut: Tensor, residual: Tensor) -> Tensor:
    """Sum of two branches divided by sqrt(2), so that independent branches of unit variance give unit variance."""
    return (shortcut + residual) * (1 / math.sqrt(2))


def adaptive_instance_norm(features: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """AdaIN (Huang and Belongie 2017): instance-normalised ``features`` (N, C, H, W) times gain + bias, both (N, C)."""
    # Groups of one channel are instance norm, three times as fast on a CPU.
    normed = functional.group_norm(features, features.shape[1])
    return torch.addcmul(bias[:, :, None, None], gain[:, :, None, None], normed)


class AdaIN(nn.Module):
    """AdaIN whose gain - 1 and bias are one linear function of the expression code."""

    def __init__(self, num_features: int, code_dim: int) -> None:
        super().__init__()
        self.affine = nn.Linear(code_dim, 2 * num_features)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        offset, bias = self.affine(code).chunk(2, dim=1)
        return adaptive_instance_norm(features, 1 + offset, bias)


def shortcut(num_in: int, num_out: int) -> nn.Module:
    """The identity, or a 1 x 1 convolution without bias where the widths differ."""
    return nn.Identity() if num_in == num_out else nn.Conv2d(num_in, num_out, 1, bias=False)


class ResidualBlock(nn.Module):
    """Pre-activation residual block: (norm, activation, convolution) twice.

    ``norm`` makes a normalisation for a width (:class:`torch.nn.Identity` for none), ``resize`` is applied between
    the convolutions and on the shortcut (there first: it commutes with a 1 x 1 convolution and saves work).
    """

    def __init__(
        self, num_in: int, num_out: int, norm: Callable[[int], nn.Module], resize: Callable[[Tensor], Tensor] = keep
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(num_in), norm(num_in)
        self.conv1 = nn.Conv2d(num_in, num_in, 3, padding=1)
        self.conv2 = nn.Conv2d(num_in, num_out, 3, padding=1)
        self.shortcut = shortcut(num_in, num_out)
        self.resize = resize

    def forward(self, features: Tensor) -> Tensor:
        residual = self.resize(self.conv1(activation(self.norm1(features))))
        residual = self.conv2(activation(self.norm2(residual)))
        return residual_sum(self.shortcut(self.resize(features)), residual)


class AdaINBlock(nn.Module):
    """The residual block of the decoder: AdaIN for norm; ``resize`` comes before the first convolution."""

    def __init__(self, num_in: int, num_out: int, code_dim: int, resize: Callable[[Tensor], Tensor] = keep) -> None:
        super().__init__()
        self.norm1, self.norm2 = AdaIN(num_in, code_dim), AdaIN(num_out, code_dim)
        self.conv1 = nn.Conv2d(num_in, num_out, 3, padding=1)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, padding=1)
        self.shortcut = shortcut(num_in, num_out)
        self.resize = resize

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        residual = self.conv1(self.resize(activation(self.norm1(features, code))))
        residual = self.conv2(activation(self.norm2(residual, code)))
        return residual_sum(self.resize(self.shortcut(features)), residual)


def instance_norm(num_features: int) -> nn.Module:
    """Instance norm (as groups of one channel) with a learnt gain and bias per channel."""
    return nn.GroupNorm(num_features, num_features)


def no_norm(num_features: int) -> nn.Module:
    """No normalisation, for the trunks of the encoder and the discriminator."""
    return nn.Identity()


def he_init(network: nn.Module, slope: float = SLOPE) -> None:
    """He initialisation of all convolutions and linear layers, in place: fan-in, negative ``slope``, zero bias."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, a=slope)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
