"""The public interface: a model and a face finder, from photos to photos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from twocet.edit import blend
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


class Editor:
    """Edits expressions with one model. Keeps what it found in the latest targets, so that a new strength is cheap."""

    def __init__(
        self, model: Model, *, name: str = "model", sha256: str | None = None, finder: FaceFinder | None = None
    ) -> None:
        """``name`` and ``sha256`` go into the marks of results; ``finder`` None loads one when it is first needed."""
        self.model = model
        self.name = name
        self.sha256 = sha256
        self._finder = finder
        self._targets: Recent[_Neutral] = Recent(_KEPT_TARGETS)
        self._codes: Recent[tuple[Code, tuple[str, ...]]] = Recent(_KEPT_CODES)

    def transfer(
        self,
        target: PhotoLike,
        reference: PhotoLike | Code | torch.Tensor,
        strength: float = 1.0,
        *,
        aligned: bool = False,
        face: int | None = None,
    ) -> Result:
        """The target's face with the reference's expression.

        ``reference``: a photo, or a code (d,). ``strength``: 0 is neutral, 1 the reference's expression, more
        exaggerates, less than 0 opposes. ``aligned``: the photos are face crops already, no face is looked for.
        ``face``: which of the target's faces, 1 = largest (None: the largest, with a note). Raises UserError.
        """
        neutral = self._neutral(target, aligned, face)
        code, notes = self._code(reference, aligned)
        return self._result(neutral, code, strength, notes)

    def transfer_crop(self, target: PhotoLike, code: Code, strength: float = 1.0, *, face: int | None = None) -> Pixels:
        """The ``crop`` of :meth:`transfer` alone, (S, S, 3) uint8, much sooner: the photo is not edited."""
        neutral = self._neutral(target, False, face)
        given, _ = self._code(code, False)
        _, image = self._edited(neutral, given, strength)
        return to_pixels(image)

    def neutralize(self, target: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Result:
        """The target's face without expression."""
        neutral = self._neutral(target, aligned, face)
        notes = ("The face is neutral already: nothing was changed.",) if neutral.was_neutral else ()
        return self._result(neutral, np.zeros(self.model.code_dim, np.float32), 0.0, notes)

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
        return [self._result(neutral, code, strength, ()) for code in self.draw_codes(n, seed)]

    def continuum(
        self,
        target: PhotoLike,
        reference: PhotoLike | Code | torch.Tensor,
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
        code, _ = self._encode(reference, aligned, face)
        return np.array(code)

    def draw_codes(self, n: int, seed: int) -> Code:
        """(n, d) float32 random codes; see :meth:`twocet.model.model.Model.sample_codes`."""
        return _to_array(self.model.sample_codes(n, generator_at(seed, 0, "sample")))

    def _code(self, reference: PhotoLike | Code | torch.Tensor, aligned: bool) -> tuple[Code, tuple[str, ...]]:
        if isinstance(reference, torch.Tensor):
            reference = reference.detach().cpu().numpy()
        if not (isinstance(reference, np.ndarray) and reference.ndim == 1):
            return self._encode(reference, aligned, None)
        code = reference.astype(np.float32)
        if code.shape != (self.model.code_dim,) or not np.isfinite(code).all():
            raise UserError(f"A code of this model has {self.model.code_dim} finite numbers, not shape {code.shape}.")
        return code, ()

    @torch.inference_mode()
    def _encode(self, reference: PhotoLike, aligned: bool, face: int | None) -> tuple[Code, tuple[str, ...]]:
        def make() -> tuple[Code, tuple[str, ...]]:
            located = self._locate(reference, "reference", aligned, face)
            return _to_array(self.model.encode(located.image)[0]), located.notes

        return self._codes.get((photo_key(reference), aligned, face), make)

    @torch.inference_mode()
    def _neutral(self, target: PhotoLike, aligned: bool, face: int | None) -> _Neutral:
        def make() -> _Neutral:
            located = self._locate(target, "target", aligned, face)
            alpha = _mask(located)
            edit = self.model.edit(located.image, located.image.new_zeros(1, self.model.code_dim))
            neutral = render(located.image, edit)
            if blend.mean_change(located.image, neutral, alpha) <= _NOTHING_TO_REMOVE:
                return _Neutral(located, alpha, located.image, located.photo.pixels, True)
            pixels = blend.apply_edit(located.photo.pixels, located.photo_to_crop, edit, alpha)
            return _Neutral(located, alpha, neutral, pixels, False)

        return self._targets.get((photo_key(target), aligned, face), make)

    @torch.inference_mode()
    def _edited(self, neutral: _Neutral, code: Code, strength: float) -> tuple[Edit | None, torch.Tensor]:
        """The edit that gives a neutral face an expression (None: none), and the (1, 3, S, S) crop with it."""
        if not _scaled(code, strength).any():
            return None, neutral.image
        edit = self.model.edit(neutral.image, torch.from_numpy(code)[None].to(neutral.image.device), strength)
        return edit, render(neutral.image, edit)

    def _result(self, neutral: _Neutral, code: Code, strength: float, notes: Sequence[str]) -> Result:
        located, given = neutral.located, _scaled(code, strength)
        edit, image = self._edited(neutral, code, strength)
        if edit is None:
            pixels = neutral.pixels.copy()
        else:
            pixels = blend.apply_edit(neutral.pixels, located.photo_to_crop, edit, neutral.alpha)
        return Result(
            photo=replace(located.photo, pixels=pixels),
            crop=to_pixels(image),
            code=given,
            strength=strength,
            notes=(*located.notes, *notes),
            mark=edit_mark(located.photo, model=self.name, model_sha256=self.sha256, strength=strength),
            photo_to_crop=located.photo_to_crop,
            landmarks=located.landmarks,
        )

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

    def follow_face(self, pixels: Pixels, face: Face) -> Face | None:
        """``face`` of the frame before in the next one of a film, see :meth:`twocet.photo.faces.FaceFinder.follow`."""
        return self._loaded_finder().follow(pixels, face)

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
) -> Editor:
    """An editor with the packaged model ``default``, a model file or an exported model. Raises UserError.

    ``device``: as torch names it. ``face_model``: a ``face_landmarker.task`` to use instead of the packaged one.
    """
    from twocet.model.model import find_model, identify_model, load_model

    path = find_model(Path(model) if isinstance(model, os.PathLike) else model)
    finder = FaceFinder(face_model) if face_model is not None else None
    return Editor(load_model(path, device), **identify_model(path)._asdict(), finder=finder)


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
