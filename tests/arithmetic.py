"""What the reference rounds compute with: plain formulas of numpy in float64, which know no code under test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

Parameters = dict[str, np.ndarray]
"""The weights of a network by name, changed in place."""


class Small(nn.Module):
    """A network whose parameters are ``values``, by name."""

    def __init__(self, values: Parameters) -> None:
        super().__init__()
        for name, value in values.items():
            setattr(self, name, nn.Parameter(torch.tensor(value)))


def draw(shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> Parameters:
    """Normal weights of these shapes."""
    return {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}


def values(module: nn.Module) -> Parameters:
    """The weights of a network of torch."""
    return {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}


def softplus(z: np.ndarray) -> float:
    """Mean of log(1 + exp z)."""
    return np.log1p(np.exp(z)).mean()


class Adam:
    """Adam with L2 decay for the weights of one network, by the formulas of Kingma and Ba."""

    def __init__(self, rate: float, betas: tuple[float, float] = (0.0, 0.99), decay: float = 1e-4) -> None:
        self.rate, self.betas, self.decay = rate, betas, decay
        self.m: Parameters = {}
        self.v: Parameters = {}
        self.t: dict[str, int] = {}

    def step(self, weights: Parameters, slopes: Parameters) -> None:
        """Move these weights, given the gradient by each of them."""
        b1, b2 = self.betas
        for name, value in weights.items():
            self.t[name] = t = self.t.get(name, 0) + 1
            slope = slopes[name] + self.decay * value
            self.m[name] = b1 * self.m.get(name, 0.0) + (1 - b1) * slope
            self.v[name] = b2 * self.v.get(name, 0.0) + (1 - b2) * slope**2
            value -= self.rate * self.m[name] / (1 - b1**t) / (np.sqrt(self.v[name] / (1 - b2**t)) + 1e-8)


def descend(loss: Callable[[], float], networks: Sequence[Parameters], optimisers: Sequence[Adam]) -> None:
    """One step of several networks down the gradient of ``loss()``, which looks at them."""
    slopes = [{name: central_differences(loss, value) for name, value in network.items()} for network in networks]
    for network, optimiser, slope in zip(networks, optimisers, slopes, strict=True):
        optimiser.step(network, slope)


def copies(networks: Iterable[Parameters]) -> list[Parameters]:
    """The same weights, to be moved."""
    return [{name: value.copy() for name, value in network.items()} for network in networks]


def averaged(averages: Iterable[Parameters], networks: Iterable[Parameters], decay: float) -> list[Parameters]:
    """The moving averages of networks."""
    return [
        {name: decay * average[name] + (1 - decay) * network[name] for name in average}
        for average, network in zip(averages, networks, strict=True)
    ]


def central_differences(loss: Callable[[], float], value: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The gradient of loss() by the entries of the array ``value``, which is changed in place and restored."""
    slope = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        kept = value[index]
        value[index] = kept + h
        above = loss()
        value[index] = kept - h
        slope[index] = (above - loss()) / (2 * h)
        value[index] = kept
    return slope


def assert_same(module: nn.Module, wanted: Parameters, begun: Parameters | None = None, rate: float = 1e-4) -> None:
    """Every weight is the reference's to a thousandth of a per cent of a step of ``rate``, and not as it began."""
    found = values(module)
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        assert np.abs(value - wanted[name]).max() < 1e-5 * rate, name
        assert begun is None or np.abs(value - begun[name]).min() > 1e-2 * rate, name
