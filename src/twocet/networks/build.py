"""Networks, built from a configuration."""

from __future__ import annotations

from twocet.networks.config import NetworkConfig
from twocet.networks.fast import FastDiscriminator, FastEncoder, FastGenerator
from twocet.networks.interfaces import Networks
from twocet.networks.paper import PaperDiscriminator, PaperEncoder, PaperGenerator


def build(config: NetworkConfig, *, discriminator: bool = True) -> Networks:
    """New networks with random float32 weights (from torch's global generator: seed it first), with or without D."""
    built = _build(config, discriminator)
    for network in built.named().values():
        network.float()  # whatever the default dtype is
    return built


def _build(config: NetworkConfig, discriminator: bool) -> Networks:
    size, code_dim = config.size, config.code_dim
    if config.preset == "paper":
        first, cap = config.first_width, config.max_width
        return Networks(
            generator=PaperGenerator(size, code_dim, first, cap),
            encoder=PaperEncoder(size, code_dim, config.grey, first, cap),
            discriminator=PaperDiscriminator(size, first, cap) if discriminator else None,
        )
    shape = (config.shuffle, config.reduce)
    return Networks(
        generator=FastGenerator(
            size, code_dim, config.generator_widths, *shape, config.placed, config.close_up, config.detail
        ),
        encoder=FastEncoder(size, code_dim, config.grey, config.trunk_widths, *shape),
        discriminator=FastDiscriminator(size, config.trunk_widths, *shape) if discriminator else None,
    )
