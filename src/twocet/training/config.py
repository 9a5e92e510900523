"""What the configurations of all recipes share: frozen dataclasses, checked at birth.

Every recipe adds its own settings (``training.recipes.configs``). Nothing here imports torch, so that the command line
answers quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from twocet.errors import check
from twocet.method.schedules import Decay
from twocet.networks.config import NetworkConfig
from twocet.runtime.configuration import Between, Count, Number, Seed, Under1, UpTo1, Weight, check_fields

Selection = Literal["gain", "cycle", "agreement", "kid_mobilenetv2"]

_NETWORK = NetworkConfig()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the photos come from."""

    data: tuple[str, ...]
    """Dataset folders."""
    mix: tuple[Weight, ...]
    """Share of each folder in a mini-batch."""
    allow_one_sided: bool = False
    """Whether identities with photos in one domain only are accepted."""

    def __post_init__(self) -> None:
        check_fields(self)
        check(len(self.mix) == len(self.data), f"--mix takes {len(self.data)} shares, one for each folder of --data")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What the trainer needs to know of a run, whatever it trains.

    A *round* is what one step of the schedules, the averages and the checkpoints counts.
    """

    recipe: str
    """Its name in the table of recipes."""
    batch: Annotated[int, Between(1, 65_536)] = 16
    """Photos of each domain in a mini-batch, of all processes together."""
    accumulate: Count = 1
    """Pieces in which a process works through its rows of a mini-batch: less memory, same result, except that a
    sketch of the change (recipes that learn from pairs) is compared with the mean change of a piece."""
    steps: Count = 20_000
    """Rounds to train. With ``minutes`` it is replaced by what fits."""
    minutes: Annotated[float, Between(1e-9, 1e6)] | None = None
    """Budget: the speed of the first rounds decides, once, how many rounds are made."""
    seed: Seed = 0
    """Seed of the initial weights and of everything drawn."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:N or mps. The same seed gives the same start and draws on all of them."""
    threads: Annotated[int, Between(1, 1024)] = 2
    """CPU threads for the networks, of all processes on a machine together; each has at least one."""
    bf16: bool = True
    """Run the networks in bfloat16 where the device has instructions for it; weights stay float32."""
    log_every: Count = 50
    """Rounds between two lines of metrics.jsonl; the line holds means over these rounds."""
    sample_every: Count = 500
    """Rounds between two sample sheets."""
    validate_every: Count = 500
    """Rounds between two measurements on the validation split, which choose the best checkpoint."""
    checkpoint_every: Count = 500
    """Rounds between two checkpoints."""
    checkpoint_minutes: Annotated[float, Between(0, 1e6)] = 5.0
    """A checkpoint is also written when this many minutes have passed since the last one."""
    keep: Count = 2
    """Newest checkpoints to keep, besides the best one."""
    network: NetworkConfig = _NETWORK
    """The networks."""

    def __post_init__(self) -> None:
        check_fields(self)
        check(
            self.batch % self.accumulate == 0,
            f"batch ({self.batch}) must be a multiple of accumulate ({self.accumulate})",
        )


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig(RunConfig):
    """Adam, the course of its learning rate, and the average of the networks."""

    lr: UpTo1 = 1e-3
    """Learning rate of the generator."""
    betas: tuple[Under1, Under1] = (0.9, 0.99)
    """Adam's betas."""
    weight_decay: Weight = 0.0
    """L2 decay inside Adam."""
    warm_up: Number = 100
    """Rounds in which the learning rates rise from 0."""
    decay: Decay = "cosine"
    """How the learning rates fall until the last round."""
    ema: Under1 = 0.999
    """Decay of the averaged networks per round; 0 keeps no average."""
    ema_warm_up: bool = True
    """Whether the average is shorter in the beginning: decay at most (k + 1) / (k + 10) in round k."""


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

    lr_encoder: UpTo1 | None = None
    """Learning rate of the encoder; that of the generator if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(not self.network.close_up, "the recipes close_up, and no others, train networks with a close-up")


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig(RunConfig):
    """A discriminator and its optimiser."""

    lr_discriminator: UpTo1 | None = None
    """Learning rate of the discriminator; that of the generator if not given, as in the authors' code."""
    betas_discriminator: tuple[Under1, Under1] = (0.5, 0.99)
    """Adam's betas for the discriminator."""
    r1: Weight = 0.5
    """Weight of the gradient penalty R1; 0 is off."""
    r1_every: Count = 8
    """Discriminator updates between two penalties, which are weighted up accordingly; 1 is the full R1."""
    mismatch: Weight = 1.0
    """Weight in D of real photos that do not fit what D is told, and count as fake: faces of the other domain, in the
    recipes close_up mouths beside another person's code. It needs no further labels."""
