"""Codes whose scale is the strength that is seen: half the code is half the movement.

A generator that was trained on noisy codes moves faces far for small codes and little more for large ones. Only the
length of a code is at fault, so a model file tells a power: the generator works with codes whose length is raised to
it, the encoder's are given the inverse (``codes.powered``). At strength 1 nothing changes.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from twocet.method import codes
from twocet.metrics import movement
from twocet.model.file import Model
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_pixels
from twocet.readers.expression import Expression, ExpressionReader
from twocet.runtime.arrays import Floats

SERIES = 128
"""Transfers whose movement is measured."""
FEWEST = 8
"""Series that must show movement, or codes stay as they are."""
SCALES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Scales of the generator's codes at which movement is measured."""
STRENGTHS = np.linspace(0.0, 1.0, 11)
POWERS = np.linspace(0.5, 2.0, 31)


class Reader(Protocol):
    """Reads a face's expression."""

    def read(self, pixels: Pixels) -> Expression: ...


class Responses(NamedTuple):
    """How faces moved in P series."""

    shares: Floats
    """(P, K) share of the full movement at each of ``SCALES``."""
    sizes: Floats
    """(P,) the full movement: root mean square over the landmarks, pixels. Small ones are mostly noise."""


def fit_power(responses: Responses) -> float:
    """The power of the strength with which movement follows it best: least mean absolute deviation, in pixels."""

    def deviation(power: float) -> float:
        moved = np.stack([np.interp(STRENGTHS**power, SCALES, row) for row in responses.shares])
        return float(responses.sizes @ np.abs(moved - STRENGTHS).mean(axis=1))

    return round(float(min(POWERS, key=deviation)), 2)


def measure(model: Model, target: Tensor, reference: Tensor, reader: Reader) -> Responses:
    """The series of these faces that show movement, P <= N.

    Args:
        model: A model without a power.
        target: (N, 3, S, S) neutral faces in [-1, 1].
        reference: (N, 3, S, S) faces whose expressions they are given.
        reader: Reads landmarks.
    """
    shares, sizes = [], []
    for image, shown in zip(target, reference, strict=True):
        code = model.encode(shown[None])
        series = model.generate(image.expand(len(SCALES), -1, -1, -1), code.new_tensor(SCALES)[:, None] * code)
        landmarks = np.stack([reader.read(to_pixels(picture)).landmarks for picture in series])
        shares.append(movement(landmarks))
        sizes.append(np.sqrt(((landmarks[-1] - landmarks[0]) ** 2).sum(axis=-1).mean()))
    moving = np.array([row[-1] > 0 for row in shares], dtype=bool)
    return Responses(np.reshape(shares, (-1, len(SCALES)))[moving], np.array(sizes)[moving])


def calibrated(model: Model, target: Tensor, reference: Tensor, reader: Reader | None = None) -> Model:
    """The same model with the power that makes strength even, measured on these faces; see :func:`measure`.

    Its metadata tell code_power. A model that moves too few of the faces stays as it is.
    """
    plain = dataclasses.replace(model, metadata={key: v for key, v in model.metadata.items() if key != codes.POWER})
    responses = measure(plain, target, reference, reader or ExpressionReader())
    if len(responses.sizes) < FEWEST:
        return plain
    return dataclasses.replace(plain, metadata={**plain.metadata, codes.POWER: fit_power(responses)})
