"""Mini-batches of photos, each a function of (seed, number)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor

from twocet.data.dataset import Faces, Known, as_images
from twocet.errors import check
from twocet.runtime.randomness import WHOLE, Share, generator_at


class Batch(NamedTuple):
    """Faces of both domains, (N, 3, S, S) float32 in [-1, 1]. In paired batches row i of both is the same person."""

    neutral: Tensor
    expressive: Tensor

    @property
    def reference(self) -> Tensor:
        """The photos whose expressions those in ``expressive`` are: themselves."""
        return self.expressive


class Transplanted(NamedTuple):
    """As :class:`Batch`, paired, but the expression of row i may have been transplanted from another person's photo."""

    neutral: Tensor
    expressive: Tensor
    reference: Tensor
    """The photos whose expressions those in ``expressive`` are."""
    flow: Tensor
    """(N, 4, k, k) float32, see ``data.dataset.Known``."""
    mouth: Tensor
    """(N, 1, k, k) float32, likewise."""
    supervised: Tensor
    """(N,) bool, likewise."""


class Pair(Protocol):
    """Row i of neutral and expressive is the same person, with the expression of row i of reference."""

    @property
    def neutral(self) -> Tensor: ...

    @property
    def expressive(self) -> Tensor: ...

    @property
    def reference(self) -> Tensor: ...


@lru_cache(maxsize=16)
def _permutation(seed: int, epoch: int, purpose: str, length: int) -> Tensor:
    return torch.randperm(length, generator=generator_at(seed, epoch, purpose))


def epoch_indices(length: int, num: int, seed: int, step: int, purpose: str) -> Tensor:
    """Indices (num,) into a set of ``length`` for batch number ``step``: shuffled epochs without repetition.

    A remainder smaller than ``num`` is left out of its epoch. Sets smaller than ``num`` are drawn with repetition.
    """
    if length < num:
        return torch.randint(length, (num,), generator=generator_at(seed, step, purpose))
    epoch, position = divmod(step, length // num)
    return _permutation(seed, epoch, purpose, length)[position * num : (position + 1) * num]


def shares(batch: int, mix: Sequence[float]) -> list[int]:
    """Rows of a ``batch`` from each dataset: in proportion to ``mix`` by largest remainder, at least one each."""
    exact = [batch * weight / sum(mix) for weight in mix]
    counts = [max(1, int(number)) for number in exact]
    while sum(counts) < batch:
        counts[max(range(len(mix)), key=lambda k: exact[k] - counts[k])] += 1
    while sum(counts) > batch:
        counts[max(range(len(mix)), key=lambda k: counts[k] - exact[k])] -= 1
    return counts


class Rows(NamedTuple):
    """Rows of a batch that come from one set of faces."""

    faces: Faces
    neutral: Tensor
    """(n,) int64: their neutral photos."""
    expressive: Tensor
    """(n,) int64: their expressive photos."""


class Sampler:
    """Batches from one or several sets of faces, each batch a function of (seed, number)."""

    def __init__(self, sets: Sequence[Faces], mix: Sequence[float], batch: int, seed: int, *, paired: bool) -> None:
        check(len(sets) == len(mix), f"{len(mix)} mixing weights for {len(sets)} datasets: give one for each --data")
        check(all(weight > 0 for weight in mix), f"mixing weights must be positive: {list(mix)}")
        check(batch >= len(sets), f"a batch of {batch} cannot hold {len(sets)} datasets")
        for faces in sets:
            check(len(faces.neutral) > 0 and len(faces.expressive) > 0, "a dataset lacks photos in one domain")
        self.sets, self.counts, self.seed, self.paired = list(sets), shares(batch, mix), seed, paired
        # Paired sampling can use only expressive photos of people who also have a neutral one.
        self.usable = [torch.tensor([i for i, other in enumerate(s.companions) if other]) for s in sets]
        check(not paired or all(len(usable) > 0 for usable in self.usable), "no identity has photos in both domains")

    def rows(self, number: int, share: Share = WHOLE) -> list[Rows]:
        """Which rows of every set batch ``number`` >= 0, or a share of it, has."""
        mine = share.of(torch.arange(sum(self.counts)))
        starts = itertools.accumulate(self.counts, initial=0)
        return [
            self._rows(k, number, mine[(mine >= start) & (mine < start + count)] - start)
            for k, (start, count) in enumerate(zip(starts, self.counts, strict=False))
        ]

    def batch(self, number: int, share: Share = WHOLE) -> Batch:
        """Batch ``number`` >= 0, or a share of its rows."""
        return pictures(self.rows(number, share))

    def _rows(self, k: int, number: int, mine: Tensor) -> Rows:
        """Rows of set ``k`` in batch ``number``: those of its ``counts[k]`` that ``mine`` (n,) indexes."""
        faces, count = self.sets[k], self.counts[k]
        if not self.paired:
            neutral = epoch_indices(len(faces.neutral), count, self.seed, number, f"neutral {k}")
            expressive = epoch_indices(len(faces.expressive), count, self.seed, number, f"expressive {k}")
            return Rows(faces, neutral[mine], expressive[mine])
        expressive = self.usable[k][epoch_indices(len(self.usable[k]), count, self.seed, number, f"pairs {k}")]
        generator = generator_at(self.seed, number, f"companions {k}")
        neutral = torch.tensor([pick(faces.companions[i], generator) for i in expressive.tolist()])
        return Rows(faces, neutral[mine], expressive[mine])


class TransplantSampler:
    """Paired batches from sets of which landmarks tell how faces move."""

    def __init__(self, sets: Sequence[Faces], mix: Sequence[float], batch: int, seed: int) -> None:
        self._pairs = Sampler(sets, mix, batch, seed, paired=True)

    def batch(self, number: int, share: Share = WHOLE) -> Transplanted:
        """Batch ``number`` >= 0, or a share of its rows."""
        chosen = self._pairs.rows(number, share)
        neutral, expressive = pictures(chosen)
        known = [(known_of(rows.faces), rows.expressive) for rows in chosen]
        references = [
            rows.faces.expressive[torch.tensor(facts.references)[k]]
            for rows, (facts, k) in zip(chosen, known, strict=True)
        ]
        return Transplanted(
            neutral,
            expressive,
            as_images(torch.cat(references)),
            torch.cat([facts.flows[k] for facts, k in known]).float(),
            torch.cat([facts.mouths[k] for facts, k in known]).float(),
            torch.cat([facts.supervised[k] for facts, k in known]),
        )


def known_of(faces: Faces) -> Known:
    """What is known of the pairs of ``faces``, which must have been made so."""
    assert faces.known is not None
    return faces.known


def pictures(chosen: Sequence[Rows]) -> Batch:
    """The photos of these rows."""
    neutral = torch.cat([rows.faces.neutral[rows.neutral] for rows in chosen])
    expressive = torch.cat([rows.faces.expressive[rows.expressive] for rows in chosen])
    return Batch(as_images(neutral), as_images(expressive))


def pick(choices: Sequence[int], generator: Generator) -> int:
    """One of ``choices``, uniformly."""
    return choices[int(torch.randint(len(choices), (1,), generator=generator))]
