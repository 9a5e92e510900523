"""The public interface: a model and a face finder, from photos to photos."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from twocet.edit import blend, shape
from twocet.edit.inside import MouthSource, choose_inside, mouth_source
from twocet.edit.lips import CLOSED, CURVES
from twocet.edit.mouth import Shapes, finish
from twocet.errors import UserError
from twocet.networks.edit import Edit, render
from twocet.photo import align, resample
from twocet.photo.faces import Face, FaceFinder, choose_face
from twocet.photo.images import Photo, PhotoLike, Pixels, photo_key, read_photo
from twocet.photo.marks import Mark, edit_mark, write_marked
from twocet.photo.scaling import to_image, to_pixels
from twocet.runtime.arrays import Floats, Floats32
from twocet.runtime.cache import Recent
from twocet.runtime.randomness import generator_at

if TYPE_CHECKING:
    from twocet.model.model import Model

MouthKind = Literal["real", "painted"]
Code = npt.NDArray[np.float32]
"""(d,) float32, an expression; the zero vector is neutral."""

_SMALL_FACE = 0.5
"""A face whose crop in the photo is narrower than this share of the model's crop is worth a warning."""
_NOTHING_TO_REMOVE = 0.5
"""A face is neutral already if making it neutral would change it by less than half a grey level of 255 on average."""
_KEPT_TARGETS = 4
_KEPT_CODES = 256


@dataclass(frozen=True, kw_only=True)
class Result:
    """One edited photo."""

    photo: Photo
    """The whole picture with the target's metadata."""
    crop: Pixels
    """(S, S, 3) uint8: the aligned face alone, as the model made it."""
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

    def save(self, path: str | os.PathLike[str], *, mark: bool = True, crop: bool = False) -> Path:
        """Writes the picture (``crop``: the face alone) with the AI mark, whole or not at all. Raises UserError."""
        photo = replace(self.photo, pixels=self.crop, alpha=None) if crop else self.photo
        return write_marked(path, photo, self.mark if mark else None)


class _Located(NamedTuple):
    """A face ready for the networks."""

    photo: Photo
    photo_to_crop: Floats
    image: torch.Tensor
    """(1, 3, S, S) crop."""
    landmarks: Floats32 | None
    notes: tuple[str, ...]

    def points(self, mouth: MouthSource) -> Floats:
        """(478, 2) the landmarks in crop sides, those of the lips by its mouth."""
        assert self.landmarks is not None
        points = self.landmarks[:, :2].astype(np.float64)
        points[CURVES] = mouth.lips + mouth.corner
        return align.apply(self.photo_to_crop, points)


class Expression(NamedTuple):
    """What a reference gives to a face."""

    code: Code
    mouth: MouthSource | None
    """Of the reference photo; None for a bare code."""
    notes: tuple[str, ...] = ()
    own_mouth: MouthSource | None = None
    """From a further photo of the target's person."""


Reference = PhotoLike | Code | torch.Tensor | Expression


