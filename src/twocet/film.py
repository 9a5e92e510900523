"""Expressions in films: a still face driven by a film, or the face in a film edited; smooth in time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from twocet import align, blend
from twocet.align import Floats
from twocet.editor import Code, Editor
from twocet.images import Pixels, to_image
from twocet.networks.edit import compose

_CODE_CUTOFF, _CODE_BETA = 1.5, 1.0
"""Hz at rest; Hz for a speed of one standard deviation of the codes a second."""
_CROP_CUTOFF, _CROP_BETA = 1.0, 20.0
"""Hz at rest; Hz for a speed of one crop side (or one radian, or a factor e in size) a second."""
_OUTLINE_CUTOFF, _OUTLINE_BETA = 1.0, 10.0
_CUT = 0.5
"""In crop sides: a face that is this far from where it was belongs to another shot."""


class OneEuro:
    """The 1€ filter (Casiez, Roussel, Vogel, CHI 2012): a low pass whose cut-off rises with speed, for each number.

    Slow changes lose their jitter, quick ones keep their time.
    """

    def __init__(self, min_cutoff: float, beta: float, derivative_cutoff: float = 1.0) -> None:
        """``min_cutoff`` in Hz, ``beta`` in Hz per unit of value a second. An infinite cut-off filters nothing."""
        self._min_cutoff, self._beta, self._derivative_cutoff = min_cutoff, beta, derivative_cutoff
        self._value: Floats | None = None
        self._speed: Floats = np.zeros(())
        self._seconds = 0.0

    def __call__(self, value: npt.ArrayLike, seconds: float) -> Floats:
        """The filtered value at a time that is later than that of the call before."""
        given = np.asarray(value, np.float64)
        if self._value is None:
            self._value, self._speed, self._seconds = given, np.zeros_like(given), seconds
            return given
        step = max(seconds - self._seconds, 1e-6)
        speed = (given - self._value) / step
        self._speed = self._speed + _share(np.array(self._derivative_cutoff), step) * (speed - self._speed)
        cutoff = self._min_cutoff + self._beta * np.abs(self._speed)
        self._value = self._value + _share(cutoff, step) * (given - self._value)
        self._seconds = seconds
        return self._value

    def reset(self) -> None:
        """Forgets everything: the next value comes out as it is."""
        self._value = None


def _share(cutoff: Floats, step: float) -> Floats:
    """Share of the new value in an exponential filter with this cut-off (Hz)."""
    if np.isinf(cutoff).all():
        return np.ones_like(cutoff)
    ratio: Floats = 2 * math.pi * cutoff * step
    return ratio / (ratio + 1)


class Tracked(NamedTuple):
    """The face in one frame."""

    photo_to_crop: Floats
    """Smoothed."""
    landmarks: Floats
    """(478, 2) in crop sides, smoothed: for the outline of the face."""
    code: Code
    """(d,) float32, smoothed."""
    image: torch.Tensor
    """(1, 3, S, S) crop."""


class Tracker:
    """Follows one face through a film. ``smoothing``: 1 is usual, 0 none."""

    def __init__(self, editor: Editor, *, face: int | None, smoothing: float) -> None:
        self._editor, self._face = editor, (face or 1) - 1
        rest = math.inf if smoothing == 0 else 1 / smoothing
        self._place = OneEuro(_CROP_CUTOFF * rest, _CROP_BETA)
        self._outline = OneEuro(_OUTLINE_CUTOFF * rest, _OUTLINE_BETA)
        self._code = OneEuro(_CODE_CUTOFF * rest, _CODE_BETA)
        self._spread = code_spread(editor)
        self._template = str(editor.model.metadata.get("template", align.TEMPLATE_NAME))
        self._last: Floats | None = None
        self._unit = 1.0

    @torch.inference_mode()
    def follow(self, pixels: Pixels, seconds: float) -> Tracked | None:
        """The face in the next frame, or None when there is none."""
        landmarks = self._nearest(pixels)
        if landmarks is None:
            return None
        place = place_of(self._aligned(landmarks, pixels))
        if self._last is None or np.hypot(*(place[:2] - self._last[:2])) > _CUT * math.exp(self._last[2]):
            self._unit = math.exp(place[2])
            for smoother in (self._place, self._outline, self._code):
                smoother.reset()
        else:
            place[3] = self._last[3] + math.remainder(place[3] - self._last[3], 2 * math.pi)
        self._last = place
        # Positions in crop sides, so that the filter means the same in films of any size.
        scale = np.array((1 / self._unit, 1 / self._unit, 1.0, 1.0))
        photo_to_crop = crop_at(self._place(place * scale, seconds) / scale)
        outline = self._outline(align.apply(photo_to_crop, landmarks), seconds)
        image = to_image(align.crop(pixels, photo_to_crop, self._editor.model.size)).to(self._device)
        code = self._editor.model.encode(image)[0].float().cpu().numpy()
        smooth = self._code(code / self._spread, seconds) * self._spread
        return Tracked(photo_to_crop, outline, smooth.astype(np.float32), image)

    def _aligned(self, landmarks: Floats, pixels: Pixels) -> Floats:
        """photo_to_crop by the template that the model was trained on."""
        return align.align_to(self._template, landmarks, (pixels.shape[1], pixels.shape[0]))

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self._editor.model.generator.parameters()).device
        return device

    def _nearest(self, pixels: Pixels) -> Floats | None:
        faces = [face.landmarks[:, :2].astype(np.float64) for face in self._editor.find_faces(pixels)]
        if self._last is None:
            return faces[self._face] if self._face < len(faces) else None
        places = [place_of(self._aligned(points, pixels))[:2] for points in faces]
        near = [float(np.hypot(*(place - self._last[:2]))) for place in places]
        return faces[int(np.argmin(near))] if near else None


def place_of(photo_to_crop: Floats) -> Floats:
    """A crop as four numbers: centre x, y (photo pixels), logarithm of the side, turn (radians)."""
    crop_to_photo = align.invert(photo_to_crop)
    along = crop_to_photo[:, 0]
    centre = align.apply(crop_to_photo, (0.5, 0.5))
    return np.array((*centre, math.log(math.hypot(*along)), math.atan2(along[1], along[0])))


def crop_at(place: Floats) -> Floats:
    """The photo_to_crop of four such numbers."""
    side = math.exp(place[2])
    cosine, sine = side * math.cos(place[3]), side * math.sin(place[3])
    linear = np.array([(cosine, -sine), (sine, cosine)])
    return align.invert(np.column_stack([linear, place[:2] - linear @ (0.5, 0.5)]))


def code_spread(editor: Editor) -> float:
    """Typical size of one number of the model's codes; 1 where the model does not say."""
    covariance = editor.model.metadata.get("code_covariance")
    if covariance is not None:
        return max(float(np.sqrt(np.mean(np.diagonal(covariance)))), 1e-6)
    deviations = editor.model.metadata.get("code_std")
    return max(float(np.mean(deviations)), 1e-6) if deviations is not None else 1.0


@torch.inference_mode()
def edit_frame(editor: Editor, pixels: Pixels, tracked: Tracked, code: Code) -> Pixels:
    """The frame with the expression ``code`` in place of the face's own.

    The neutral face is made in every frame, even where the face is neutral already: a decision for each frame would
    flicker.
    """
    model, image = editor.model, tracked.image
    alpha = blend.face_mask(tracked.landmarks, model.size)
    for given in (np.zeros_like(code), code) if code.any() else (np.zeros_like(code),):
        edit = model.edit(image, torch.from_numpy(given)[None].to(image.device))
        pixels = blend.apply_edit(pixels, tracked.photo_to_crop, edit, alpha)
        image = compose(image, edit)
    return pixels
