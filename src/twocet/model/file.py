"""A trained model as one file: its networks and everything needed to rebuild and judge them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from twocet.data.dataset import TEMPLATE
from twocet.errors import UserError, check
from twocet.method import codes
from twocet.model.metadata import FORMAT
from twocet.networks.config import NetworkConfig
from twocet.networks.edit import Edit, render
from twocet.networks.interfaces import Networks
from twocet.runtime.configuration import from_dict
from twocet.runtime.files import write_whole
from twocet.runtime.records import check_regular

SAMPLE_WIDTH = 0.3
"""How far random codes are from a training photo's, see :func:`twocet.method.codes.resampled`."""
MANIFEST = "model.json"
"""The file by which a folder is an exported model, see :mod:`twocet.model.export`."""
_KEY, _HASH_KEY = "twocet", "twocet_sha256"
_MOST_BYTES = 8_000_000_000
_REMEDY = "get it or make it again"


@dataclass(frozen=True)
class Model:
    """Generator, encoder and, after adversarial training, discriminator, ready for use, and what is known about them.

    Images are float32 (N, 3, size, size) in [-1, 1], codes float32 (N, code_dim). Nothing here keeps gradients.
    """

    networks: Networks
    metadata: dict[str, Any]
    """JSON-able; see :func:`save_model`."""

    @property
    def generator(self) -> Any:
        """G."""
        return self.networks.generator

    @property
    def encoder(self) -> Any:
        """E."""
        return self.networks.encoder

    @property
    def device(self) -> torch.device:
        """Where the networks take their images from."""
        return next(self.generator.parameters(), torch.empty(0)).device

    @property
    def config(self) -> NetworkConfig:
        """What the networks were built from."""
        config: NetworkConfig = from_dict(NetworkConfig, self.metadata["network"])
        return config

    @property
    def size(self) -> int:
        """Side of the crop in pixels."""
        return int(self.metadata["network"]["size"])

    @property
    def code_dim(self) -> int:
        """Numbers in a code."""
        return int(self.metadata["network"]["code_dim"])

    @property
    def power(self) -> float:
        """The generator works with codes of this power, see ``twocet.model.strength``."""
        return codes.power_of(self.metadata)

    def sample_codes(self, num: int, generator: torch.Generator) -> Tensor:
        """(num, d) random codes, near those the encoder found in its training photos where these are known.

        Otherwise from the distribution that the generator was trained with, uniform if nothing is said: the paper's.
        """
        known = self.metadata.get("codes")
        if known is None:
            drawn = self.metadata.get("code_distribution", codes.PAPER)
            return codes.SAMPLERS[drawn["name"]](num, self.code_dim, drawn["width"], generator)
        return codes.resampled(num, torch.tensor(known, dtype=torch.float32), SAMPLE_WIDTH, generator)

    @torch.inference_mode()
    def encode(self, image: Tensor) -> Tensor:
        """Expression codes of faces."""
        return codes.powered(self.encoder(image), 1 / self.power)

    @torch.inference_mode()
    def edit(self, image: Tensor, code: Tensor, strength: float = 1.0) -> Edit:
        """What the generator would do to these faces with ``strength * code``, as fields for any resolution.

        Beyond strength 1, or -1, faces move on, and what is painted stays as it is there: movement can be exaggerated,
        exaggerated paint is spots.
        """
        edit: Edit = self.generator.edit(image, codes.powered(strength * code, self.power))
        if abs(strength) <= 1 or not self.generator.moves:
            return edit
        return self.edit(image, code, math.copysign(1.0, strength))._replace(flow=edit.flow)

    @torch.inference_mode()
    def generate(self, image: Tensor, code: Tensor, strength: float = 1.0) -> Tensor:
        """The faces with these expressions, as :meth:`edit` makes them."""
        if abs(strength) > 1 and self.generator.moves:
            return render(image.float(), self.edit(image, code, strength))
        output: Tensor = self.generator(image, codes.powered(strength * code, self.power))
        return output


def new_model(networks: Networks, config: NetworkConfig, metadata: dict[str, Any]) -> Model:
    """Put ``networks`` into evaluation mode and join them with ``metadata``, completed by what every file must say."""
    for network in networks.named().values():
        network.eval().requires_grad_(False)
    fixed = {"format": FORMAT, "network": dataclasses.asdict(config)}
    return Model(networks, json.loads(json.dumps({"template": TEMPLATE, **metadata, **fixed})))


