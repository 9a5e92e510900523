"""The public interface: a model and a face finder, from photos to photos."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from twocet.edit.inside import MouthSource, mouth_source
from twocet.edit.lips import CLOSED
from twocet.edit.shape import find_movement
from twocet.edit.stages import Code, Expression, Located, Neutral, Stages, to_array
from twocet.errors import UserError
from twocet.photo import align, resample
from twocet.photo.faces import Face, FaceFinder, choose_face
from twocet.photo.images import Photo, PhotoLike, Pixels, photo_key, read_photo
from twocet.photo.marks import Mark, edit_mark, write_marked
from twocet.photo.scaling import to_image
from twocet.runtime.arrays import Floats, Floats32
from twocet.runtime.cache import Recent
from twocet.runtime.randomness import generator_at

if TYPE_CHECKING:
    from twocet.model.model import Model

MouthKind = Literal["real", "painted"]
_SMALL_FACE = 0.5
"""A face whose crop in the photo is narrower than this share of the model's crop is worth a warning."""
_KEPT_TARGETS = 4
_KEPT_CODES = 256


@dataclass(frozen=True, kw_only=True)
class Result:
    """One edited photo."""

    photo: Photo
    """The whole picture with the target's metadata."""
    size: int
    """S: side of the model's crop in pixels."""
    code: Code
    """The expression given to the face, strength included."""
    strength: float
    notes: tuple[str, ...]
    """What the user should know, one line each."""
    mark: Mark
    photo_to_crop: Floats
    """(2, 3) float64: where the face is; photo pixels to crop sides."""
    landmarks: Floats32 | None
    """(478, 3) of the target before the edit, in photo pixels; None when no face was looked for."""

    @property
    def pixels(self) -> Pixels:
        """(H, W, 3) uint8, the size of the target."""
        return self.photo.pixels

    @property
    def crop(self) -> Pixels:
        """(S, S, 3) uint8: the aligned face alone."""
        return resample.crop(self.pixels, self.photo_to_crop, self.size)

    def save(self, path: str | os.PathLike[str], *, mark: bool = True, crop: bool = False) -> Path:
        """Writes the picture (``crop``: the face alone) with the AI mark, whole or not at all. Raises UserError."""
        photo = replace(self.photo, pixels=self.crop, alpha=None) if crop else self.photo
        return write_marked(path, photo, self.mark if mark else None)


Reference = PhotoLike | Code | torch.Tensor | Expression


