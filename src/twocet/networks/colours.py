"""Which colours may be painted: those that faces have, in the tones that the photo has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in brightness (ITU-R BT.601)."""


class Tint(NamedTuple):
    """A direction away from grey, and how far faces go there: up to ``least + share * brightness``."""

    axis: tuple[float, float, float]
    """What red, green and blue add to the amount of this tint; together 0, so that greys have none."""
    least: float
    share: float


# In crops of rendered people and of London photos about 1 pixel in 100 of a mouth goes further.
TINTS = (
    Tint((-1, 0.5, 0.5), 0, -0.07),
    Tint((-0.5, -0.5, 1), 0, -0.06),
    Tint((-0.5, 1, -0.5), 0, 0.01),
    Tint((1, -0.5, -0.5), 0.1, 0.9),
)
"""Teal, blue, green and red; amounts in units of [-1, 1] images."""

_MONOCHROME = 2.0
"""Root mean square distance, in levels of 255, from the colours that brightness alone tells. Faces in 112 colour
photos: 3.1 and more; grey and toned ones with JPEG's losses: up to 1.6."""


def natural_colours(painted: Tensor, shown: Tensor) -> Tensor:
    """Take out of ``painted`` what no face has: teal, blue, green where the photo has none, and purest red.

    A generator paints teeth as a thin layer over lips. What makes red lips white on one face leaves another's teal;
    and strengths above 1 exaggerate colours too. Brightness stays, and so does whatever ``shown`` has itself.

    Args:
        painted: (N, 3, ...) in [-1, 1].
        shown: likewise, the photo's own pixels at the same places.

    Returns:
        Likewise; equal to ``painted`` wherever that is natural.
    """
    flat, own = (image.movedim(1, 0).flatten(1) for image in (painted, shown))
    if torch.compiler.is_exporting():  # a graph has no choices
        return _without_tints(flat, own).view(3, -1, *painted.shape[2:]).movedim(0, 1)
    # Most pixels are natural, which one product tells; only the others cost more.
    slopes = np.array([np.array(tint.axis) - tint.share * np.array(LUMA) for tint in TINTS])
    usual = np.array([tint.least + tint.share for tint in TINTS])
    beyond = (flat.new_tensor(slopes) @ flat).sub_(flat.new_tensor(usual)[:, None]).amax(dim=0)
    tinted = beyond.gt(0).nonzero()[:, 0]
    if not len(tinted):
        return painted
    changed = _without_tints(flat[:, tinted], own[:, tinted])
    return flat.index_copy(1, tinted, changed).view(3, -1, *painted.shape[2:]).movedim(0, 1)


def _without_tints(painted: Tensor, shown: Tensor) -> Tensor:
    """(3, K), one pixel a column."""
    for tint in TINTS:
        axis = painted.new_tensor(tint.axis)
        # Away from the tint by 1, and the brightness stays.
        back = (axis @ painted.new_tensor(LUMA) - axis) / (axis @ axis)
        usual = tint.least + tint.share * (painted.new_tensor(LUMA) @ painted + 1)
        excess = (axis @ painted - torch.maximum(usual, axis @ shown)).clamp(min=0)
        painted = painted + back[:, None] * excess
    return painted


Tone = npt.NDArray[np.float64]
"""(3, 3): red, green and blue less brightness (columns), by square, first power and constant of brightness (rows)."""


def tone_of(pixels: npt.NDArray[np.uint8]) -> Tone | None:
    """The tone of a black-and-white or sepia photo; None for one in colours.

    ``pixels``: (..., 3) uint8. In a toned photo brightness tells the colour: a parabola for each channel is fitted.
    """
    colours = pixels.reshape(-1, 3) / 255
    brightness = colours @ LUMA
    powers, beside = np.vander(brightness, 3), colours - brightness[:, None]
    tone = np.linalg.lstsq(powers, beside, rcond=None)[0].astype(np.float64)
    distance = 255 * np.sqrt(np.mean((beside - powers @ tone) ** 2))
    return tone if distance < _MONOCHROME else None


def toned(image: Tensor, tone: Tone) -> Tensor:
    """``image`` (N, 3, H, W) in [-1, 1] in the tone of a photo."""
    brightness = torch.einsum("ncyx,c->nyx", (image + 1) / 2, image.new_tensor(LUMA))
    powers = torch.stack([brightness**2, brightness, torch.ones_like(brightness)], dim=1)
    beside = torch.einsum("npyx,pc->ncyx", powers, image.new_tensor(tone))
    return (2 * (brightness[:, None] + beside) - 1).clamp(-1, 1)
