"""What a model file tells of itself, and whether it can be true."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from twocet.data.dataset import TEMPLATES
from twocet.errors import UserError, check
from twocet.networks.config import NetworkConfig
from twocet.runtime.configuration import Between, Number, from_dict
from twocet.runtime.records import named, parse_json

FORMAT = 1
_REMEDY = "get it or make it again"
_MOST_CODES = 100_000


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is told of a training run."""

    config: dict[str, Any] = field(default_factory=dict)
    rounds: Number = 0
    minutes: Annotated[float, Between(0, 1e9)] = 0.0
    selected: dict[str, Any] = field(default_factory=dict)
    photos: list[dict[str, int]] = field(default_factory=list)
    earlier: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What is told of a dataset."""

    name: str = ""
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The fields that are read; see :func:`twocet.model.file.save_model`. There may be others."""

    format: int
    template: str
    network: NetworkConfig
    code_power: Annotated[float, Between(0.05, 20)] = 1.0
    code_std: list[float] | None = None
    code_mean: list[float] | None = None
    code_covariance: list[list[float]] | None = None
    codes: list[list[float]] | None = None
    training: dict[str, Any] = field(default_factory=dict)
    data: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    commit: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        dim = self.network.code_dim
        for name in ("code_std", "code_mean"):
            row = getattr(self, name)
            check(row is None or len(row) == dim, f"{name} must have {dim} numbers")
        for name in ("code_covariance", "codes"):
            rows = getattr(self, name)
            check(rows is None or all(len(row) == dim for row in rows), f"every row of {name} must have {dim} numbers")
        rows = self.code_covariance
        check(rows is None or len(rows) == dim, f"code_covariance must have {dim} rows")
        check(self.codes is None or 2 <= len(self.codes) <= _MOST_CODES, f"codes must be 2 to {_MOST_CODES}")
        for run in (self.training, *from_dict(Training, named(self.training, Training)).earlier):
            from_dict(Training, named(run, Training))
        for origin in self.data:
            from_dict(Origin, named(origin, Origin))


def parse_metadata(text: str, path: Path) -> dict[str, Any]:
    """The metadata in the file ``path``, checked by :func:`check_metadata`. Raises UserError."""
    metadata = parse_json(text, f"{path}: its metadata", _REMEDY)
    check_metadata(metadata, path)
    return dict(metadata)


def check_metadata(metadata: Any, path: Path) -> None:
    """Raises UserError unless these can be the metadata of a model for use, in a file that this version reads."""
    check(isinstance(metadata, dict), f"{path} has damaged metadata (no JSON object): {_REMEDY}")
    method = str(metadata.get("method"))[:40]
    check(method != "shapes", f"{path} is a model of shapes: this needs a model of pixels, such as default")
    check("method" not in metadata, f"{path} holds a {method} model, for evaluation and comparison only")
    number = metadata.get("format")
    check(number == FORMAT, f"{path} has format {number!r:.20}, this version of twocet reads {FORMAT}: update twocet")
    try:
        known: Metadata = from_dict(Metadata, named(metadata, Metadata))
    except UserError as error:
        raise UserError(f"{path} has invalid metadata ({error}): {_REMEDY}, or update twocet") from None
    check(
        known.template in TEMPLATES,
        f"{path} was trained on the template {known.template[:40]!r}, which is unknown here: update twocet",
    )
