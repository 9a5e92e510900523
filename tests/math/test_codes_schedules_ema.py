"""Codes, seeds, schedules and averages against hand values and laws."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from twocet.method import codes, ema
from twocet.method.schedules import Schedule, constant, learning_rate_factor
from twocet.runtime.randomness import generator_at


def test_neutral_code_is_zero() -> None:
    assert torch.equal(codes.neutral(2, 3), torch.zeros(2, 3))


def test_uniform_codes_fill_their_range() -> None:
    code = codes.uniform(4000, 5, 0.8, generator_at(0, 0, "test"))
    assert code.shape == (4000, 5)
    assert -0.4 <= code.min() < -0.39
    assert 0.39 < code.max() <= 0.4
    assert code.std().item() == pytest.approx(0.8 / 12**0.5, rel=0.02)


def test_normal_codes_have_half_the_range_for_deviation() -> None:
    code = codes.normal(4000, 5, 0.8, generator_at(0, 0, "test"))
    assert code.mean().item() == pytest.approx(0, abs=0.01)
    assert code.std().item() == pytest.approx(0.4, rel=0.02)


def test_powered_codes_keep_their_direction() -> None:
    code = torch.tensor([[3.0, -4.0], [0.3, 0.4], [0.0, 0.0]])
    # Root mean squares 5 / sqrt(2), 0.5 / sqrt(2) and 0; the square of the length is its product with the code.
    expected = torch.tensor([[3.0, -4.0], [0.03, 0.04], [0.0, 0.0]]) * 5 / 2**0.5
    assert torch.allclose(codes.powered(code, 2.0), expected)
    assert codes.powered(code, 1.0) is code


def test_powered_codes_of_a_scaled_code_are_scaled_by_the_power_and_can_be_undone() -> None:
    code = torch.randn(6, 32, generator=generator_at(0, 0, "test"))
    assert torch.allclose(codes.powered(0.5 * code, 1.4), 0.5**1.4 * codes.powered(code, 1.4), rtol=1e-5)
    assert torch.allclose(codes.powered(-code, 1.4), -codes.powered(code, 1.4))
    assert torch.allclose(codes.powered(codes.powered(code, 1.4), 1 / 1.4), code, rtol=1e-4)
    assert torch.equal(codes.powered(torch.zeros(2, 3), 1 / 1.4), torch.zeros(2, 3))


def test_streams_depend_on_seed_step_and_purpose_alone() -> None:
    def draw(seed: int, step: int, purpose: str) -> list[float]:
        return torch.rand(4, generator=generator_at(seed, step, purpose)).tolist()

    assert draw(1, 2, "a") == draw(1, 2, "a")
    different = {tuple(draw(*key)) for key in [(1, 2, "a"), (2, 1, "a"), (1, 3, "a"), (2, 2, "a"), (1, 2, "b")]}
    assert len(different) == 5


class TestSchedule:
    """The authors' rule "rise,end,start,stop"."""

    def test_rises_then_moves_then_stays(self) -> None:
        schedule = Schedule(rise=4, end=10, start=2.0, stop=5.0)
        steps = [0, 1, 4, 6, 10, 1000]
        assert [schedule.at(step) for step in steps] == pytest.approx([0, 0.5, 2, 3, 5, 5])

    def test_without_rise_begins_at_start(self) -> None:
        schedule = Schedule(end=10_000, start=1.0, stop=1.5)
        assert [schedule.at(step) for step in (0, 5_000, 20_000)] == pytest.approx([1.0, 1.25, 1.5])

    def test_code_weight_of_the_paper(self) -> None:
        schedule = Schedule(rise=5_000, end=5_000)
        assert [schedule.at(step) for step in (0, 1_000, 5_000, 9_000)] == pytest.approx([0, 0.2, 1, 1])

    def test_constant(self) -> None:
        assert [constant(0.3).at(step) for step in (0, 7, 10**6)] == [0.3, 0.3, 0.3]


