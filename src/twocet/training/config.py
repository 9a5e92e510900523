"""Everything that can be configured: frozen dataclasses, checked at birth.

Nothing here imports torch, so that the command line can show its help quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from twocet.errors import check
from twocet.method.schedules import Decay, Schedule, constant
from twocet.networks.config import NetworkConfig

Recipe = Literal["paper", "authors", "fast", "landmarks", "unpaired", "close_up", "close_up_unpaired"]
Selection = Literal["gain", "cycle", "agreement", "kid_mobilenetv2"]


_NETWORK = NetworkConfig()
# The dynamic weights of the paper's Sec. 4.6.
_ONE = constant(1.0)
_CYCLE_RISES = Schedule(end=10_000, start=1.0, stop=1.5)
_CODE_COMES_IN = Schedule(rise=5_000, end=5_000)
_DIVERSITY_FADES = Schedule(end=10_000, start=1.0, stop=0.0)
_MOUTHS_ARE_JUDGED = constant(0.3)
_NEUTRAL_COMES_IN = Schedule(rise=1_000, end=3_000, start=0.0, stop=1.0)
NOISE_COMES_IN = Schedule(rise=3_000, end=8_000, start=0.0, stop=0.4)


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weight of every term of the objective, each a schedule over rounds (the lambdas of Eq. 5 and 8)."""

    adversarial_expressive: Schedule = _ONE
    """Realness of expressive fakes, Eq. 1."""
    adversarial_neutral: Schedule = _ONE
    """Realness of neutral fakes, Eq. 6."""
    cycle_neutral: Schedule = _ONE
    """Neutral to expressive and back, Eq. 2."""
    cycle_expressive: Schedule = _CYCLE_RISES
    """Expressive to neutral and back, Eq. 7."""
    code: Schedule = _CODE_COMES_IN
    """The sampled code read back from the fake, Eq. 3."""
    diversity: Schedule = _DIVERSITY_FADES
    """Distance of two fakes of one face, Eq. 4; subtracted."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What the trainer needs to know of a run, whatever it trains. ``twocet.compare.methods`` lists what there is."""

    batch: int = 16
    """Photos of each domain in a mini-batch, of all processes together."""
    accumulate: int = 1
    """Pieces in which a process works through its rows of a mini-batch: less memory, same result, except that with the
    recipes fast and close_up codes go to other people of a piece only."""
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

    @property
    def needs_both_of_everybody(self) -> bool:
        """Whether training fails on people with photos in one domain only (paper, Sec. 5)."""
        return True


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
    """One training run. A *round* is what one step of the schedules, the averages and the checkpoints counts."""

    recipe: Recipe = "fast"
    """What happens in a round; see ``twocet.training.recipes``."""
    weights: LossWeights = LossWeights()
    """Weights of the paper's losses."""
    lr: float = 1e-3
    """Learning rate of the generator."""
    lr_encoder: float = 1e-3
    """Learning rate of the encoder."""
    lr_discriminator: float = 5e-4
    """Learning rate of the discriminator."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Adam's betas for generator and encoder."""
    betas_discriminator: tuple[float, float] = (0.5, 0.99)
    """Adam's betas for the discriminator."""
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
    r1: float = 0.5
    """Weight of the gradient penalty R1; 0 is off."""
    r1_every: int = 8
    """Discriminator updates between two penalties, which are weighted up accordingly; 1 is the full R1."""
    codes: Literal["uniform", "normal"] = "uniform"
    """Distribution of sampled codes."""
    code_range: float = 1.0
    """Width of the uniform distribution around 0; twice the standard deviation of the normal one."""
    diversity: Literal["plain", "proportional"] = "proportional"
    """Eq. 4 as published, or weighed by the distance of the two codes as in the authors' code."""
    cycles: tuple[Literal["both", "neutral"], ...] = ("both", "both", "neutral")
    """The mini-batches of one round of the recipes paper and authors: which cycles each one trains."""
    augmentation: Literal["paper", "none"] = "paper"
    """Recipes paper and authors: random crop and flip, drawn for every photo, or nothing."""
    zero_edits: float = 0.1
    """Pairs: share of pairs with nothing to change, a neutral photo being both."""
    coarse: bool = True
    """Train on photos of size / reduce, what the networks of preset fast see anyway: half the time, no fine detail."""
    moved: bool = True
    """Pairs: whether photos are shifted, turned, scaled and bent at random; what the encoder sees always is. That makes
    them less sharp than those to be edited: let a run without it follow (--init)."""
    adversarial: Schedule = _MOUTHS_ARE_JUDGED
    """Close-up: weight of realness."""
    sketch: float = 0.2
    """Pairs: weight of a coarse picture of the change (with landmarks: the movement) read linearly from the code."""
    view: float = 1.0
    """Pairs: how much the encoder's view is shifted, turned and scaled, see ``augment.encoder_input``."""
    change_floor: float = 0.03
    """Pairs: added to the mean absolute difference of a pair, by which its errors are divided."""
    moving: float = 1.0
    """With landmarks: weight of the generator's movements."""
    mouths: float = 0.0
    """With landmarks: weight of where the generator paints: between the lips."""
    painted: float = 0.05
    """Pairs: weight of the generator's mask, so that it moves what it need not make up."""
    neutral_code: Schedule = _NEUTRAL_COMES_IN
    """Pairs: weight of the squared codes of neutral photos, which shall be the zero code; it comes in when codes
    say something, or they would all shrink to 0."""
    code_noise: Schedule = NOISE_COMES_IN
    """Pairs: the generator gets codes with normal noise, whose deviation is drawn from 0 to twice this for every
    row: it learns to do less where a code is uncertain. It comes in late: at first it only hides what the codes say."""
    mismatch: float = 1.0
    """Weight in D of real faces shown to the other domain's head, where they count as fake: it teaches D the domains
    early and needs no further labels."""
    features: float = 1.0
    """Close-up: weight of what the discriminator sees in true mouths and not in the finished ones of the same pairs."""
    code_size: float = 0.03
    """Pairs: weight of the codes' mean square above 1."""
    even: bool = True
    """Whether, when training is complete, the length of codes is chosen so that measured movement follows the strength;
    off in the recipes paper and authors, which scale the encoder's own codes. See ``twocet.model.strength``."""
    select: Selection = "gain"
    """What is measured there: gain over pairs of one person, error of the expressive cycle (lower is better; needs no
    pairs), agreement of the blendshapes of transferred expressions with their references, or kernel distance of the
    transfers from the expressive photos (lower is better)."""

    def __post_init__(self) -> None:
        for name in ("betas", "betas_discriminator", "cycles"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        super().__post_init__()
        check(self.r1_every >= 1, f"r1_every must be at least 1, not {self.r1_every}")
        check(0 <= self.ema < 1, f"ema must be in [0, 1), not {self.ema}")
        check(self.code_range > 0, f"code_range must be positive, not {self.code_range}")
        check(
            self.network.close_up == self.finishes_mouths,
            "the recipes close_up and close_up_unpaired, and no others, train networks with a close-up",
        )
        # Neutral photos with themselves are added to the pairs: they cannot be all.
        check(
            not self.knows_movements or 0 <= self.zero_edits < 1,
            f"zero_edits must be from 0 to less than 1, not {self.zero_edits}",
        )
        check(bool(self.cycles), "cycles must name at least one mini-batch: both or neutral")

    @property
    def knows_movements(self) -> bool:
        """Whether landmarks tell how the faces of the pairs move."""
        return self.recipe == "landmarks" or self.knows_nobody

    @property
    def knows_nobody(self) -> bool:
        """Whether training takes all photos for those of strangers."""
        return self.recipe in ("unpaired", "close_up_unpaired")

    @property
    def finishes_mouths(self) -> bool:
        """Whether a close-up is trained, and generator and encoder stay as they are."""
        return self.recipe in ("close_up", "close_up_unpaired")

    @property
    def adversarial_networks(self) -> bool:
        """Whether the networks have a discriminator, as in the paper."""
        return self.recipe in ("paper", "authors")

    @property
    def needs_both_of_everybody(self) -> bool:
        """Whether training fails on people with photos in one domain only."""
        return not self.knows_nobody


def from_dict(kind: type[Any], values: dict[str, Any]) -> Any:
    """Rebuild a configuration from ``dataclasses.asdict`` or its JSON. Raises UserError for fields it does not know."""
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    check(not unknown, f"unknown settings {', '.join(unknown)}: the file was made by another version of twocet")
    nested = {name: from_dict(hints[name], value) for name, value in values.items() if isinstance(value, dict)}
    return kind(**{**values, **nested})
