"""Trained baselines: the transfer interface of ``expression_model``, and model files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twocet.compare.baselines.config import GANimationConfig, StarGANConfig
from twocet.compare.baselines.domains import NEUTRAL
from twocet.compare.baselines.networks import GANimationNetworks, StarGANNetworks, build_ganimation, build_stargan
from twocet.compare.baselines.units import UnitReader
from twocet.edit.crops import CropEditor
from twocet.errors import UserError, check
from twocet.model.interface import ExpressionModel, expression_model
from twocet.model.model import find_model, load_model, load_networks, read_file, save_networks
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_pixels
from twocet.runtime import devices
from twocet.runtime.arrays import Floats
from twocet.runtime.configuration import from_dict, valid
from twocet.runtime.records import parse_json
from twocet.shapes.model import is_shape_model
from twocet.shapes.model import load as load_shapes
from twocet.shapes.photos import PhotoShapes

OPENFACE = "openface"
BLENDSHAPES = "blendshapes"
"""Where a GANimation's action units come from: its metadata's ``units``."""


class StarGANModel:
    """StarGAN v2: styles are read from references by the encoder's head of their domain.

    Metadata: ``neutral_style``, the mean style of neutral training photos, stands for a neutral face; strength goes
    from it in a straight line.
    """

    def __init__(self, networks: StarGANNetworks, config: StarGANConfig, metadata: dict[str, Any]) -> None:
        self.networks, self.config, self.metadata, self.size = networks, config, metadata, config.network.size

    @torch.inference_mode()
    def transfer(
        self, target: Tensor, reference: Tensor, strength: float = 1.0, label: Sequence[str] | None = None
    ) -> Tensor:
        """See ``ExpressionModel``. References whose label is no domain of the model are put into one by D."""
        style = self.networks.encoder(reference, self.domains_of(reference, label))
        neutral = self.neutral_style(style)
        output: Tensor = self.networks.generator(target, torch.lerp(neutral, style, strength))
        return output

    @torch.inference_mode()
    def neutralize(self, image: Tensor) -> Tensor:
        """The faces with the neutral style."""
        output: Tensor = self.networks.generator(image, self.neutral_style(image).expand(len(image), -1))
        return output

    @torch.inference_mode()
    def sample(self, target: Tensor, generator: torch.Generator) -> Tensor:
        """Random styles of random domains, the neutral one excepted."""
        num = len(target)
        domain = torch.randint(1, len(self.config.domains), (num,), generator=generator).to(target.device)
        latent = torch.randn(num, self.config.latent_dim, generator=generator).to(target)
        output: Tensor = self.networks.generator(target, self.networks.mapping(latent, domain))
        return output

    def neutral_style(self, like: Tensor) -> Tensor:
        """(1, d) on the device of ``like``."""
        return torch.tensor(self.metadata["neutral_style"], device=like.device)[None]

    def domains_of(self, image: Tensor, label: Sequence[str] | None) -> Tensor:
        """(N,) the domains that the labels name; others are those in which D finds the photos most real."""
        labels = label if label is not None else [""] * len(image)
        known = [self.config.domains.index(name) if name in self.config.domains else -1 for name in labels]
        domain = torch.tensor(known, device=image.device)
        unknown = domain < 0
        if unknown.any():
            expressive = [k for k, name in enumerate(self.config.domains) if name != NEUTRAL]
            seen = image[unknown]
            logits = [
                self.networks.discriminator(seen, torch.full((len(seen),), k, device=image.device)) for k in expressive
            ]
            domain[unknown] = torch.tensor(expressive, device=image.device)[torch.stack(logits).argmax(dim=0)]
        return domain


class GANimationModel:
    """GANimation: references are read as action units.

    Metadata: ``units`` says where they came from in training. Blendshapes are read from references by the landmark
    runtime; OpenFace's units by the discriminator, which has learnt to. ``neutral_units``, the mean of neutral training
    photos, stand for a neutral face, and for references in which no face is found.
    """

    def __init__(
        self,
        networks: GANimationNetworks,
        config: GANimationConfig,
        metadata: dict[str, Any],
        read: Callable[[Pixels], Floats] | None = None,
    ) -> None:
        """``read`` replaces the landmark runtime."""
        self.networks, self.config, self.metadata, self.size = networks, config, metadata, config.network.size
        self._read = read

    @torch.inference_mode()
    def transfer(
        self, target: Tensor, reference: Tensor, strength: float = 1.0, label: Sequence[str] | None = None
    ) -> Tensor:
        """See ``ExpressionModel``; labels are not looked at."""
        units = torch.lerp(self.neutral_units(target), self.read_units(reference), strength)
        output: Tensor = self.networks.generator(target, units).image
        return output

    @torch.inference_mode()
    def neutralize(self, image: Tensor) -> Tensor:
        """The faces with the neutral action units."""
        output: Tensor = self.networks.generator(image, self.neutral_units(image).expand(len(image), -1)).image
        return output

    def neutral_units(self, like: Tensor) -> Tensor:
        """(1, 17) on the device of ``like``."""
        return torch.tensor(self.metadata["neutral_units"], device=like.device)[None]

    def read_units(self, image: Tensor) -> Tensor:
        """Action units (N, 17) of faces (N, 3, S, S)."""
        if self.metadata["units"] == OPENFACE:
            read: Tensor = self.networks.discriminator(image).units
            return read.clamp(0, 1)
        self._read = self._read or UnitReader().read
        values = torch.tensor(np.stack([self._read(to_pixels(x)) for x in image]), dtype=torch.float32)
        return torch.where(values.isnan(), self.neutral_units(values), values).to(image.device)


def save_baseline(path: Path, model: StarGANModel | GANimationModel) -> None:
    """Write a model file: all networks in float16 and the metadata, completed by method, settings and network."""
    fixed = {
        "format": 1,
        "method": model.config.recipe,
        "settings": dataclasses.asdict(model.config),
        "network": dataclasses.asdict(model.config.network),
    }
    save_networks(path, model.networks._asdict(), {**model.metadata, **fixed})


def load_any(name: Path | str, device: str = "cpu", size: int | None = None) -> ExpressionModel:
    """Read a model file of any method, an exported or a packaged model. Raises UserError unless everything fits.

    ``size``: side of the crops that a shape model is given, 128 if not told; those of pixels have sizes of their own.
    """
    if is_shape_model(name):
        return CropEditor(PhotoShapes(load_shapes(name)), size)
    path = find_model(name)
    if path.is_dir():
        return expression_model(load_model(path, device))
    text, tensors = read_file(path)
    metadata = _read_json(path, text)
    method = metadata.get("method")
    if method is None:
        return expression_model(load_model(path, device))
    check(method in ("starganv2", "ganimation"), f"{path} holds a {method} model: update twocet")
    if method == "starganv2":
        domains: StarGANConfig = _settings(path, StarGANConfig, metadata)
        stargan = build_stargan(domains)
        load_networks(path, stargan._asdict(), tensors)
        return StarGANModel(StarGANNetworks(*(_ready(part, device) for part in stargan)), domains, metadata)
    settings: GANimationConfig = _settings(path, GANimationConfig, metadata)
    ganimation = build_ganimation(settings)
    load_networks(path, ganimation._asdict(), tensors)
    return GANimationModel(GANimationNetworks(*(_ready(part, device) for part in ganimation)), settings, metadata)


def _ready(network: torch.nn.Module, device: str) -> torch.nn.Module:
    return network.to(devices.find(device)).eval().requires_grad_(False)


def _read_json(path: Path, text: str) -> dict[str, Any]:
    metadata = parse_json(text, f"{path}: its metadata", "get it again")
    check(isinstance(metadata, dict), f"{path} has damaged metadata (no JSON object): get it again")
    return dict(metadata)


def _settings(path: Path, kind: type[Any], metadata: dict[str, Any]) -> Any:
    try:
        return from_dict(kind, valid(dict[str, Any], metadata.get("settings"), "settings"))
    except UserError as error:
        raise UserError(f"{path} has settings this version does not know ({error}): update twocet") from None
