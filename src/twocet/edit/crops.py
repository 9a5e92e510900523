"""A model of landmarks on aligned crops, mouths of real pixels included: what an evaluation asks of any model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from twocet.edit.inside import MouthSource, mouth_source
from twocet.edit.locate import Located
from twocet.edit.stages import Expression, Neutral, Stages, to_array
from twocet.photo import align
from twocet.photo.images import Photo, Pixels
from twocet.photo.scaling import to_image, to_pixels
from twocet.runtime.arrays import Floats
from twocet.shapes.photos import PhotoShapes


class CropEditor:
    """See :class:`twocet.model.interface.ExpressionModel`; it also neutralizes, samples and encodes."""

    def __init__(self, model: PhotoShapes, size: int | None = None) -> None:
        """``size``: side of the crops, that of the model if not given; others are resized to that and back.

        However crops are aligned will do.
        """
        self.model, self.size = model, size or model.size
        self.metadata = {key: value for key, value in model.metadata.items() if key != "template"}
        self.stages = Stages(model, model, self._read)

    def transfer(
        self, target: Tensor, reference: Tensor, strength: float = 1.0, label: Sequence[str] | None = None
    ) -> Tensor:
        """See ``ExpressionModel``; labels are not looked at."""
        given = [self._expression(face) for face in _resized(reference, self.model.size)]
        return self._each(target, lambda row, neutral: self.stages.crop(neutral, given[row], strength))

    def neutralize(self, image: Tensor) -> Tensor:
        """The faces without their expressions."""
        return self._each(image, lambda _, neutral: neutral.pixels)

    def sample(self, target: Tensor, generator: torch.Generator) -> Tensor:
        """The faces with random expressions."""
        codes = self.model.sample_codes(len(target), generator)
        return self._each(target, lambda row, neutral: self.stages.crop(neutral, Expression(to_array(codes[row])), 1.0))

    def encode(self, image: Tensor) -> Tensor:
        """The expression codes."""
        return self.model.encode(_resized(image, self.model.size))

    def _each(self, image: Tensor, make: Callable[[int, Neutral], Pixels]) -> Tensor:
        faces = [self._located(face) for face in _resized(image, self.model.size)]
        made = [
            make(row, self.stages.neutral(face, self._mouth(face))) if face.landmarks is not None else face.photo.pixels
            for row, face in enumerate(faces)
        ]
        return _resized(torch.cat([to_image(pixels) for pixels in made]), image.shape[-1])

    def _expression(self, face: Tensor) -> Expression:
        return Expression(to_array(self.model.encode(face[None])[0]), self._mouth(self._located(face)))

    def _located(self, face: Tensor) -> Located:
        """A crop (3, S, S) as its own photo; without landmarks where no face is found."""
        size = face.shape[-1]
        landmarks = self.model.landmarks(face) * size
        known = landmarks.astype(np.float32) if np.isfinite(landmarks).all() else None
        pixels = to_pixels(face[None])
        return Located(Photo(pixels=pixels), (0, 0), pixels, align.square_to_crop(size, size), face[None], known, ())

    def _mouth(self, located: Located) -> MouthSource | None:
        if located.landmarks is None:
            return None
        return mouth_source(located.photo.pixels, located.landmarks[:, :2].astype(np.float64))

    def _read(self, pixels: Pixels) -> Floats | None:
        landmarks: Any = self.model.landmarks(to_image(pixels)[0])
        return landmarks[:, :2] * len(pixels) if np.isfinite(landmarks).all() else None


def _resized(image: Tensor, size: int) -> Tensor:
    """Faces (N, 3, S, S) with another side; those that have it already come back as they are."""
    if image.shape[-1] == size:
        return image
    mode = "bicubic" if size > image.shape[-1] else "area"
    return functional.interpolate(image, size=(size, size), mode=mode)
