"""The two cycles, with networks simple enough to follow by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twocet.method.cycles import expressive_cycle, neutral_cycle
from twocet.networks.interfaces import Networks


class AddCode(nn.Module):
    """G: adds 10 times the first number of the code, and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        return image + self.one + 10 * code[:, :1, None, None]


class ReadMean(nn.Module):
    """E: twice the mean of the image, for both numbers of the code."""

    def forward(self, image: Tensor) -> Tensor:
        return 2 * image.mean(dim=(1, 2, 3))[:, None].expand(-1, 2)


NETWORKS = Networks(AddCode(), ReadMean(), nn.Identity())
FACE = torch.full((1, 3, 2, 2), 0.5)


def test_neutral_cycle_goes_out_with_the_code_and_back_with_zero() -> None:
    """Fig. 2(a): 0.5 -> 0.5 + 1 + 10 * 0.2 = 3.5 -> 4.5; read back 7."""
    cycle = neutral_cycle(NETWORKS, FACE, torch.tensor([[0.2, 9.0]]), torch.tensor([[-0.3, 9.0]]))
    assert torch.allclose(cycle.fake, torch.full_like(FACE, 3.5))
    assert torch.allclose(cycle.other, torch.full_like(FACE, -1.5))
    assert torch.allclose(cycle.restored, torch.full_like(FACE, 4.5))
    assert torch.allclose(cycle.recovered, torch.tensor([[7.0, 7.0]]))
    assert cycle.fake.requires_grad
    assert not cycle.other.requires_grad


def test_expressive_cycle_goes_out_with_zero_and_back_with_its_own_code() -> None:
    """Fig. 2(b): E(0.5) = 1; 0.5 -> 1.5 -> 1.5 + 1 + 10 * 1 = 12.5."""
    cycle = expressive_cycle(NETWORKS, FACE)
    assert torch.allclose(cycle.encoded, torch.tensor([[1.0, 1.0]]))
    assert torch.allclose(cycle.fake, torch.full_like(FACE, 1.5))
    assert torch.allclose(cycle.restored, torch.full_like(FACE, 12.5))
