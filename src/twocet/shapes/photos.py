"""A shape model as a model of photos: landmarks are read in a face, and what they do moves its own pixels.

Nothing is painted. It offers what an editor and an evaluation need of a model (:class:`twocet.model.model.Model`), and
says exactly where landmarks go, so that mouths can be made of real pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twocet.errors import check
from twocet.method import codes
from twocet.model.model import SAMPLE_WIDTH
from twocet.networks.edit import Edit, render
from twocet.networks.interfaces import Networks
from twocet.pairs import morph
from twocet.photo.align import TEMPLATE_NAME
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_pixels
from twocet.runtime.arrays import Floats, Floats32
from twocet.runtime.cache import Recent
from twocet.shapes.model import ShapeModel
from twocet.shapes.reading import POINTS, SteadyReader

SIZE = 128
"""Side of the crops in which landmarks are read, in training and afterwards."""
_CORNERS = ((33, 133), (362, 263))
"""Of the eye of each iris, in their order."""
_IRIS = 5
"""Landmarks of one."""
_STILL, _STILL_ROUNDS = 0.0015, 20
"""Crop sides: residues up to this are errors of reading; and rounds of :func:`standing`."""
_KEPT = 16

Read = Callable[[Pixels], Floats]
"""(478, 3) landmarks of the face in a picture, pixels; NaN where there is none."""


class PhotoShapes:
    """A shape model of landmarks, for face crops (N, 3, 128, 128) float32 in [-1, 1]."""

    def __init__(self, model: ShapeModel, read: Read | None = None) -> None:
        """``read`` replaces the landmark runtime. Raises UserError unless the model knows 468 points of 3 numbers."""
        known = (model.num_points, model.dimensions)
        check(known == (POINTS, 3), f"photos need a shape model of {POINTS} points in 3 dimensions, not {known}")
        self.model = model
        self.metadata: dict[str, Any] = {"template": TEMPLATE_NAME, **model.metadata}
        self.size, self.code_dim, self.device = SIZE, model.config.code_dim, torch.device("cpu")
        self._read = read
        self._faces: Recent[Floats] = Recent(_KEPT)

    @property
    def networks(self) -> Networks:
        """Those of the shape model."""
        return self.model.networks

    def landmarks(self, image: Tensor) -> Floats:
        """(478, 3) landmarks of a crop (3, S, S), in its sides; NaN where no face is found."""
        pixels = to_pixels(image[None])

        def read() -> Floats:
            if self._read is None:
                self._read = SteadyReader()
            return np.asarray(self._read(pixels) / pixels.shape[1])

        return self._faces.get(pixels.tobytes(), read)

    def encode(self, image: Tensor) -> Tensor:
        """(N, d) expression codes; zero where no face is found."""
        return torch.stack([self._encode(self.landmarks(face)) for face in image])

    def _encode(self, landmarks: Floats) -> Tensor:
        if not np.isfinite(landmarks).all():
            return torch.zeros(self.code_dim)
        return torch.from_numpy(self.model.encode(landmarks[None, :POINTS]))[0]

    def at_rest(self, image: Tensor, own: Floats32) -> bool:
        """Whether a face (1, 3, S, S) has no expression to remove; ``own`` is not used."""
        landmarks = self.landmarks(image[0])
        return not np.isfinite(landmarks).all() or bool(self.model.is_neutral(landmarks[None, :POINTS])[0])

    def from_rest(self, image: Tensor, own: Floats32) -> Floats:
        """(478, 2) how the landmarks of a face (1, 3, S, S) have moved from rest, crop sides; ``own`` is not used."""
        landmarks = self.landmarks(image[0])
        shown = landmarks[:POINTS, :2]
        return with_irises(standing(shown - self._rest(landmarks)[:, :2], shown))

    def given(self, image: Tensor, code: Floats32) -> Floats:
        """(478, 2) how a code (d,) moves the landmarks of this face (1, 3, S, S) when it is at rest, crop sides."""
        rest = self._rest(self.landmarks(image[0]))[None]
        moved = (self.model.apply(rest, code[None]) - rest)[0, :, :2]
        return with_irises(standing(moved, rest[0, :, :2]))

    def _rest(self, landmarks: Floats) -> Floats:
        """(468, 3) where landmarks (478, 3) lie at rest."""
        return np.asarray(self.model.remove(landmarks[None, :POINTS])[0])

    def edit(self, image: Tensor, code: Tensor, strength: float = 1.0) -> Edit:
        """Displacement fields that move these faces' pixels as their landmarks move; strength 0.5 is half the way.

        The zero code takes a face to rest, all others take it on from there.
        """
        flow = torch.stack(
            [self._flow(face[None], one.numpy(), strength) for face, one in zip(image, code, strict=True)]
        )
        return Edit(flow, torch.zeros_like(flow[:, :1]), flow.new_zeros(len(flow), 3, *flow.shape[2:]))

    def _flow(self, face: Tensor, code: Floats32, strength: float) -> Tensor:
        landmarks = self.landmarks(face[0])
        if not np.isfinite(landmarks).all():
            return face.new_zeros(2, SIZE, SIZE)
        shown = landmarks[:POINTS, :2]
        rest = shown - self.from_rest(face, code)[:POINTS]
        wanted = rest
        if code.any():
            shown, wanted = rest, rest + strength * self.given(face, code)[:POINTS]
        return torch.from_numpy(morph.flow(shown, wanted, SIZE)).float()

    def generate(self, image: Tensor, code: Tensor, strength: float = 1.0) -> Tensor:
        """The faces with these expressions, their own pixels moved; mouths show nothing new."""
        return render(image, self.edit(image, code, strength))

    def sample_codes(self, num: int, generator: torch.Generator) -> Tensor:
        """(num, d) random codes, near those that the encoder found in training."""
        return codes.resampled(num, torch.tensor(self.metadata["codes"]), SAMPLE_WIDTH, generator)


def standing(movement: Floats, places: Floats) -> Floats:
    """A movement (k, 2) of landmarks at ``places`` (k, 2) without what moves, turns or scales the face as a whole.

    Shapes know no place: a jaw that drops leaves them the rest of the face a little higher. In a photo, what does not
    move must stand still, so the similarity in which the sum of all distances is least is taken off. NaN comes back.
    """
    if not np.isfinite(movement).all():
        return movement
    moved, place = movement @ (1, 1j), places @ (1, 1j)
    basis = np.stack([place - place.mean(), np.ones_like(place)], axis=1)
    residue = moved
    for _ in range(_STILL_ROUNDS):
        weighted = basis.conj().T / np.maximum(np.abs(residue), _STILL)
        residue = moved - basis @ np.linalg.solve(weighted @ basis, weighted @ moved)
    return np.stack([residue.real, residue.imag], axis=1)


def with_irises(movement: Floats) -> Floats:
    """(478, 2) of the movement of 468 landmarks: irises move with the corners of their eyes."""
    irises = [np.repeat(movement[list(corners)].mean(axis=0)[None], _IRIS, axis=0) for corners in _CORNERS]
    return np.concatenate([movement, *irises])
