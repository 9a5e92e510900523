"""What a generator does to a face, as fields that can be applied at any resolution."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from twocet.networks.colours import natural_colours


class Edit(NamedTuple):
    """A change of a face: shift its own pixels, then paint over them. All fields are float32.

    The fields usually have the size the generator works at; :func:`compose` applies them to an image of any size.
    """

    flow: Tensor
    """(N, 2, h, w) displacement (dx, dy) in units of the crop side: output pixel p shows input pixel p + flow."""
    mask: Tensor
    """(N, 1, h, w) in [0, 1]: the share of ``colour`` in the output."""
    colour: Tensor
    """(N, 3, h, w) in [-1, 1]: generated pixels."""


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Show ``image`` (N, 3, H, W) displaced by ``flow`` (N, 2, H, W), in units of its side; edges are repeated.

    Bilinear. Pixel (i, j) has its centre at ((i + .5) / W, (j + .5) / H).
    """
    height, width = image.shape[-2:]
    rows = (torch.arange(height, device=image.device, dtype=image.dtype) * 2 + 1) / height - 1
    columns = (torch.arange(width, device=image.device, dtype=image.dtype) * 2 + 1) / width - 1
    still = torch.stack([columns.expand(height, width), rows[:, None].expand(height, width)], dim=-1)
    # grid_sample counts from -1 to 1, so that a displacement of one side is 2.
    grid = still + 2 * flow.permute(0, 2, 3, 1)
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def compose(image: Tensor, edit: Edit) -> Tensor:
    """Apply ``edit`` to ``image`` (N, 3, H, W) in [-1, 1]: (1 - mask) * warp(image, flow) + mask * colour.

    Fields of another size are resized bilinearly first. What training sees; what is shown is :func:`render`'s.
    """
    flow, mask, colour = (resize(field, image) for field in edit)
    return torch.lerp(warp(image, flow), colour, mask)


def render(image: Tensor, edit: Edit) -> Tensor:
    """:func:`compose`, in colours that faces have (:func:`~twocet.networks.colours.natural_colours`)."""
    flow, mask, colour = (resize(field, image) for field in edit)
    shown = warp(image, flow)
    return natural_colours(torch.lerp(shown, colour, mask), shown)


def resize(field: Tensor, image: Tensor) -> Tensor:
    """``field`` (N, C, h, w) at the size of ``image``, bilinearly."""
    if field.shape[-2:] == image.shape[-2:]:
        return field
    return functional.interpolate(field, size=image.shape[-2:], mode="bilinear", align_corners=False)


def reduced(image: Tensor, size: int) -> Tensor:
    """``image`` (N, C, S, S) at the side ``size``, which divides S: means over blocks of pixels."""
    return image if image.shape[-1] == size else functional.avg_pool2d(image, image.shape[-1] // size)
