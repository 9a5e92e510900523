"""Rounds of GANimation against the published formulas, in float64 and without torch.

As ``test_reference_round`` does for 2CET: networks small enough to be written twice, as modules for the recipe and as
plain functions of numpy for the reference, which differentiates by central differences and knows nothing of the code
under test. Three rounds, for Adam's first step hardly depends on the size of a gradient.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from arithmetic import Adam, Small, assert_same, copies, descend, draw
from torch import Tensor
from torch.nn.functional import avg_pool2d

from twocet.compare.baselines import ganimation
from twocet.compare.baselines.config import baseline_config
from twocet.compare.baselines.ganimation import GANimationRecipe, UnitBatch
from twocet.compare.baselines.networks import GANimationNetworks, Judged, Painted
from twocet.compare.baselines.state import BaselineState

BATCH, SIDE, UNITS, ROUNDS, CRITIC_STEPS = 3, 4, 17, 3, 2
STEP, RATE = 80_000, 0.6e-4
"""From two thirds of 100,000 rounds on the learning rate falls from 1e-4 to 0."""
PUBLISHED_BATCH = 25
"""Rows over which the published losses are summed."""

# Names and shapes: a generator with the mask sigmoid(sum_c w_c x_c + u t) and the colour tanh(k x + u B), where u are
# action units; a discriminator that values patches of 2 x 2 pixels by mean(x) r + mean(x^2) q and reads the units
# tanh(mean(x) V + h).
GENERATOR = {"w": (3,), "t": (UNITS,), "k": (1,), "B": (UNITS, 3)}
CRITIC, READER = {"r": (3,), "q": (1,)}, {"V": (3, UNITS), "h": (UNITS,)}


# The same networks, first in torch.
class Generator(Small):
    def forward(self, image: Tensor, units: Tensor) -> Painted:
        mask = (image * self.w[:, None, None]).sum(dim=1, keepdim=True) + (units @ self.t)[:, None, None, None]
        colour, mask = torch.tanh(self.k * image + (units @ self.B)[:, :, None, None]), torch.sigmoid(mask)
        return Painted(mask * image + (1 - mask) * colour, mask)


class Discriminator(Small):
    def forward(self, image: Tensor) -> Judged:
        patches = (avg_pool2d(image, 2) * self.r[:, None, None]).sum(dim=1, keepdim=True)
        patches = patches + self.q * avg_pool2d(image.square(), 2).mean(dim=1, keepdim=True)
        return Judged(patches, torch.tanh(image.mean(dim=(2, 3)) @ self.V + self.h))


# Then in numpy, row by row.
def paint(g, x, u):
    """The pictures and their masks."""
    masks = [1 / (1 + np.exp(-np.tensordot(g["w"], x[i], 1) - u[i] @ g["t"])) for i in range(BATCH)]
    colours = [np.tanh(g["k"] * x[i] + (u[i] @ g["B"])[:, None, None]) for i in range(BATCH)]
    return np.stack([masks[i] * x[i] + (1 - masks[i]) * colours[i] for i in range(BATCH)]), masks


def realness(d, x):
    """Mean over the patches of all rows; every pixel lies in one of them."""
    return (x.mean(axis=(0, 2, 3)) * d["r"]).sum() + d["q"][0] * (x**2).mean()


def read(d, x):
    return np.tanh(x.mean(axis=(2, 3)) @ d["V"] + d["h"])


def gradient_penalty(d, x):
    """The gradient is that of the sum of a row's patches by its pixels, by hand."""
    slopes = (d["r"][:, None, None] / 4 + 2 * d["q"][0] * x[i] / (3 * 4) for i in range(BATCH))
    return 10 * np.mean([(np.sqrt((slope**2).sum()) - 1) ** 2 for slope in slopes])


def unit_loss(d, x, units):
    return 4000 / PUBLISHED_BATCH * ((read(d, x) - units) ** 2).mean()


def critic_loss(nets, x, own, wanted):
    """The units that D must read in a photo are the photo's own."""
    g, d = nets
    fake, _ = paint(g, x, wanted)
    return realness(d, fake) - realness(d, x) + unit_loss(d, x, own)


def generator_loss(nets, x, own, wanted):
    g, d = nets
    fake, mask = paint(g, x, wanted)
    back, other_mask = paint(g, fake, own)
    loss = -realness(d, fake) + unit_loss(d, fake, wanted) + 10 * np.abs(back - x).mean()
    for masks in (mask, other_mask):
        variation = sum(np.abs(np.diff(a, axis=axis)).sum() for a in masks for axis in (0, 1))
        loss += 0.1 * np.mean(masks) + 1e-5 * variation * PUBLISHED_BATCH / BATCH
    return loss


def reference_rounds(start, batches, shares):
    """G and D after all mini-batches. The penalty's own step leaves the reader of the units alone."""
    nets = copies(start)
    optimisers = [Adam(RATE, betas=(0.5, 0.999), decay=0.0) for _ in nets]
    for number, (batch, share) in enumerate(zip(batches, shares, strict=True), start=1):
        x, _, wanted = batch
        descend(lambda batch=batch: critic_loss(nets, *batch), nets[1:], optimisers[1:])
        fake, _ = paint(nets[0], x, wanted)
        between = np.stack([share[i] * x[i] + (1 - share[i]) * fake[i] for i in range(BATCH)])
        critic = {name: nets[1][name] for name in CRITIC}
        descend(lambda between=between: gradient_penalty(nets[1], between), [critic], optimisers[1:])
        if number % CRITIC_STEPS == 0:
            descend(lambda batch=batch: generator_loss(nets, *batch), nets[:1], optimisers[:1])
    return nets


def our_rounds(start, batches, shares, monkeypatch):
    """The state after all mini-batches."""
    config = dataclasses.replace(baseline_config("ganimation", "paper"), batch=BATCH, critic_steps=CRITIC_STEPS)
    networks = GANimationNetworks(Generator(start[0]), Discriminator(start[1]))
    rates = dict.fromkeys(networks._fields, config.lr)
    state, recipe = BaselineState(config, networks, ("generator",), rates), GANimationRecipe(config)
    given, photos = iter(map(torch.tensor, shares)), iter([UnitBatch(*map(torch.tensor, x)) for x in batches])
    monkeypatch.setattr(ganimation, "rows", lambda *_, **__: next(given))
    for _ in range(ROUNDS):
        state.begin_round(STEP, config.steps)
        recipe.round(state, lambda: next(photos), STEP)
        state.end_round(STEP)
    return state


def random_batch(rng):
    """Photos, their units and wanted ones."""
    return rng.uniform(-1, 1, (BATCH, 3, SIDE, SIDE)), *(rng.uniform(0, 1, (BATCH, UNITS)) for _ in range(2))


def test_rounds_equal_the_reference_arithmetic(monkeypatch):
    rng = np.random.default_rng(4)
    start = [draw(shapes, rng) for shapes in (GENERATOR, CRITIC | READER)]
    batches = [random_batch(rng) for _ in range(ROUNDS * CRITIC_STEPS)]
    shares = [rng.uniform(0, 1, BATCH) for _ in batches]
    nets = reference_rounds(start, batches, shares)
    state = our_rounds(start, batches, shares, monkeypatch)
    for wanted, begun, module in zip(nets, start, state.networks, strict=True):
        assert_same(module, wanted, begun, RATE)
    assert_same(state.average.generator, nets[0])
