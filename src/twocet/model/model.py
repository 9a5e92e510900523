"""Models by their name: packaged ones, model files, exported ones."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch

from twocet.errors import check
from twocet.model import hub
from twocet.model.export import load_exported, read_manifest
from twocet.model.file import (
    MANIFEST,
    SAMPLE_WIDTH,
    Model,
    ModelId,
    check_fit,
    file_hash,
    load_networks,
    new_model,
    read_file,
    save_model,
    save_networks,
)
from twocet.model.metadata import parse_metadata
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.runtime import devices
from twocet.runtime.configuration import from_dict

__all__ = [
    "PACKAGED", "SAMPLE_WIDTH", "Model", "ModelId", "file_hash", "find_model", "identify_model", "load_model",
    "load_networks", "new_model", "packaged_file", "read_file", "save_model", "save_networks",
]  # fmt: skip

PACKAGED = ("default", "label-free")
"""Names of the models that come with the package: one of pixels, one of shapes (``twocet.shapes``)."""
BEST = "model.safetensors"
"""The model that a run folder is read for."""


@devices.on_processor
def load_model(name: Path | str, device: str = "cpu") -> Model:
    """Read a model file, an exported model or a packaged one by its name, onto a device (see ``devices.find``).

    Raises UserError unless everything fits.
    """
    path, place = find_model(name), devices.find(device)
    if path.is_dir():
        check(place == devices.CPU, f"{path} is an exported model, which runs on the processor: use device=cpu")
        return load_exported(path)
    text, tensors = read_file(path)
    metadata = parse_metadata(text, path)
    config: NetworkConfig = from_dict(NetworkConfig, metadata["network"])
    judged = any(key.startswith("discriminator.") for key in tensors)
    with torch.device("meta"):  # without a byte of weights: sizes that the file only claims are not made
        check_fit(path, build(config, discriminator=judged).named(), tensors)
    networks = build(config, discriminator=judged)
    load_networks(path, networks.named(), tensors)
    return new_model(networks.to(place), config, metadata)


def find_model(name: Path | str) -> Path:
    """The file of a packaged model, of a run folder's best model, or the path itself (a file, an exported folder).

    ``hf:OWNER/NAME`` is fetched from the Hugging Face Hub.

    Raises UserError.
    """
    if str(name).startswith(hub.PREFIX):
        return hub.fetch(str(name))
    path = Path(name)
    if (path / MANIFEST).is_file():
        return path
    if (path / BEST).is_file():
        return path / BEST
    if str(name) in PACKAGED and not path.is_file():
        path = packaged_file(str(name))
        check(path.is_file(), f"the packaged model {str(name)!r} is missing: install twocet again")
        return path
    check(path.is_file(), f"there is no model file {path}: give a file or one of {', '.join(PACKAGED)}")
    return path


def identify_model(path: Path) -> ModelId:
    """Which model the result of :func:`find_model` is. Raises UserError for a damaged export."""
    if path.is_dir():
        manifest = read_manifest(path)
        return ModelId(manifest.name, manifest.sha256)
    return ModelId(path.stem, file_hash(path))


def packaged_file(name: str) -> Path:
    """Where the packaged model of this name is."""
    return Path(str(resources.files("twocet.model"))) / "packaged" / f"{name}.safetensors"
