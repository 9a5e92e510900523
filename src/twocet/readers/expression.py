"""What a picture shows: 51 blendshapes and 478 landmarks, read by a network that no model was trained with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twocet.photo.faces import BLENDSHAPE_NAMES, FaceFinder
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

EXPRESSION_NAMES = BLENDSHAPE_NAMES[1:]
"""The 51 blendshapes that are compared: all but ``_neutral``, which is 0 always."""


class Expression(NamedTuple):
    """The reading of one face."""

    blendshapes: Floats
    """(51,) in [0, 1], in the order of ``EXPRESSION_NAMES``."""
    landmarks: Floats
    """(478, 2) in pixels of the picture that was read, pixel centres at +0.5."""


NO_FACE = Expression(np.full(51, np.nan), np.full((478, 2), np.nan))
"""The reading of a picture in which no face was found."""


class ExpressionReader:
    """Reads expressions; one instance holds the loaded graphs."""

    def __init__(self, finder: FaceFinder | None = None) -> None:
        self._finder = finder or FaceFinder(threads=1)

    def read(self, pixels: Pixels) -> Expression:
        """The expression of the largest face, or ``NO_FACE``.

        Args:
            pixels: (H, W, 3) uint8 RGB.
        """
        faces = self._finder.find(pixels)
        if not faces:
            return NO_FACE
        face = faces[0]
        return Expression(face.blendshapes[1:].astype(np.float64), face.landmarks[:, :2].astype(np.float64))
