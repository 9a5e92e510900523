"""A trained shape model: what it does to point sets, and its file."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from twocet.errors import UserError, check
from twocet.method import codes
from twocet.model.model import SAMPLE_WIDTH, load_networks, packaged_file, read_file, save_networks
from twocet.networks.interfaces import Networks
from twocet.pairs.neutral_estimate import Rest
from twocet.runtime.arrays import Floats, Floats32
from twocet.runtime.configuration import Weight, from_dict
from twocet.runtime.randomness import generator_at
from twocet.runtime.records import named, parse_json
from twocet.shapes.config import ShapeConfig
from twocet.shapes.frame import Frame
from twocet.shapes.movements import Movements
from twocet.shapes.networks import build
from twocet.shapes.space import Space

METHOD = "shapes"
"""What the metadata of a file names as its method."""
PACKAGED = "label-free"
"""Name of the packaged model of photos' landmarks."""
MODEL_FILE = "model.safetensors"
"""Of a run folder."""
FORMAT = 2


@dataclass(frozen=True)
class ShapeModel:
    """Generator and encoder of point sets, ready for use.

    Point sets are float64 (n, k, d), codes float32 (n, code_dim). Points keep their places: what a set does not move
    comes back as it was, wherever, however large and however turned it is.
    """

    networks: Networks
    space: Space
    movements: Movements
    """How faces move, where generator and encoder began."""
    linear: Rest
    """The best linear estimate of movements from the same training shapes: a baseline, in the space's numbers."""
    metadata: dict[str, Any]
    """JSON-able: method, format, config, known codes, still, data."""

    @property
    def config(self) -> ShapeConfig:
        """The settings it was trained with."""
        return ShapeConfig(**self.metadata["config"])

    @property
    def num_points(self) -> int:
        """k."""
        return len(self.space.frame.mean)

    @property
    def dimensions(self) -> int:
        """d, 2 or 3."""
        return int(self.space.frame.mean.shape[1])

    @property
    def still(self) -> float:
        """A face that neutralising would move by no more than this is neutral already: root mean square distance of
        its points, as a share of their root mean square distance from their centre."""
        return float(self.metadata["still"])

    def neutralize(self, points: Floats) -> Floats:
        """The faces without their expressions. Those that are neutral already stay as they are, to the last bit."""
        made = self.remove(points)
        return np.where(self.is_neutral(points, made)[:, None, None], points, made)

    def remove(self, points: Floats) -> Floats:
        """The faces through G with the neutral code, whatever they show (the paper's G(x, 0))."""
        return self.apply(points, np.zeros((1, self.config.code_dim), np.float32))

    def estimate(self, points: Floats) -> Floats:
        """(n, k, d) how the faces have moved, by the linear estimate."""
        numbers, placement = self.space.numbers(points)
        return self.space.moved(points, placement, self.linear.movement(numbers)) - points

    def is_neutral(self, points: Floats, neutralized: Floats | None = None) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(n,) whether the faces have no expression to remove. ``neutralized``: what :meth:`remove` made of them."""
        made = self.remove(points) if neutralized is None else neutralized
        return np.asarray(self.movement(points, made) <= self.still)

    def movement(self, points: Floats, moved: Floats) -> Floats:
        """(n,) root mean square distance of corresponding points, in the unit of :attr:`still`."""
        size = self.space.frame.place(points)[1].scale[:, 0, 0]
        return np.asarray(np.sqrt(np.square(moved - points).sum(axis=2).mean(axis=1)) / size)

    def transfer(self, target: Floats, code: Floats32, strength: float = 1.0) -> Floats:
        """Target faces, whatever they show, with the expressions of ``code`` (n, code_dim) or (1, code_dim).

        The code is scaled by ``strength``, as in the paper's Sec. 4.8: 0 is the neutralised face.
        """
        neutral = self.neutralize(target)
        return self.apply(neutral, np.float32(strength) * code) if strength else neutral

    def apply(self, points: Floats, code: Floats32) -> Floats:
        """The faces through G with codes (n, code_dim) or (1, code_dim), whatever they show (the paper's G(x, c))."""
        numbers, placement = self._numbers(points)
        given = torch.from_numpy(np.array(np.broadcast_to(code, (len(points), self.config.code_dim))))
        with torch.inference_mode():
            change = self.networks.generator(numbers, given) - numbers
        return self.space.moved(points, placement, change.numpy().astype(np.float64))

    def continuum(self, target: Floats, code: Floats32, strengths: Floats) -> Floats:
        """(s, k, d): one face (k, d) with one expression (code_dim,) at each of the ``strengths`` (s,)."""
        return np.concatenate([self.transfer(target[None], code[None], float(strength)) for strength in strengths])

    def encode(self, points: Floats) -> Floats32:
        """The expression codes of faces."""
        numbers, _ = self._numbers(points)
        with torch.inference_mode():
            code: Floats32 = self.networks.encoder(numbers).numpy()
        return code

    def draw_codes(self, num: int, seed: int) -> Floats32:
        """(num, code_dim) random codes, near those that the encoder found in training."""
        known = torch.tensor(self.metadata["codes"])
        drawn: Floats32 = codes.resampled(num, known, SAMPLE_WIDTH, generator_at(seed, 0, "sample")).numpy()
        return drawn

    def _numbers(self, points: Floats) -> tuple[Tensor, Any]:
        shape = (self.num_points, self.dimensions)
        check(
            points.ndim == 3 and points.shape[1:] == shape,
            f"this model knows faces of {shape[0]} points in {shape[1]} dimensions, not {points.shape[1:]}",
        )
        numbers, placement = self.space.numbers(points)
        return torch.tensor(numbers, dtype=torch.float32), placement


class _Known(NamedTuple):
    """Metadata that is read."""

    config: ShapeConfig
    still: Weight
    codes: list[list[float]]


def check_space(mean: Floats, weights: Floats, axes: Floats, units: Floats, movements: Movements, linear: Rest) -> None:
    """Raises ValueError unless the arrays of a file fit together."""
    points, dimensions = mean.shape
    components = len(axes)
    wanted = ((weights, (points,)), (axes, (components, points * dimensions)), (units, (components,)))
    if dimensions not in (2, 3) or any(array.size != math.prod(shape) for array, shape in wanted):
        raise ValueError("its arrays do not fit together")
    if any(len(array) != components for array in linear):
        raise ValueError("its estimate does not fit its components")
    kinds, sources = len(movements.shares), len(movements.source_shares)
    sizes: list[tuple[int, ...]] = [(kinds,), (kinds, components), (kinds, components, components)]
    sizes += [(sources,), (sources, components), (sources, components, components)]
    if not kinds * sources or any(array.shape != size for array, size in zip(movements, sizes, strict=True)):
        raise ValueError("its movements do not fit its components")


class _Arrays(nn.Module):
    """Arrays in a model file."""

    def __init__(self, **arrays: Floats) -> None:
        super().__init__()
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32))


