"""The alignment template, and the similarity between a photo and its square face crop.

Coordinates: photo coordinates are pixels with pixel centres at +0.5; crop coordinates are fractions of the crop side,
x to the right, y down, so that pixel (i, j) of a crop of size S is centred at ((i + .5) / S, (j + .5) / S).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from twocet.runtime.arrays import Floats

TEMPLATE_NAME = "eyes-nose-v1"
PAPER_TEMPLATE_NAME = "paper-v1"
"""Crops as the paper's authors made them: by ``jaw_square``, or fixed where a set's photos are framed all alike."""
TEMPLATE_LANDMARKS = (33, 133, 362, 263, 2)
"""Outer and inner corner of the eye on the left of the picture, inner and outer of the other, base of the nose."""

_EYE_DISTANCE = 0.31
TEMPLATE: Floats = np.array(
    [
        (0.5 - 0.727 * _EYE_DISTANCE, 0.31 - 0.015 * _EYE_DISTANCE),
        (0.5 - 0.273 * _EYE_DISTANCE, 0.31 + 0.015 * _EYE_DISTANCE),
        (0.5 + 0.273 * _EYE_DISTANCE, 0.31 + 0.015 * _EYE_DISTANCE),
        (0.5 + 0.727 * _EYE_DISTANCE, 0.31 - 0.015 * _EYE_DISTANCE),
        (0.5, 0.31 + 0.735 * _EYE_DISTANCE),
    ]
)
"""(5, 2) crop coordinates of ``TEMPLATE_LANDMARKS``; depends on eyes and nose alone, which expressions hardly move."""

_JAW_ENDS = (127, 356)
_JAW_SCALE, _JAW_SHIFT = 1.9, 0.05


def fit_similarity(points: npt.ArrayLike, template: npt.ArrayLike = TEMPLATE) -> Floats:
    """The rotation, scale and shift (no reflection) that takes ``points`` nearest to ``template``: (2, 3) float64.

    Least squares in template coordinates. Raises ValueError for coincident points.
    """
    point, goal = np.asarray(points, np.float64), np.asarray(template, np.float64)
    centre, goal_centre = point.mean(axis=0), goal.mean(axis=0)
    z = (point - centre) @ (1, 1j)
    w = (goal - goal_centre) @ (1, 1j)
    spread = float(np.vdot(z, z).real)
    if not spread > 0:
        raise ValueError("The points coincide.")
    turn = complex(np.vdot(z, w)) / spread
    linear = np.array([(turn.real, -turn.imag), (turn.imag, turn.real)])
    return np.column_stack([linear, goal_centre - linear @ centre])


def align(landmarks: npt.ArrayLike) -> Floats:
    """photo_to_crop (2, 3) for the 478 landmarks (photo pixels) of one face."""
    return fit_similarity(np.asarray(landmarks, np.float64)[list(TEMPLATE_LANDMARKS), :2])


def jaw_square(landmarks: npt.ArrayLike, width: int, height: int) -> Floats:
    """photo_to_crop (2, 3) of the authors' upright square about the face, in a photo of ``width`` x ``height``.

    Its side is 1.9 times the distance of the jaw's ends, its centre 5 % of that distance below their middle; it is
    shifted into the photo, and shrunk where it is larger than the photo. The authors took the ends from dlib's 68
    landmarks; the two that stand for them here are 1.4 % less apart (21 photos, standard deviation 1.5 %).
    """
    (x, y), side = square_about_jaw(np.asarray(landmarks, np.float64)[list(_JAW_ENDS), :2])
    side = min(side, width, height)
    left = min(max(x - side / 2, 0.0), width - side)
    top = min(max(y - side / 2, 0.0), height - side)
    return upright_square(left, top, side)


def square_about_jaw(ends: Floats) -> tuple[Floats, float]:
    """Centre (2,) and side of the authors' square about the two ends (2, 2) of a jaw, before any photo limits it."""
    jaw = abs(float(ends[1, 0] - ends[0, 0]))
    if not jaw > 0:
        raise ValueError("The ends of the jaw coincide.")
    centre: Floats = ends.mean(axis=0)
    centre[1] += _JAW_SHIFT * jaw
    return centre, _JAW_SCALE * jaw


def align_to(template: str, landmarks: npt.ArrayLike, size: tuple[int, int]) -> Floats:
    """photo_to_crop (2, 3) by the name of a template, for a face in a photo of ``size`` (width, height)."""
    return jaw_square(landmarks, *size) if template == PAPER_TEMPLATE_NAME else align(landmarks)


def upright_square(left: float, top: float, side: float) -> Floats:
    """photo_to_crop (2, 3) of an upright square in photo pixels."""
    return np.array([(1 / side, 0.0, -left / side), (0.0, 1 / side, -top / side)])


def invert(matrix: Floats) -> Floats:
    """The inverse (2, 3) of a (2, 3) affine map."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def apply(matrix: Floats, points: npt.ArrayLike) -> Floats:
    """(..., 2) points through a (2, 3) affine map."""
    moved: Floats = np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return moved


def seen_through(photo_to_crop: Floats, window: Floats, size: int) -> Floats:
    """The photo_to_crop of a face after ``window`` (2, 3), the photo_to_crop of a picture of ``size``, was cut out."""
    picture_to_photo = invert(window) * (1 / size, 1 / size, 1.0)
    return np.column_stack(
        [photo_to_crop[:, :2] @ picture_to_photo[:, :2], apply(photo_to_crop, picture_to_photo[:, 2])]
    )


def square_to_crop(width: int, height: int) -> Floats:
    """photo_to_crop of a photo that is an aligned crop already: the whole picture is the crop."""
    return np.array([(1 / width, 0.0, 0.0), (0.0, 1 / height, 0.0)])
