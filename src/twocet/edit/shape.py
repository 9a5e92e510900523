"""Where everything goes: the landmarks of the face that is to be made."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from twocet.edit.lips import CURVES, LOWER_INNER, LOWER_OUTER, UPPER_INNER, UPPER_OUTER, frame_of, gap_of
from twocet.runtime.arrays import Floats, Floats32

if TYPE_CHECKING:
    from torch import Tensor

_UPPER_SHARE = 0.35
"""Of what a mouth opens more than it was told to, the upper lip's share; the jaw has the rest."""


_TELLING = (
    *(61, 291, 0, 17, 13, 14, 78, 308, 37, 267, 84, 314, 185, 409, 146, 375),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 159, 145, 386, 374),
)
"""Landmarks of mouth, brows and lids that tell an expression."""
_WITHIN, _OPEN_PART = 0.014, 0.03
"""Mouth widths that lips are cut short by so that no teeth stay on them, and of the gap where that is needed."""
STILL = 0.0075
"""Faces that are moved less from rest, in crop sides, are at rest: 95 % of neutral London photos, 5 % of the smiling
ones, no rendered person who is sad, angry or contemptuous."""


@runtime_checkable
class Mover(Protocol):
    """Says where landmarks go with a model's codes, all in crop sides."""

    def at_rest(self, image: Tensor, own: Floats32) -> bool:
        """Whether the face of a crop (1, 3, S, S), whose own code is ``own``, has no expression to remove."""
        ...

    def from_rest(self, image: Tensor, own: Floats32) -> Floats:
        """(478, 2) how the landmarks of such a crop have moved from rest."""
        ...

    def given(self, image: Tensor, code: Floats32) -> Floats:
        """(478, 2) how a code moves the landmarks of this face when it is at rest."""
        ...


class Movement(NamedTuple):
    """How codes of one model move landmarks: linear, so that half the strength is half the way.

    Made by ``tools/fit_movement.py``.
    """

    matrix: Floats
    """(d, 478, 2) in crop sides."""

    def of(self, code: Floats32) -> Floats:
        """(478, 2) movement away from rest, crop sides."""
        moved: Floats = np.tensordot(code.astype(np.float64), self.matrix, axes=1)
        return moved

    def at_rest(self, image: Tensor, own: Floats32) -> bool:
        """See :class:`Mover`."""
        return size_of(self.of(own)) < STILL

    def from_rest(self, image: Tensor, own: Floats32) -> Floats:
        """See :class:`Mover`."""
        return self.of(own)

    def given(self, image: Tensor, code: Floats32) -> Floats:
        """See :class:`Mover`: everybody moves alike."""
        return self.of(code)


def size_of(moved: Floats) -> float:
    """Root mean square of a movement (478, 2) over mouth, brows and lids."""
    return float(np.sqrt((moved[list(_TELLING)] ** 2).sum(axis=-1).mean()))


@cache
def find_movement(sha256: str | None) -> Movement | None:
    """The movement that belongs to the packaged model with this hash; None for other models."""
    for entry in (resources.files("twocet.model") / "packaged").iterdir():
        if entry.name.endswith(".movement.npz"):
            with entry.open("rb") as file, np.load(file) as content:
                if str(content["model_sha256"]) == sha256:
                    return Movement(content["matrix"].astype(np.float64))
    return None


def with_gap(landmarks: Floats, gap: Floats) -> Floats:
    """The same face with another gap (11, 2) between its lips (mouth coordinates); lips keep their thickness.

    ``landmarks``: (468 or more, 2) in any unit; the same shape comes back.
    """
    frame = frame_of(landmarks[CURVES])
    curves = frame.enter(landmarks[CURVES])
    change = gap - (curves[LOWER_INNER] - curves[UPPER_INNER])
    curves[[UPPER_OUTER, UPPER_INNER]] -= _UPPER_SHARE * change
    curves[[LOWER_INNER, LOWER_OUTER]] += (1 - _UPPER_SHARE) * change
    # The corners of the outer borders are one point each; those of the inner ones have no gap.
    moved: Floats = landmarks.copy()
    moved[CURVES[:, 1:-1]] = frame.leave(curves[:, 1:-1])
    return moved


def no_wider(landmarks: Floats, gap: Floats) -> Floats:
    """The same face, its lips apart by no more than ``gap`` (11, 2) anywhere."""
    found = gap_of(landmarks[CURVES])
    share = np.minimum(1, np.maximum(gap[:, 1], 0) / np.maximum(found[:, 1], 1e-6))
    return with_gap(landmarks, share[:, None] * found)


def closed(landmarks: Floats) -> Floats:
    """The same face with its lips together."""
    return with_gap(landmarks, np.zeros((CURVES.shape[1], 2)))


def within_lips(landmarks: Floats) -> Floats:
    """The same face with the inner borders of open lips a little within the lips, clear of teeth."""
    frame = frame_of(landmarks[CURVES])
    curves = frame.enter(landmarks[CURVES])
    open_part = np.clip((curves[LOWER_INNER, :, 1] - curves[UPPER_INNER, :, 1]) / _OPEN_PART, 0, 1)
    for inner, outer in ((UPPER_INNER, UPPER_OUTER), (LOWER_INNER, LOWER_OUTER)):
        thickness = curves[outer, :, 1] - curves[inner, :, 1]
        curves[inner, :, 1] += open_part * np.clip(thickness, -_WITHIN, _WITHIN)
    moved: Floats = landmarks.copy()
    moved[CURVES[:, 1:-1]] = frame.leave(curves[:, 1:-1])
    return moved


def at_strength(rest: Floats, full: Floats, strength: float) -> Floats:
    """Landmarks on the way from ``rest`` to ``full`` (k, 2) each, or beyond; lips never cross."""
    moved = rest + strength * (full - rest)
    gap = gap_of(moved[CURVES])
    crossing = gap[:, 1] < 0
    return with_gap(moved, np.where(crossing[:, None], 0, gap)) if crossing.any() else moved