class TestLearningRate:
    def test_warms_up(self) -> None:
        assert [learning_rate_factor(step, 100, 3, "none") for step in range(5)] == pytest.approx(
            [0.25, 0.5, 0.75, 1, 1]
        )

    def test_linear_ends_at_zero(self) -> None:
        assert [learning_rate_factor(step, 110, 10, "linear") for step in (10, 35, 110, 200)] == pytest.approx(
            [1, 0.75, 0, 0]
        )

    def test_cosine_ends_at_zero(self) -> None:
        assert [learning_rate_factor(step, 110, 10, "cosine") for step in (10, 60, 110)] == pytest.approx([1, 0.5, 0])
        assert learning_rate_factor(35, 110, 10, "cosine") == pytest.approx((2 + 2**0.5) / 4)

    def test_does_not_decay_while_the_length_is_unknown(self) -> None:
        assert learning_rate_factor(5_000, None, 10, "cosine") == 1


class Counted(nn.Module):
    """One parameter and one buffer."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([value]))
        self.register_buffer("count", torch.tensor([value]))


class TestEma:
    def test_equal_updates_approach_by_one_minus_the_power(self) -> None:
        average, network = Counted(0.0), Counted(1.0)
        for _ in range(10):
            ema.update(average, network, 0.99)
        assert average.weight.item() == pytest.approx(1 - 0.99**10)

    def test_buffers_are_copied_and_the_network_is_left_alone(self) -> None:
        average, network = Counted(0.0), Counted(3.0)
        ema.update(average, network, 0.9)
        assert average.get_buffer("count").item() == 3.0
        assert network.weight.item() == 3.0

    def test_decay_0_copies_exactly(self) -> None:
        average, network = Counted(0.3), Counted(0.1)
        ema.update(average, network, 0.0)
        assert torch.equal(average.weight, network.weight)

    def test_different_networks_are_refused(self) -> None:
        with pytest.raises(ValueError, match="different parameters"):
            ema.update(Counted(0.0), nn.Linear(1, 1), 0.9)

    def test_average_keeps_no_graph(self) -> None:
        network = Counted(1.0)
        average = copy.deepcopy(network)
        ema.update(average, network, 0.5)
        assert average.weight.grad_fn is None

    def test_warm_up_bounds_the_decay(self) -> None:
        assert ema.decay_at(0, 0.999, True) == pytest.approx(0.1)
        assert ema.decay_at(90, 0.999, True) == pytest.approx(0.91)
        assert ema.decay_at(10**6, 0.999, True) == 0.999
        assert ema.decay_at(0, 0.999, False) == 0.999


def test_correlated_codes_have_the_given_mean_and_covariance() -> None:
    mean = torch.tensor([1.0, -2.0, 0.5])
    covariance = torch.tensor([[1.0, 0.6, 0.0], [0.6, 0.5, 0.0], [0.0, 0.0, 0.0]])
    drawn = codes.correlated(20_000, mean, covariance, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(dim=0), mean, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), covariance, atol=0.03, rtol=0)
    assert drawn.dtype == torch.float32


def test_resampled_codes_lie_around_the_known_ones() -> None:
    known = torch.tensor([[10.0, 0.0], [0.0, 10.0], [-10.0, -10.0]])
    exact = codes.resampled(5, known, 0.0, torch.Generator().manual_seed(0))
    assert sorted(exact[:3].tolist()) == sorted(known.tolist())
    assert all(code in known.tolist() for code in exact.tolist())
    drawn = codes.resampled(30_000, known, 0.1, torch.Generator().manual_seed(0))
    near = torch.cdist(drawn, known).argmin(dim=1)
    assert near.bincount().tolist() == [10_000] * 3
    around = drawn - known[near]
    torch.testing.assert_close(around.T.cov(), known.T.cov() * 0.01, atol=0.03, rtol=0)
    assert drawn.dtype == torch.float32
