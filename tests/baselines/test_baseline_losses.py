"""The baselines' losses against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from twocet.compare.baselines import losses


def test_critic_and_its_opponent():
    real, fake = torch.tensor([[1.0, 3.0]]), torch.tensor([[-1.0, 0.0]])
    assert losses.critic(real, fake).item() == pytest.approx(-2.5)
    assert losses.unconvincing(fake).item() == pytest.approx(0.5)


def test_gradient_penalty_of_a_linear_critic():
    """A critic w . x has the gradient w everywhere: a norm of 5 is 4 too long."""
    image = torch.zeros(2, 3, 4, 4).requires_grad_()
    weight = torch.zeros(3, 4, 4)
    weight[0, 0, 0], weight[2, 1, 3] = 3.0, 4.0
    assert losses.gradient_penalty((image * weight).sum(dim=(1, 2, 3)), image).item() == pytest.approx(16.0)


def test_gradient_penalty_sums_patches_of_one_image():
    image = torch.zeros(1, 1, 1, 2).requires_grad_()
    realness = torch.stack([3 * image[:, 0, 0, 0], 4 * image[:, 0, 0, 1]], dim=1)
    assert losses.gradient_penalty(realness, image).item() == pytest.approx(16.0)


def test_between_is_on_the_line_and_wants_a_gradient():
    real, fake = torch.ones(2, 3, 2, 2, requires_grad=True), torch.zeros(2, 3, 2, 2)
    image = losses.between(real, fake, torch.tensor([0.25, 1.0]))
    assert image[:, 0, 0, 0].tolist() == [0.25, 1.0]
    assert image.requires_grad
    assert image.is_leaf


def test_unit_error_is_a_mean_square():
    read, wanted = torch.zeros(2, 17), torch.zeros(2, 17)
    read[0, 3] = 2.0
    assert losses.unit_error(read, wanted).item() == pytest.approx(4 / 34)


def test_mask_terms():
    mask = torch.tensor([[0.0, 1.0, 0.5], [0.25, 1.0, 1.0]]).view(1, 1, 2, 3)
    assert losses.mask_share(mask).item() == pytest.approx(3.75 / 6)
    # Across: 1 + .5, .75 + 0; down: .25 + 0 + .5.
    assert losses.mask_variation(mask).item() == pytest.approx(3.0)
    assert losses.mask_variation(mask.repeat(5, 1, 1, 1)).item() == pytest.approx(3.0)
