"""Rounds of StarGAN v2 against the published formulas, in float64 and without torch.

As ``test_reference_round`` does for 2CET: networks small enough to be written twice, as modules for the recipe and as
plain functions of numpy for the reference, which differentiates by central differences and knows nothing of the code
under test. Three rounds, for Adam's first step hardly depends on the size of a gradient.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from arithmetic import Adam, Small, assert_same, averaged, copies, descend, draw, softplus
from torch import Tensor

from twocet.compare.baselines.config import baseline_config
from twocet.compare.baselines.domains import DomainBatch
from twocet.compare.baselines.networks import StarGANNetworks
from twocet.compare.baselines.stargan import StarGANRecipe
from twocet.compare.baselines.state import BaselineState

BATCH, SIDE, STYLE, LATENT, DOMAINS, ROUNDS = 3, 4, 2, 2, 3, 3
STEP, DIVERSITY = 25_000, 0.75
"""The weight of the diversity falls from 1 to 0 at round 100,000."""

# Names and shapes, y being the domain: a generator a x + tanh(s v) x + b, a mapping network tanh(z M_y + m_y),
# an encoder tanh(mean(x) W_y + e_y), a discriminator mean(x) U_y + mean(x^2) q_y.
SHAPES = (
    {"a": (1,), "v": (STYLE,), "b": (3,)},
    {"M": (DOMAINS, LATENT, STYLE), "m": (DOMAINS, STYLE)},
    {"W": (DOMAINS, 3, STYLE), "e": (DOMAINS, STYLE)},
    {"U": (DOMAINS, 3), "q": (DOMAINS,)},
)
RATES = (1e-4, 1e-6, 1e-4, 1e-4)


# The same four networks, first in torch.
class Generator(Small):
    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        strength = torch.tanh((style * self.v).sum(dim=1))[:, None, None, None]
        return self.a * image + strength * image + self.b[:, None, None]


class Mapping(Small):
    def forward(self, latent: Tensor, domain: Tensor) -> Tensor:
        return torch.tanh((latent[:, :, None] * self.M[domain]).sum(dim=1) + self.m[domain])


class Encoder(Small):
    def forward(self, image: Tensor, domain: Tensor) -> Tensor:
        return torch.tanh((image.mean(dim=(2, 3))[:, :, None] * self.W[domain]).sum(dim=1) + self.e[domain])


class Discriminator(Small):
    def forward(self, image: Tensor, domain: Tensor) -> Tensor:
        linear = (image.mean(dim=(2, 3)) * self.U[domain]).sum(dim=1)
        return linear + image.square().mean(dim=(1, 2, 3)) * self.q[domain]


# Then in numpy, row by row.
def generate(g, x, s):
    return np.stack([(g["a"] + np.tanh(s[i] @ g["v"])) * x[i] + g["b"][:, None, None] for i in range(BATCH)])


def mapped(f, z, y):
    return np.stack([np.tanh(z[i] @ f["M"][y[i]] + f["m"][y[i]]) for i in range(BATCH)])


def encode(e, x, y):
    return np.stack([np.tanh(x[i].mean(axis=(1, 2)) @ e["W"][y[i]] + e["e"][y[i]]) for i in range(BATCH)])


def judge(d, x, y):
    values = (x[i].mean(axis=(1, 2)) @ d["U"][y[i]] + (x[i] ** 2).mean() * d["q"][y[i]] for i in range(BATCH))
    return np.array(list(values))


def half_squared_gradient(d, x, y):
    """R1: the derivative of ``judge`` by every pixel, by hand."""
    slopes = (d["U"][y[i]][:, None, None] / SIDE**2 + 2 * d["q"][y[i]] * x[i] / (3 * SIDE**2) for i in range(BATCH))
    return np.mean([(slope**2).sum() for slope in slopes]) / 2


def styles(nets, batch, latents, guided):
    """Two styles of the target domain: from latent codes or, if ``guided``, read from two photos of it."""
    _, f, e, _ = nets
    if guided:
        return [encode(e, batch[name], batch["target"]) for name in ("reference", "other_reference")]
    return [mapped(f, z, batch["target"]) for z in latents]


def discriminator_loss(nets, batch, style):
    """A photo is real in its own domain, a fake is none in the domain it was made for; R1 has weight 1."""
    (g, _, _, d), x, y, target = nets, batch["image"], batch["domain"], batch["target"]
    real, fake = judge(d, x, y), judge(d, generate(g, x, style), target)
    return softplus(-real) + softplus(fake) + half_squared_gradient(d, x, y)


def generator_loss(nets, batch, latents, guided, other):
    """``other`` is the second fake, a constant; the way back takes the photo's style in its own domain."""
    (g, _, e, d), x, y, target = nets, batch["image"], batch["domain"], batch["target"]
    style, _ = styles(nets, batch, latents, guided)
    fake = generate(g, x, style)
    loss = softplus(-judge(d, fake, target))
    loss += np.abs(encode(e, fake, target) - style).mean()
    loss += np.abs(generate(g, fake, encode(e, x, y)) - x).mean()
    return loss - DIVERSITY * np.abs(fake - other).mean()


