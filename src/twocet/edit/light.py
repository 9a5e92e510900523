"""The light that falls on a face, told by what has nearly the same colour in everybody: the whites of the eyes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_EYES = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7), 468),
    ((263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249), 473),
)
_IRIS = 1.25
_CHEEKS = (50, 280, 205, 425, 101, 330)
_LEAST_WHITE = 12


class Light(NamedTuple):
    """What is seen of the light on a face: colours (3,), 0..255; NaN where nothing is seen."""

    skin: Floats
    """Of the cheeks."""
    white: Floats
    """Of the whites of the eyes."""
    teeth: Floats
    """Of the brighter parts of the teeth."""

    def nearer(self, other: Light, share: float) -> Light:
        """This light with a ``share`` of another one, wherever both are seen; wherever one is, as that tells."""
        return Light(*(_nearer(own, new, share) for own, new in zip(self, other, strict=True)))


class _Usual(NamedTuple):
    """A part of the face in one light, by 80 London people."""

    colour: tuple[float, float, float]
    brightness: float
    """Standard deviation between people of the logarithm of its brightness."""
    tint: float
    """Likewise of red, green and blue against it."""


_USUAL = (
    _Usual((176, 139, 124), 0.25, 0.055),
    _Usual((176, 166, 163), 0.12, 0.028),
    _Usual((196, 186, 180), 0.25, 0.035),
)

_PRIOR = _Usual((0, 0, 0), 0.5, 0.05)
"""How much the light differs between photos."""
_BRIGHTEST_TEETH = 1.2
"""Bright parts of teeth, in whites of the eyes: 1.15 in 34 London smiles, 1.05 in 10 snapshots."""
_WHITEST_TEETH = 225.0
"""Level of bright parts of teeth at most: beyond, they are one white bar."""
_COOLEST_TEETH = np.array((1, 0.98, 0.96))
"""Red, green and blue of teeth against their red at most: 1, 0.97 and 0.94 in London smiles."""
_SHOULDER, _HIGHLIGHT = 195.0, 244.0


def light_ratio(target: Light, reference: Light) -> Floats:
    """(3,) by what to multiply colours of the reference photo for the target's light.

    Each part that is seen tells the light, the better the less people differ in it: the whites of the eyes most, teeth
    less, skin where the whites are not seen. The estimates are weighted by their precision, with the usual light as a
    further one. Teeth become no brighter than they are in four of five smiles, beside the whites of the target's eyes.
    """
    ratio: Floats = np.exp(_logarithm_of(target) - _logarithm_of(reference))
    teeth = ratio * reference.teeth
    if np.isfinite(teeth).all():
        # Where the light is told wrongly, greenish or bluish teeth are what shows it.
        ratio = ratio * np.minimum(1, _COOLEST_TEETH * teeth[0] / teeth)
    brightest = np.fmin(_BRIGHTEST_TEETH * target.white.mean(), _WHITEST_TEETH) / teeth.mean()
    return ratio * min(1.0, brightest) if np.isfinite(brightest) else ratio


def softened(colours: Floats) -> Floats:
    """Colours (..., 3), 0 and up, with highlights that end softly below 255, as in a photo."""
    beyond = np.maximum(colours - _SHOULDER, 0) / (_HIGHLIGHT - _SHOULDER)
    return np.asarray(np.minimum(colours, _SHOULDER) + (_HIGHLIGHT - _SHOULDER) * np.tanh(beyond))


def _logarithm_of(light: Light) -> Floats:
    """(3,) logarithm of the light, 0 being that of the London photos."""
    brightness, tint = 0.0, np.zeros(3)
    weights = np.array((_PRIOR.brightness, _PRIOR.tint)) ** -2.0
    for colour, usual in zip(light, _USUAL, strict=True):
        # Where whites are seen, skin adds nothing: both are darker in people with darker skin.
        if not np.isfinite(colour).all() or (colour is light.skin and np.isfinite(light.white).all()):
            continue
        seen = np.log(np.maximum(colour, 1) / usual.colour)
        precision = np.array((usual.brightness, usual.tint)) ** -2.0
        brightness += precision[0] * seen.mean()
        tint += precision[1] * (seen - seen.mean())
        weights = weights + precision
    return np.asarray(brightness / weights[0] + tint / weights[1])


def _nearer(own: Floats, new: Floats, share: float) -> Floats:
    mixed = own + share * (new - own)
    return np.where(np.isfinite(mixed), mixed, np.where(np.isfinite(own), own, new))


def light_of(pixels: Pixels, landmarks: Floats) -> Light:
    """Reads skin and eyes of the face with these (478, 2 or more) landmarks, photo pixels."""
    points = landmarks[:, :2].astype(np.float64)
    return Light(_skin(pixels, points), _white(pixels, points), np.full(3, np.nan))


def _skin(pixels: Pixels, points: Floats) -> Floats:
    reach = max(1.0, 0.06 * float(np.hypot(*(points[33] - points[263]))))
    height, width = pixels.shape[:2]
    patches = []
    for x, y in points[list(_CHEEKS)]:
        x, y = float(np.clip(x, 0, width - 1)), float(np.clip(y, 0, height - 1))
        patch = pixels[max(int(y - reach), 0) : int(y + reach) + 1, max(int(x - reach), 0) : int(x + reach) + 1]
        patches.append(patch.reshape(-1, 3))
    return np.asarray(np.median(np.concatenate(patches), axis=0), np.float64)


def _white(pixels: Pixels, points: Floats) -> Floats:
    found = [_eye_white(pixels, points, list(outline), iris) for outline, iris in _EYES]
    seen = np.concatenate(found)
    if len(seen) < _LEAST_WHITE:
        return np.full(3, np.nan)
    level = seen.sum(axis=1)
    low, high = np.quantile(level, (0.85, 0.96))
    return np.asarray(seen[(level >= low) & (level <= high)].mean(axis=0))


def _eye_white(pixels: Pixels, points: Floats, outline: list[int], iris: int) -> Floats:
    """(k, 3) pixels between the lids and beside the iris."""
    height, width = pixels.shape[:2]
    eye = points[outline]
    low = np.clip(np.floor(eye.min(axis=0)), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(eye.max(axis=0)), 0, (width, height)).astype(int)
    if (high - low).min() < 3:
        return np.zeros((0, 3))
    mask = Image.new("L", (int(high[0] - low[0]), int(high[1] - low[1])))
    centre = eye.mean(axis=0)
    inner = centre + (eye - centre) * (0.9, 0.7)
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in inner - low - 0.5], fill=1)
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    radius = float(np.hypot(*(points[iris + 1 : iris + 5] - points[iris]).T).mean())
    beside = np.hypot(x - points[iris, 0], y - points[iris, 1]) > _IRIS * radius
    whites: Pixels = pixels[low[1] : high[1], low[0] : high[0]][(np.asarray(mask) > 0) & beside]
    return whites.astype(np.float64)
