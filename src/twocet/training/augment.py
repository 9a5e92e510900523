"""Random changes of training images, vectorised over the batch. All randomness comes from the generator given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional

from twocet.runtime.randomness import rows


def between(low: float, high: float, num: int, generator: Generator) -> Tensor:
    """(num,) float32, uniform in [low, high]."""
    return rows(torch.rand, num, generator=generator) * (high - low) + low


def coin(probability: float, num: int, generator: Generator) -> Tensor:
    """(num,) bool, True with ``probability``."""
    return rows(torch.rand, num, generator=generator) < probability


def resample(image: Tensor, affine: Tensor) -> Tensor:
    """Sample ``image`` (N, 3, S, S) at ``affine`` (N, 2, 3) of the output positions, edges mirrored."""
    grid = functional.affine_grid(affine, list(image.shape), align_corners=False)
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def flip(image: Tensor, which: Tensor) -> Tensor:
    """Mirror those rows of ``image`` for which ``which`` (N,) is True."""
    return torch.where(which[:, None, None, None], image.flip(-1), image)


def flip_flow(flow: Tensor, which: Tensor) -> Tensor:
    """The flows (N, 2k, S, S), x and y in turn, of pictures mirrored by :func:`flip`."""
    turned = torch.tensor([-1.0, 1.0]).repeat(flow.shape[1] // 2)[:, None, None]
    return torch.where(which[:, None, None, None], flow.flip(-1) * turned, flow)


def resample_flow(flow: Tensor, affine: Tensor) -> Tensor:
    """The flows (N, 2k, S, S), x and y in turn, of pictures sampled by :func:`resample`."""
    num, channels, height, width = flow.shape
    there = resample(flow, affine).reshape(num, channels // 2, 2, height, width)
    return torch.einsum("nij,nkjhw->nkihw", torch.linalg.inv(affine[:, :, :2]), there).flatten(1, 2)


def paper(image: Tensor, generator: Generator) -> Tensor:
    """The paper's augmentation: with p = .5 a crop of area .8-1 and aspect .9-1.1, resized back; with p = .5 a flip.

    ``image`` (N, 3, S, S) in [-1, 1]; every row is drawn for itself.
    """
    num = len(image)
    area = between(0.8, 1.0, num, generator)
    # The logarithm makes an aspect and its inverse equally likely, as torchvision does.
    aspect = between(math.log(0.9), math.log(1.1), num, generator).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    left, top = ((1 - side) * between(-1, 1, num, generator) for side in (width, height))
    affine = torch.zeros(num, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1], affine[:, 0, 2], affine[:, 1, 2] = width, height, left, top
    cropped = coin(0.5, num, generator)
    affine = torch.where(cropped[:, None, None], affine, torch.eye(2, 3))
    return flip(resample(image, affine), coin(0.5, num, generator))


def photometric(images: Sequence[Tensor], generator: Generator) -> tuple[Tensor, ...]:
    """Change light and camera of several pictures of one person equally.

    Gain per channel, gamma, contrast, brightness and blur. All (N, 3, S, S) in [-1, 1], and so are the results. Row i
    of all gets the same change: what differs is the expression alone. No noise: it would give the L1 losses a random
    gradient at every pixel that the expression leaves as it is.
    """
    num, stacked = len(images[0]), torch.stack(list(images), dim=1)
    shape = (num, 1, 1, 1, 1)
    gain = between(0.9, 1.1, 3 * num, generator).view(num, 1, 3, 1, 1)
    gamma = between(math.log(0.75), math.log(1.33), num, generator).exp().view(shape)
    contrast = between(0.75, 1.25, num, generator).view(shape)
    brightness = between(-0.2, 0.2, num, generator).view(shape)
    light = ((stacked + 1) / 2 * gain).clamp(1e-4, 1) ** gamma
    changed = ((light * 2 - 1) * contrast + brightness).flatten(0, 1)
    blurred = blur(changed, between(0.0, 0.7, num, generator).repeat_interleave(len(images)))
    return blurred.view_as(stacked).clamp(-1, 1).unbind(dim=1)


def similarity(num: int, generator: Generator) -> Tensor:
    """(N, 2, 3) for :func:`resample`: with p = .5 a shift up to 2 %, scale up to 4 %, rotation up to 3 degrees."""
    angle = between(-math.radians(3), math.radians(3), num, generator)
    scale = between(0.96, 1.04, num, generator)
    affine = torch.zeros(num, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = scale * angle.cos()
    affine[:, 1, 0] = scale * angle.sin()
    affine[:, 0, 1] = -affine[:, 1, 0]
    # 2 % of the side are 0.04 in a range of 2.
    affine[:, :, 2] = between(-0.04, 0.04, 2 * num, generator).view(num, 2)
    moved = coin(0.5, num, generator)
    return torch.where(moved[:, None, None], affine, torch.eye(2, 3))


def encoder_input(image: Tensor, generator: Generator, view: float = 1.0) -> Tensor:
    """What the encoder sees in place of ``image``, so that its code cannot carry pixels or the crop's exact place.

    Shift up to 4 %, scale up to 5 %, rotation up to 4 degrees, all times ``view``; brightness, contrast, slight noise.
    In [-1, 1]. No blur: lids and brows are few pixels.
    """
    num = len(image)
    angle = between(-math.radians(4) * view, math.radians(4) * view, num, generator)
    scale = between(1 - 0.05 * view, 1 + 0.05 * view, num, generator)
    affine = torch.zeros(num, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = scale * angle.cos()
    affine[:, 1, 0] = scale * angle.sin()
    affine[:, 0, 1] = -affine[:, 1, 0]
    # 4 % of the side are 0.08 in a range of 2.
    affine[:, :, 2] = between(-0.08 * view, 0.08 * view, 2 * num, generator).view(num, 2)
    contrast = between(0.75, 1.25, num, generator)[:, None, None, None]
    brightness = between(-0.2, 0.2, num, generator)[:, None, None, None]
    grid = functional.affine_grid(affine, list(image.shape), align_corners=False)
    seen = functional.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    seen = seen * contrast + brightness
    grain = between(0.0, 0.02, num, generator)[:, None, None, None]
    return (seen + grain * rows(torch.randn, *seen.shape, generator=generator)).clamp(-1, 1)


def blur(image: Tensor, sigma: Tensor) -> Tensor:
    """Blur ``image`` (N, C, S, S) with a standard deviation ``sigma`` (N,) up to .7 pixels: taps w, 1 - 2w, w."""
    side = (sigma.square() / 2).clamp(max=0.25)[:, None, None, None]
    for dim in (-2, -1):
        padding = (0, 0, 1, 1) if dim == -2 else (1, 1, 0, 0)
        padded = functional.pad(image, padding, mode="replicate")
        length = image.shape[dim]
        neighbours = padded.narrow(dim, 0, length) + padded.narrow(dim, 2, length)
        image = torch.lerp(image, neighbours / 2, 2 * side)
    return image
