"""The skin of a face keeps its own pixels: what a model paints there becomes light, and its movement is made smooth.

Networks paint folds and shadows at their own small size. Mixed into a photo this smears skin and leaves spots of wrong
colour; as a factor of brightness that changes slowly from place to place it does neither (cf. the expression ratio
images of Liu, Shan and Zhang, 2001).
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch.nn.functional import conv2d, pad

from twocet.edit.blend import FACE_OVAL, Change
from twocet.networks.colours import LUMA
from twocet.networks.edit import Edit, render, resize, warp
from twocet.runtime.arrays import Floats

Outline = tuple[int, ...]
"""Landmarks around a part of the face, in order."""

# fmt: off
BROWS: tuple[Outline, Outline] = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
EYES: tuple[Outline, Outline] = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382))
LIPS: Outline = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_BELOW_BROWS: Outline = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127)
# fmt: on

# All in crop sides.
_EYE_REACH, _EYE_SOFT = 0.035, 0.012
_FEATURE_REACH, _FEATURE_SOFT = 0.03, 0.02
_LIP_REACH, _BROW_REACH, _LIGHT_SOFT = 0.01, 0.01, 0.008
_FLOW_FINE, _FLOW_COARSE = 0.015, 0.045
"""How smooth the movement is made, near eyes, brows and mouth and far from them. Skin that shines shows ripples that
are no wider than this."""
_LIGHT_FINE = 0.012
_MOST_LIGHT = 0.2
"""Logarithm of the most that light may change: folds of real smiles stay below."""
_DARK = 0.03
"""Brightness, of 1, that counts as noise."""
_SUPERSAMPLING = 2


def lit(
    edit: Edit,
    image: torch.Tensor,
    points: Floats,
    *,
    painted_eyes: bool = False,
    rigid: torch.Tensor | None = None,
) -> Change:
    """``edit`` (batch of one) with its paint turned into light.

    Args:
        edit: What a model does to the face.
        image: (1, 3, S, S) the crop that it is made for.
        points: (468 or more, 2) landmarks of the face that is to be made, crop sides.
        rigid: (1, 1, S, S) share by which places lie still, see :func:`twocet.edit.glasses.glasses_on`.
        painted_eyes: Eyes stay as the edit makes them, for lids that nothing else moves.
    """
    edit = Edit(*(resize(field, image) for field in edit))
    size = edit.flow.shape[-1]
    features = around(of(points, _BELOW_BROWS), size, _FEATURE_REACH, _FEATURE_SOFT).to(edit.flow.device)
    smooth = torch.lerp(blurred(edit.flow, _FLOW_COARSE), blurred(edit.flow, _FLOW_FINE), features)
    if rigid is not None:
        smooth = smooth * (1 - rigid)
    change = Change(smooth, torch.zeros_like(edit.mask), edit.colour, _light(edit, image, points))
    if not painted_eyes:
        return change
    eyes = around(of(points, *EYES), size, _EYE_REACH, _EYE_SOFT).to(edit.flow.device)
    return Change(torch.lerp(smooth, edit.flow, eyes), edit.mask * eyes, edit.colour, change.light * (1 - eyes))


def _light(edit: Edit, image: torch.Tensor, points: Floats) -> torch.Tensor:
    """(1, 1, S, S) logarithm of how much brighter the edit paints skin than it was."""
    size = image.shape[-1]
    ratio = (_brightness(render(image, edit)) / _brightness(warp(image, edit.flow))).log()
    # Where eyes, brows and lips have moved, brightness changes because they have.
    hidden = around(of(points, *EYES, *BROWS), size, _BROW_REACH, _LIGHT_SOFT).to(ratio.device)
    lips = around(of(points, LIPS), size, _LIP_REACH, _LIGHT_SOFT).to(ratio.device)
    face = around(of(points, FACE_OVAL), size, 0.0, _LIGHT_SOFT).to(ratio.device)
    weight = (1 - hidden) * (1 - lips) * face + 1e-3
    summed = blurred(torch.cat([ratio * weight, weight], dim=1), _LIGHT_FINE)
    mean = summed[:, :1] / summed[:, 1:]
    return _MOST_LIGHT * torch.tanh(mean / _MOST_LIGHT) * face * (1 - lips)


def _brightness(image: torch.Tensor) -> torch.Tensor:
    """(1, 1, S, S) of an image in [-1, 1], above 0."""
    return torch.einsum("nchw,c->nhw", (image + 1) / 2, image.new_tensor(LUMA))[:, None].clamp(min=0) + _DARK


def of(points: Floats, *outlines: Outline) -> list[Floats]:
    """The outlines as polygons (k, 2)."""
    return [points[list(outline)] for outline in outlines]


def around(polygons: list[Floats], size: int, reach: float, soft: float) -> torch.Tensor:
    """(1, 1, size, size) 1 within ``reach`` of the insides of polygons (k, 2), falling to 0 over some ``soft``.

    All in crop sides.
    """
    side = _SUPERSAMPLING * size
    picture = Image.new("L", (side, side))
    draw = ImageDraw.Draw(picture)
    for polygon in polygons:
        places = [(float(x), float(y)) for x, y in polygon * side - 0.5]
        draw.polygon(places, fill=255)
        if reach:
            draw.line([*places, places[0]], fill=255, width=round(2 * reach * side), joint="curve")
    drawn = torch.from_numpy(np.asarray(picture.reduce(_SUPERSAMPLING), np.float32) / 255)
    return blurred(drawn[None, None], soft)


def blurred(field: torch.Tensor, deviation: float) -> torch.Tensor:
    """``field`` (1, C, S, S) through a Gaussian with this standard deviation in crop sides."""
    sigma = deviation * field.shape[-1]
    reach = int(np.ceil(3 * sigma))
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=field.device, dtype=torch.float32) / sigma) ** 2)
    taps = taps / taps.sum()
    flat = pad(field, (reach, reach, reach, reach), mode="replicate").transpose(0, 1)
    return conv2d(conv2d(flat, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1)).transpose(0, 1)
