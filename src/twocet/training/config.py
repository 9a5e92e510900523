"""What the configurations of all recipes share: frozen dataclasses, checked at birth.

Every recipe adds its own settings (``training.recipes.configs``). Nothing here imports torch, so that the command line
answers quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twocet.errors import check
from twocet.method.schedules import Decay
from twocet.networks.config import NetworkConfig

Selection = Literal["gain", "cycle", "agreement", "kid_mobilenetv2"]

_NETWORK = NetworkConfig()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the photos come from."""

    data: tuple[str, ...]
    """Dataset folders."""
    mix: tuple[float, ...]
    """Share of each folder in a mini-batch."""
    allow_one_sided: bool = False
    """Whether identities with photos in one domain only are accepted."""

    def __post_init__(self) -> None:
        # JSON knows lists only.
        object.__setattr__(self, "data", tuple(self.data))
        object.__setattr__(self, "mix", tuple(self.mix))


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What the trainer needs to know of a run, whatever it trains.

    A *round* is what one step of the schedules, the averages and the checkpoints counts.
    """

    recipe: str
    """Its name in the table of recipes."""
    batch: int = 16
    """Photos of each domain in a mini-batch, of all processes together."""
    accumulate: int = 1
    """Pieces in which a process works through its rows of a mini-batch: less memory, same result, except that a
    sketch of the change (recipes that learn from pairs) is compared with the mean change of a piece."""
    steps: int = 20_000
    """Rounds to train. With ``minutes`` it is replaced by what fits."""
    minutes: float | None = None
    """Budget: the speed of the first rounds decides, once, how many rounds are made."""
    seed: int = 0
    """Seed of the initial weights and of everything drawn."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:N or mps. The same seed gives the same start and draws on all of them."""
    threads: int = 2
    """CPU threads for the networks, of all processes on a machine together; each has at least one."""
    bf16: bool = True
    """Run the networks in bfloat16 where the device has instructions for it; weights stay float32."""
    log_every: int = 50
    """Rounds between two lines of metrics.jsonl; the line holds means over these rounds."""
    sample_every: int = 500
    """Rounds between two sample sheets."""
    validate_every: int = 500
    """Rounds between two measurements on the validation split, which choose the best checkpoint."""
    checkpoint_every: int = 500
    """Rounds between two checkpoints."""
    checkpoint_minutes: float = 5.0
    """A checkpoint is also written when this many minutes have passed since the last one."""
    keep: int = 2
    """Newest checkpoints to keep, besides the best one."""
    network: NetworkConfig = _NETWORK
    """The networks."""

    def __post_init__(self) -> None:
        for name in ("batch", "accumulate", "steps", "threads", "log_every", "sample_every",
                     "validate_every", "checkpoint_every", "keep"):  # fmt: skip
            check(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")
        check(
            self.batch % self.accumulate == 0,
            f"batch ({self.batch}) must be a multiple of accumulate ({self.accumulate})",
        )
        check(self.seed >= 0, f"seed must not be negative: {self.seed}")
        check(self.minutes is None or self.minutes > 0, f"minutes must be positive, not {self.minutes}")


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig(RunConfig):
    """Adam, the course of its learning rate, and the average of the networks."""

    lr: float = 1e-3
    """Learning rate of the generator."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Adam's betas."""
    weight_decay: float = 0.0
    """L2 decay inside Adam."""
    warm_up: int = 100
    """Rounds in which the learning rates rise from 0."""
    decay: Decay = "cosine"
    """How the learning rates fall until the last round."""
    ema: float = 0.999
    """Decay of the averaged networks per round; 0 keeps no average."""
    ema_warm_up: bool = True
    """Whether the average is shorter in the beginning: decay at most (k + 1) / (k + 10) in round k."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        super().__post_init__()
        check(0 <= self.ema < 1, f"ema must be in [0, 1), not {self.ema}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(OptimiserConfig):
    """What becomes a model for editing photos."""

    even: bool = True
    """Whether, when training is complete, the length of codes is chosen so that measured movement follows the strength.
    See ``twocet.model.strength``."""
    select: Selection = "gain"
    """What chooses the best checkpoint: gain over pairs of one person, error of the expressive cycle (lower is better;
    needs no pairs), agreement of the blendshapes of transferred expressions with their references, or kernel distance
    of the transfers from the expressive photos (lower is better)."""


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(ModelConfig):
    """Generator and encoder trained together."""

    lr_encoder: float = 1e-3
    """Learning rate of the encoder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(not self.network.close_up, "the recipes close_up, and no others, train networks with a close-up")


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig(RunConfig):
    """A discriminator and its optimiser."""

    lr_discriminator: float = 5e-4
    """Learning rate of the discriminator."""
    betas_discriminator: tuple[float, float] = (0.5, 0.99)
    """Adam's betas for the discriminator."""
    r1: float = 0.5
    """Weight of the gradient penalty R1; 0 is off."""
    r1_every: int = 8
    """Discriminator updates between two penalties, which are weighted up accordingly; 1 is the full R1."""
    mismatch: float = 1.0
    """Weight in D of real photos that do not fit what D is told, and count as fake: faces of the other domain, in the
    recipes close_up mouths beside another person's code. It needs no further labels."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas_discriminator", tuple(self.betas_discriminator))
        super().__post_init__()
        check(self.r1_every >= 1, f"r1_every must be at least 1, not {self.r1_every}")
