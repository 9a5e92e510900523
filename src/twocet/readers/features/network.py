"""What a network for features offers."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats32


class ImageFeatures(NamedTuple):
    """What a network sees in N pictures."""

    pooled: Floats32
    """(N, D): the last feature maps, averaged over positions."""
    probabilities: Floats32
    """(N, K): of ImageNet's classes; rows sum to 1."""


class FeatureReader(Protocol):
    """A loaded network. Rows do not depend on each other."""

    def read(self, pictures: Pixels) -> ImageFeatures:
        """The features of pictures (N, S, S, 3) of any size S."""
        ...
