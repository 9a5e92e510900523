"""Reads the checkpoints that the paper's authors' program writes: names of layers to ours, sizes from the shapes."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twocet.errors import UserError, check
from twocet.model.file import Model, new_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig

Tensors = Mapping[str, Tensor]

_NEEDED = ("generator", "encoder")
_BLOCKS_BEFORE_CODE = 2
"""Blocks of the generator between its halvings and the first block that sees the code."""
_IN_BLOCKS = {"conv1x1": "shortcut", "fc": "affine"}
_TRUNKS = {
    "encoder": {"shared.shared": "trunk", "unshared.0": "head"},
    "discriminator": {"main.0.shared": "trunk", "main.1": "head"},
}
CITATION = "Hu, Aldausari, Mohammadi: 2CET-GAN: Pixel-Level GAN Model for Human Facial Expression Transfer (2022)"


class Imported(NamedTuple):
    """A model made from a checkpoint."""

    model: Model
    has_discriminator: bool
    """False if the checkpoint holds none (``_model_s.ckpt``)."""


def import_checkpoint(path: Path) -> Imported:
    """Read ``{step}_model_s.ckpt`` or ``{step}_model.ckpt``; no code from the file is run.

    Raises UserError with the reason when the file is damaged, of another program or does not fit together.
    """
    parts = read_parts(path)
    try:
        config = network_config(parts["generator"], parts["encoder"])
    except KeyError as error:
        raise UserError(f"{path} is not a checkpoint of the authors' networks: it has no {error}") from None
    except UserError as error:
        raise UserError(f"{path} is not a checkpoint of the authors' networks: {error}") from None
    networks = build(config, discriminator="discriminator" in parts)
    for name, tensors in parts.items():
        network = getattr(networks, name)
        names = _generator_names(network) if name == "generator" else _TRUNKS[name]
        renamed = {_rename(key, names, f"{path}: {name}"): tensor for key, tensor in tensors.items()}
        try:
            network.load_state_dict(renamed)
        except RuntimeError as error:
            reason = " ".join(str(error).split("\n\t")[1:])[:200]
            raise UserError(f"{path}: the {name} does not fit a network of {config.size} px ({reason})") from None
    return Imported(new_model(networks, config, _metadata(path, "discriminator" in parts)), "discriminator" in parts)


def read_parts(path: Path) -> dict[str, Tensors]:
    """The state dicts of generator, encoder and, where there is one, discriminator. Raises UserError."""
    check(path.is_file(), f"there is no file {path}: give a checkpoint such as 065000_model_s.ckpt")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contents = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError) as error:
        reason = (str(error).splitlines() or ["it ends too early"])[0][:160]
        raise UserError(f"{path} is damaged or no PyTorch checkpoint ({reason}): get it again") from None
    except (pickle.UnpicklingError, ValueError, KeyError, AttributeError, TypeError) as error:
        # torch's own message advises to run the code in the file.
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it holds {foreign.group(1)}" if foreign else "it is in another format"
        raise UserError(f"{path} is not a checkpoint of tensors alone ({reason}): give a file of the authors") from None
    found = ", ".join(map(str, list(contents)[:5])) if isinstance(contents, dict) else type(contents).__name__
    holds = isinstance(contents, dict) and all(isinstance(contents.get(name), dict) for name in _NEEDED)
    check(holds, f"{path} holds no generator and encoder, but {found}: give {{step}}_model_s.ckpt or _model.ckpt")
    names = [name for name in (*_NEEDED, "discriminator") if contents.get(name)]
    return {name: _tensors(contents[name], f"{path}: {name}") for name in names}


def _tensors(part: Any, where: str) -> Tensors:
    """A state dict, without the prefix that nn.DataParallel adds."""
    check(isinstance(part, dict), f"{where} is not a state dict")
    wrong = [key for key, value in part.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    check(not wrong, f"{where} holds something else than tensors at {wrong[:1]}")
    broken = [key for key, value in part.items() if not torch.isfinite(value).all()]
    check(not broken, f"{where} holds values that are not finite numbers at {broken[:1]}")
    return {key.removeprefix("module."): value.float() for key, value in part.items()}


def network_config(generator: Tensors, encoder: Tensors) -> NetworkConfig:
    """Size, code and widths from the shapes. Raises KeyError or UserError where that is impossible."""
    stem = encoder["shared.shared.0.weight"]
    depth = _count(encoder, r"shared\.shared\.(\d+)\.conv1\.weight")
    size, first = 2 ** (depth + 2), generator["from_rgb.weight"].shape[0]
    halvings = _count(generator, r"encode\.(\d+)\.conv1\.weight") - _BLOCKS_BEFORE_CODE
    check(depth >= 3, f"an encoder of {depth} blocks does not fit a face of 32 px or more")
    check(halvings == depth - 2, f"the encoder is made for {size} px, the generator for {16 * 2 ** max(halvings, 0)}")
    check(stem.ndim == 4 and stem.shape[1] in (1, 3), f"the encoder's first layer has the shape {tuple(stem.shape)}")
    deepest = encoder["unshared.0.weight"].shape[1]
    return NetworkConfig(
        preset="paper",
        size=size,
        code_dim=encoder["unshared.0.weight"].shape[0],
        grey=stem.shape[1] == 1,
        first_width=None if first == 2**14 // size else first,
        max_width=deepest,
    )


def _count(tensors: Tensors, pattern: str) -> int:
    return sum(re.fullmatch(pattern, key) is not None for key in tensors)


def _generator_names(generator: Any) -> dict[str, str]:
    """The authors' names of the generator's parts, with our names."""
    encode = [*(f"down.{k}" for k in range(len(generator.down))), *(f"middle.{k}" for k in range(_BLOCKS_BEFORE_CODE))]
    decode = [*(f"coded.{k}" for k in range(len(generator.coded))), *(f"up.{k}" for k in range(len(generator.up)))]
    return {
        "from_rgb": "stem",
        **{f"encode.{k}": ours for k, ours in enumerate(encode)},
        **{f"decode.{k}": ours for k, ours in enumerate(decode)},
        "to_rgb.0": "norm",
        "to_rgb.2": "head",
    }


def _rename(key: str, names: Mapping[str, str], where: str) -> str:
    theirs = next((name for name in names if key.startswith(f"{name}.")), None)
    if theirs is None:
        raise UserError(f"{where} has the unknown layer {key!r}: it is not the authors' network")
    inside = (_IN_BLOCKS.get(word, word) for word in key.removeprefix(f"{theirs}.").split("."))
    return ".".join((names[theirs], *inside))


def _metadata(path: Path, has_discriminator: bool) -> dict[str, Any]:
    step = re.match(r"\d+", path.name)
    return {
        "template": "paper-v1",
        "training": {
            "config": {"recipe": "authors"},
            "rounds": int(step.group()) if step else 0,
            "imported_from": path.name,
            "discriminator": "trained" if has_discriminator else "none in the checkpoint",
        },
        "data": [{"name": "not recorded in the checkpoint", "licence": "ask its authors", "citation": CITATION}],
        "metrics": {},
    }
