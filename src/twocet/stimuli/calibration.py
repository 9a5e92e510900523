"""Pictures for experiments: steps equal in measured movement, standard views, masks, grey, matched luminance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from twocet.errors import UserError
from twocet.photo import align
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

Easing = Literal["linear", "smooth"]

OVAL_CENTRE = (0.5, 0.48)
OVAL_AXES = (0.33, 0.45)
"""Half width and half height, in crop sides: the face from hairline to chin, ears left out."""
_OVAL_EDGE = 0.01
_LUMA = np.array((0.2126, 0.7152, 0.0722))
"""Rec. 709."""
_EYE_DISTANCE = float(align.TEMPLATE[2:4, 0].mean() - align.TEMPLATE[0:2, 0].mean())
_PROBES = 13
_ROUNDS = 4
_TOLERANCE = 0.02
"""Of a step."""
_LEAST_TRAVEL = 0.3
"""Per cent of the distance between the eyes: less is within the jitter of the landmarks."""


class Movement:
    """Measured facial movement of one face, from the 478 landmarks.

    The landmarks' displacement from the neutral face, projected on that of a strong expression (``full``), so that
    jitter across the movement does not count. The unit is the root mean square over landmarks in per cent of the
    distance between the eyes: 0 at the neutral face, negative in the opposite direction.
    """

    def __init__(self, neutral: Floats, full: Floats, photo_to_crop: Floats) -> None:
        """``neutral``, ``full``: (478, 2) in photo pixels. Raises UserError when they show no movement."""
        self._photo_to_crop, self._neutral = photo_to_crop, neutral
        change = self._change(full)
        self.full = float(np.sqrt(change @ change / len(neutral)))
        if not self.full > _LEAST_TRAVEL:
            raise UserError(
                "The expression hardly moves the landmarks of this face: use equalize=code or a clearer reference."
            )
        self._direction = change / (self.full * len(neutral))

    def _change(self, landmarks: Floats) -> Floats:
        moved = align.apply(self._photo_to_crop, landmarks) - align.apply(self._photo_to_crop, self._neutral)
        change: Floats = moved.ravel() * (100 / _EYE_DISTANCE)
        return change

    def __call__(self, landmarks: Floats) -> float:
        """The movement at ``landmarks`` (478, 2), photo pixels."""
        return float(self._change(landmarks) @ self._direction)


def equal_steps(travel: Callable[[float], float], start: float, stop: float, steps: int) -> list[float]:
    """Strengths from ``start`` to ``stop`` at which ``travel`` (strength -> movement) grows in equal steps.

    Probes the whole range, makes the answer monotone (isotonic regression), interpolates it linearly, and measures
    again where the steps fell until they are equal within 2 %. ``travel`` must rise overall.
    """
    known = {float(s): travel(float(s)) for s in np.linspace(start, stop, _PROBES)}
    ends = known[float(start)], known[float(stop)]
    goals = np.linspace(*ends, steps)
    strengths = np.linspace(start, stop, steps)
    for _ in range(_ROUNDS):
        tried = np.array(sorted(known))
        # Between the ends, so that noise beyond them cannot push the first or last step inwards.
        answers = np.clip(isotonic([known[s] for s in tried]), min(ends), max(ends))
        strengths[1:-1] = np.interp(goals[1:-1], answers, tried)
        known |= {float(s): travel(float(s)) for s in strengths if float(s) not in known}
        miss = max(abs(known[float(s)] - goal) for s, goal in zip(strengths, goals, strict=True))
        if miss <= _TOLERANCE * abs(goals[1] - goals[0]):
            break
    return [float(s) for s in strengths]


def isotonic(values: Sequence[float]) -> Floats:
    """The nearest series (least squares) that never falls: pool adjacent violators."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = float(value), 1
        while pools and pools[-1][0] >= mean:
            before, size = pools.pop()
            mean, count = (before * size + mean * count) / (size + count), size + count
        pools.append((mean, count))
    return np.concatenate([np.full(count, mean) for mean, count in pools])


