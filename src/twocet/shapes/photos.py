"""Shapes for photos: where the landmarks of a face go when its expression is removed, or another one is given to it."""

from __future__ import annotations

import numpy as np

from twocet.errors import check
from twocet.runtime.arrays import Floats, Floats32
from twocet.shapes.model import PACKAGED, ShapeModel, load

POINTS = 468
"""Landmarks of a face without the irises, which follow the gaze."""


class FaceShapes:
    """A shape model of landmarks, for photos. Places are pixels of the photo; depth is in the same unit."""

    def __init__(self, model: ShapeModel) -> None:
        """Raises UserError unless the model knows faces of 468 points in 3 dimensions."""
        known = (model.num_points, model.dimensions)
        check(known == (POINTS, 3), f"photos need a shape model of {POINTS} points in 3 dimensions, not {known}")
        self.model = model

    def neutral(self, landmarks: Floats | Floats32) -> Floats:
        """(468, 2) where the landmarks (468 or 478, 3) of a face lie at rest: where they are, if it rests already."""
        return np.asarray(self.model.neutralize(_points(landmarks))[0, :, :2])

    def is_neutral(self, landmarks: Floats | Floats32) -> bool:
        """Whether the face rests already."""
        return bool(self.model.is_neutral(_points(landmarks))[0])

    def transfer(self, target: Floats | Floats32, reference: Floats | Floats32, strength: float = 1.0) -> Floats:
        """(468, 2) where the target's landmarks lie when it shows the reference's expression, whatever it shows now."""
        code = self.model.encode(_points(reference))
        return np.asarray(self.model.transfer(_points(target), code, strength)[0, :, :2])


def load_face_shapes(name: str = PACKAGED) -> FaceShapes:
    """The packaged model of photos, or that of a file. Raises UserError."""
    return FaceShapes(load(name))


def _points(landmarks: Floats | Floats32) -> Floats:
    return np.asarray(landmarks[None, :POINTS], np.float64)
