"""The settings of the two baselines, and their presets. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

from twocet.errors import check
from twocet.method.schedules import Schedule
from twocet.networks.config import NetworkConfig, Preset, Width
from twocet.runtime.configuration import Between, Count, Under1, UpTo1, Weight
from twocet.training.config import OptimiserConfig

Augmentation = Literal["paper", "pairs", "flip", "none"]
BaselineSelection = Literal["gain", "agreement", "kid_mobilenetv2"]

STYLE_DIM = 64
"""Numbers in a style of StarGAN v2."""
UNIT_DIM = 17
"""Action units of GANimation."""

_STARGAN_NETWORK = NetworkConfig(
    code_dim=STYLE_DIM, generator_widths=(48, 112, 144), trunk_widths=(48, 96, 112), reduce=1, shuffle=4
)
_GANIMATION_NETWORK = NetworkConfig(
    code_dim=UNIT_DIM, generator_widths=(64, 160), trunk_widths=(96, 192, 256), reduce=2, shuffle=4
)
_DIVERSITY_FADES = Schedule(end=3_000, start=1.0, stop=0.0)


@dataclass(frozen=True, kw_only=True)
class BaselineConfig(OptimiserConfig):
    """What both baselines have. The defaults are those of the preset fast."""

    lr: UpTo1 = 5e-4
    """Learning rate of all networks but the mapping network of StarGAN v2."""
    betas: tuple[Under1, Under1] = (0.5, 0.99)
    """Adam's betas."""
    select: BaselineSelection = "agreement"
    """What chooses the best checkpoint, see ``twocet.training.config.ModelConfig``."""
    augmentation: Augmentation = "paper"
    """Random changes of every photo: the paper's crop and flip, those of the recipe fast (flip, small similarity, light
    and camera), a flip alone, or none."""


@dataclass(frozen=True, kw_only=True)
class StarGANConfig(BaselineConfig):
    """StarGAN v2. A round is one mini-batch: two steps of D, one of G, F and E, one of G."""

    recipe: Literal["starganv2"] = "starganv2"
    """The name of the method."""
    network: NetworkConfig = _STARGAN_NETWORK
    """The networks; ``code_dim`` is the length of a style."""
    latent_dim: Width = 16
    """Numbers in a latent code, which the mapping network turns into a style."""
    mapping_width: Width = 80
    """Width of the mapping network."""
    domains: tuple[str, ...] = ()
    """The domains; if not given, ``neutral`` and the expression labels of the training photos."""
    exclude: tuple[str, ...] = ("units*",)
    """Labels that are no domain, as patterns: their photos are not trained on. ``units*`` are random combinations of
    face units of synthetic faces, which have no name."""
    lr_mapping: UpTo1 = 5e-5
    """Learning rate of the mapping network: the published hundredth of the others' would leave it frozen in a short
    run."""
    style: Weight = 1.0
    """Weight of the style read back from a fake."""
    cycle: Weight = 1.0
    """Weight of the way back."""
    diversity: Schedule = _DIVERSITY_FADES
    """Weight of the distance of two fakes, over rounds; subtracted."""
    r1: Weight = 1.0
    """Weight of the gradient penalty R1."""
    r1_every: Count = 8
    """Rounds between two penalties, which are weighted up accordingly; 1 is the full R1."""


@dataclass(frozen=True, kw_only=True)
class GANimationConfig(BaselineConfig):
    """GANimation-style. A round is ``critic_steps`` mini-batches of the critic, the last of which trains G too."""

    recipe: Literal["ganimation"] = "ganimation"
    """The name of the method."""
    network: NetworkConfig = _GANIMATION_NETWORK
    """The networks; ``code_dim`` is the number of action units."""
    critic_steps: Annotated[int, Between(1, 1000)] = 5
    """Mini-batches of the critic for one of the generator."""
    penalty: Weight = 10.0
    """Weight of the gradient penalty, in an optimiser step of its own."""
    units: Weight = 160.0
    """Weight of the action units' mean squared error (the published 4000 is divided by a batch of 25)."""
    cycle: Weight = 10.0
    """Weight of the way back."""
    mask: Weight = 0.1
    """Weight of the mask's mean."""
    mask_variation: Weight = 2.5e-4
    """Weight of the mask's total variation, a mean over the batch (published: 1e-5 on the sum over 25)."""
    unit_noise: UpTo1 = 0.1
    """Half width of the uniform noise on the action units that are asked for."""
    action_units: str = ""
    """CSV file or folder of OpenFace with the photos' action units; if not given, they are read from the photos and
    kept in ``action-units.csv`` beside faces.csv, or in the run folder if that cannot be written."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.network.code_dim == UNIT_DIM, f"GANimation has {UNIT_DIM} action units, not {self.network.code_dim}")


PRESETS: dict[tuple[str, Preset], BaselineConfig] = {
    ("starganv2", "fast"): StarGANConfig(),
    # As published for AFHQ and CelebA-HQ, without the high-pass filter.
    ("starganv2", "paper"): StarGANConfig(
        network=NetworkConfig(preset="paper", code_dim=STYLE_DIM), mapping_width=512, batch=8, steps=100_000,
        lr=1e-4, lr_mapping=1e-6, betas=(0.0, 0.99), weight_decay=1e-4, warm_up=0, decay="none", ema_warm_up=False,
        diversity=Schedule(end=100_000, start=1.0, stop=0.0), r1_every=1, bf16=False,
        validate_every=5_000,
    ),
    ("ganimation", "fast"): GANimationConfig(lr=2e-4, betas=(0.5, 0.999)),
    # 30 epochs of EmotioNet, of which the last ten fall; the 2CET paper trained 750 epochs on CFEE.
    ("ganimation", "paper"): GANimationConfig(
        network=NetworkConfig(preset="paper", code_dim=UNIT_DIM, first_width=64, max_width=2048), batch=25,
        steps=100_000, lr=1e-4, betas=(0.5, 0.999), warm_up=0, decay="last_third", ema=0.0, augmentation="flip",
        bf16=False, validate_every=5_000,
    ),
}  # fmt: skip
"""The settings of both methods by method and preset."""


def baseline_config(method: Literal["starganv2", "ganimation"], preset: Preset) -> BaselineConfig:
    """The settings of a baseline at the published size or at about the parameter count of our preset fast."""
    return dataclasses.replace(PRESETS[method, preset])
