"""What every preset provides: networks with these interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from twocet.networks.edit import Edit


class Domain(IntEnum):
    """The set of faces the discriminator judges against; also the column of its output."""

    NEUTRAL = 0
    EXPRESSIVE = 1


class Generator(Protocol):
    """G: a face (N, 3, S, S) in [-1, 1] and a code (N, d) to the face with that expression."""

    moves: bool
    """Whether its edits move the image's own pixels, so that more of an expression can be had without more paint."""

    def __call__(self, image: Tensor, code: Tensor) -> Tensor:
        """The edited image, (N, 3, S, S) float32."""
        ...

    def edit(self, image: Tensor, code: Tensor) -> Edit:
        """The same change as fields: ``compose(image, edit)`` is the generator's output in training."""
        ...

    def parameters(self) -> Any: ...


class Networks(NamedTuple):
    """The networks of one model."""

    generator: Any
    """:class:`Generator` and :class:`torch.nn.Module`."""
    encoder: Any
    """E, a :class:`torch.nn.Module`: a face (N, 3, S, S) in [-1, 1] to its expression code (N, d) float32."""
    discriminator: Any = None
    """D: a face (N, 3, S, S) to one logit per domain, (N, 2) float32; columns by :class:`Domain`. None where nothing is
    judged: in recipes that learn from pairs, and in models for use alone."""

    def named(self) -> dict[str, nn.Module]:
        """The networks that there are, by name."""
        return {name: network for name, network in self._asdict().items() if network is not None}

    def to(self, device: torch.device) -> Networks:
        """The same networks, moved to ``device``."""
        return Networks(**{name: network.to(device) for name, network in self.named().items()})


def judge(discriminator: nn.Module, image: Tensor, domain: Domain) -> Tensor:
    """D(x, y) of the paper as a logit, (N,): is ``image`` a real face of ``domain``?"""
    logits: Tensor = discriminator(image)[:, domain]
    return logits


def judge_all(discriminator: nn.Module, images: Sequence[Tensor], domain: Domain) -> tuple[Tensor, ...]:
    """:func:`judge` of each of ``images``, in one pass: D has no norm, so that its rows do not know of each other."""
    logits = judge(discriminator, torch.cat(list(images)), domain)
    return torch.split(logits, [len(image) for image in images])
