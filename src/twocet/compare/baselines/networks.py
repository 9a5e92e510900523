"""The networks of the two baselines, at the published size and at one that a CPU can train.

StarGAN v2 without the high-pass filter shares the blocks of 2CET's published networks (2CET took them from it); at
128 px with 26 domains: generator 33,632,003, mapping network 22,137,472, style encoder 21,587,712, discriminator
20,747,418 parameters. GANimation with 17 action units: generator 8,471,296, discriminator 44,860,352.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.compare.baselines.config import GANimationConfig, StarGANConfig
from twocet.networks import fast, paper
from twocet.networks.edit import reduced
from twocet.networks.layers import AdaINBlock, ResidualBlock, activation, he_init, instance_norm

INIT_STD = 0.02
"""Standard deviation of GANimation's initial weights."""
GANIMATION_SLOPE = 0.01
BLOCKS = 6
"""Residual blocks in the middle of GANimation's generator."""


class StarGANNetworks(NamedTuple):
    """The four networks of StarGAN v2."""

    generator: nn.Module
    """G: a face (N, 3, S, S) and a style (N, d) to a face (N, 3, S, S) float32."""
    mapping: nn.Module
    """F: latent codes (N, l) and domains (N,) to styles (N, d) float32."""
    encoder: nn.Module
    """E: faces (N, 3, S, S) and domains (N,) to styles (N, d) float32."""
    discriminator: nn.Module
    """D: faces (N, 3, S, S) and domains (N,) to one logit each, (N,) float32."""


class StyleGenerator(nn.Module):
    """G of the size fast: that of StarGAN v2 on unshuffled pixels (a block of ``shuffle`` x ``shuffle`` is one)."""

    def __init__(self, style_dim: int, widths: tuple[int, ...], shuffle: int) -> None:
        super().__init__()
        levels, deepest = list(pairwise(widths)), widths[-1]
        self.shuffle = shuffle
        self.stem = nn.Conv2d(3 * shuffle**2, widths[0], 3, padding=1)
        self.down = nn.Sequential(*(ResidualBlock(few, many, instance_norm, halves=True) for few, many in levels))
        self.middle = nn.Sequential(*(ResidualBlock(deepest, deepest, instance_norm) for _ in range(2)))
        self.coded = nn.ModuleList(AdaINBlock(deepest, deepest, style_dim) for _ in range(2))
        self.up = nn.ModuleList(AdaINBlock(many, few, style_dim, doubles=True) for few, many in reversed(levels))
        self.norm = instance_norm(widths[0])
        self.head = nn.Conv2d(widths[0], 3 * shuffle**2, 1)

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        features = self.middle(self.down(self.stem(functional.pixel_unshuffle(image, self.shuffle))))
        for block in (*self.coded, *self.up):
            features = block(features, style)
        return functional.pixel_shuffle(self.head(activation(self.norm(features))).float(), self.shuffle)


class DomainLinear(nn.Module):
    """A linear layer for each domain, of which each row uses its own."""

    def __init__(self, num_domains: int, num_in: int, num_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_domains, num_in, num_out) * math.sqrt(2 / num_in))
        self.bias = nn.Parameter(torch.zeros(num_domains, 1, num_out))

    def forward(self, features: Tensor, domain: Tensor) -> Tensor:
        return torch.baddbmm(self.bias[domain], features[:, None], self.weight[domain])[:, 0]


class Mapping(nn.Module):
    """F: four shared layers, then four of each domain."""

    def __init__(self, latent_dim: int, style_dim: int, num_domains: int, width: int) -> None:
        super().__init__()
        shared = [nn.Linear(few, width) for few in (latent_dim, width, width, width)]
        self.shared = nn.Sequential(*(part for layer in shared for part in (layer, nn.ReLU())))
        self.own = nn.ModuleList(DomainLinear(num_domains, width, width) for _ in range(3))
        self.head = DomainLinear(num_domains, width, style_dim)
        he_init(self, slope=0.0)

    def forward(self, latent: Tensor, domain: Tensor) -> Tensor:
        features = self.shared(latent)
        for layer in self.own:
            features = torch.relu(layer(features, domain))
        style: Tensor = self.head(features, domain)
        return style.float()


class StyleEncoder(nn.Module):
    """E: a trunk, and a linear head for each domain; the heads are one layer of which each row takes its part."""

    def __init__(self, trunk: nn.Module, num_domains: int) -> None:
        super().__init__()
        self.trunk, self.num_domains = trunk, num_domains

    def forward(self, image: Tensor, domain: Tensor) -> Tensor:
        styles: Tensor = self.trunk(image).view(len(image), self.num_domains, -1)
        return styles[torch.arange(len(image)), domain].float()


class DomainDiscriminator(nn.Module):
    """D: a trunk with an output for each domain."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, image: Tensor, domain: Tensor) -> Tensor:
        logits: Tensor = self.trunk(image).flatten(1)
        return logits[torch.arange(len(image)), domain].float()


def build_stargan(config: StarGANConfig) -> StarGANNetworks:
    """New networks for the domains of ``config``, He-initialised."""
    network, num_domains = config.network, len(config.domains)

    def trunk(num_out: int) -> nn.Module:
        if network.preset == "fast":
            return fast.trunk(network.size, 3, network.trunk_widths, network.shuffle, num_out)
        layers, width = paper.trunk(network.size, 3, network.first_width, network.max_width)
        return nn.Sequential(layers, nn.Flatten(), nn.Linear(width, num_out))

    generator: nn.Module
    if network.preset == "fast":
        generator = StyleGenerator(network.code_dim, network.generator_widths, network.shuffle)
    else:
        generator = paper.PaperGenerator(network.size, network.code_dim, network.first_width, network.max_width)
    encoder = StyleEncoder(trunk(num_domains * network.code_dim), num_domains)
    discriminator = DomainDiscriminator(trunk(num_domains))
    for part in (generator, encoder, discriminator):
        he_init(part, slope=0.0)
    mapping = Mapping(config.latent_dim, network.code_dim, num_domains, config.mapping_width)
    return StarGANNetworks(generator, mapping, encoder, discriminator)


class Painted(NamedTuple):
    """What GANimation's generator makes of a face."""

    image: Tensor
    """mask * face + (1 - mask) * colour, (N, 3, S, S) float32."""
    mask: Tensor
    """(N, 1, h, w) float32 in (0, 1): the share of the face itself; h = w is the size the generator works at."""


