"""The two cycles of the paper (Fig. 2): which images and codes exist. What they cost is in ``losses``."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from twocet.networks.interfaces import Networks


class NeutralCycle(NamedTuple):
    """Everything that exists in one pass of the cycle neutral -> expressive -> neutral."""

    fake: Tensor
    """G(x_n, c): the neutral face with the sampled expression."""
    other: Tensor
    """G(x_n, c2): the same face with another one, without a gradient; for diversity."""
    restored: Tensor
    """G(G(x_n, c), 0): back to neutral."""
    recovered: Tensor
    """E(G(x_n, c)): the code read back from the fake."""


class ExpressiveCycle(NamedTuple):
    """Everything that exists in one pass of the cycle expressive -> neutral -> expressive."""

    fake: Tensor
    """G(x_e, 0): the face made neutral."""
    encoded: Tensor
    """E(x_e): its own expression."""
    restored: Tensor
    """G(G(x_e, 0), E(x_e)): the expression put back."""


def neutral_cycle(
    networks: Networks, neutral: Tensor, code: Tensor, other_code: Tensor, shift: Tensor | None = None
) -> NeutralCycle:
    """Fig. 2(a). ``neutral`` (N, 3, S, S) are real neutral faces, the codes (N, d) are sampled.

    ``shift`` (like ``neutral``) makes other people of the fakes before their second pass, and is taken out after it.
    """
    generator, encoder, _ = networks
    fake = generator(neutral, code)
    with torch.no_grad():
        other = generator(neutral, other_code)
    restored = shifted(generator, fake, torch.zeros_like(code), shift)
    return NeutralCycle(fake, other, restored, recovered=encoder(fake))


def expressive_cycle(
    networks: Networks, expressive: Tensor, seen: Tensor | None = None, shift: Tensor | None = None
) -> ExpressiveCycle:
    """Fig. 2(b). ``expressive`` (N, 3, S, S) are real expressive faces.

    ``seen`` is what E sees of them, if not these; ``shift`` as in :func:`neutral_cycle`.
    """
    generator, encoder, _ = networks
    encoded = encoder(expressive if seen is None else seen)
    fake = generator(expressive, torch.zeros_like(encoded))
    return ExpressiveCycle(fake, encoded, shifted(generator, fake, encoded, shift))


def shifted(generator: Any, fake: Tensor, code: Tensor, shift: Tensor | None) -> Tensor:
    """The second pass of a cycle, of faces shifted there and back."""
    restored: Tensor = generator(fake, code) if shift is None else generator(fake + shift, code) - shift
    return restored
