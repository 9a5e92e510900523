"""The detail: what it corrects in edits."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Generator
from torch.nn.functional import avg_pool2d

from twocet.errors import UserError
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.networks.detail import COLOUR_RANGE, Detail
from twocet.networks.edit import compose, resize
from twocet.training.recipes.base import pair_state
from twocet.training.recipes.configs import FastConfig

PLAIN = NetworkConfig(size=64, code_dim=3, generator_widths=(8, 8), trunk_widths=(8, 8))
NETWORK = dataclasses.replace(PLAIN, detail=True)


def images(size: int, num: int = 2) -> torch.Tensor:
    return torch.rand(num, 3, size, size, generator=Generator().manual_seed(0)) * 2 - 1


def trained_by_chance(network: torch.nn.Module) -> None:
    for name in ("flow_head", "paint_head"):
        torch.nn.init.normal_(getattr(network, name).weight, std=0.2, generator=Generator().manual_seed(1))


def test_a_trained_generator_goes_on_from_where_it_is() -> None:
    torch.manual_seed(0)
    plain = build(PLAIN, discriminator=False)
    trained_by_chance(plain.generator)
    state = pair_state(FastConfig(network=NETWORK))
    state.start_from(plain)
    image, code = images(64), torch.ones(2, 3)
    before, after = plain.generator.edit(image, code), state.networks.generator.edit(image, code)
    assert before.flow.abs().max() > 1e-3
    assert after.flow.shape == (2, 2, 64, 64)
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(resize(old, image), new, atol=2e-4, rtol=0)


def test_the_same_weights_serve_larger_photos() -> None:
    small = build(NETWORK, discriminator=False).generator
    large = build(dataclasses.replace(NETWORK, size=128, reduce=4), discriminator=False).generator
    trained_by_chance(small.detail)
    large.load_state_dict(small.state_dict())
    image, code = images(128), torch.ones(2, 3)
    for fine, same in zip(large.edit(image, code), small.edit(avg_pool2d(image, 2), code), strict=True):
        assert fine.shape[-1] == 64
        torch.testing.assert_close(fine, same)
    assert large.eval()(image, code).shape == image.shape


def test_corrections_stay_edits_and_all_of_it_learns() -> None:
    generator = build(NETWORK, discriminator=False).generator
    trained_by_chance(generator.detail)
    image = images(64)
    edit = generator.edit(image, torch.ones(2, 3))
    assert 0 < edit.mask.min() < edit.mask.max() < 1
    assert edit.colour.abs().max() <= COLOUR_RANGE
    compose(image, edit).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.detail.parameters())


def test_nothing_is_corrected_before_training() -> None:
    image = images(32)
    edit = build(PLAIN, discriminator=False).generator.edit(images(64), torch.zeros(2, 3))
    made = Detail(32, 3).finish(image, edit, torch.ones(2, 3))
    torch.testing.assert_close(compose(image, made), compose(image, edit), atol=2e-4, rtol=0)


def test_details_need_something_finer_to_see() -> None:
    with pytest.raises(UserError, match="detail needs a reduce of 2 or more"):
        dataclasses.replace(NETWORK, reduce=1)
    with pytest.raises(UserError, match="detail is for networks of the preset fast alone"):
        NetworkConfig(preset="paper", detail=True)


def test_photos_small_enough_tell_the_networks_all() -> None:
    assert (PLAIN.coarse_size, NETWORK.coarse_size) == (32, 64)
    assert dataclasses.replace(NETWORK, size=128, reduce=4).coarse_size == 64


def test_an_encoder_that_stays_as_it_is_gets_no_gradients() -> None:
    state = pair_state(FastConfig(network=PLAIN, lr_encoder=0.0))
    assert not any(p.requires_grad for p in state.networks.encoder.parameters())
    assert all(p.requires_grad for p in pair_state(FastConfig(network=PLAIN)).networks.encoder.parameters())
