"""What is asked of pairs, against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from twocet.pairs import losses


def test_unexplained_change_is_relative_to_each_rows_change() -> None:
    truth = torch.zeros(2, 3, 8, 8)
    given = torch.stack([torch.full((3, 8, 8), 0.4), torch.full((3, 8, 8), -0.09)])
    output = torch.stack([torch.full((3, 8, 8), -0.1), torch.full((3, 8, 8), 0.05)])
    value = losses.unexplained_change(truth, output, given, floor=0.01)
    assert value.item() == pytest.approx((0.1 / 0.41 + 0.05 / 0.1) / 2)
    assert losses.unexplained_change(truth, truth, given, floor=0.01).item() == 0


def test_flow_error_is_relative_to_each_rows_movement() -> None:
    truth = torch.zeros(2, 4, 8, 8)
    truth[0, 0], truth[0, 1] = 0.03, 0.04
    flow = truth.clone()
    # One pass of the first row is wrong by (0.06, 0.08), where the other one moves by (0.03, 0.04).
    flow[0, 2], flow[0, 3] = 0.06, 0.08
    flow[1, 3] = -0.002
    # Means over the four numbers of a pixel.
    wanted = (0.0025 / (0.000625 + 1e-4) + 1e-6 / 1e-4) / 2
    assert losses.flow_error(truth, flow, floor=0.01).item() == pytest.approx(wanted)
    assert losses.flow_error(truth, truth, floor=0.01).item() == 0


def test_pairs_are_compared_at_several_sizes() -> None:
    # A checkerboard is gone at half the size, a step is not.
    board = torch.ones(1, 3, 4, 4)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = -1.0
    truth, given = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    one = losses.unexplained_over_scales(truth, board, given, floor=0.0, scales=1)
    two = losses.unexplained_over_scales(truth, board, given, floor=0.0, scales=2)
    assert (float(one), float(two)) == (1.0, 0.5)
    step = losses.unexplained_over_scales(truth, given / 2, given, floor=0.0, scales=2)
    assert float(step) == 0.5


def test_a_sketch_is_judged_by_the_change_it_misses() -> None:
    change = torch.tensor([[[[3.0, 0.0], [0.0, 1.0]]]])
    sketch = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    assert float(losses.unsketched_change(change, sketch, change.square().mean())) == pytest.approx(4 / 10)


def test_unexplained_whole_is_one_minus_gain_of_the_batch() -> None:
    truth, output, given = (
        torch.tensor(x)[:, None, None, None].expand(2, 3, 4, 4) for x in ([0.5, 0.0], [0.3, 0.1], [0.0, 0.1])
    )
    assert losses.unexplained_whole(truth, output, given).item() == pytest.approx(0.15 / (0.3 + 1e-3))


def test_feature_difference_counts_every_layer_alike() -> None:
    mine, true = [torch.tensor([1.0, 3.0]), torch.tensor([30.0])], [torch.tensor([2.0, 2.0]), torch.tensor([20.0])]
    assert losses.feature_difference(mine, true).item() == pytest.approx((0.5 + 0.5) / 2)
    assert losses.feature_difference(true, true).item() == 0
