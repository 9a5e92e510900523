"""Where everything goes: the landmarks of the face that is to be made."""

from __future__ import annotations

import numpy as np

from twocet.edit.lips import CURVES, LOWER_INNER, LOWER_OUTER, UPPER_INNER, UPPER_OUTER, frame_of
from twocet.photo.align import Floats

_UPPER_SHARE = 0.35
"""Of what a mouth opens more than it was told to, the upper lip's share; the jaw has the rest."""


def with_gap(landmarks: Floats, gap: Floats) -> Floats:
    """The same face with another gap (11, 2) between its lips (mouth coordinates); lips keep their thickness.

    ``landmarks``: (468 or more, 2) in any unit; the same shape comes back.
    """
    frame = frame_of(landmarks)
    curves = frame.enter(landmarks[CURVES])
    change = gap - (curves[LOWER_INNER] - curves[UPPER_INNER])
    curves[[UPPER_OUTER, UPPER_INNER]] -= _UPPER_SHARE * change
    curves[[LOWER_INNER, LOWER_OUTER]] += (1 - _UPPER_SHARE) * change
    # The corners of the outer borders are one point each; those of the inner ones have no gap.
    moved = landmarks.copy()
    moved[CURVES[:, 1:-1]] = frame.leave(curves[:, 1:-1])
    return moved