def reference_round(nets, optimisers, batch, latents):
    """D by latent codes, D by photos, G with F and E by latent codes, G alone by photos; in place."""
    for guided in (False, True):
        style, _ = styles(nets, batch, latents, guided)
        descend(lambda style=style: discriminator_loss(nets, batch, style), nets[3:], optimisers[3:])
    for guided, moved in ((False, 3), (True, 1)):
        other = generate(nets[0], batch["image"], styles(nets, batch, latents, guided)[1])
        descend(
            lambda guided=guided, other=other: generator_loss(nets, batch, latents, guided, other),
            nets[:moved],
            optimisers[:moved],
        )


def our_rounds(start, batches, latents, monkeypatch):
    """The state after a round on each of the batches."""
    config = dataclasses.replace(baseline_config("starganv2", "paper"), batch=BATCH, domains=("n", "a", "b"))
    kinds = (Generator, Mapping, Encoder, Discriminator)
    networks = StarGANNetworks(*(kind(weights) for kind, weights in zip(kinds, start, strict=True)))
    rates = dict.fromkeys(networks._fields, config.lr) | {"mapping": config.lr_mapping}
    state, recipe = BaselineState(config, networks, ("generator", "mapping", "encoder"), rates), StarGANRecipe(config)
    given = iter([tuple(map(torch.tensor, drawn)) for drawn in latents])
    monkeypatch.setattr(recipe, "latents", lambda *_: next(given))
    photos = iter([DomainBatch(**{name: torch.tensor(x) for name, x in batch.items()}) for batch in batches])
    for _ in batches:
        state.begin_round(STEP, config.steps)
        recipe.round(state, lambda: next(photos), STEP)
        state.end_round(STEP)
    return state


def random_batch(rng):
    """Of three rows one has its own domain for a target."""
    made = {name: rng.uniform(-1, 1, (BATCH, 3, SIDE, SIDE)) for name in ("image", "reference", "other_reference")}
    return {**made, "domain": np.array([0, 1, 2]), "target": np.array([1, 1, 0])}


def test_rounds_equal_the_reference_arithmetic(monkeypatch):
    rng = np.random.default_rng(3)
    start = [draw(shapes, rng) for shapes in SHAPES]
    batches = [random_batch(rng) for _ in range(ROUNDS)]
    latents = [[rng.normal(0, 1, (BATCH, LATENT)) for _ in range(2)] for _ in range(ROUNDS)]
    nets, averages, optimisers = copies(start), copies(start[:3]), [Adam(rate) for rate in RATES]
    for batch, drawn in zip(batches, latents, strict=True):
        reference_round(nets, optimisers, batch, drawn)
        averages = averaged(averages, nets[:3], 0.999)
    state = our_rounds(start, batches, latents, monkeypatch)
    for wanted, begun, module, rate in zip(nets, start, state.networks, RATES, strict=True):
        assert_same(module, wanted, begun, rate)
    for wanted, module, rate in zip(averages, state.average[:3], RATES[:3], strict=True):
        assert_same(module, wanted, rate=rate)
