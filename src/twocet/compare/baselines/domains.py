"""The domains of StarGAN v2 and mini-batches that are balanced over them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from torch import Tensor

from twocet.data.dataset import DatasetFolder, Faces, as_images
from twocet.errors import check
from twocet.runtime.randomness import WHOLE, Share, generator_at
from twocet.training.sampler import pick, shares

NEUTRAL = "neutral"
"""The domain of all photos whose ``domain`` in faces.csv is neutral."""


class DomainBatch(NamedTuple):
    """Row i: a photo, and two photos of one other domain or the same one."""

    image: Tensor
    """x, (N, 3, S, S)."""
    domain: Tensor
    """Its domain, (N,) int64."""
    reference: Tensor
    """(N, 3, S, S)."""
    other_reference: Tensor
    """Another photo of the same domain as ``reference``."""
    target: Tensor
    """The references' domain, (N,) int64."""


def label_of(row: dict[str, str]) -> str:
    """The domain that a row of faces.csv belongs to."""
    return NEUTRAL if row["domain"] == "neutral" else row["expression"]


def find_domains(datasets: Sequence[DatasetFolder], exclude: Sequence[str]) -> tuple[str, ...]:
    """``neutral`` and all labels of training photos but those that match a pattern of ``exclude``. Raises UserError."""
    labels = {label_of(row) for dataset in datasets for row in dataset.select("train")}
    found = sorted(label for label in labels - {NEUTRAL} if not any(fnmatchcase(label, p) for p in exclude))
    check(
        bool(found) and "" not in found,
        "StarGAN v2 needs expression labels: fill the column expression of faces.csv, for all photos or none but those "
        f"matching {', '.join(exclude) or 'no pattern'} (--set starganv2.exclude=...)",
    )
    return (NEUTRAL, *found)


class DomainSampler:
    """Mini-batches in which every domain is equally likely; a function of (seed, number)."""

    def __init__(
        self, sets: Sequence[Faces], mix: Sequence[float], domains: Sequence[str], batch: int, seed: int
    ) -> None:
        self.sets, self.domains, self.seed = list(sets), tuple(domains), seed
        self.counts = shares(batch, mix)
        self.members = [members(faces, domains) for faces in sets]
        for faces, found in zip(sets, self.members, strict=True):
            name = faces.neutral_rows[0]["file"] if faces.neutral_rows else "a dataset"
            check(len(found) >= 2, f"StarGAN v2 needs two domains in each dataset: that of {name} has {len(found)}")

    def batch(self, number: int, share: Share = WHOLE) -> DomainBatch:
        """Batch ``number`` >= 0, or a share of its rows."""
        parts = [self._part(k, number) for k in range(len(self.sets))]
        columns = [share.of(torch.cat(column)) for column in zip(*parts, strict=True)]
        image, domain, reference, other, target = columns
        return DomainBatch(as_images(image), domain, as_images(reference), as_images(other), target)

    def _part(self, k: int, number: int) -> DomainBatch:
        """The rows of dataset ``k``, images uint8."""
        generator = generator_at(self.seed, number, f"domains {k}")
        found = self.members[k]
        present = sorted(found)
        domain, target = ([pick(present, generator) for _ in range(self.counts[k])] for _ in range(2))
        image, reference, other = (
            self.sets[k].take([pick(found[y], generator) for y in chosen]) for chosen in (domain, target, target)
        )
        return DomainBatch(image, torch.tensor(domain), reference, other, torch.tensor(target))


def members(faces: Faces, domains: Sequence[str]) -> dict[int, list[int]]:
    """For every domain that ``faces`` have, the places of its photos among the rows."""
    found: dict[int, list[int]] = {}
    for place, row in enumerate(faces.rows):
        if label_of(row) in domains:
            found.setdefault(domains.index(label_of(row)), []).append(place)
    return found
