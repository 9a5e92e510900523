"""The losses of the baselines that 2CET does not have; one pure function each, on tensors, to a scalar tensor.

StarGAN v2 uses ``twocet.method.losses`` alone: ``adversarial`` of one domain's logit, ``code_reconstruction`` of
styles, ``diversity``, ``cycle_consistency`` and ``r1``.
"""

from __future__ import annotations

import torch
from torch import Tensor


def critic(real: Tensor, fake: Tensor) -> Tensor:
    """WGAN (Arjovsky et al. 2017), the side of D: how much more real the fakes seem than the photos; any shape."""
    return fake.mean() - real.mean()


def unconvincing(fake: Tensor) -> Tensor:
    """WGAN, the side of G: minus how real its fakes seem; any shape."""
    return -fake.mean()


def gradient_penalty(realness: Tensor, image: Tensor) -> Tensor:
    """Squared distance from 1 of the critic's gradient norm (Gulrajani et al. 2017).

    ``realness`` (N, ...) must be the critic's output for ``image`` (N, 3, S, S), which must require a gradient.
    """
    (gradient,) = torch.autograd.grad(realness.sum(), image, create_graph=True)
    excess: Tensor = torch.linalg.vector_norm(gradient, dim=(1, 2, 3)) - 1
    return excess.square().mean()


def between(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Images on the lines from fakes to photos, where the penalty is taken: ``share`` (N,) of the photo; detached."""
    image = torch.lerp(fake.detach(), real.detach(), share[:, None, None, None])
    return image.requires_grad_()


def unit_error(read: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of action units, (N, 17) both."""
    return (read - wanted).square().mean()


def mask_share(mask: Tensor) -> Tensor:
    """Mean of the mask (N, 1, h, w), the share of the face's own pixels: keeps it from closing."""
    return mask.mean()


def mask_variation(mask: Tensor) -> Tensor:
    """Total variation of the mask (N, 1, h, w): the sum of the neighbours' differences, a mean over N."""
    down, right = (mask.diff(dim=dim).abs().sum(dim=(1, 2, 3)) for dim in (2, 3))
    return (down + right).mean()
