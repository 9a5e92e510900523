"""A continuum as stimuli: one expression at measured strengths, finished alike, with a table that says everything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from twocet.edit.editor import Editor
from twocet.edit.result import Result
from twocet.edit.stages import Expression
from twocet.errors import UserError
from twocet.photo import align, resample
from twocet.photo.colour import shown
from twocet.photo.images import Photo, Pixels
from twocet.readers.identity import IdentityReader
from twocet.runtime.arrays import Floats
from twocet.stimuli import calibration

Equalize = Literal["code", "landmarks"]

COLUMNS = (
    *("file", "target", "reference", "strength", "measured_movement", "identity_distance", "seed", "model"),
    *("model_hash", "crop", "step", "image", "stimulus", "intensity", "correct_answer"),
)
"""``image`` is PsychoPy's name for the file, ``stimulus`` jsPsych's; ``intensity`` is in per cent."""
_BACKGROUND = 128
"""Grey level behind transparent parts in films, which have no transparency."""


class Series:
    """One target with one expression at any strength, and how far the face has moved there."""

    def __init__(
        self,
        editor: Editor,
        target: Path,
        expression: Expression,
        *,
        aligned: bool,
        face: int | None,
        regions: Collection[str],
    ) -> None:
        """Raises UserError when the target has no face."""
        self._render: Callable[[float], Result] = lambda strength: editor.transfer(
            target, expression, strength, aligned=aligned, face=face, regions=regions
        )
        self._editor = editor
        self.neutral = self.render(0.0)
        self.photo_to_crop = self.neutral.photo_to_crop
        self.movement: calibration.Movement | None = None
        self._travels: dict[float, float | None] = {}

    def render(self, strength: float) -> Result:
        """The target at this strength."""
        return self._render(strength)

    def measure(self, start: float, stop: float) -> str | None:
        """Makes ``travel`` work; returns None, or why movement cannot be measured for this expression."""
        # The stronger end shows the direction best; 1 is what everybody means by the whole expression.
        strongest = max(1.0, abs(start), abs(stop))
        neutral, full = (self._landmarks(self.render(strength)) for strength in (0.0, strongest))
        if neutral is None or full is None:
            return "No face is found in the edited pictures: movement cannot be measured."
        try:
            self.movement = calibration.Movement(neutral, full, self.photo_to_crop)
        except UserError as error:
            return str(error)
        return None

    def travel(self, strength: float) -> float | None:
        """Measured movement at this strength; None where it cannot be measured."""
        if self.movement is None:
            return None
        if strength not in self._travels:
            landmarks = self._landmarks(self.render(strength))
            self._travels[strength] = None if landmarks is None else self.movement(landmarks)
        return self._travels[strength]

    def _landmarks(self, result: Result) -> Floats | None:
        """(478, 2) of the face that is nearest to the target's, photo pixels."""
        home = align.apply(align.invert(self.photo_to_crop), (0.5, 0.5))
        faces = [face.landmarks[:, :2].astype(np.float64) for face in self._editor.find_faces(result.shown)]
        return min(faces, key=lambda points: float(np.hypot(*(points.mean(axis=0) - home))), default=None)

    def strengths(self, start: float, stop: float, steps: int, equalize: Equalize) -> list[float]:
        """Equally spaced strengths, or those of equally spaced movement; falling if ``stop`` is the smaller.

        Raises UserError.
        """
        if stop < start:
            return self.strengths(stop, start, steps, equalize)[::-1]
        if equalize == "code":
            return [float(s) for s in np.linspace(start, stop, steps)]

        def travel(strength: float) -> float:
            measured = self.travel(strength)
            if measured is None:
                raise UserError(f"No face is found at strength {strength:g}: use a smaller range, or equalize=code.")
            return measured

        return calibration.equal_steps(travel, start, stop, steps)


