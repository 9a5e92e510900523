"""Every equation against values worked out by hand, with inputs that have no symmetry to hide a wrong sign."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from twocet.method import losses
from twocet.method.cycles import ExpressiveCycle, NeutralCycle
from twocet.method.losses import Weights

WEIGHTS = Weights(
    adversarial_expressive=2.0,
    adversarial_neutral=3.0,
    cycle_neutral=5.0,
    cycle_expressive=7.0,
    code=11.0,
    diversity=13.0,
)


def constant(value: float, num: int = 2) -> Tensor:
    return torch.full((num, 3, 4, 4), value)


def cross_entropy(probability: float) -> float:
    return -math.log(probability)


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


class TestAdversarial:
    """Eq. 1 and 6."""

    def test_undecided_discriminator_costs_ln_2(self) -> None:
        for real in (True, False):
            assert losses.adversarial(torch.zeros(3), real=real).item() == pytest.approx(math.log(2))

    def test_real_is_minus_log_of_the_probability(self) -> None:
        expected = (cross_entropy(sigmoid(2.0)) + cross_entropy(sigmoid(-0.5))) / 2
        assert losses.adversarial(torch.tensor([2.0, -0.5]), real=True).item() == pytest.approx(expected)

    def test_fake_is_minus_log_of_the_complement(self) -> None:
        expected = (cross_entropy(1 - sigmoid(2.0)) + cross_entropy(1 - sigmoid(-0.5))) / 2
        assert losses.adversarial(torch.tensor([2.0, -0.5]), real=False).item() == pytest.approx(expected)

    def test_generator_keeps_its_gradient_when_the_discriminator_is_sure(self) -> None:
        logit = torch.tensor([-20.0], requires_grad=True)
        losses.adversarial(logit, real=True).backward()
        assert logit.grad is not None
        assert logit.grad.item() == pytest.approx(-1.0)

    def test_large_logits_stay_finite(self) -> None:
        assert losses.adversarial(torch.tensor([-1000.0]), real=True).item() == pytest.approx(1000.0)


class TestCycleConsistency:
    """Eq. 2 and 7."""

    def test_constants_cost_their_distance(self) -> None:
        assert losses.cycle_consistency(constant(0.25), constant(-0.5)).item() == pytest.approx(0.75)

    def test_mean_of_absolute_differences(self) -> None:
        image, restored = torch.zeros(1, 1, 1, 4), torch.tensor([1.0, -2.0, 0.0, 0.5]).view(1, 1, 1, 4)
        assert losses.cycle_consistency(image, restored).item() == pytest.approx(3.5 / 4)


def test_code_reconstruction_is_the_mean_absolute_difference() -> None:
    """Eq. 3."""
    code, recovered = torch.tensor([[0.1, -0.4], [0.5, 0.0]]), torch.tensor([[0.3, 0.0], [0.5, -1.0]])
    assert losses.code_reconstruction(code, recovered).item() == pytest.approx((0.2 + 0.4 + 0 + 1.0) / 4)


class TestDiversity:
    """Eq. 4."""

    def test_plain_is_the_mean_absolute_difference(self) -> None:
        image = torch.stack([constant(0.5, 1)[0], constant(-0.25, 1)[0]])
        assert losses.diversity(image, constant(1.0)).item() == pytest.approx((0.5 + 1.25) / 2)

    def test_proportional_weighs_every_pair_by_its_codes(self) -> None:
        image = torch.stack([constant(0.5, 1)[0], constant(-0.25, 1)[0]])
        code, other_code = torch.tensor([[0.1, 0.3], [0.0, 0.0]]), torch.tensor([[0.0, -0.5], [0.2, 0.0]])
        expected = (0.5 * (0.45 * 3 / 2) + 1.25 * (0.1 * 3 / 2)) / 2
        value = losses.proportional_diversity(image, constant(1.0), code, other_code, code_range=2.0)
        assert value.item() == pytest.approx(expected)

    @pytest.mark.parametrize("code_range", [1.0, 2.5])
    def test_weight_has_mean_1_for_uniform_codes(self, code_range: float) -> None:
        random = torch.Generator().manual_seed(0)
        code, other_code = ((torch.rand(20_000, 8, generator=random) - 0.5) * code_range for _ in range(2))
        images = torch.ones(20_000, 1, 1, 1), torch.zeros(20_000, 1, 1, 1)
        value = losses.proportional_diversity(*images, code, other_code, code_range=code_range)
        assert value.item() == pytest.approx(1.0, abs=0.01)

    def test_second_image_gets_no_gradient(self) -> None:
        code, other_code = torch.zeros(2, 3), torch.ones(2, 3)
        for proportional in (False, True):
            image, other = constant(0.5).requires_grad_(), constant(0.0).requires_grad_()
            if proportional:
                value = losses.proportional_diversity(image, other, code, other_code, code_range=1.0)
            else:
                value = losses.diversity(image, other)
            value.backward()
            assert image.grad is not None
            assert image.grad.abs().sum() > 0
            assert other.grad is None


class TestR1:
    def test_linear_critic_costs_half_its_squared_norm(self) -> None:
        direction = torch.arange(12.0).view(3, 2, 2) - 3
        image = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
        logit = (image * direction).sum(dim=(1, 2, 3))
        assert losses.r1(logit, image).item() == pytest.approx(direction.square().sum().item() / 2)

    def test_quadratic_critic_costs_the_mean_over_images(self) -> None:
        image = torch.tensor([1.0, -3.0]).view(2, 1, 1, 1).requires_grad_()
        logit = image.square().sum(dim=(1, 2, 3))
        assert losses.r1(logit, image).item() == pytest.approx((2**2 + 6**2) / 2 / 2)

    def test_reaches_the_parameters_of_the_critic(self) -> None:
        weight = torch.tensor(3.0, requires_grad=True)
        image = torch.ones(1, 1, 1, 1, requires_grad=True)
        losses.r1((weight * image).flatten(), image).backward()
        assert weight.grad is not None
        assert weight.grad.item() == pytest.approx(3.0)


class TestObjectives:
    def test_discriminator_adds_both_answers_times_the_weight(self) -> None:
        """Eq. 5 and 8, the side of D."""
        expected = 2.0 * (cross_entropy(sigmoid(1.5)) + cross_entropy(1 - sigmoid(0.5)))
        value = losses.discriminator_objective(torch.tensor([1.5]), torch.tensor([0.5]), 2.0)
        assert value.item() == pytest.approx(expected)

    def test_neutral_cycle(self) -> None:
        """Eq. 5."""
        cycle = NeutralCycle(
            fake=constant(9.0), other=constant(9.0), restored=constant(0.5), recovered=torch.full((2, 3), 0.25)
        )
        objective = losses.neutral_cycle_objective(
            constant(0.0), torch.zeros(2, 3), cycle, torch.tensor([1.5, 1.5]), torch.tensor(0.125), WEIGHTS
        )
        adversarial = cross_entropy(sigmoid(1.5))
        assert objective.total.item() == pytest.approx(2 * adversarial + 5 * 0.5 + 11 * 0.25 - 13 * 0.125)
        assert {name: term.item() for name, term in objective.terms.items()} == pytest.approx(
            {"adversarial_expressive": adversarial, "cycle_neutral": 0.5, "code": 0.25, "diversity": 0.125}
        )

    def test_expressive_cycle(self) -> None:
        """Eq. 8."""
        cycle = ExpressiveCycle(fake=constant(9.0), encoded=torch.zeros(2, 3), restored=constant(0.75))
        objective = losses.expressive_cycle_objective(constant(0.5), cycle, torch.tensor([-0.5, -0.5]), WEIGHTS)
        adversarial = cross_entropy(sigmoid(-0.5))
        assert objective.total.item() == pytest.approx(3 * adversarial + 7 * 0.25)
        assert {name: term.item() for name, term in objective.terms.items()} == pytest.approx(
            {"adversarial_neutral": adversarial, "cycle_expressive": 0.25}
        )

    def test_terms_keep_no_graph(self) -> None:
        restored = constant(0.75).requires_grad_()
        cycle = ExpressiveCycle(fake=constant(9.0), encoded=torch.zeros(2, 3), restored=restored)
        objective = losses.expressive_cycle_objective(constant(0.5), cycle, torch.zeros(2), WEIGHTS)
        assert objective.total.requires_grad
        assert not any(term.requires_grad for term in objective.terms.values())


def test_gradients_agree_with_finite_differences() -> None:
    random = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64).requires_grad_()

    image, other, code, other_code, logit = draw(2, 3, 2, 2), draw(2, 3, 2, 2), draw(2, 4), draw(2, 4), draw(3)
    fixed = other.detach()
    check = torch.autograd.gradcheck
    assert check(lambda x: losses.adversarial(x, real=True), (logit,))
    assert check(lambda x: losses.adversarial(x, real=False), (logit,))
    assert check(losses.cycle_consistency, (image, other))
    assert check(losses.code_reconstruction, (code, other_code))
    assert check(lambda x: losses.diversity(x, fixed), (image,))
    assert check(
        lambda x, a, b: losses.proportional_diversity(x, fixed, a, b, code_range=1.5), (image, code, other_code)
    )
    assert check(lambda x: losses.r1(x.pow(3).sum(dim=(1, 2, 3)), x), (image,))
