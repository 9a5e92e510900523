"""What cannot be done well is said: one line for each reason to distrust a result."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twocet.edit.blend import FACE_OVAL
from twocet.photo.faces import Face
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_FAR_TURNED = 25.0
"""Degrees of yaw or pitch. Photos taken from the front are within 9 degrees of yaw and 14 of pitch (208 photos)."""
_PITCH_AT_REST = -5.0
"""Degrees that :func:`head_pose` reads on faces seen from the front: a forehead slopes."""
_BORDER = 0.01
"""Distance from the photo's border, in widths of the face."""
_CLOSED_EYE = 0.11
"""Height by width of an eye: rendered lids that are shut have 0.02 to 0.08, laughing eyes 0.18 or more."""
_SMALL_FACE = 0.5
"""In the model's crops: a face whose own is narrower."""
_STRONGEST = 2.0
_DRAWN_SIDE, _BLOWN_OUT, _LEAST_EXPOSED = 128, 250, 0.2
_EVEN, _DRAWN = 0.006, 0.3
"""A step between neighbours is even up to this share of all contrast; of such are at most 0.21 in photos."""

_ACROSS = ((33, 263), (133, 362), (234, 454), (127, 356), (58, 288), (61, 291))
"""Pairs of landmarks, left and right in the picture."""
_FOREHEAD, _NOSE_BASE = 10, 2
_EYES = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))
"""Outer corner, two points of the upper lid, inner corner, two of the lower lid; the other from its inner corner."""


class Pose(NamedTuple):
    """How a head is turned, degrees."""

    yaw: float
    """Positive when it looks to the right of the picture."""
    pitch: float
    """Positive when it looks down."""


def notes_on_face(
    name: str, face: Face, photo_size: tuple[int, int], crop: Pixels, crop_side: float, *, is_target: bool
) -> tuple[str, ...]:
    """One line for each reason why a face is hard to read, or, with ``is_target``, to edit.

    Args:
        name: Of the photo.
        face: In photo pixels.
        photo_size: Width and height.
        crop: (S, S, 3) the aligned face.
        crop_side: What it measures in the photo, pixels.
        is_target: Whether it is edited.
    """
    pose = head_pose(face.landmarks)
    view = "above" if pose.pitch > 0 else "below"
    reasons = {
        f"seen from the side ({abs(pose.yaw):.0f} degrees): one seen from the front gives a better result.": (
            abs(pose.yaw) > _FAR_TURNED
        ),
        f"seen from {view} ({abs(pose.pitch):.0f} degrees): one seen from the front gives a better result.": (
            abs(pose.pitch) > _FAR_TURNED
        ),
        f"small ({crop_side:.0f} pixels): a larger one gives a better result.": crop_side < _SMALL_FACE * len(crop),
        "cut off by the border of the photo: one that is whole gives a better result.": _is_cut_off(face, photo_size),
        "a drawing, or looks like one: only photos can be edited well.": looks_drawn(crop),
    }
    notes = [f"{name}: the face is {reason}" for reason, holds in reasons.items() if holds]
    if is_target and eyes_closed(face.landmarks):
        notes.append(f"{name}: the eyes are closed, and no edit opens them: one with open eyes gives a better result.")
    return tuple(notes)


def notes_on_strength(strength: float) -> tuple[str, ...]:
    """One line if a strength is too much."""
    if abs(strength) <= _STRONGEST:
        return ()
    return (f"The strength {strength:g} is beyond {_STRONGEST:g}: it distorts faces.",)


def note_on_no_mark(output: object) -> str:
    """The line for a picture that was written without marks."""
    return f"{output} carries no AI mark (--no-mark): whoever publishes it has to say that it was changed."


def eyes_closed(landmarks: npt.ArrayLike) -> bool:
    """Whether one eye or both are shut; ``landmarks``: (478, 2 or more) in any unit."""
    points = np.asarray(landmarks, np.float64)[:, :2]
    return min(_eye_opening(points[list(eye)]) for eye in _EYES) < _CLOSED_EYE


def head_pose(landmarks: npt.ArrayLike) -> Pose:
    """How the head is turned, whatever its roll; ``landmarks``: (478, 3).

    Rendered heads turned by up to 50 degrees of yaw and 30 of pitch are read within 5 degrees (standard deviations of
    3 and 5).
    """
    points = np.asarray(landmarks, np.float64)
    pairs = np.array([points[right] - points[left] for left, right in _ACROSS])
    across = (pairs / np.linalg.norm(pairs, axis=1, keepdims=True)).mean(axis=0)
    yaw = np.arctan2(across[2], np.hypot(across[0], across[1]))
    forward = np.cross(across, points[_NOSE_BASE] - points[_FOREHEAD])
    # Without roll, "down" in the picture is at right angles to the line across the face.
    down = np.array((-across[1], across[0], 0.0)) / np.hypot(across[0], across[1])
    pitch = np.arcsin(-forward @ down / np.linalg.norm(forward))
    return Pose(float(np.degrees(yaw)), float(np.degrees(pitch)) - _PITCH_AT_REST)


def _eye_opening(eye: Floats) -> float:
    """Height by width of an eye (6, 2); Soukupova and Cech 2016, equation 1."""
    outer, upper, further_upper, inner, further_lower, lower = eye
    height = np.linalg.norm(upper - lower) + np.linalg.norm(further_upper - further_lower)
    return float(height / (2 * np.linalg.norm(outer - inner)))


def looks_drawn(crop: Pixels) -> bool:
    """Whether a face crop (S, S, 3) has the even areas of a drawing; skin has none, out of focus or in the dark."""
    step = max(1, len(crop) // _DRAWN_SIDE)
    top, bottom, left, right = (int(share * len(crop)) for share in (0.15, 0.9, 0.2, 0.8))
    middle = crop[top:bottom:step, left:right:step].astype(np.float32)
    grey = middle.mean(axis=2)
    steps = np.hypot(np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1])
    # What is overexposed is even too.
    exposed = (middle.max(axis=2) < _BLOWN_OUT)[:-1, :-1]
    even = steps[exposed] < _EVEN * np.ptp(grey)
    return bool(exposed.mean() > _LEAST_EXPOSED and even.mean() > _DRAWN)


def _is_cut_off(face: Face, photo_size: tuple[int, int]) -> bool:
    outline = face.landmarks[list(FACE_OVAL), :2]
    left, _, right, _ = face.box
    least = _BORDER * (right - left)
    return bool(outline.min() < least or (np.array(photo_size) - outline < least).any())
