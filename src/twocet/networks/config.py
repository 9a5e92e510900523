"""What is needed to build the networks of a model. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from twocet.errors import check
from twocet.runtime.configuration import Between, check_fields

Preset = Literal["paper", "fast"]
Width = Annotated[int, Between(1, 4096)]
"""Channels of a layer."""
MOST_WIDTHS = 10


def is_power_of_two(number: int) -> bool:
    """Whether ``number`` is 1, 2, 4, 8, ..."""
    return number >= 1 and number & (number - 1) == 0


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What is needed to build generator, encoder and discriminator."""

    preset: Preset = "fast"
    """Family of networks: ``paper`` as published, ``fast`` for training on a CPU."""
    size: Annotated[int, Between(32, 2048)] = 128
    """Side of the square crop in pixels, a power of two."""
    code_dim: Width = 32
    """Numbers in an expression code."""
    grey: bool = True
    """Whether the encoder sees the channel mean only."""
    generator_widths: tuple[Width, ...] = (64, 128, 160)
    """Preset fast: the generator's channels at size / reduce / shuffle and at each halving."""
    trunk_widths: tuple[Width, ...] = (64, 128, 128)
    """Preset fast: channels of encoder and discriminator, likewise; the last one repeats."""
    reduce: Width = 2
    """Preset fast: the networks see the crop at size / reduce; what they decide is applied at full resolution."""
    shuffle: Width = 4
    """Preset fast: side of the block of pixels that becomes channels first."""
    placed: bool = True
    """Preset fast: whether the generator has maps that say where in the crop a code acts."""
    close_up: bool = False
    """Preset fast: whether a second network of the generator finishes mouths at full size."""
    detail: bool = False
    """Preset fast: whether a further network of the generator looks at the result at twice the resolution and corrects
    how it moves and paints."""
    first_width: Width | None = None
    """Preset paper: channels at full resolution; None is the published 16384 / size."""
    max_width: Width = 512
    """Preset paper: most channels of any layer."""

    @property
    def coarse_size(self) -> int:
        """Side of the smallest photos that tell the networks all they look at."""
        if self.preset != "fast":
            return self.size
        return self.size // self.reduce * (2 if self.detail else 1)

    @property
    def fine_size(self) -> int:
        """Side at which networks of preset fast finish a face."""
        return self.coarse_size if self.detail else self.size

    def __post_init__(self) -> None:
        check_fields(self)
        check(not self.close_up or self.preset == "fast", "close_up is for networks of the preset fast alone")
        check(not self.detail or self.preset == "fast", "detail is for networks of the preset fast alone")
        check(not self.detail or self.reduce >= 2, "detail needs a reduce of 2 or more: there is nothing finer to see")
        check(is_power_of_two(self.size), f"size must be a power of two, not {self.size}")
        for name in ("generator_widths", "trunk_widths"):
            widths = getattr(self, name)
            check(1 <= len(widths) <= MOST_WIDTHS, f"{name} must be 1 to {MOST_WIDTHS} numbers, not {len(widths)}")
        check(
            all(map(is_power_of_two, (self.shuffle, self.reduce))) and self.size // self.shuffle // self.reduce >= 4,
            f"shuffle and reduce must be powers of two, together at most a quarter of the size, not {self.shuffle} "
            f"and {self.reduce}",
        )
