"""The paper's networks with the layer names of the authors' checkpoints, written down a second time from the facts.

Deliberately unlike ``twocet.networks.paper``: instance norm as such, up-sampling before the shortcut's convolution.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def leaky(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, 0.2)


class Block(nn.Module):
    """Residual block; ``normed`` with instance norm, ``smaller`` with halving."""

    def __init__(self, num_in: int, num_out: int, normed: bool = False, smaller: bool = False) -> None:
        super().__init__()
        self.smaller = smaller
        self.conv1 = nn.Conv2d(num_in, num_in, 3, 1, 1)
        self.conv2 = nn.Conv2d(num_in, num_out, 3, 1, 1)
        if normed:
            self.norm1 = nn.InstanceNorm2d(num_in, affine=True)
            self.norm2 = nn.InstanceNorm2d(num_in, affine=True)
        else:
            self.norm1, self.norm2 = nn.Identity(), nn.Identity()
        self.conv1x1 = nn.Conv2d(num_in, num_out, 1, bias=False) if num_in != num_out else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        branch = self.conv1(leaky(self.norm1(features)))
        direct = self.conv1x1(features)
        if self.smaller:
            branch, direct = functional.avg_pool2d(branch, 2), functional.avg_pool2d(direct, 2)
        return (self.conv2(leaky(self.norm2(branch))) + direct) / math.sqrt(2)


class CodedNorm(nn.Module):
    """(1 + gamma) * IN(x) + beta from one linear layer."""

    def __init__(self, code_dim: int, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(code_dim, 2 * width)
        self.width = width

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        numbers = self.fc(code)[:, :, None, None]
        return (1 + numbers[:, : self.width]) * functional.instance_norm(features) + numbers[:, self.width :]


class CodedBlock(nn.Module):
    def __init__(self, num_in: int, num_out: int, code_dim: int, larger: bool = False) -> None:
        super().__init__()
        self.larger = larger
        self.conv1 = nn.Conv2d(num_in, num_out, 3, 1, 1)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, 1, 1)
        self.norm1, self.norm2 = CodedNorm(code_dim, num_in), CodedNorm(code_dim, num_out)
        self.conv1x1 = nn.Conv2d(num_in, num_out, 1, bias=False) if num_in != num_out else nn.Identity()

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        branch, direct = leaky(self.norm1(features, code)), features
        if self.larger:
            branch, direct = (functional.interpolate(x, scale_factor=2, mode="nearest") for x in (branch, direct))
        branch = self.conv2(leaky(self.norm2(self.conv1(branch), code)))
        return (branch + self.conv1x1(direct)) / math.sqrt(2)


class Generator(nn.Module):
    def __init__(self, size: int, code_dim: int, first: int, cap: int) -> None:
        super().__init__()
        levels = [min(first * 2**k, cap) for k in range(int(math.log2(size)) - 4 + 1)]
        self.from_rgb = nn.Conv2d(3, first, 3, 1, 1)
        down = [Block(a, b, normed=True, smaller=True) for a, b in pairwise(levels)]
        up = [CodedBlock(b, a, code_dim, larger=True) for a, b in pairwise(levels)]
        last = levels[-1]
        self.encode = nn.ModuleList([*down, Block(last, last, normed=True), Block(last, last, normed=True)])
        self.decode = nn.ModuleList([CodedBlock(last, last, code_dim), CodedBlock(last, last, code_dim), *up[::-1]])
        self.to_rgb = nn.Sequential(nn.InstanceNorm2d(first, affine=True), nn.LeakyReLU(0.2), nn.Conv2d(first, 3, 1))

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        features = self.from_rgb(image)
        for block in self.encode:
            features = block(features)
        for block in self.decode:
            features = block(features, code)
        return self.to_rgb(features)


class Shared(nn.Module):
    def __init__(self, size: int, num_in: int, first: int, cap: int) -> None:
        super().__init__()
        levels = [min(first * 2**k, cap) for k in range(int(math.log2(size)) - 2 + 1)]
        blocks = [Block(a, b, smaller=True) for a, b in pairwise(levels)]
        last = levels[-1]
        tail = [nn.LeakyReLU(0.2), nn.Conv2d(last, last, 4), nn.LeakyReLU(0.2)]
        self.shared = nn.Sequential(nn.Conv2d(num_in, first, 3, 1, 1), *blocks, *tail)
        self.width = last

    def forward(self, image: Tensor) -> Tensor:
        return self.shared(image)


class Encoder(nn.Module):
    def __init__(self, size: int, code_dim: int, grey: bool, first: int, cap: int) -> None:
        super().__init__()
        self.grey = grey
        self.shared = Shared(size, 1 if grey else 3, first, cap)
        self.unshared = nn.ModuleList([nn.Linear(self.shared.width, code_dim)])

    def forward(self, image: Tensor) -> Tensor:
        seen = image.mean(1, keepdim=True) if self.grey else image
        return self.unshared[0](self.shared(seen).flatten(1))


class Discriminator(nn.Module):
    def __init__(self, size: int, first: int, cap: int) -> None:
        super().__init__()
        trunk = Shared(size, 3, first, cap)
        self.main = nn.Sequential(trunk, nn.Conv2d(trunk.width, 2, 1))

    def forward(self, image: Tensor) -> Tensor:
        return self.main(image).flatten(1)


def networks(
    size: int, code_dim: int = 32, grey: bool = True, first: int | None = None, cap: int = 512
) -> dict[str, nn.Module]:
    """Generator, encoder and discriminator, with norms whose gains and biases do something."""
    torch.manual_seed(1)
    first = first or 2**14 // size
    made = {
        "generator": Generator(size, code_dim, first, cap),
        "encoder": Encoder(size, code_dim, grey, first, cap),
        "discriminator": Discriminator(size, first, cap),
    }
    for module in made["generator"].modules():
        if isinstance(module, nn.InstanceNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.2)
            nn.init.normal_(module.bias, 0.0, 0.2)
    return made