class _Neutral(NamedTuple):
    """A target without its expression: what every strength and every reference starts from."""

    located: _Located
    alpha: npt.NDArray[np.float32]
    """(S, S): how much of an edit the photo takes, see :func:`twocet.edit.blend.face_mask`."""
    image: torch.Tensor
    """(1, 3, S, S) neutral crop."""
    pixels: Pixels
    """The neutral photo."""
    was_neutral: bool
    rest: Floats | None
    """(478, 2) landmarks of the neutral photo in crop sides; None where the mouth stays painted."""
    mouth: MouthSource | None
    """Of the target as it was given."""


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
        self._targets: Recent[_Neutral] = Recent(_KEPT_TARGETS)
        self._expressions: Recent[Expression] = Recent(_KEPT_CODES)
        self._readings: Recent[Floats] = Recent(_KEPT_CODES)

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
        return self._result(neutral, self._expression(reference, aligned, mouth_from), strength)

    def transfer_crop(self, target: PhotoLike, code: Code, strength: float = 1.0, *, face: int | None = None) -> Pixels:
        """The ``crop`` of :meth:`transfer` alone, (S, S, 3) uint8, much sooner: the photo is not edited."""
        neutral = self._neutral(target, False, face)
        _, image = self._edited(neutral, self._expression(code, False).code, strength)
        return to_pixels(image)

    def neutralize(self, target: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Result:
        """The target's face without expression."""
        neutral = self._neutral(target, aligned, face)
        notes = ("The face is neutral already: nothing was changed.",) if neutral.was_neutral else ()
        return self._result(neutral, Expression(np.zeros(self.model.code_dim, np.float32), None, notes), 0.0)

    def sample(
        self,
        target: PhotoLike,
        n: int = 8,
        *,
        seed: int = 0,
        strength: float = 1.0,
        aligned: bool = False,
        face: int | None = None,
    ) -> list[Result]:
        """``n`` random expressions on the target's face; the same seed gives the same expressions."""
        if n < 1:
            raise UserError(f"{n} expressions cannot be drawn: ask for 1 or more.")
        neutral = self._neutral(target, aligned, face)
        return [self._result(neutral, Expression(code, None), strength) for code in self.draw_codes(n, seed)]

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
    ) -> list[Result]:
        """The reference's expression at ``steps`` equally spaced strengths, from ``start`` to ``stop`` inclusive."""
        if steps < 2:
            raise UserError(f"A continuum of {steps} steps has no start and end: ask for 2 or more.")
        strengths = np.linspace(start, stop, steps)
        return [self.transfer(target, reference, float(s), aligned=aligned, face=face) for s in strengths]

    def encode(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Code:
        """The expression code (d,) float32 of the photo's face."""
        return np.array(self.read_expression(reference, aligned=aligned, face=face).code)

    def draw_codes(self, n: int, seed: int) -> Code:
        """(n, d) float32 random codes; see :meth:`twocet.model.model.Model.sample_codes`."""
        return _to_array(self.model.sample_codes(n, generator_at(seed, 0, "sample")))

    @torch.inference_mode()
    def read_expression(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Expression:
        """The photo's expression with its mouth, for :meth:`transfer`: read once, given to many targets."""

        def make() -> Expression:
            located = self._locate(reference, "reference", aligned, face)
            return Expression(_to_array(self.model.encode(located.image)[0]), self._mouth_of(located), located.notes)

        return self._expressions.get((photo_key(reference), aligned, face, self.mouth), make)

    def _expression(self, reference: Reference, aligned: bool, mouth_from: PhotoLike | None = None) -> Expression:
        """The reference's expression; with the mouth of ``mouth_from`` if that is given."""
        expression = self._given(reference, aligned)
        if mouth_from is None:
            return expression
        further = self.read_expression(mouth_from)
        return expression._replace(own_mouth=further.mouth, notes=(*expression.notes, *further.notes))

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
        return Expression(code, None)

    def _mouth_of(self, located: _Located) -> MouthSource | None:
        if located.landmarks is None or self.mouth == "painted":
            return None
        return mouth_source(located.photo.pixels, located.landmarks[:, :2].astype(np.float64))

    @torch.inference_mode()
    def _neutral(self, target: PhotoLike, aligned: bool, face: int | None) -> _Neutral:
        def make() -> _Neutral:
            located = self._locate(target, "target", aligned, face)
            alpha, own = _mask(located), self._mouth_of(located)
            edit = self.model.edit(located.image, located.image.new_zeros(1, self.model.code_dim))
            image = render(located.image, edit)
            still = blend.mean_change(located.image, image, alpha) <= _NOTHING_TO_REMOVE
            points = None if own is None else located.points(own)
            if still and not (own and own.opening > CLOSED):
                return _Neutral(located, alpha, located.image, located.photo.pixels, True, points, own)
            photo, to_crop = located.photo.pixels, located.photo_to_crop
            if points is None:
                pixels, rest = blend.apply_edit(photo, to_crop, edit, alpha), None
            else:
                rest = shape.closed(self._at_rest(points, located.image, image))
                pixels = finish(photo, to_crop, edit, alpha, Shapes(points, rest, rest), None)
                image = to_image(resample.crop(pixels, to_crop, self.model.size)).to(self.model.device)
            return _Neutral(located, alpha, image, pixels, False, rest, own)

        return self._targets.get((photo_key(target), aligned, face, self.mouth), make)

    def _at_rest(self, points: Floats, image: torch.Tensor, neutral: torch.Tensor) -> Floats:
        """(478, 2) where landmarks lie in the neutral face, crop sides."""
        movement = shape.find_movement(self.sha256)
        if movement is None:
            return self._read(neutral, points)
        return points - movement.of(_to_array(self.model.encode(image)[0]).astype(np.float64))

    def _moved(self, neutral: _Neutral, code: Code) -> Floats:
        """(478, 2) where the neutral face's landmarks lie with an expression at strength 1, crop sides."""
        assert neutral.rest is not None
        rest, movement = neutral.rest, shape.find_movement(self.sha256)
        if movement is not None:
            return rest + movement.of(code.astype(np.float64))
        _, image = self._edited(neutral, code, 1.0)
        return self._readings.get((id(neutral), code.tobytes()), lambda: self._read(image, rest))

    def _read(self, image: torch.Tensor, otherwise: Floats) -> Floats:
        """(478, 2) landmarks of a crop (1, 3, S, S), crop sides; ``otherwise`` if no face is found there."""
        faces = self.find_faces(to_pixels(image))
        return faces[0].landmarks[:, :2].astype(np.float64) / image.shape[-1] if faces else otherwise

    @torch.inference_mode()
    def _edited(self, neutral: _Neutral, code: Code, strength: float) -> tuple[Edit | None, torch.Tensor]:
        """The edit that gives a neutral face an expression (None: none), and the (1, 3, S, S) crop with it."""
        if not _scaled(code, strength).any():
            return None, neutral.image
        edit = self.model.edit(neutral.image, torch.from_numpy(code)[None].to(neutral.image.device), strength)
        return edit, render(neutral.image, edit)

    def _result(self, neutral: _Neutral, expression: Expression, strength: float) -> Result:
        located, given = neutral.located, _scaled(expression.code, strength)
        edit, image = self._edited(neutral, expression.code, strength)
        crop = to_pixels(image)
        if edit is None:
            pixels = neutral.pixels.copy()
        elif neutral.rest is None:
            pixels = blend.apply_edit(neutral.pixels, located.photo_to_crop, edit, neutral.alpha)
        else:
            pixels = self._with_mouth(neutral, neutral.rest, edit, expression, strength)
            crop = resample.crop(pixels, located.photo_to_crop, self.model.size)
        return Result(
            photo=replace(located.photo, pixels=pixels),
            crop=crop,
            code=given,
            strength=strength,
            notes=(*located.notes, *expression.notes),
            mark=edit_mark(located.photo, model=self.name, model_sha256=self.sha256, strength=strength),
            photo_to_crop=located.photo_to_crop,
            landmarks=located.landmarks,
        )

    def _with_mouth(
        self, neutral: _Neutral, rest: Floats, edit: Edit, expression: Expression, strength: float
    ) -> Pixels:
        """The photo with ``edit`` and a mouth of real pixels."""
        full = self._moved(neutral, expression.code)
        if expression.mouth is not None:
            full = shape.with_gap(full, expression.mouth.gap)
        after = shape.at_strength(rest, full, strength)
        assert neutral.mouth is not None
        inside = choose_inside(neutral.mouth.light, expression.own_mouth, neutral.mouth, expression.mouth)
        photo_to_crop = neutral.located.photo_to_crop
        shapes = Shapes(rest, after, full if strength <= 1 else after)
        return finish(neutral.pixels, photo_to_crop, edit, neutral.alpha, shapes, inside)

    def _locate(self, given: PhotoLike, role: str, aligned: bool, face: int | None) -> _Located:
        photo = read_photo(given)
        name = str(photo.path or f"the {role}")
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
        return _Located(photo, photo_to_crop, to_image(crop).to(self.model.device), landmarks, tuple(notes))

    def find_faces(self, pixels: Pixels) -> list[Face]:
        """The faces in a picture, largest first, with the editor's own finder; it is loaded when first needed."""
        return self._loaded_finder().find(pixels)

    def _find_faces(self, pixels: Pixels, name: str) -> list[Face]:
        return self._loaded_finder().require(pixels, name)

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


def _mask(located: _Located) -> npt.NDArray[np.float32]:
    """Where an edit may change the photo: on the face, or everywhere if the photo is a crop already."""
    size = located.image.shape[-1]
    if located.landmarks is None:
        return np.ones((size, size), np.float32)
    return blend.face_mask(align.apply(located.photo_to_crop, located.landmarks[:, :2]), size)


def _scaled(code: Code, strength: float) -> Code:
    """The code times the strength. Raises UserError for no number."""
    if not np.isfinite(strength):
        raise UserError(f"The strength {strength} is no number: use one such as 0.8.")
    return (strength * code).astype(np.float32)


def _to_array(code: torch.Tensor) -> Code:
    array: Code = code.detach().float().cpu().numpy()
    return array