def save_model(path: Path | str, model: Model, *, half: bool = True) -> None:
    """Write one safetensors file, atomically; ``half`` stores the weights in float16.

    Tensors are named ``generator.*``, ``encoder.*`` and, if there is one, ``discriminator.*``. The metadata key
    ``twocet`` is JSON: format, network (the fields of NetworkConfig), template, and as far as known code_power,
    code_std, code_mean (per dimension), code_covariance, codes (of training photos) or code_distribution (name and
    width of what the generator was trained with), training, data (name, licence, citation), metrics, commit.
    """
    save_networks(Path(path), model.networks.named(), model.metadata, half=half)


def save_networks(
    path: Path, networks: Mapping[str, nn.Module], metadata: dict[str, Any], *, half: bool = True
) -> None:
    """Write networks by name, with JSON-able ``metadata``, as one safetensors file, atomically."""
    tensors = {
        f"{name}.{key}": (tensor.half() if half else tensor).contiguous()
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    overflow = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if overflow:
        raise ValueError(f"weights that are not finite{' in float16' if half else ''}: {', '.join(overflow[:3])}")
    text = json.dumps(metadata)
    write_whole(path, save(tensors, metadata={_KEY: text, _HASH_KEY: contents_hash(text, tensors)}))


def contents_hash(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of everything that a file says: its metadata, and names, types, shapes and values of its tensors."""
    found = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def read_file(path: Path) -> tuple[str, dict[str, Tensor]]:
    """The metadata (JSON) and the tensors of a model file, which are finite numbers and as they were written.

    Raises UserError.
    """
    check_regular(path, _MOST_BYTES, _REMEDY)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            told = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except Exception as error:
        # The library raises a dozen unrelated types for damaged files.
        raise UserError(f"{path} is not a whole model file ({str(error)[:160]}): {_REMEDY}") from None
    text = told.get(_KEY)
    check(text is not None, f"{path} is a safetensors file of another program, not a twocet model")
    wrong = [name for name, tensor in tensors.items() if not tensor.is_floating_point() or not tensor.isfinite().all()]
    check(not wrong, f"{path} holds weights that are not finite numbers ({', '.join(wrong)[:80]}): {_REMEDY}")
    # Earlier versions wrote no hash.
    kept = told.get(_HASH_KEY)
    check(
        kept is None or kept == contents_hash(str(text), tensors),
        f"{path} is damaged (its contents do not fit their hash): {_REMEDY}",
    )
    return str(text), tensors


def check_fit(path: Path, networks: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Raises UserError unless the ``tensors`` of the file ``path`` have the names and shapes of these networks'."""
    needed = {f"{name}.{key}": t.shape for name, network in networks.items() for key, t in network.state_dict().items()}
    found = {key: tensor.shape for key, tensor in tensors.items()}
    apart = sorted(set(needed.items()) ^ set(found.items()))
    where = apart[0][0] if apart else ""
    check(not apart, f"{path} does not fit the networks it describes (at {where}): {_REMEDY}")


def load_networks(path: Path, networks: Mapping[str, nn.Module], tensors: dict[str, Tensor]) -> None:
    """Give ``networks`` (by name) the ``tensors`` of the file ``path``. Raises UserError unless all of them fit."""
    for prefix, network in networks.items():
        own = {key.removeprefix(f"{prefix}."): t for key, t in tensors.items() if key.startswith(f"{prefix}.")}
        try:
            network.load_state_dict(own)
        except RuntimeError as error:
            reason = str(error).replace("\n\t", " ")[:200]
            raise UserError(f"{path} does not fit the networks it describes ({reason}): get it again") from None
        del own
    left = [key for key in tensors if key.split(".")[0] not in networks]
    check(not left, f"{path} holds unknown tensors such as {left[:1]}: it was made by another version of twocet")


class ModelId(NamedTuple):
    """Which model it is, for marks, presets and reports."""

    name: str
    sha256: str
    """Of the model file; for an exported model, of the one it was made from."""


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
