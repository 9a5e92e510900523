"""The baselines as methods of the trainer (``twocet.training.method.Method``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twocet.compare.baselines.config import BaselineConfig, GANimationConfig, StarGANConfig
from twocet.compare.baselines.domains import DomainSampler, find_domains, label_of
from twocet.compare.baselines.ganimation import GANimationRecipe, UnitSampler
from twocet.compare.baselines.ganimation import State as GANimationState
from twocet.compare.baselines.models import BLENDSHAPES, OPENFACE, GANimationModel, StarGANModel, save_baseline
from twocet.compare.baselines.networks import GANimationNetworks, StarGANNetworks, build_ganimation, build_stargan
from twocet.compare.baselines.stargan import StarGANRecipe
from twocet.compare.baselines.stargan import State as StarGANState
from twocet.compare.baselines.state import BaselineState
from twocet.compare.baselines.units import UnitReader, annotate, row_units
from twocet.data.dataset import DatasetFolder, Faces, as_images, pairs
from twocet.runtime.devices import here
from twocet.runtime.distributed import ALONE, Ranks
from twocet.training.config import Selection
from twocet.training.export import CHUNK, MEASURED_PHOTOS, SHEET_COLUMNS, VALIDATION_PAIRS, History
from twocet.training.method import as_they_are
from twocet.training.selection import METRICS, agreement, distance


class StarGAN:
    """StarGAN v2."""

    photos_per_row = 3
    prepare = staticmethod(as_they_are)

    def __init__(
        self, config: StarGANConfig, datasets: Sequence[DatasetFolder], folder: Path, ranks: Ranks = ALONE
    ) -> None:
        domains = config.domains or find_domains(datasets, config.exclude)
        self.config = config = dataclasses.replace(config, domains=domains)
        self.size, self.select, self.metric = config.network.size, config.select, METRICS[config.select]
        self.recipe = StarGANRecipe(config, ranks)

    def new_state(self, device: torch.device) -> StarGANState:
        """See ``Method``."""
        config = self.config
        torch.manual_seed(config.seed)
        networks = StarGANNetworks(*(network.to(device) for network in build_stargan(config)))
        rates = dict.fromkeys(("generator", "encoder", "discriminator"), config.lr) | {"mapping": config.lr_mapping}
        return BaselineState(config, networks, ("generator", "mapping", "encoder"), rates)

    def sampler(self, sets: Sequence[Faces], mix: Sequence[float]) -> DomainSampler:
        """See ``Method``."""
        return DomainSampler(sets, mix, self.config.domains, self.config.batch, self.config.seed)

    def measure(self, state: StarGANState, sets: Sequence[Faces]) -> float:
        """On pairs whose label is a domain."""
        return measured(self.model(state, sets), sets, self.select, self.config.domains)

    def diagnose(self, state: StarGANState, sets: Sequence[Faces]) -> dict[str, float]:
        """Nothing."""
        return {}

    def sample_rows(self, state: StarGANState, sets: Sequence[Faces]) -> list[Tensor]:
        """See ``Method``."""
        return sheet_rows(self.model(state, sets), sets, self.config.domains)

    def export(self, path: Path, state: StarGANState, history: History) -> object:
        """See ``Method``."""
        model = self.model(state, history.sets)
        domains = self.config.domains
        model.metadata |= described(self.config, model, history, domains) | {"domains": domains}
        save_baseline(path, model)
        return model

    @torch.no_grad()
    def model(self, state: StarGANState, sets: Sequence[Faces]) -> StarGANModel:
        """The averaged networks; the neutral style is that of ``sets``."""
        photos = neutral_photos(sets)
        encoder = state.average.encoder
        styles = [
            encoder(as_images(x).to(here()), torch.zeros(len(x), dtype=torch.int64)) for x in torch.split(photos, CHUNK)
        ]
        style: list[float] = torch.cat(styles).mean(dim=0).tolist()
        return StarGANModel(state.average, self.config, {"neutral_style": style})


class GANimation:
    """GANimation-style."""

    photos_per_row = 1
    prepare = staticmethod(as_they_are)

    def __init__(
        self, config: GANimationConfig, datasets: Sequence[DatasetFolder], folder: Path, ranks: Ranks = ALONE
    ) -> None:
        self.config, self.size = config, config.network.size
        self.select, self.metric = config.select, METRICS[config.select]
        self._read = UnitReader().read
        for dataset in datasets:
            # Rank 0 reads the photos; the others then find the table.
            ranks.rank_0_first(lambda: self._annotate(dataset, folder))  # noqa: B023 - called at once
        self.recipe = GANimationRecipe(config, ranks)

    def new_state(self, device: torch.device) -> GANimationState:
        """See ``Method``."""
        torch.manual_seed(self.config.seed)
        networks = GANimationNetworks(*(network.to(device) for network in build_ganimation(self.config)))
        rates = {"generator": self.config.lr, "discriminator": self.config.lr}
        return BaselineState(self.config, networks, ("generator",), rates)

    def _annotate(self, dataset: DatasetFolder, folder: Path) -> None:
        annotate(dataset, folder, self.config.action_units, self.config.threads, self._read)

    def sampler(self, sets: Sequence[Faces], mix: Sequence[float]) -> UnitSampler:
        """See ``Method``."""
        return UnitSampler(sets, mix, self.config.batch, self.config.seed, self.config.unit_noise)

    def measure(self, state: GANimationState, sets: Sequence[Faces]) -> float:
        """On all pairs."""
        return measured(self.model(state, sets), sets, self.select)

    def diagnose(self, state: GANimationState, sets: Sequence[Faces]) -> dict[str, float]:
        """Nothing."""
        return {}

    def sample_rows(self, state: GANimationState, sets: Sequence[Faces]) -> list[Tensor]:
        """See ``Method``."""
        return sheet_rows(self.model(state, sets), sets)

    def export(self, path: Path, state: GANimationState, history: History) -> object:
        """See ``Method``."""
        model = self.model(state, history.sets)
        model.metadata |= described(self.config, model, history)
        save_baseline(path, model)
        return model

    def model(self, state: GANimationState, sets: Sequence[Faces]) -> GANimationModel:
        """The averaged generator; the neutral action units are those of ``sets``."""
        units = torch.tensor([row_units(row) for faces in sets for row in faces.neutral_rows])
        neutral: list[float] = units.nanmean(dim=0).nan_to_num().tolist()
        source = OPENFACE if self.config.action_units else BLENDSHAPES
        return GANimationModel(state.average, self.config, {"neutral_units": neutral, "units": source}, self._read)


Trained = StarGANModel | GANimationModel


def known_pairs(sets: Sequence[Faces], most: int, domains: Sequence[str] | None) -> tuple[Tensor, Tensor, list[str]]:
    """Up to ``most`` pairs of one person's neutral and expressive photo, (n, 3, S, S) each, and the latter's labels.

    With ``domains`` only pairs whose label is one of them.
    """
    found = [(faces, *pair) for faces in sets for pair in pairs(faces, len(faces.expressive_rows))]
    usable = [x for x in found if domains is None or label_of(x[0].expressive_rows[x[2]]) in domains]
    step = max(1, -(-len(usable) // most))
    chosen = usable[::step]
    if not chosen:
        empty = sets[0].neutral[:0].float()
        return empty, empty, []
    neutral, expressive = (
        torch.stack(x) for x in zip(*((f.neutral[n], f.expressive[e]) for f, n, e in chosen), strict=True)
    )
    return (
        as_images(neutral).to(here()),
        as_images(expressive).to(here()),
        [label_of(f.expressive_rows[e]) for f, _, e in chosen],
    )


def gain(model: Trained, sets: Sequence[Faces], domains: Sequence[str] | None = None) -> float:
    """1 - |transfer(x_n, x_e) - x_e| / |x_n - x_e| over pairs of one person (``trained.validation_gain``)."""
    neutral, expressive, labels = known_pairs(sets, VALIDATION_PAIRS, domains)
    error, distance = torch.zeros(()), torch.zeros(())
    for start in range(0, len(labels), CHUNK):
        part = slice(start, start + CHUNK)
        output = model.transfer(neutral[part], expressive[part], 1.0, labels[part]).clamp(-1, 1)
        error += (output - expressive[part]).abs().sum()
        distance += (neutral[part] - expressive[part]).abs().sum()
    return float(1 - error / distance)


def measured(model: Trained, sets: Sequence[Faces], select: Selection, domains: Sequence[str] | None = None) -> float:
    """The metric ``select`` of ``twocet.training.selection``, by the same pairs and formulas."""
    if select == "gain":
        return gain(model, sets, domains)
    neutral, expressive, labels = known_pairs(sets, VALIDATION_PAIRS, domains)
    targets = neutral.roll(1, dims=0)
    parts = [slice(start, start + CHUNK) for start in range(0, len(labels), CHUNK)]
    made = torch.cat([model.transfer(targets[k], expressive[k], 1.0, labels[k]) for k in parts])
    return agreement(made, neutral, expressive) if select == "agreement" else distance(made, expressive)


def sheet_rows(model: Trained, sets: Sequence[Faces], domains: Sequence[str] | None = None) -> list[Tensor]:
    """Rows of a sample sheet: targets, references of other people, transfers; references, made neutral, restored."""
    neutral, reference, labels = known_pairs(sets, SHEET_COLUMNS, domains)
    others, other_labels = reference.roll(1, dims=0), [*labels[-1:], *labels[:-1]]
    transferred = model.transfer(neutral, others, 1.0, other_labels)
    made_neutral = model.neutralize(reference)
    return [neutral, others, transferred, reference, made_neutral, model.transfer(made_neutral, reference, 1.0, labels)]


def neutral_photos(sets: Sequence[Faces]) -> Tensor:
    """Up to about MEASURED_PHOTOS neutral photos, evenly from all sets: (n, 3, S, S) uint8."""
    share = -(-MEASURED_PHOTOS // len(sets))
    return torch.cat([faces.neutral[:: max(1, -(-len(faces.neutral) // share))] for faces in sets])


def described(
    config: BaselineConfig, model: Trained, history: History, domains: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a model file says about its training."""
    held_out = history.held_out
    metrics = {"validation_gain": gain(model, held_out, domains)} if held_out else {}
    return {**history.metadata(config), "metrics": metrics}
