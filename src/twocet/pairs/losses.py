"""What is asked of networks that learn from pairs of photos. These are not the paper's equations.

Pure functions on tensors alone, like those of ``method.losses``; every one returns a scalar tensor.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def unexplained_change(
    truth: Tensor, output: Tensor, given: Tensor, *, floor: float, weight: Tensor | None = None
) -> Tensor:
    """Identity pairs: error of the output as a share of what had to change (images (N, 3, S, S), mean over N).

    |output - truth| / (|given - truth| + floor), means over pixels. Dividing lets a lifted brow count as much as a
    dropped jaw; ``floor`` keeps photos with nothing to change from counting without limit. Each row counts ``weight``
    (N,) times.
    """
    error, change = ((other - truth).abs().mean(dim=(1, 2, 3)) for other in (output, given))
    share = error / (change + floor)
    return (share if weight is None else weight * share).mean()


def unexplained_over_scales(
    truth: Tensor, output: Tensor, given: Tensor, *, floor: float, weight: Tensor | None = None, scales: int = 3
) -> Tensor:
    """Mean of :func:`unexplained_change` over ``scales`` sizes, each half of the one before.

    At half the size texture and misplaced pixels average out, and what moved is still there.
    """
    images = [truth, output, given]
    total = unexplained_change(truth, output, given, floor=floor, weight=weight)
    for _ in range(scales - 1):
        images = [functional.avg_pool2d(image, 2) for image in images]
        total = total + unexplained_change(*images, floor=floor, weight=weight)
    return total / scales


def unexplained_whole(truth: Tensor, output: Tensor, given: Tensor) -> Tensor:
    """Error of all outputs as a share of all that had to change (images (N, 3, S, S)): 1 - gain of the mini-batch."""
    return (output - truth).abs().mean() / ((given - truth).abs().mean() + 1e-3)


def feature_difference(features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of a network's features, each layer's relative to its size, mean over layers."""
    shares = [(mine - true).abs().mean() / true.abs().mean() for mine, true in zip(features, wanted, strict=True)]
    return torch.stack(shares).mean()


def unsketched_change(change: Tensor, sketch: Tensor, size: Tensor) -> Tensor:
    """Share of the squared ``change`` (N, 1, k, k) that ``sketch`` misses; ``size`` is the change's mean square."""
    return (sketch - change).square().mean() / size


def flow_error(truth: Tensor, flow: Tensor, *, floor: float) -> Tensor:
    """Squared error of the movement of pixels, as a share of the squared movement; mean over N.

    Both (N, 2k, h, w): x and y in turn, in sides, as is ``floor``. Squared, because an absolute error is smallest for
    the median, and most pixels of most photos do not move.
    """
    error, movement = (x.square().mean(dim=(1, 2, 3)) for x in (flow - truth, truth))
    return (error / (movement + floor**2)).mean()
