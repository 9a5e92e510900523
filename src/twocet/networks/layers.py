"""The building blocks of the networks: kernels as functions, modules as thin holders of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Negative slope of every leaky ReLU."""


def activation(features: Tensor, *, in_place: bool = False) -> Tensor:
    """Leaky ReLU with the slope used everywhere; ``in_place`` if nobody else needs ``features``, to save a map."""
    return functional.leaky_relu(features, SLOPE, inplace=in_place)


def halve(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, H/2, W/2) by averaging 2 x 2 pixels."""
    return functional.avg_pool2d(features, 2)


def double(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W) by repeating pixels."""
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


# Which places of a 3 x 3 kernel meet at each place of a 4 x 4 one, when it is applied at two neighbours, down and
# across: (9, 16).
_ALONG = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=torch.float32, device="cpu")
_MEET = torch.kron(_ALONG, _ALONG)
FUSED_FROM = 32
"""Side in pixels from which resizing and convolution are one: below it, making the kernel costs what that saves."""


def widened(kernel: Tensor) -> Tensor:
    """(O, I, 3, 3) -> (O, I, 4, 4): the kernel summed over its applications at the pixels of a 2 x 2 block."""
    meet = _MEET.to(kernel) if kernel.device.type == "cpu" else _meet_on(kernel.device, kernel.dtype)
    return (kernel.flatten(2) @ meet).view(*kernel.shape[:2], 4, 4)


@cache
def _meet_on(device: torch.device, dtype: torch.dtype) -> Tensor:
    """``_MEET`` on a card, copied there once: the card's queue would have to run dry for every copy."""
    return _MEET.to(device, dtype)


def convolve_then_halve(features: Tensor, conv: nn.Conv2d) -> Tensor:
    """``halve(conv(features))`` for a 3 x 3 convolution: on large maps one of 4 x 4 with stride 2, 4/9 of the work."""
    if features.shape[-1] < FUSED_FROM:
        return halve(conv(features))
    return functional.conv2d(features, widened(conv.weight) / 4, conv.bias, stride=2, padding=1)


def double_then_convolve(features: Tensor, conv: nn.Conv2d) -> Tensor:
    """``conv(double(features))`` for a 3 x 3 convolution, likewise: a transposed one, and no doubled map to keep."""
    if 2 * features.shape[-1] < FUSED_FROM:
        small: Tensor = conv(double(features))
        return small
    kernel = widened(conv.weight.flip(2, 3)).transpose(0, 1)
    return functional.conv_transpose2d(features, kernel, conv.bias, stride=2, padding=1)


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
    """Pre-activation residual block: (norm, activation, convolution) twice; with ``halves``, to half the side.

    ``norm`` makes a normalisation for a width (:class:`torch.nn.Identity` for none). Halving is done between the
    convolutions and on the shortcut (there first: it commutes with a 1 x 1 convolution and saves work).
    """

    def __init__(self, num_in: int, num_out: int, norm: Callable[[int], nn.Module], *, halves: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(num_in), norm(num_in)
        self.conv1 = nn.Conv2d(num_in, num_in, 3, padding=1)
        self.conv2 = nn.Conv2d(num_in, num_out, 3, padding=1)
        self.shortcut = shortcut(num_in, num_out)
        self.halves = halves

    def forward(self, features: Tensor) -> Tensor:
        normed = self.norm1(features)
        residual = activation(normed, in_place=normed is not features)
        residual = convolve_then_halve(residual, self.conv1) if self.halves else self.conv1(residual)
        residual = self.conv2(activation(self.norm2(residual), in_place=True))
        return residual_sum(self.shortcut(halve(features) if self.halves else features), residual)


class AdaINBlock(nn.Module):
    """The residual block of the decoder: AdaIN for norm; with ``doubles``, the side doubles before the convolutions."""

    def __init__(self, num_in: int, num_out: int, code_dim: int, *, doubles: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = AdaIN(num_in, code_dim), AdaIN(num_out, code_dim)
        self.conv1 = nn.Conv2d(num_in, num_out, 3, padding=1)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, padding=1)
        self.shortcut = shortcut(num_in, num_out)
        self.doubles = doubles

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        residual = activation(self.norm1(features, code), in_place=True)
        residual = double_then_convolve(residual, self.conv1) if self.doubles else self.conv1(residual)
        residual = self.conv2(activation(self.norm2(residual, code), in_place=True))
        straight = self.shortcut(features)
        return residual_sum(double(straight) if self.doubles else straight, residual)


def instance_norm(num_features: int) -> nn.Module:
    """Instance norm (as groups of one channel) with a learnt gain and bias per channel."""
    return nn.GroupNorm(num_features, num_features)


def no_norm(num_features: int) -> nn.Module:
    """No normalisation, for the trunks of the encoder and the discriminator."""
    return nn.Identity()


def he_init(network: nn.Module, slope: float = SLOPE) -> None:
    """He initialisation of all convolutions and linear layers, in place: fan-in, negative ``slope``, zero bias."""
    gain = nn.init.calculate_gain("leaky_relu", slope)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            draw_normal(module.weight, gain / math.sqrt(module.weight[0].numel()))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def draw_normal(weight: Tensor, std: float) -> None:
    """Normal numbers about 0 with deviation ``std``, in place.

    On the device meta there are none to draw, and to ask for them would import torch's compiler, which takes a second.
    """
    if not weight.is_meta:
        nn.init.normal_(weight, std=std)
