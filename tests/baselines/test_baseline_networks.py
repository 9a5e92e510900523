"""Parameter counts at the published size, and that every parameter of every size takes part."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from cartoons import GANIMATION, SIZE, STARGAN

from twocet.compare.baselines.config import baseline_config
from twocet.compare.baselines.networks import DomainLinear, build_ganimation, build_stargan
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.training.recipes.table import preset_config

TINY_PAPER = NetworkConfig(preset="paper", size=SIZE, code_dim=8, first_width=8, max_width=16)


def counts(networks):
    return {name: sum(p.numel() for p in part.parameters()) for name, part in networks._asdict().items()}


def stargan(preset, domains):
    return dataclasses.replace(baseline_config("starganv2", preset), domains=tuple(map(str, range(domains))))


def test_published_sizes():
    with torch.device("meta"):
        assert counts(build_stargan(stargan("paper", 26))) == {
            "generator": 33_632_003, "mapping": 22_137_472, "encoder": 21_587_712, "discriminator": 20_747_418
        }  # fmt: skip
        assert counts(build_ganimation(baseline_config("ganimation", "paper"))) == {
            "generator": 8_471_296, "discriminator": 44_860_352
        }  # fmt: skip


def test_fast_sizes_are_about_ours():
    with torch.device("meta"):
        ours = sum(counts(build(preset_config("fast").network)).values())
        for networks in (build_stargan(stargan("fast", 13)), build_ganimation(baseline_config("ganimation", "fast"))):
            assert sum(counts(networks).values()) == pytest.approx(ours, rel=0.1)


@pytest.mark.parametrize("network", [STARGAN.network, TINY_PAPER])
def test_stargan_shapes_and_gradients(network):
    networks = build_stargan(dataclasses.replace(STARGAN, network=network, domains=("neutral", "a", "b")))
    image, domain = torch.rand(3, 3, SIZE, SIZE) * 2 - 1, torch.tensor([0, 1, 2])
    style = networks.mapping(torch.randn(3, 4), domain)
    made = networks.generator(image, style)
    read, logit = networks.encoder(made, domain), networks.discriminator(made, domain)
    assert (style.shape, made.shape, read.shape, logit.shape) == ((3, 8), (3, 3, SIZE, SIZE), (3, 8), (3,))
    (read.square().sum() + logit.square().sum()).backward()
    assert not [n for part in networks for n, p in part.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize(
    "network", [GANIMATION.network, dataclasses.replace(TINY_PAPER, code_dim=17, first_width=4, max_width=32)]
)
def test_ganimation_shapes_and_gradients(network):
    networks = build_ganimation(dataclasses.replace(GANIMATION, network=network))
    image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    made = networks.generator(image, torch.rand(2, 17))
    judged = networks.discriminator(made.image)
    assert made.image.shape == (2, 3, SIZE, SIZE)
    assert judged.units.shape == (2, 17)
    assert judged.realness.shape[1] == 1
    (judged.realness.square().sum() + judged.units.square().sum() + made.mask.mean()).backward()
    assert not [n for part in networks for n, p in part.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize(("weight", "mask"), [(-1e4, 0.0), (0.0, 0.5), (1e4, 1.0)])
def test_the_mask_lets_the_face_through(weight, mask):
    """mask x face + (1 - mask) x colour, where the colour is white."""
    networks = build_ganimation(GANIMATION)
    image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    torch.nn.init.constant_(networks.generator.colour.weight, 1e4)
    torch.nn.init.constant_(networks.generator.mask.weight, weight)
    made = networks.generator(image, torch.rand(2, 17))
    assert torch.equal(made.mask, torch.full_like(made.mask, mask))
    torch.testing.assert_close(made.image, mask * image + (1 - mask), atol=1e-6, rtol=0)


def test_every_row_goes_through_the_layer_of_its_domain():
    layer = DomainLinear(3, 2, 2)
    features = torch.tensor([[1.0, 2.0], [1.0, 2.0]])
    made = layer(features, torch.tensor([2, 0]))
    expected = torch.stack([features[0] @ layer.weight[2], features[1] @ layer.weight[0]])
    assert torch.allclose(made, expected)
    made[0].sum().backward()
    assert not layer.weight.grad[:2].any()
    assert layer.bias.grad[2].tolist() == [[1.0, 1.0]]
