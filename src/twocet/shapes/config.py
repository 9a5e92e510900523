"""The settings of a run on shapes. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from twocet.runtime.configuration import Between, Count, Seed, Under1, UpTo1, Weight, check_fields


@dataclass(frozen=True, kw_only=True)
class ShapeConfig:
    """One training run on point sets."""

    steps: Count = 8_000
    """Rounds to train."""
    batch: Annotated[int, Between(1, 65_536)] = 128
    """Shapes of each domain in a mini-batch."""
    seed: Seed = 0
    """Seed of the initial weights and of everything drawn."""
    threads: Annotated[int, Between(1, 1024)] = 1
    """CPU threads."""
    lr: Annotated[float, Between(1e-12, 1)] = 5e-4
    """Learning rate of all three networks; it is halved over and over in the second half, down to 0."""
    components: Annotated[int, Between(1, 4096)] = 60
    """Principal components of the training shapes that the networks see and change."""
    code_dim: Annotated[int, Between(1, 4096)] = 32
    """Numbers in an expression code."""
    width: Annotated[int, Between(1, 4096)] = 192
    """Units of a hidden layer."""
    depth: Annotated[int, Between(1, 64)] = 3
    """Hidden layers of each network."""
    noise: UpTo1 = 0.004
    """What the reader's errors are expected to be, per coordinate, as a share of the face's root mean square size.
    Components that vary less count for less, and networks see shapes with noise of this size."""
    evenness: UpTo1 = 0.5
    """From 0 to 1: whether losses are measured as distances of points, or of equally important components."""
    cycle: Weight = 3.0
    """Weight of both cycles (Eq. 2 and 7)."""
    r1: Weight = 0.05
    """Weight of the gradient penalty R1."""
    ema: Under1 = 0.998
    """Decay of the averaged networks per round."""
    mixing: Weight = 0.7
    """Differences of two neutral shapes, up to this share, are added to shapes of both domains: more identities."""
    read: UpTo1 = 0.7
    """Share of the sampled codes that are read from other expressive shapes, once the encoder reads something."""
    read_noise: Weight = 0.2
    """Noise on such codes, as a share of their spread."""
    log_every: Count = 100
    """Rounds between two lines of metrics.jsonl."""
    checkpoint_every: Count = 500
    """Rounds between two checkpoints."""

    def __post_init__(self) -> None:
        check_fields(self)
