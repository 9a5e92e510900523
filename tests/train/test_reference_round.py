"""One round of the recipes ``paper`` and ``authors`` against the formulas, in float64 and without torch.

The networks are small enough to be written twice: as modules for the recipe, and as plain functions of numpy for the
reference, which differentiates by central differences and knows nothing of the code under test.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from arithmetic import Adam, Small, assert_same, averaged, copies, descend, draw, softplus
from torch import Tensor

from twocet.networks.config import NetworkConfig
from twocet.networks.interfaces import Networks
from twocet.training.recipes import base
from twocet.training.recipes.paper import PaperRecipe
from twocet.training.recipes.table import RECIPES
from twocet.training.sampler import Batch

STEP, BATCH, SIDE, DIM = 2_500, 3, 4, 2
NEUTRAL, EXPRESSIVE = 0, 1

# Names and shapes: a generator a x + tanh(c v) x + b, an encoder tanh(mean(x) W + e),
# a discriminator mean(x) U + mean(x^2) q.
GENERATOR = {"a": (1,), "v": (DIM,), "b": (3,)}
ENCODER = {"W": (3, DIM), "e": (DIM,)}
DISCRIMINATOR = {"U": (3, 2), "q": (2,)}


# The same three networks, first in torch.
class SmallGenerator(Small):
    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        strength = torch.tanh((code * self.v).sum(dim=1))[:, None, None, None]
        return self.a * image + strength * image + self.b[:, None, None]


class SmallEncoder(Small):
    def forward(self, image: Tensor) -> Tensor:
        return torch.tanh(image.mean(dim=(2, 3)) @ self.W + self.e)


class SmallDiscriminator(Small):
    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3)) @ self.U + image.square().mean(dim=(1, 2, 3))[:, None] * self.q


# Then in numpy.
def generate(g, x, c):
    return g["a"] * x + np.tanh(c @ g["v"])[:, None, None, None] * x + g["b"][:, None, None]


def encode(e, x):
    return np.tanh(x.mean(axis=(2, 3)) @ e["W"] + e["e"])


def judge(d, x, domain):
    return x.mean(axis=(2, 3)) @ d["U"][:, domain] + (x**2).mean(axis=(1, 2, 3)) * d["q"][domain]


def half_squared_gradient(d, x, domain):
    """R1: the derivative of ``judge`` by every pixel, by hand."""
    slope = d["U"][:, domain][None, :, None, None] / SIDE**2 + 2 * d["q"][domain] * x / (3 * SIDE**2)
    return (slope**2).sum(axis=(1, 2, 3)).mean() / 2


def discriminator_loss(nets, x_n, x_e, code, weights, both):
    g, _, d = nets
    loss = softplus(-judge(d, x_e, EXPRESSIVE)) + softplus(judge(d, generate(g, x_n, code), EXPRESSIVE))
    loss += weights["r1"] * half_squared_gradient(d, x_e, EXPRESSIVE)
    if both:
        loss += softplus(-judge(d, x_n, NEUTRAL)) + softplus(judge(d, generate(g, x_e, 0 * code), NEUTRAL))
        loss += weights["r1"] * half_squared_gradient(d, x_n, NEUTRAL)
    return loss


def generator_loss(nets, x_n, x_e, code, other_code, other, weights, both):
    """``other`` is the second fake, a constant."""
    g, e, d = nets
    fake = generate(g, x_n, code)
    loss = softplus(-judge(d, fake, EXPRESSIVE))
    loss += np.abs(x_n - generate(g, fake, 0 * code)).mean()
    loss += weights["code"] * np.abs(code - encode(e, fake)).mean()
    apart = np.abs(fake - other).mean(axis=(1, 2, 3))
    if weights["proportional"]:
        apart = apart * 3 * np.abs(code - other_code).mean(axis=1)  # the codes' range is 1
    loss -= weights["diversity"] * apart.mean()
    if both:
        neutral = generate(g, x_e, 0 * code)
        loss += softplus(-judge(d, neutral, NEUTRAL))
        loss += weights["cycle_expressive"] * np.abs(x_e - generate(g, neutral, encode(e, x_e))).mean()
    return loss


# The weights at round 2,500 by hand, from the paper's Sec. 4.6 and from the authors' README command.
WEIGHTS = {
    "paper": {"code": 0.5, "diversity": 0.75, "cycle_expressive": 1.125, "proportional": False, "r1": 0.5},
    "authors": {"code": 0.5, "diversity": 0.975, "cycle_expressive": 1.0, "proportional": True, "r1": 0.5},
}
CYCLES = {"paper": [True, True, True], "authors": [True, True, False]}
"""Whether a mini-batch has both cycles. Adam's first step hardly depends on the size of a gradient, so that the recipe
paper, whose round is one mini-batch, makes three rounds (all at round 2,500)."""
ROUNDS = {"paper": 3, "authors": 1}
DECAY = 0.999
PUBLISHED = (1e-4, 1e-4, 1e-4)
"""Learning rates of generator, encoder and discriminator."""


def reference_mini_batch(nets, optimisers, photos, codes, weights, both):
    """A step of the discriminator, then one of generator and encoder; ``nets`` is changed in place."""
    (x_n, x_e), (first, code, other_code) = photos, codes
    descend(lambda: discriminator_loss(nets, x_n, x_e, first, weights, both), nets[2:], optimisers[2:])
    other = generate(nets[0], x_n, other_code)
    descend(lambda: generator_loss(nets, x_n, x_e, code, other_code, other, weights, both), nets[:2], optimisers[:2])


def reference_round(recipe, rates, start, batches, codes):
    """The three networks after one round, and the averages of generator and encoder."""
    nets, optimisers = copies(start), [Adam(rate) for rate in rates]
    averages, mini_batches = start[:2], len(batches) // ROUNDS[recipe]
    for number, (both, photos, drawn) in enumerate(zip(CYCLES[recipe], batches, codes, strict=True), start=1):
        reference_mini_batch(nets, optimisers, photos, drawn, WEIGHTS[recipe], both)
        if number % mini_batches == 0:
            averages = averaged(averages, nets[:2], DECAY)
    return nets, averages


def our_round(recipe, rates, start, batches, codes, monkeypatch):
    generator, encoder, discriminator = start
    networks = Networks(SmallGenerator(generator), SmallEncoder(encoder), SmallDiscriminator(discriminator))
    monkeypatch.setattr(base, "build", lambda config, discriminator: networks)
    config = dataclasses.replace(RECIPES[recipe].defaults, network=NetworkConfig(size=32, code_dim=DIM), batch=BATCH)
    if rates != PUBLISHED:
        names = ("lr", "lr_encoder", "lr_discriminator")
        config = dataclasses.replace(config, **dict(zip(names, rates, strict=True)))
    state, ours = base.adversarial_state(config), PaperRecipe(config)
    given = iter([torch.tensor(code) for triple in codes for code in triple])
    monkeypatch.setattr(ours, "sample", lambda num, generator: next(given))
    photos = iter([Batch(torch.tensor(x_n), torch.tensor(x_e)) for x_n, x_e in batches])
    state.begin_round(STEP, config.steps)
    for _ in range(ROUNDS[recipe]):
        ours.round(state, lambda: next(photos), STEP)
        state.end_round(STEP)
    assert next(photos, None) is None
    return state


@pytest.fixture
def inputs():
    rng = np.random.default_rng(5)
    start = [draw(shapes, rng) for shapes in (GENERATOR, ENCODER, DISCRIMINATOR)]
    batches = [tuple(rng.uniform(-1, 1, (BATCH, 3, SIDE, SIDE)) for _ in range(2)) for _ in range(3)]
    codes = [[rng.uniform(-0.5, 0.5, (BATCH, DIM)) for _ in range(3)] for _ in range(3)]
    return start, batches, codes


@pytest.mark.parametrize("rates", [PUBLISHED, (1e-4, 3e-5, 2e-4)], ids=["published", "own"])
@pytest.mark.parametrize("recipe", ["paper", "authors"])
def test_a_round_equals_the_reference_arithmetic(recipe, rates, inputs, monkeypatch):
    start, batches, codes = inputs
    nets, averages = reference_round(recipe, rates, start, batches, codes)
    state = our_round(recipe, rates, start, batches, codes, monkeypatch)
    for wanted, begun, module, rate in zip(nets, start, state.networks, rates, strict=True):
        assert_same(module, wanted, begun, rate)
    for wanted, module in zip(averages, state.average[:2], strict=True):
        assert_same(module, wanted)
