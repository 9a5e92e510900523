"""One configuration for each kind of recipe: what it adds to the shared parts. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from twocet.errors import check
from twocet.method.schedules import Schedule, constant
from twocet.runtime.configuration import Between, UpTo1, Weight, check_fields
from twocet.training.config import AdversarialConfig, EncoderConfig, ModelConfig

# The dynamic weights of the paper's Sec. 4.6.
_ONE, _NONE = constant(1.0), constant(0.0)
_CYCLE_RISES = Schedule(end=10_000, start=1.0, stop=1.5)
_CODE_COMES_IN = Schedule(rise=5_000, end=5_000)
_DIVERSITY_FADES = Schedule(end=10_000, start=1.0, stop=0.0)
# Of pairs.
_NEUTRAL_COMES_IN = Schedule(rise=1_000, end=3_000, start=0.0, stop=1.0)
_NOISE_COMES_IN = Schedule(rise=3_000, end=8_000, start=0.0, stop=0.4)
# Of close-ups.
_REALNESS = _NOISE = constant(0.3)


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
    kept: Schedule = _NONE
    """Change of neutral photos by the neutral code. Not in the paper: the identity term of Zhu et al. (2017)."""

    def __post_init__(self) -> None:
        check_fields(self)


_WEIGHTS = LossWeights()


@dataclass(frozen=True, kw_only=True)
class CyclesConfig(AdversarialConfig, EncoderConfig):
    """The recipes ``paper`` and ``authors``: both cycles, label-free, unpaired (Eq. 1-8)."""

    recipe: Literal["paper", "authors"]
    """Its name."""
    weights: LossWeights = _WEIGHTS
    """Weights of the paper's losses."""
    codes: Literal["uniform", "normal"] = "uniform"
    """Distribution of sampled codes."""
    code_range: Annotated[float, Between(1e-6, 1e3)] = 1.0
    """Width of the uniform distribution around 0; twice the standard deviation of the normal one."""
    diversity: Literal["plain", "proportional"] = "proportional"
    """Eq. 4 as published, or weighed by the distance of the two codes as in the authors' code."""
    cycles: tuple[Literal["both", "neutral"], ...] = ("both", "both", "neutral")
    """The mini-batches of one round: which cycles each one trains."""
    augmentation: Literal["paper", "none"] = "paper"
    """Random crop and flip, drawn for every photo, or nothing."""
    coarse: bool = False
    """Train on photos of size / reduce, what the networks of preset fast see anyway: half the time, no fine detail."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(bool(self.cycles), "cycles must name at least one mini-batch: both or neutral")


@dataclass(frozen=True, kw_only=True)
class PairsConfig(EncoderConfig):
    """What all recipes have that learn from pairs of photos."""

    zero_edits: UpTo1 = 0.1
    """Share of pairs with nothing to change, a neutral photo being both."""
    coarse: bool = True
    """Train on photos of size / reduce, what the networks of preset fast see anyway: half the time, no fine detail."""
    moved: bool = True
    """Whether photos are shifted, turned and scaled at random; what the encoder sees always is. That makes them less
    sharp than those to be edited: let a run without it follow (--init)."""
    sketch: Weight = 0.2
    """Networks of preset fast: weight of a coarse picture of the change (with landmarks: the movement) read linearly
    from the code."""
    view: Annotated[float, Between(0, 10)] = 1.0
    """How much the encoder's view is shifted, turned and scaled, see ``augment.encoder_input``."""
    change_floor: Annotated[float, Between(1e-6, 1e3)] = 0.03
    """Added to the mean absolute difference of a pair, by which its errors are divided."""
    painted: Weight = 0.05
    """Weight of the generator's mask, so that it moves what it need not make up."""
    neutral_code: Schedule = _NEUTRAL_COMES_IN
    """Weight of the squared codes of neutral photos, which shall be the zero code; it comes in when codes say
    something, or they would all shrink to 0."""
    code_noise: Schedule = _NOISE_COMES_IN
    """The generator gets codes with normal noise, whose deviation is drawn from 0 to twice this for every row: it
    learns to do less where a code is uncertain. It comes in late: at first it only hides what the codes say."""
    code_size: Weight = 0.03
    """Weight of the codes' mean square above 1."""


@dataclass(frozen=True, kw_only=True)
class FastConfig(PairsConfig):
    """The recipe ``fast``: pairs of one person's photos."""

    recipe: Literal["fast"] = "fast"
    """Its name."""


@dataclass(frozen=True, kw_only=True)
class LandmarksConfig(PairsConfig):
    """The recipes ``landmarks`` and ``unpaired``: how faces move is known, and expressions are transplanted."""

    recipe: Literal["landmarks", "unpaired"]
    """Its name."""
    moving: Weight = 1.0
    """Weight of the generator's movements."""
    mouths: Weight = 0.0
    """Weight of where the generator paints: between the lips."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Neutral photos with themselves are added to the pairs: they cannot be all.
        check(self.zero_edits < 1, f"zero_edits must be from 0 to less than 1, not {self.zero_edits}")


@dataclass(frozen=True, kw_only=True)
class CloseUpConfig(AdversarialConfig, ModelConfig):
    """The recipes ``close_up`` and ``close_up_unpaired``: mouths for a finished generator."""

    recipe: Literal["close_up", "close_up_unpaired"]
    """Its name."""
    adversarial: Schedule = _REALNESS
    """Weight of realness."""
    features: Weight = 1.0
    """Weight of what the discriminator sees in true mouths and not in the finished ones of the same pairs."""
    painted: Weight = 0.02
    """Weight of the colours that are added, so that it moves what it need not make up."""
    code_noise: Schedule = _NOISE
    """Deviation of the noise on codes, drawn from 0 to twice this for every row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.network.close_up, f"the recipe {self.recipe} trains networks with a close-up")
