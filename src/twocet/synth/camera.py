"""The camera: perspective projection, and the views of a head."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twocet.photo.align import TEMPLATE, TEMPLATE_LANDMARKS, square_about_jaw

Array = NDArray[Any]
View = Literal["aligned", "portrait", "paper"]

DISTANCE = 11.0  # from the eyes, in head units
FIELD = 2.44  # width of the portrait at the distance of the eyes
EYE_LEVEL = -0.07
POSITION = np.array([0, EYE_LEVEL, DISTANCE], np.float32)

LANDMARK_VERTICES: dict[int, int] = {
    33: 1088,
    133: 70,
    362: 3462,
    263: 3420,
    2: 312,
    61: 1600,
    291: 3918,
    4: 1759,
    152: 747,
}
"""Vertex of the base mesh at each named landmark (MediaPipe's numbering of 478)."""

JAW_ENDS = (267, 2676)
"""Vertices of the base mesh where the finder reads landmarks 127 and 356 (mean of 40 rendered people)."""


def project(vertices: Array, size: int) -> NDArray[np.float32]:
    """Portrait view: (n, 3) head units to (x, y, 1 / distance), x and y in pixels of a picture of side ``size``."""
    screen = np.empty_like(vertices)
    nearness = 1 / (DISTANCE - vertices[:, 2])
    focal = size / FIELD * DISTANCE
    screen[:, 0] = size / 2 + focal * vertices[:, 0] * nearness
    screen[:, 1] = size * 0.5 - focal * (vertices[:, 1] - EYE_LEVEL) * nearness
    screen[:, 2] = nearness
    return screen


def align(screen: Array, neutral: Array, size: int) -> None:
    """Turn portrait ``screen`` points into the aligned crop, in place.

    The similarity is fitted to the ``neutral`` vertices, so that all pictures of an identity share one crop and two of
    them differ by the expression alone.

    This is twocet.photo.align.fit_similarity in complex numbers and mostly in single precision. The last bits decide
    pixels on edges, so they are part of the data format: a set rendered again must be the same set.
    """
    vertices = [LANDMARK_VERTICES[landmark] for landmark in TEMPLATE_LANDMARKS]
    found = _complex(project(neutral[vertices], size) / size)
    wanted = _complex(TEMPLATE)
    centred = found - found.mean()
    turn = (np.conj(centred) * (wanted - wanted.mean())).sum() / (abs(centred) ** 2).sum()
    shift = wanted.mean() - turn * found.mean()
    moved = _complex(screen) * turn + shift * size
    screen[:, 0] = moved.real
    screen[:, 1] = moved.imag


def frame_jaw(screen: Array, neutral: Array, size: int) -> None:
    """Turn portrait ``screen`` points into the paper's crop, in place: the square about the jaw of the neutral face."""
    ends = project(neutral[list(JAW_ENDS)], size)[:, :2].astype(np.float64)
    centre, side = square_about_jaw(ends)
    screen[:, :2] = (screen[:, :2] - (centre - side / 2)) * (size / side)


def _complex(points: Array) -> Array:
    joined: Array = points[:, 0] + 1j * points[:, 1]
    return joined