class Editor:
    """Edits expressions with one model. Keeps what it found in the latest targets, so that a new strength is cheap."""

    def __init__(
        self,
        model: Model,
        *,
        name: str = "model",
        sha256: str | None = None,
        finder: FaceFinder | None = None,
        mouth: MouthKind = "real",
    ) -> None:
        """``name`` and ``sha256`` go into the marks of results; ``finder`` None loads one when it is first needed.

        ``mouth``: "real" mouths are made of real pixels, "painted" ones by the model alone.
        """
        self.model = model
        self.name = name
        self.sha256 = sha256
        self.mouth: MouthKind = mouth
        self._finder = finder
        self._targets: Recent[Neutral] = Recent(_KEPT_TARGETS)
        self._expressions: Recent[Expression] = Recent(_KEPT_CODES)
        self.stages = Stages(model, find_movement(sha256), self._landmarks)

    def transfer(
        self,
        target: PhotoLike,
        reference: Reference,
        strength: float = 1.0,
        *,
        aligned: bool = False,
        face: int | None = None,
        mouth_from: PhotoLike | None = None,
    ) -> Result:
        """The target's face with the reference's expression.

        ``reference``: a photo, or a code (d,). ``strength``: 0 is neutral, 1 the reference's expression, more
        exaggerates, less than 0 opposes. ``aligned``: the photos are face crops already, no face is looked for.
        ``face``: which of the target's faces, 1 = largest (None: the largest, with a note). ``mouth_from``: another
        photo of the target's person, whose open mouth shows their teeth. Raises UserError.
        """
        neutral = self._neutral(target, aligned, face)
        return self._result(neutral, self.expression(reference, aligned=aligned, mouth_from=mouth_from), strength)

    def transfer_crop(
        self, target: PhotoLike, reference: Reference, strength: float = 1.0, *, face: int | None = None
    ) -> Pixels:
        """The ``crop`` of :meth:`transfer` alone, (S, S, 3) uint8, much sooner: the photo is not edited."""
        neutral = self._neutral(target, False, face)
        return self.stages.crop(neutral, self.expression(reference), strength)

    def neutralize(self, target: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Result:
        """The target's face without expression."""
        neutral = self._neutral(target, aligned, face)
        notes = ("The face is neutral already: nothing was changed.",) if neutral.was_neutral else ()
        return self._result(neutral, Expression(np.zeros(self.model.code_dim, np.float32), notes=notes), 0.0)

    def sample(
        self,
        target: PhotoLike,
        n: int = 8,
        *,
        seed: int = 0,
        strength: float = 1.0,
        aligned: bool = False,
        face: int | None = None,
        mouth_from: PhotoLike | None = None,
    ) -> list[Result]:
        """``n`` random expressions on the target's face; the same seed gives the same expressions."""
        if n < 1:
            raise UserError(f"{n} expressions cannot be drawn: ask for 1 or more.")
        neutral = self._neutral(target, aligned, face)
        drawn = [self.expression(code, mouth_from=mouth_from) for code in self.draw_codes(n, seed)]
        return [self._result(neutral, expression, strength) for expression in drawn]

    def continuum(
        self,
        target: PhotoLike,
        reference: Reference,
        *,
        steps: int = 11,
        start: float = 0.0,
        stop: float = 1.2,
        aligned: bool = False,
        face: int | None = None,
        mouth_from: PhotoLike | None = None,
    ) -> list[Result]:
        """The reference's expression at ``steps`` equally spaced strengths, from ``start`` to ``stop`` inclusive."""
        if steps < 2:
            raise UserError(f"A continuum of {steps} steps has no start and end: ask for 2 or more.")
        strengths = np.linspace(start, stop, steps)
        expression = self.expression(reference, aligned=aligned, mouth_from=mouth_from)
        return [self.transfer(target, expression, float(s), aligned=aligned, face=face) for s in strengths]

    def encode(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Code:
        """The expression code (d,) float32 of the photo's face."""
        return np.array(self.read_expression(reference, aligned=aligned, face=face).code)

    def draw_codes(self, n: int, seed: int) -> Code:
        """(n, d) float32 random codes; see :meth:`twocet.model.model.Model.sample_codes`."""
        return to_array(self.model.sample_codes(n, generator_at(seed, 0, "sample")))

    @torch.inference_mode()
    def read_expression(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Expression:
        """The photo's expression with its mouth, for :meth:`transfer`: read once, given to many targets."""

        def make() -> Expression:
            located = self._locate(reference, "reference", aligned, face)
            code = to_array(self.model.encode(located.image)[0])
            return Expression(code, self._mouth_of(located), notes=located.notes)

        return self._expressions.get((photo_key(reference), aligned, face, self.mouth), make)

    def expression(
        self, reference: Reference, *, aligned: bool = False, mouth_from: PhotoLike | None = None
    ) -> Expression:
        """A reference's expression, for :meth:`transfer`; with the open mouth of ``mouth_from`` if that is given.

        ``mouth_from``: another photo of the person who will be the target. Raises UserError.
        """
        expression = self._given(reference, aligned)
        if mouth_from is None:
            return expression
        if aligned:
            raise UserError("A photo for the mouth needs a target whose face is looked for, not an aligned crop.")
        further = self.read_expression(mouth_from)
        notes = (*expression.notes, *further.notes)
        if further.mouth is not None and further.mouth.opening < CLOSED:
            notes = (*notes, f"{_name_of(mouth_from, 'photo for the mouth')} shows no open mouth.")
        return expression._replace(own_mouth=further.mouth, notes=notes)

    def _given(self, reference: Reference, aligned: bool) -> Expression:
        if isinstance(reference, Expression):
            return reference
        if isinstance(reference, torch.Tensor):
            reference = reference.detach().cpu().numpy()
        if not (isinstance(reference, np.ndarray) and reference.ndim == 1):
            return self.read_expression(reference, aligned=aligned)
        code = reference.astype(np.float32)
        if code.shape != (self.model.code_dim,) or not np.isfinite(code).all():
            raise UserError(f"A code of this model has {self.model.code_dim} finite numbers, not shape {code.shape}.")
        return Expression(code)

    def _mouth_of(self, located: Located) -> MouthSource | None:
        if located.landmarks is None or self.mouth == "painted":
            return None
        return mouth_source(located.photo.pixels, located.landmarks[:, :2].astype(np.float64))

    def _neutral(self, target: PhotoLike, aligned: bool, face: int | None) -> Neutral:
        def make() -> Neutral:
            located = self._locate(target, "target", aligned, face)
            return self.stages.neutral(located, self._mouth_of(located))

        return self._targets.get((photo_key(target), aligned, face, self.mouth), make)

    def _result(self, neutral: Neutral, expression: Expression, strength: float) -> Result:
        if not np.isfinite(strength):
            raise UserError(f"The strength {strength} is no number: use one such as 0.8.")
        pixels = self.stages.photo(neutral, expression, strength)
        located = neutral.located
        return Result(
            photo=replace(located.photo, pixels=pixels),
            size=self.model.size,
            code=(strength * expression.code).astype(np.float32),
            strength=strength,
            notes=(*located.notes, *expression.notes),
            mark=edit_mark(located.photo, model=self.name, model_sha256=self.sha256, strength=strength),
            photo_to_crop=located.photo_to_crop,
            landmarks=located.landmarks,
        )

    def _locate(self, given: PhotoLike, role: str, aligned: bool, face: int | None) -> Located:
        photo = read_photo(given)
        name = _name_of(photo, role)
        size, notes = self.model.size, []
        if aligned:
            width, height = photo.size
            if width != height:
                raise UserError(f"{name} is {width} x {height}: an aligned face crop is square; leave out --aligned.")
            photo_to_crop, landmarks = align.square_to_crop(width, height), None
        else:
            chosen, choice = choose_face(self._find_faces(photo.pixels, name), face, name)
            template = str(self.model.metadata.get("template", align.TEMPLATE_NAME))
            photo_to_crop = align.align_to(template, chosen.landmarks, photo.size)
            landmarks = chosen.landmarks
            notes = [choice] if choice else []
            side = 1 / np.hypot(*photo_to_crop[:, 0])
            if side < _SMALL_FACE * size:
                notes.append(f"{name}: the face is small ({side:.0f} pixels): a larger one gives a better result.")
        crop = resample.crop(photo.pixels, photo_to_crop, size)
        return Located(photo, photo_to_crop, to_image(crop).to(self.model.device), landmarks, tuple(notes))

    def find_faces(self, pixels: Pixels) -> list[Face]:
        """The faces in a picture, largest first, with the editor's own finder; it is loaded when first needed."""
        return self._loaded_finder().find(pixels)

    def follow_face(self, pixels: Pixels, face: Face) -> Face | None:
        """``face`` of the frame before in the next one of a film, see :meth:`twocet.photo.faces.FaceFinder.follow`."""
        return self._loaded_finder().follow(pixels, face)

    def _find_faces(self, pixels: Pixels, name: str) -> list[Face]:
        return self._loaded_finder().require(pixels, name)

    def _landmarks(self, pixels: Pixels) -> Floats | None:
        faces = self.find_faces(pixels)
        return faces[0].landmarks[:, :2].astype(np.float64) if faces else None

    def _loaded_finder(self) -> FaceFinder:
        if self._finder is None:
            self._finder = FaceFinder()
        return self._finder


def load(
    model: str | os.PathLike[str] = "default",
    *,
    device: str = "cpu",
    face_model: str | os.PathLike[str] | None = None,
    mouth: MouthKind = "real",
) -> Editor:
    """An editor with the packaged model ``default``, a model file or an exported model. Raises UserError.

    ``device``: as torch names it. ``face_model``: a ``face_landmarker.task`` to use instead of the packaged one.
    ``mouth``: "real" mouths are made of real pixels, "painted" ones by the model alone.
    """
    from twocet.model.model import find_model, identify_model, load_model

    path = find_model(Path(model) if isinstance(model, os.PathLike) else model)
    finder = FaceFinder(face_model) if face_model is not None else None
    return Editor(load_model(path, device), **identify_model(path)._asdict(), finder=finder, mouth=mouth)


def _name_of(photo: PhotoLike, role: str) -> str:
    """What messages call a photo."""
    path = photo.path if isinstance(photo, Photo) else photo if isinstance(photo, str | os.PathLike) else None
    return str(path or f"the {role}")
