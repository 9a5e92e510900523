"""The settings of a run on shapes. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from twocet.runtime.configuration import Between, Count, Number, Seed, Under1, UpTo1, Weight, check_fields


@dataclass(frozen=True, kw_only=True)
class ShapeConfig:
    """One training run on point sets."""

    steps: Number = 800
    """Rounds to train; 0 leaves the estimate that networks begin at."""
    batch: Annotated[int, Between(1, 65_536)] = 128
    """Shapes of each domain in a mini-batch."""
    seed: Seed = 0
    """Seed of the initial weights and of everything drawn."""
    threads: Annotated[int, Between(1, 1024)] = 1
    """CPU threads."""
    lr: Annotated[float, Between(1e-12, 1)] = 5e-5
    """Learning rate of all three networks; it is halved over and over in the second half, down to 0."""
    components: Annotated[int, Between(1, 4096)] = 60
    """Principal components of the training shapes that the networks see and change."""
    code_dim: Annotated[int, Between(1, 4096)] = 32
    """Numbers in an expression code."""
    kinds: Annotated[int, Between(1, 256)] = 12
    """Kinds of movements, each normal about its own mean, that the estimate at the start knows at most."""
    width: Annotated[int, Between(1, 4096)] = 192
    """Units of a hidden layer."""
    depth: Annotated[int, Between(1, 64)] = 3
    """Hidden layers of each network."""
    noise: UpTo1 = 0.012
    """What the reader's errors are expected to be, per coordinate, as a share of the face's root mean square size.
    Components that vary less count for less, and networks see shapes with noise of this size."""
    evenness: UpTo1 = 0.5
    """From 0 to 1: whether losses are measured as distances of points, or of equally important components."""
    cycle_neutral: Weight = 5.0
    """Weight of the neutral cycle (Eq. 2), of squared differences as shares of the shapes' variance."""
    cycle_expressive: Weight = 0.1
    """Weight of the expressive cycle (Eq. 7), likewise."""
    adversarial_expressive: Weight = 0.1
    """Weight of the realness of expressive fakes (Eq. 1)."""
    adversarial_neutral: Weight = 0.02
    """Weight of the realness of neutral fakes (Eq. 6). It asks for faces that vary as true ones do, and so for guesses
    where an expression hides how a face is at rest; the cycle asks for the likeliest face."""
    diversity: Weight = 0.0
    """Weight of the distance of two fakes of one face (Eq. 4), falling to 0 at the last round."""
    r1: Weight = 0.05
    """Weight of the gradient penalty R1."""
    ema: Under1 = 0.998
    """Decay of the averaged networks per round."""
    read: UpTo1 = 0.6
    """Share of the sampled codes that are read from expressive shapes, with the variance that reading leaves out."""
    log_every: Count = 100
    """Rounds between two lines of metrics.jsonl."""
    checkpoint_every: Count = 500
    """Rounds between two checkpoints."""

    def __post_init__(self) -> None:
        check_fields(self)