@dataclass(frozen=True, kw_only=True)
class Finish:
    """What is done to every picture of a series alike."""

    size: int | None = None
    """Side of a square face crop; None keeps the photo."""
    oval: bool = False
    grey: bool = False
    luminance: tuple[float, float] | None = None
    """Mean and standard deviation of the luma inside the oval, to be had by every picture."""

    def __call__(self, result: Result) -> Photo:
        """The finished picture with the target's metadata; in sRGB, unless it is the whole photo in its colours."""
        if self.size is None and not self.grey and self.luminance is None:
            alpha = calibration.oval_alpha(*result.target.size, result.photo_to_crop) if self.oval else None
            return replace(result.photo, alpha=result.target.alpha if alpha is None else alpha)
        pixels, placed = self._view(result)
        if self.grey:
            pixels = calibration.grey(pixels)
        alpha = calibration.oval_alpha(pixels.shape[1], pixels.shape[0], placed)
        if self.luminance is not None:
            pixels = calibration.match_luminance(pixels, alpha, self.luminance)
        kept = result.target.alpha if self.size is None else None
        edited = result.photo.edited
        if self.size is not None:
            edited = tuple(align.seen_through(place, result.photo_to_crop, self.size) for place in edited)
        alpha = alpha if self.oval else kept
        return replace(result.target, pixels=pixels, alpha=alpha, low=None, icc=None, edited=edited)

    def _view(self, result: Result) -> tuple[Pixels, Floats]:
        if self.size is None:
            return result.shown, result.photo_to_crop
        cut = resample.crop(result.shown, result.photo_to_crop, self.size)
        return cut, align.square_to_crop(self.size, self.size)

    def matched(self, results: Sequence[Result]) -> Finish:
        """This finish with the luminance that the pictures have on average."""
        values = []
        for result in results:
            pixels, placed = self._view(result)
            shown = calibration.grey(pixels) if self.grey else pixels
            values.append(calibration.luminance(shown, calibration.oval_alpha(shown.shape[1], shown.shape[0], placed)))
        mean, spread = np.mean(values, axis=0)
        return replace(self, luminance=(float(mean), float(spread)))


def opaque(photo: Photo, background: int = _BACKGROUND) -> Pixels:
    """The picture in sRGB, on plain grey, for what has no transparency."""
    pixels = shown(photo)
    if photo.alpha is None:
        return pixels
    weight = photo.alpha[..., None] / np.float32(255)
    laid: Pixels = np.rint(pixels * weight + background * (1 - weight)).astype(np.uint8)
    return laid


class Distances:
    """Identity distance to the target's own picture, where the packages for it are installed."""

    def __init__(self, target: Pixels, photo_to_crop: Floats) -> None:
        self._reader: IdentityReader | None = None
        self.missing: str | None = None
        try:
            self._reader = IdentityReader()
        except UserError as error:
            self.missing = f"identity_distance stays empty: {error}"
            return
        self._points = align.apply(align.invert(photo_to_crop), align.TEMPLATE)
        self._own = self._reader.describe(target, self._points)

    def __call__(self, result: Result) -> float | None:
        """dlib's distance (0.6 = same-person threshold), None without the packages."""
        if self._reader is None:
            return None
        return float(np.linalg.norm(self._reader.describe(result.shown, self._points) - self._own))


class Step(NamedTuple):
    """One row of the table, before it is one."""

    file: str
    strength: float
    movement: float | None
    distance: float | None


NEUTRAL = "neutral"
"""The answer at strength 0."""


def table(
    steps: Sequence[Step], common: dict[str, str], answer: str, full: float | None
) -> Iterator[dict[str, str | int]]:
    """Rows of stimuli.csv. ``full``: the movement that counts as 100 per cent; None makes per cents of strength."""
    for number, step in enumerate(steps):
        share = step.strength if full is None or step.movement is None else step.movement / full
        yield {
            **common,
            "file": step.file,
            "strength": f"{step.strength:.6g}",
            "measured_movement": "" if step.movement is None else f"{step.movement:.4f}",
            "identity_distance": "" if step.distance is None else f"{step.distance:.4f}",
            "step": number,
            "image": step.file,
            "stimulus": step.file,
            "intensity": f"{100 * share:.1f}",
            "correct_answer": NEUTRAL if np.isclose(step.strength, 0) else answer,
        }


def gif_frames(pictures: Sequence[Photo]) -> list[Image.Image]:
    """Frames of a GIF, of at most 480 pixels: GIFs of whole photos are too large for any purpose."""
    frames = []
    for photo in pictures:
        frame = Image.fromarray(opaque(photo))
        frame.thumbnail((480, 480), Image.Resampling.LANCZOS)
        frames.append(frame.quantize(colors=256, method=Image.Quantize.MEDIANCUT))
    return frames