def ramp(strengths: Sequence[float], fps: float, seconds: float, hold: float, easing: Easing) -> list[float]:
    """The strength of each frame of a film through ``strengths``, evenly in time or starting and ending softly.

    ``hold``: seconds that the last frame stays.
    """
    count = max(2, round(fps * seconds))
    time = np.linspace(0, 1, count)
    place = time if easing == "linear" else time * time * (3 - 2 * time)
    frames = np.interp(place * (len(strengths) - 1), np.arange(len(strengths)), strengths)
    return [float(s) for s in (*frames, *[frames[-1]] * round(hold * fps))]


def oval_alpha(width: int, height: int, photo_to_crop: Floats) -> npt.NDArray[np.uint8]:
    """(height, width) opacity: 255 in the standard oval about the face, 0 outside, with a soft edge.

    The oval is fixed to the eyes and the nose: it is the same for every step of a series.
    """
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    u, v = (row[0] * x + row[1] * y + row[2] for row in photo_to_crop)
    radius = np.hypot((u - OVAL_CENTRE[0]) / OVAL_AXES[0], (v - OVAL_CENTRE[1]) / OVAL_AXES[1])
    inside = np.clip(0.5 + (1 - radius) * (OVAL_AXES[0] / _OVAL_EDGE), 0, 1)
    alpha: npt.NDArray[np.uint8] = np.rint(255 * inside).astype(np.uint8)
    return alpha


def grey(pixels: Pixels) -> Pixels:
    """The picture without colour: every pixel keeps its luminance (of sRGB, in linear light)."""
    linear = _LINEAR[pixels] @ _LUMA
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    values: Pixels = np.rint(255 * np.clip(coded, 0, 1)).astype(np.uint8)
    three: Pixels = np.stack([values] * 3, axis=2)
    return three


def _linear_light() -> Floats:
    """The sRGB transfer function (IEC 61966-2-1) of the 256 values."""
    coded = np.arange(256) / 255
    linear: Floats = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return linear


_LINEAR = _linear_light()


def luminance(pixels: Pixels, weight: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and standard deviation of the luma (0..255) where ``weight`` (H, W) is not 0."""
    luma = pixels.astype(np.float64) @ _LUMA
    mean = float(np.average(luma, weights=weight))
    return mean, float(np.sqrt(np.average((luma - mean) ** 2, weights=weight)))


def match_luminance(pixels: Pixels, weight: npt.NDArray[np.uint8], goal: tuple[float, float]) -> Pixels:
    """The picture with mean and standard deviation of the luma brought to ``goal`` (SHINE's ``lumMatch``).

    All three channels of a pixel are shifted alike. Measured where ``weight`` is not 0, applied everywhere. Twice,
    because clipping at 0 and 255 takes some of the first correction back.
    """
    values = pixels.astype(np.float64)
    for _ in range(2):
        luma = values @ _LUMA
        mean = np.average(luma, weights=weight)
        spread = np.sqrt(np.average((luma - mean) ** 2, weights=weight))
        wanted = goal[0] + (luma - mean) * (goal[1] / max(spread, 1e-6))
        values = np.clip(values + (wanted - luma)[..., None], 0, 255)
    matched: Pixels = np.rint(values).astype(np.uint8)
    return matched


def describe_crop(photo_to_crop: Floats) -> str:
    """Where the face was cut, for a table: centre x, centre y, side (photo pixels), turn (degrees)."""
    crop_to_photo = align.invert(photo_to_crop)
    x, y = align.apply(crop_to_photo, (0.5, 0.5))
    side = np.hypot(*crop_to_photo[:, 0])
    turn = np.degrees(np.arctan2(crop_to_photo[1, 0], crop_to_photo[0, 0]))
    return f"{x:.1f} {y:.1f} {side:.1f} {turn:.2f}"
