"""Expression codes: the neutral one and random ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Generator, Tensor

from twocet.runtime.randomness import rows

POWER = "code_power"
"""The key of a model's power (see :func:`powered`) in its metadata; 1 where it is missing."""


def neutral(num: int, dim: int) -> Tensor:
    """The neutral code, the zero vector of the paper's Sec. 3.1: (num, dim) float32."""
    return torch.zeros(num, dim, dtype=torch.float32)


def uniform(num: int, dim: int, code_range: float, generator: Generator) -> Tensor:
    """Codes (num, dim) float32, every number from U(-code_range / 2, code_range / 2)."""
    return (rows(torch.rand, num, dim, generator=generator) - 0.5) * code_range


def normal(num: int, dim: int, code_range: float, generator: Generator) -> Tensor:
    """Codes (num, dim) float32, every number from N(0, (code_range / 2)^2)."""
    return rows(torch.randn, num, dim, generator=generator) * (code_range / 2)


def correlated(num: int, mean: Tensor, covariance: Tensor, generator: Generator) -> Tensor:
    """Codes (num, d) float32 from the normal distribution with ``mean`` (d,) and ``covariance`` (d, d).

    Single numbers of a code mean little, what goes together does.
    """
    # The eigenvalues of a covariance estimated from few photos may be slightly negative.
    values, vectors = torch.linalg.eigh(covariance.double())
    root = vectors * values.clamp(min=0).sqrt()
    drawn = torch.randn(num, len(mean), generator=generator, dtype=torch.float64)
    code: Tensor = (mean.double() + drawn @ root.T).float()
    return code


def resampled(num: int, known: Tensor, width: float, generator: Generator) -> Tensor:
    """Codes (num, d) float32 around randomly drawn rows of ``known`` (m, d), at least two: a smoothed bootstrap.

    ``width`` is the normal spread around a row as a share of the rows' own. Codes of photos lie on a curved surface: a
    normal distribution around their mean mostly draws mixtures that mean little, near a photo's code they are a face.
    No row is drawn twice before all were.
    """
    rounds = -(-num // len(known))
    order = torch.cat([torch.randperm(len(known), generator=generator) for _ in range(rounds)])[:num]
    return known[order] + correlated(num, known.new_zeros(known.shape[1]), known.T.cov() * width**2, generator)


def power_of(metadata: Mapping[str, Any]) -> float:
    """The power in a model's metadata."""
    return float(metadata.get(POWER, 1.0))


def powered(code: Tensor, power: float) -> Tensor:
    """Codes (N, d) with the same directions, their lengths (root mean squares) raised to a positive ``power``.

    Scaling a code by s scales the result by s ** power; ``powered(., 1 / power)`` is the inverse.
    """
    if power == 1:
        return code
    length = code.square().mean(dim=-1, keepdim=True).sqrt()
    return code * length.clamp(min=1e-12) ** (power - 1)


SAMPLERS = {"uniform": uniform, "normal": normal}
"""The distributions by the name they have in the configuration."""
PAPER: Mapping[str, Any] = MappingProxyType({"name": "uniform", "width": 1.0})
"""What the paper draws codes from, U(-.5, .5), as a model file says it."""
