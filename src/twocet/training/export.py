"""What can be said about networks in training, and the model file made of them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twocet import __version__
from twocet.data.dataset import Faces, as_images, pairs
from twocet.model import strength
from twocet.model.model import Model, new_model, save_model
from twocet.networks.interfaces import Networks
from twocet.runtime.commit import commit
from twocet.runtime.devices import autocast
from twocet.training.checkpoint import Progress
from twocet.training.config import ModelConfig, RunConfig

MODEL_FILE = "model.safetensors"
"""The round that the validation people chose; the last one without them."""
LAST_FILE = "last.safetensors"
"""The last round, where another one was chosen."""


def raw_file(path: Path) -> Path:
    """Where the networks themselves are, beside the model file ``path`` of their averages."""
    return path.with_stem(f"{path.stem}-raw")


SHEET_COLUMNS = 10
VALIDATION_PAIRS = 64
MEASURED_PHOTOS = 512
CHUNK = 16
FEWEST_CODES = 2
"""Codes that random ones can be drawn near; see :func:`twocet.method.codes.resampled`."""


def pair_images(sets: Sequence[Faces], most: int) -> tuple[Tensor, Tensor]:
    """Up to ``most`` pairs of one person's neutral and expressive photo, evenly from all sets; (n, 3, S, S) each."""
    share = -(-most // len(sets))
    chosen = [(faces, list(pairs(faces, share))) for faces in sets]
    neutral = torch.cat([faces.neutral[[n for n, _ in found]] for faces, found in chosen])
    expressive = torch.cat([faces.expressive[[e for _, e in found]] for faces, found in chosen])
    return as_images(neutral[:most]), as_images(expressive[:most])


@torch.no_grad()
def sample_rows(networks: Networks, sets: Sequence[Faces], bf16: bool) -> list[Tensor]:
    """Rows of a sample sheet: targets, references of other people, transfers; references, made neutral, restored."""
    neutral, reference = pair_images(sets, SHEET_COLUMNS)
    others = reference.roll(1, dims=0)
    with autocast(bf16):
        transferred = networks.generator(neutral, networks.encoder(others))
        code = networks.encoder(reference)
        made_neutral = networks.generator(reference, torch.zeros_like(code))
        restored = networks.generator(made_neutral, code)
    return [neutral, others, transferred, reference, made_neutral, restored]


@torch.no_grad()
def validation_gain(networks: Networks, sets: Sequence[Faces], bf16: bool) -> float:
    """1 - |G(x_n, E(x_e)) - x_e| / |x_n - x_e| over pairs of one person: 0 is copying the target, 1 is perfect.

    The reference is the person's own photo, so this is easier than the benchmark, and quick enough to watch.
    """
    neutral, expressive = pair_images(sets, VALIDATION_PAIRS)
    error, distance = torch.zeros(()), torch.zeros(())
    for x_n, x_e in zip(torch.split(neutral, CHUNK), torch.split(expressive, CHUNK), strict=True):
        with autocast(bf16):
            output = networks.generator(x_n, networks.encoder(x_e)).clamp(-1, 1)
        error += (output - x_e).abs().sum()
        distance += (x_n - x_e).abs().sum()
    return float(1 - error / distance)


@torch.no_grad()
def expressive_codes(encode: Callable[[Tensor], Tensor], sets: Sequence[Faces]) -> Tensor:
    """Codes of up to MEASURED_PHOTOS expressive photos, evenly from all sets: (n, d) float32."""
    share = -(-MEASURED_PHOTOS // len(sets))
    chosen = torch.cat([faces.expressive[:: -(-len(faces.expressive) // share)] for faces in sets])
    return torch.cat([encode(as_images(chunk)) for chunk in torch.split(chosen, CHUNK)])


class History(NamedTuple):
    """How networks came to be what they are: what a model file tells of its training."""

    sets: Sequence[Faces]
    """The training photos."""
    held_out: Sequence[Faces]
    """The validation photos with pairs; may be empty."""
    data: Sequence[dict[str, Any]]
    """The datasets' descriptions."""
    progress: Progress
    selected: dict[str, Any]
    """The metric that chose this round and its value; empty if none did."""
    complete: bool
    """Whether the run is at its end."""

    def metadata(self, config: RunConfig) -> dict[str, Any]:
        """What the files of all methods have in common; JSON-able."""
        return {
            "template": self.data[0]["template"],
            "training": {
                "config": dataclasses.asdict(config),
                "rounds": self.progress.step,
                "selected": self.selected,
                "minutes": round(self.progress.seconds / 60, 2),
                "photos": [faces.counts for faces in self.sets],
            },
            "data": [{key: info.get(key, "") for key in ("name", "licence", "citation")} for info in self.data],
            "commit": commit(),
            "version": __version__,
        }


def export_model(
    path: Path, trained: Networks, config: ModelConfig, history: History, drawn: Mapping[str, Any] | None = None
) -> Model:
    """Write a copy of networks as a model file, with what is known about them.

    ``drawn`` says what distribution random codes come from, see :meth:`twocet.model.file.Model.sample_codes`; if it is
    not given they are drawn near those of training photos.
    """
    networks = Networks(**{name: copy.deepcopy(network) for name, network in trained.named().items()})
    held_out = history.held_out
    metrics = {"validation_gain": validation_gain(networks, held_out, False)} if held_out else {}
    model = new_model(networks, config.network, {**history.metadata(config), "metrics": metrics})
    if config.even and history.complete:
        model = with_even_strength(model, held_out or history.sets)
    model = with_code_facts(model, history.sets, drawn)
    save_model(path, model)
    return model


def with_even_strength(model: Model, sets: Sequence[Faces]) -> Model:
    """The model with the power that makes strength even for these people, each with the next one's expression.

    The same model if nobody has a neutral and an expressive photo. See ``twocet.model.strength``.
    """
    people = [faces for faces in sets if any(faces.companions)]
    if not people:
        return model
    neutral, expressive = pair_images(people, strength.SERIES)
    return strength.calibrated(model, neutral.roll(1, dims=0), expressive)


def with_code_facts(model: Model, sets: Sequence[Faces], drawn: Mapping[str, Any] | None = None) -> Model:
    """The model with what its encoder finds in the training photos, and what random codes are drawn from.

    That is the distribution ``drawn`` or, without one, the longer half of the codes found: random ones are drawn near
    them, and short codes are hardly seen.
    """
    found = expressive_codes(model.encode, sets)
    length = found.square().mean(dim=1).sqrt()
    longer = found[length >= length.median()]
    facts: dict[str, Any] = {
        "code_std": found.std(dim=0, correction=0).tolist(),
        "code_mean": found.mean(dim=0).tolist(),
        "code_covariance": found.T.cov(correction=0).tolist(),
    }
    if drawn:
        facts["code_distribution"] = dict(drawn)
    elif len(longer) >= FEWEST_CODES:
        facts["codes"] = [[round(number, 4) for number in code] for code in longer.tolist()]
    return dataclasses.replace(model, metadata={**model.metadata, **facts})