class Judged(NamedTuple):
    """What GANimation's discriminator says of a face."""

    realness: Tensor
    """The critic's values of overlapping patches, (N, 1, p, p) float32."""
    units: Tensor
    """The action units it reads, (N, 17) float32."""


class GANimationNetworks(NamedTuple):
    """The two networks of GANimation."""

    generator: nn.Module
    """G: a face (N, 3, S, S) and action units (N, 17) to :class:`Painted`."""
    discriminator: nn.Module
    """D: a face to :class:`Judged`."""


class PlainBlock(nn.Module):
    """GANimation's residual block: convolution, norm, ReLU, convolution, norm; the sum is not scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), instance_norm(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), instance_norm(width),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.layers(features)
        return features + changed


class UnitGenerator(nn.Module):
    """G of GANimation: ``widths`` before and after each halving; the action units come in as constant maps.

    In the size fast it works at size / ``reduce`` on unshuffled pixels, and its mask and colours are enlarged to the
    face, whose own pixels the mask lets through in full resolution.
    """

    def __init__(self, size: int, widths: tuple[int, ...], kernel: int, shuffle: int = 1, reduce: int = 1) -> None:
        super().__init__()
        self.working_size, self.shuffle = size // reduce, shuffle
        levels, first, deepest = list(pairwise(widths)), widths[0], widths[-1]
        stem = nn.Conv2d(3 * shuffle**2 + 17, first, kernel, padding=kernel // 2, bias=False)
        self.layers = nn.Sequential(
            stem, instance_norm(first), nn.ReLU(),
            *(part for few, many in levels for part in _resized(nn.Conv2d, few, many)),
            *(PlainBlock(deepest) for _ in range(BLOCKS)),
            *(part for few, many in reversed(levels) for part in _resized(nn.ConvTranspose2d, many, few)),
        )  # fmt: skip
        self.colour = nn.Conv2d(first, 3 * shuffle**2, kernel, padding=kernel // 2, bias=False)
        self.mask = nn.Conv2d(first, shuffle**2, kernel, padding=kernel // 2, bias=False)

    def forward(self, image: Tensor, units: Tensor) -> Painted:
        pixels = functional.pixel_unshuffle(reduced(image, self.working_size), self.shuffle)
        maps = units[:, :, None, None].expand(-1, -1, *pixels.shape[-2:])
        features = self.layers(torch.cat([pixels, maps], dim=1))
        colour, mask = (
            functional.pixel_shuffle(head(features).float(), self.shuffle) for head in (self.colour, self.mask)
        )
        mask = torch.sigmoid(mask)
        return Painted(torch.lerp(_enlarged(torch.tanh(colour), image), image.float(), _enlarged(mask, image)), mask)


def _resized(convolution: type[nn.Conv2d] | type[nn.ConvTranspose2d], num_in: int, num_out: int) -> list[nn.Module]:
    return [convolution(num_in, num_out, 4, stride=2, padding=1, bias=False), instance_norm(num_out), nn.ReLU()]


def _enlarged(field: Tensor, image: Tensor) -> Tensor:
    if field.shape[-1] == image.shape[-1]:
        return field
    return functional.interpolate(field, size=image.shape[-2:], mode="bilinear", align_corners=False)


class UnitDiscriminator(nn.Module):
    """D of GANimation: halvings with ``widths``, then a critic of patches and a reading of the action units."""

    def __init__(self, size: int, widths: tuple[int, ...], shuffle: int = 1, reduce: int = 1) -> None:
        super().__init__()
        self.working_size, self.shuffle = size // reduce, shuffle
        channels = (3 * shuffle**2, *widths)
        self.layers = nn.Sequential(
            *(
                part
                for few, many in pairwise(channels)
                for part in (nn.Conv2d(few, many, 4, stride=2, padding=1), nn.LeakyReLU(GANIMATION_SLOPE))
            )
        )
        side = self.working_size // shuffle // 2 ** len(widths)
        self.realness = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        self.units = nn.Conv2d(widths[-1], 17, side, bias=False)

    def forward(self, image: Tensor) -> Judged:
        features = self.layers(functional.pixel_unshuffle(reduced(image, self.working_size), self.shuffle))
        return Judged(self.realness(features).float(), self.units(features).flatten(1).float())


def build_ganimation(config: GANimationConfig) -> GANimationNetworks:
    """New networks; convolutions start from N(0, .02)."""
    network = config.network
    generator: nn.Module
    if network.preset == "fast":
        shape = (network.shuffle, network.reduce)
        generator = UnitGenerator(network.size, network.generator_widths, 3, *shape)
        discriminator = UnitDiscriminator(network.size, network.trunk_widths, *shape)
    else:
        first = network.first_width or 64
        generator = UnitGenerator(network.size, (first, 2 * first, 4 * first), 7)
        depth = network.size.bit_length() - 2
        widths = tuple(min(first * 2**level, network.max_width) for level in range(depth))
        discriminator = UnitDiscriminator(network.size, widths)
    for part in (generator, discriminator):
        for module in part.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, std=INIT_STD)
    return GANimationNetworks(generator, discriminator)