def save(path: Path, model: ShapeModel) -> None:
    """Write one safetensors file in float16, atomically: networks, their space, movements and the linear estimate."""
    frame, axes, units = model.space
    space = _Arrays(mean=frame.mean, weights=frame.weights, axes=axes, units=units)
    estimates = {"movements": _Arrays(**model.movements._asdict()), "linear": _Arrays(**model.linear._asdict())}
    save_networks(path, {**model.networks.named(), "space": space, **estimates}, model.metadata)


def load(name: Path | str = PACKAGED) -> ShapeModel:
    """A shape model from its file or run folder, or the packaged one by its name. Raises UserError."""
    path = find(name)
    text, tensors = read_file(path)
    metadata = parse_json(text, f"{path}: its metadata", "get it again")
    right = isinstance(metadata, dict) and metadata.get("method") == METHOD
    check(right, f"{path} is not a shape model: twocet train --recipe shapes makes one")
    check(metadata.get("format") == FORMAT, f"{path} has a format that is unknown here: update twocet")
    try:
        known: _Known = from_dict(_Known, named(metadata, _Known))
        config = known.config
        check(all(len(row) == config.code_dim for row in known.codes), f"codes must have {config.code_dim} numbers")
        mean, weights, axes, units = (
            tensors.pop(f"space.{key}").double().numpy() for key in ("mean", "weights", "axes", "units")
        )
        linear = Rest(*(tensors.pop(f"linear.{key}").double().numpy() for key in Rest._fields))
        movements = Movements(*(tensors.pop(f"movements.{key}").double().numpy() for key in Movements._fields))
        check_space(mean, weights, axes, units, movements, linear)
        networks = build(torch.ones(len(axes)), torch.ones(len(axes)), movements, config)._replace(discriminator=None)
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} is a damaged shape model ({error!r}): get it again") from None
    load_networks(path, networks.named(), tensors)
    return new_model(networks, Space(Frame(mean, weights), axes, units), movements, linear, metadata)


def find(name: Path | str) -> Path:
    """The file of a shape model, of a run folder, or of the packaged one."""
    path = Path(name)
    if path.is_dir():
        return path / MODEL_FILE
    return packaged_file(PACKAGED) if str(name) == PACKAGED and not path.is_file() else path


def is_shape_model(name: Path | str) -> bool:
    """Whether this is a shape model: its file, the run folder of one, or the packaged one by its name."""
    path = find(name)
    if not path.is_file():
        return False
    try:
        metadata = parse_json(read_file(path)[0], "", "")
        return isinstance(metadata, dict) and metadata.get("method") == METHOD
    except UserError:
        return False


def new_model(
    networks: Networks, space: Space, movements: Movements, linear: Rest, metadata: dict[str, Any]
) -> ShapeModel:
    """Put generator and encoder into evaluation mode and join them with what belongs to them."""
    for network in networks.named().values():
        network.eval().requires_grad_(False)
    return ShapeModel(networks, space, movements, linear, metadata)


def describe(config: ShapeConfig, **facts: Any) -> dict[str, Any]:
    """The metadata of a model."""
    return {"method": METHOD, "format": FORMAT, "config": dataclasses.asdict(config), **facts}
