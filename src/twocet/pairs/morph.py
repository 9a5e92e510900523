"""Photos whose landmarks are moved: every pixel goes with the triangle of landmarks it lies in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from twocet.data.dataset import as_images
from twocet.networks.edit import reduced, warp
from twocet.photo.scaling import to_levels
from twocet.runtime.arrays import Floats

INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""The landmarks around the inside of the mouth, in order."""
_EDGE = 9
"""Points on each edge of the crop that stay where they are."""
INVERSIONS = 8
"""Steps by which the inverse of a flow is found; faces move so smoothly that each one more than halves the error."""
_FINER = 4
"""How much finer masks are drawn than they are used."""


def flow(shown: Floats, wanted: Floats, size: int) -> Floats:
    """(2, size, size): which pixel of a face each pixel of the moved face shows, see ``networks.warp``.

    Linear in the triangles between the landmarks where they are wanted and the edge of the crop.

    Args:
        shown: (..., L, 2) where the landmarks are, in sides of the crop; the flows of several photos that are moved to
            the same places come as (..., 2, size, size).
        wanted: (L, 2) where they shall be.
        size: Side in pixels.
    """
    from scipy.interpolate import LinearNDInterpolator

    line = np.linspace(0, 1, _EDGE)
    edge = np.unique([point for t in line for point in ((0, t), (1, t), (t, 0), (t, 1))], axis=0)
    moved = np.moveaxis(shown - wanted, -2, 0)
    still = np.zeros((len(edge), *moved.shape[1:]))
    known: Any = LinearNDInterpolator(np.concatenate([wanted, edge]), np.concatenate([moved, still]), fill_value=0.0)
    centres = (np.arange(size) + 0.5) / size
    return np.moveaxis(np.asarray(known(*np.meshgrid(centres, centres))), (0, 1), (-2, -1))


def flows(shown: Floats, wanted: Floats, size: int) -> Tensor:
    """:func:`flow` for N faces, (N, ..., 2, size, size) float32."""
    return torch.from_numpy(np.stack([flow(*places, size) for places in zip(shown, wanted, strict=True)])).float()


def moved(photos: Tensor, flow: Tensor) -> Tensor:
    """Photos (N, 3, S, S) uint8 displaced by ``flow`` (N, 2, S, S)."""
    return to_levels(warp(as_images(photos), flow))


def moved_with_mouths(photos: Tensor, flow: Tensor, donors: Tensor, their_flow: Tensor, landmarks: Floats) -> Tensor:
    """As :func:`moved`, and what lies between the lips is that of other people's photos, moved there too.

    A closed mouth has no teeth to show. ``landmarks`` (N, L, 2) are those of the result, in sides.
    """
    inside = torch.stack([inside_mouth(face, photos.shape[-1]) for face in landmarks])
    return to_levels(torch.lerp(warp(as_images(photos), flow), warp(as_images(donors), their_flow), inside))


def there_and_back(flow: Tensor, side: int) -> Tensor:
    """(N, 4, side, side) float16: ``flow`` (N, 2, S, S), coarser, and the flow that undoes it."""
    coarse = reduced(flow, side)
    back = -coarse
    for _ in range(INVERSIONS):
        back = -warp(coarse, back)
    return torch.cat([coarse, back], dim=1).half()


def inside_mouth(landmarks: Floats, size: int) -> Tensor:
    """(1, size, size) float32 in [0, 1]: how much of each pixel lies between the lips; of landmarks (L, 2) in sides."""
    canvas = Image.new("L", (size * _FINER, size * _FINER))
    corners = [(float(x), float(y)) for x, y in landmarks[list(INNER_LIPS)] * canvas.width - 0.5]
    ImageDraw.Draw(canvas).polygon(corners, fill=255)
    share: NDArray[np.float32] = np.asarray(canvas.reduce(_FINER)).astype(np.float32) / np.float32(255)
    return torch.from_numpy(share)[None]


def mouths(landmarks: Floats, side: int) -> Tensor:
    """(N, 1, side, side) float16: :func:`inside_mouth` of N faces (N, L, 2)."""
    return torch.stack([inside_mouth(face, side) for face in landmarks]).half()
