"""What the benchmarks on real photos share: who may be measured, what is read in a photo, and how mouths are cut out.

The Face Research Lab London Set is read from a folder with ``neutral/`` and ``smiling/``, one photo of each person in
both, under the same file name.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from twocet.errors import UserError
from twocet.photo.align import TEMPLATE_LANDMARKS, apply, invert
from twocet.photo.images import Pixels
from twocet.photo.resample import crop
from twocet.readers.expression import EXPRESSION_NAMES, ExpressionReader
from twocet.readers.identity import IdentityReader
from twocet.runtime.arrays import Floats

APART = ("001", "002", "006", "021", "104", "129", "136", "139", "143", "172")
"""The London people whom no packaged model was trained on: the validation split of docs/model-card.md's ``prepare``."""
SMILE = [EXPRESSION_NAMES.index("mouthSmileLeft"), EXPRESSION_NAMES.index("mouthSmileRight")]
CLOSED = 0.012
"""Lips whose ``opening`` is smaller are closed."""
MOUTH_SIDE = 144
"""Pixels of a mouth crop."""
_EYES_APART = 200
"""Pixels between the outer corners of the eyes at a mouth crop's scale (212 in London photos of 1024 px)."""
_EYES = (33, 263)
_CORNERS = (61, 291)
# fmt: off
_INNER_LIPS = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
_OUTER_LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
# fmt: on


class Reading(NamedTuple):
    """What the measuring networks see in one photo; NaN where no face is found."""

    blendshapes: Floats
    """(51,) in [0, 1]."""
    landmarks: Floats
    """(478, 2) in pixels."""
    descriptor: Floats
    """(128,)."""

    @property
    def smile(self) -> float:
        """Mean of the two smile blendshapes."""
        return float(self.blendshapes[SMILE].mean())


class Readers:
    """Both measuring networks, on whole photos."""

    def __init__(self) -> None:
        self._expression, self._identity = ExpressionReader(), IdentityReader()

    def read(self, pixels: Pixels) -> Reading:
        """The reading of the largest face of a photo (H, W, 3)."""
        expression = self._expression.read(pixels)
        if not np.isfinite(expression.landmarks).all():
            return Reading(*expression, np.full(128, np.nan))
        points = expression.landmarks[list(TEMPLATE_LANDMARKS)]
        return Reading(*expression, self._identity.describe(pixels, points))


def names_in(folder: Path) -> list[str]:
    """The people with a neutral and a smiling photo, without the files' ending. Raises UserError."""
    neutral, smiling = ({path.stem for path in (folder / kind).glob("*.jpg")} for kind in ("neutral", "smiling"))
    if not neutral & smiling:
        raise UserError(f"{folder}: no photos with the same names in neutral/ and smiling/")
    return sorted(neutral & smiling)


def opening(landmarks: Floats) -> float:
    """Area between the inner lips over the squared width of the mouth, from (478, 2) landmarks."""
    x, y = landmarks[_INNER_LIPS].T
    area = 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))
    return area / float(np.sum((landmarks[_CORNERS[0]] - landmarks[_CORNERS[1]]) ** 2))


def mouth_crop(pixels: Pixels, landmarks: Floats) -> Pixels:
    """(144, 144, 3): the mouth, upright by the eyes, in the middle, at the scale of a London photo."""
    eyes = landmarks[_EYES[1]] - landmarks[_EYES[0]]
    side = MOUTH_SIDE / _EYES_APART * eyes
    crop_to_photo = np.array([[side[0], -side[1], 0], [side[1], side[0], 0]])
    crop_to_photo[:, 2] = landmarks[_OUTER_LIPS].mean(axis=0) - apply(crop_to_photo, [(0.5, 0.5)])[0]
    return crop(pixels, invert(crop_to_photo), MOUTH_SIDE)


def sharpness(mouth: Pixels) -> float:
    """Mean difference of neighbouring pixels about the lips of a mouth crop, down and across, in levels of 255."""
    top, bottom, left, right = (round(share * MOUTH_SIDE) for share in (0.3, 0.7, 0.2, 0.8))
    grey = mouth.astype(float).mean(axis=-1)[top:bottom, left:right]
    return float(np.mean([np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1)]))
