"""Expression codes: the neutral one and random ones."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def neutral(num: int, dim: int) -> Tensor:
    """The neutral code, the zero vector of the paper's Sec. 3.1: (num, dim) float32."""
    return torch.zeros(num, dim)


def uniform(num: int, dim: int, code_range: float, generator: Generator) -> Tensor:
    """Codes (num, dim) float32, every number from U(-code_range / 2, code_range / 2)."""
    return (torch.rand(num, dim, generator=generator) - 0.5) * code_range


def normal(num: int, dim: int, code_range: float, generator: Generator) -> Tensor:
    """Codes (num, dim) float32, every number from N(0, (code_range / 2)^2)."""
    return torch.randn(num, dim, generator=generator) * (code_range / 2)


SAMPLERS = {"uniform": uniform, "normal": normal}
"""The distributions by the name they have in the configuration."""
