"""The settings of a run on shapes. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from twocet.errors import check


@dataclass(frozen=True, kw_only=True)
class ShapeConfig:
    """One training run on point sets."""

    steps: int = 8_000
    """Rounds to train."""
    batch: int = 128
    """Shapes of each domain in a mini-batch."""
    seed: int = 0
    """Seed of the initial weights and of everything drawn."""
    threads: int = 1
    """CPU threads."""
    lr: float = 5e-4
    """Learning rate of all three networks; it is halved over and over in the second half, down to 0."""
    components: int = 60
    """Principal components of the training shapes that the networks see and change."""
    code_dim: int = 32
    """Numbers in an expression code."""
    width: int = 192
    """Units of a hidden layer."""
    depth: int = 3
    """Hidden layers of each network."""
    noise: float = 0.004
    """What the reader's errors are expected to be, per coordinate, as a share of the face's root mean square size.
    Components that vary less count for less, and networks see shapes with noise of this size."""
    evenness: float = 0.5
    """From 0 to 1: whether losses are measured as distances of points, or of equally important components."""
    cycle: float = 3.0
    """Weight of both cycles (Eq. 2 and 7)."""
    r1: float = 0.05
    """Weight of the gradient penalty R1."""
    ema: float = 0.998
    """Decay of the averaged networks per round."""
    mixing: float = 0.7
    """Differences of two neutral shapes, up to this share, are added to shapes of both domains: more identities."""
    read: float = 0.7
    """Share of the sampled codes that are read from other expressive shapes, once the encoder reads something."""
    read_noise: float = 0.2
    """Noise on such codes, as a share of their spread."""
    log_every: int = 100
    """Rounds between two lines of metrics.jsonl."""
    checkpoint_every: int = 500
    """Rounds between two checkpoints."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "threads", "components", "code_dim", "width", "depth", "log_every",
                     "checkpoint_every"):  # fmt: skip
            check(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("seed", "noise", "cycle", "r1", "mixing", "read_noise"):
            check(getattr(self, name) >= 0, f"{name} must not be negative: {getattr(self, name)}")
        check(self.lr > 0, f"lr must be positive, not {self.lr}")
        check(0 <= self.ema < 1, f"ema must be in [0, 1), not {self.ema}")
        for name in ("read", "evenness"):
            check(0 <= getattr(self, name) <= 1, f"{name} must be in [0, 1], not {getattr(self, name)}")
