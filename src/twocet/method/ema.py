"""Exponential moving average of a network's weights."""

from __future__ import annotations

import torch
from torch import nn


def decay_at(step: int, decay: float, warm_up: bool) -> float:
    """The decay in round ``step``; with ``warm_up`` at most (step + 1) / (step + 10), to forget the start."""
    return min(decay, (step + 1) / (step + 10)) if warm_up else decay


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Average <- decay * average + (1 - decay) * network, in place. Buffers are copied.

    Raises ValueError if the two do not have the same parameters and buffers.
    """
    averages, values = dict(average.named_parameters()), dict(network.named_parameters())
    buffers, sources = dict(average.named_buffers()), dict(network.named_buffers())
    if averages.keys() != values.keys() or buffers.keys() != sources.keys():
        raise ValueError("the average and the network have different parameters")
    # All at once: a card's time for one weight is shorter than the processor's for asking.
    torch._foreach_lerp_(list(averages.values()), [values[name] for name in averages], 1 - decay)
    if buffers:
        torch._foreach_copy_(list(buffers.values()), [sources[name] for name in buffers])
