"""The public interface: a model and a face finder, from photos to photos."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from twocet.edit import presets
from twocet.edit.inside import MouthSource, mouth_source
from twocet.edit.lips import CLOSED
from twocet.edit.locate import Located, Locator, Role, name_of
from twocet.edit.notes import notes_on_strength
from twocet.edit.regions import parse_regions
from twocet.edit.result import Result, change, together
from twocet.edit.shape import Mover, find_movement
from twocet.edit.stages import Code, Expression, Neutral, Stages, bytes_of, to_array
from twocet.errors import UserError
from twocet.photo.faces import Face, FaceFinder, WhichFace
from twocet.photo.images import PhotoLike, Pixels, photo_key
from twocet.photo.marks import edit_mark
from twocet.photo.privacy import privacy_notes
from twocet.runtime import devices
from twocet.runtime.arrays import Floats
from twocet.runtime.cache import Recent
from twocet.runtime.randomness import generator_at

if TYPE_CHECKING:
    from twocet.model.interface import EditingModel

MouthKind = Literal["real", "painted"]
_KEPT_TARGETS, _KEPT_BYTES = 4, 128_000_000
"""How many, and of their pixels together: a larger one is kept alone."""
_KEPT_CODES = 256


Reference = PhotoLike | Code | torch.Tensor | Expression


class Editor:
    """Edits expressions with one model. Keeps what it found in the latest targets, so that a new strength is cheap."""

    def __init__(
        self,
        model: EditingModel,
        *,
        name: str = "model",
        sha256: str | None = None,
        finder: FaceFinder | None = None,
        mouth: MouthKind = "real",
        strict: bool = False,
        strip_private: bool = False,
    ) -> None:
        """``name`` and ``sha256`` go into the marks of results; ``finder`` None loads one when it is first needed.

        ``mouth``: "real" mouths are made of real pixels, "painted" ones by the model alone. ``strict``: what would be
        noted because it cannot be done well raises UserError. ``strip_private``: results leave out where, with which
        camera and by whom the target was taken.
        """
        self.model = model
        self.name = name
        self.sha256 = sha256
        self.mouth: MouthKind = mouth
        self.strip_private = strip_private
        self._locator = Locator(model, finder, strict=strict, strip_private=strip_private)
        self._targets: Recent[list[Neutral]] = Recent(_KEPT_TARGETS, bytes_of, _KEPT_BYTES)
        self._expressions: Recent[Expression] = Recent(_KEPT_CODES)
        mover = model if isinstance(model, Mover) else find_movement(sha256)
        self.stages = Stages(model, mover, self._landmarks)

    def transfer(
        self,
        target: PhotoLike,
        reference: Reference,
        strength: float = 1.0,
        *,
        aligned: bool = False,
        face: WhichFace = None,
        reference_face: int | None = None,
        regions: Collection[str] = (),
        mouth_from: PhotoLike | None = None,
    ) -> Result:
        """The target's face with the reference's expression.

        Args:
            target: A photo.
            reference: A photo, a code (d,) such as those of :meth:`preset` and :meth:`encode` and any sums of them, or
                what :meth:`expression` made of one.
            strength: 0 is neutral, 1 the reference's expression, more exaggerates, less than 0 opposes.
            aligned: The photos are face crops already, no face is looked for.
            face: Which of the target's faces, 1 = largest (None: the largest, with a note), or "all".
            reference_face: Likewise of the reference, one of them.
            regions: Parts of the face that stay as they are, see :data:`twocet.edit.regions.REGIONS`.
            mouth_from: Another photo of the target's person, whose open mouth shows their teeth.

        Raises UserError.
        """
        neutrals = self._neutrals(target, aligned, face, regions)
        expression = self.expression(reference, aligned=aligned, face=reference_face, mouth_from=mouth_from)
        return self._result(neutrals, expression, strength)

    @devices.on_processor
    def transfer_crop(
        self,
        target: PhotoLike,
        reference: Reference,
        strength: float = 1.0,
        *,
        face: int | None = None,
        regions: Collection[str] = (),
    ) -> Pixels:
        """The ``crop`` of :meth:`transfer` alone, (S, S, 3) uint8, much sooner: the photo is not edited."""
        (neutral,) = self._neutrals(target, False, face, regions)
        return self.stages.crop(neutral, self.expression(reference), strength)

    def neutralize(
        self, target: PhotoLike, *, aligned: bool = False, face: WhichFace = None, regions: Collection[str] = ()
    ) -> Result:
        """The target's face without expression."""
        neutrals = self._neutrals(target, aligned, face, regions)
        was_neutral = all(neutral.was_neutral for neutral in neutrals)
        notes = ("The face is neutral already: nothing was changed.",) if was_neutral else ()
        return self._result(neutrals, Expression(np.zeros(self.model.code_dim, np.float32), notes=notes), 0.0)

    def sample(
        self,
        target: PhotoLike,
        n: int = 8,
        *,
        seed: int = 0,
        strength: float = 1.0,
        aligned: bool = False,
        face: WhichFace = None,
        regions: Collection[str] = (),
        mouth_from: PhotoLike | None = None,
    ) -> list[Result]:
        """``n`` random expressions on the target's face; the same seed gives the same expressions."""
        if n < 1:
            raise UserError(f"{n} expressions cannot be drawn: ask for 1 or more.")
        neutrals = self._neutrals(target, aligned, face, regions)
        drawn = [self.expression(code, mouth_from=mouth_from) for code in self.draw_codes(n, seed)]
        return [self._result(neutrals, expression, strength) for expression in drawn]

    def continuum(
        self,
        target: PhotoLike,
        reference: Reference,
        *,
        steps: int = 11,
        start: float = 0.0,
        stop: float = 1.2,
        aligned: bool = False,
        face: WhichFace = None,
        reference_face: int | None = None,
        regions: Collection[str] = (),
        mouth_from: PhotoLike | None = None,
    ) -> list[Result]:
        """The reference's expression at ``steps`` equally spaced strengths, from ``start`` to ``stop`` inclusive."""
        if steps < 2:
            raise UserError(f"A continuum of {steps} steps has no start and end: ask for 2 or more.")
        neutrals = self._neutrals(target, aligned, face, regions)
        expression = self.expression(reference, aligned=aligned, face=reference_face, mouth_from=mouth_from)
        return [self._result(neutrals, expression, float(s)) for s in np.linspace(start, stop, steps)]

    def encode(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Code:
        """The expression code (d,) float32 of the photo's face."""
        return np.array(self.read_expression(reference, aligned=aligned, face=face).code)

    @property
    def presets(self) -> list[str]:
        """Names of the expressions that come with the model, and of the user's own."""
        return sorted(presets.fitting(self.name, self.sha256))

    def preset(self, name: str) -> Code:
        """The code (d,) float32 of a named expression. Raises UserError that says which names there are."""
        return presets.code_of(name, self.name, self.sha256, self.model.code_dim)

    @devices.on_processor
    def draw_codes(self, n: int, seed: int) -> Code:
        """(n, d) float32 random codes; see :meth:`twocet.model.model.Model.sample_codes`."""
        return to_array(self.model.sample_codes(n, generator_at(seed, 0, "sample")))

    def read_expression(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Expression:
        """The photo's expression with its mouth, for :meth:`transfer`: read once, given to many targets."""
        return self._read(reference, "reference", aligned, face)

    def expression(
        self,
        reference: Reference,
        *,
        aligned: bool = False,
        face: int | None = None,
        mouth_from: PhotoLike | None = None,
    ) -> Expression:
        """A reference's expression, for :meth:`transfer`; with the open mouth of ``mouth_from`` if that is given.

        ``face``: which of the reference's. ``mouth_from``: another photo of the person who will be the target. Raises
        UserError.
        """
        expression = self._given(reference, aligned, face)
        if mouth_from is None:
            return expression
        if aligned:
            raise UserError("A photo for the mouth needs a target whose face is looked for, not an aligned crop.")
        further = self._read(mouth_from, "photo for the mouth", False, None)
        notes = (*expression.notes, *further.notes)
        if further.mouth is not None and further.mouth.opening < CLOSED:
            closed = f"{name_of(mouth_from, 'photo for the mouth')} shows no open mouth."
            notes = (*notes, *self._locator.admitted((closed,)))
        return expression._replace(own_mouth=further.mouth, notes=notes)

    @devices.on_processor
    @torch.inference_mode()
    def _read(self, photo: PhotoLike, role: Role, aligned: bool, face: int | None) -> Expression:
        def make() -> Expression:
            (located,) = self._locator.locate(photo, role, aligned, face)
            code = to_array(self.model.encode(located.image)[0])
            return Expression(code, self._mouth_of(located), notes=located.notes)

        return self._expressions.get((photo_key(photo), role, aligned, face, self.mouth), make)

    def _given(self, reference: Reference, aligned: bool, face: int | None) -> Expression:
        if isinstance(reference, Expression):
            return reference
        if isinstance(reference, torch.Tensor):
            reference = reference.detach().cpu().numpy()
        if not (isinstance(reference, np.ndarray) and reference.ndim == 1):
            return self.read_expression(reference, aligned=aligned, face=face)
        code = reference.astype(np.float32)
        if code.shape != (self.model.code_dim,) or not np.isfinite(code).all():
            raise UserError(f"A code of this model has {self.model.code_dim} finite numbers, not shape {code.shape}.")
        return Expression(code)

    def _mouth_of(self, located: Located) -> MouthSource | None:
        if located.landmarks is None or self.mouth == "painted":
            return None
        return mouth_source(located.pixels, located.landmarks[:, :2].astype(np.float64))

    @devices.on_processor
    def _neutrals(self, target: PhotoLike, aligned: bool, face: WhichFace, regions: Collection[str]) -> list[Neutral]:
        """The faces that are edited, largest first, without their expressions."""
        kept = parse_regions(regions)
        if kept and aligned:
            raise UserError("Regions are kept of a face that is looked for, not of an aligned crop.")

        def make() -> list[Neutral]:
            located = self._locator.locate(target, "target", aligned, face)
            mouths = [None if "mouth" in kept else self._mouth_of(one) for one in located]
            return [self.stages.neutral(one, mouth, kept) for one, mouth in zip(located, mouths, strict=True)]

        return self._targets.get((photo_key(target), aligned, face, kept, self.mouth), make)

    @devices.on_processor
    def _result(self, neutrals: Sequence[Neutral], expression: Expression, strength: float) -> Result:
        if not np.isfinite(strength):
            raise UserError(f"The strength {strength} is no number: use one such as 0.8.")
        notes = (*expression.notes, *self._locator.admitted(notes_on_strength(strength)))
        results = [self._result_of_one(neutral, expression, strength, notes) for neutral in neutrals]
        return together(results)

    def _result_of_one(self, neutral: Neutral, expression: Expression, strength: float, notes: Sequence[str]) -> Result:
        pixels = self.stages.photo(neutral, expression, strength)
        located = neutral.located
        corner = np.array(located.corner, np.float64)
        said = tuple(f"{name_of(located.photo, 'target')}: {note}." for note in located.photo.notes)
        said += privacy_notes(located.photo)
        return Result(
            target=located.photo,
            changes=(change(located.corner, located.pixels, pixels),),
            faces=located.changed_face(pixels),
            size=self.model.size,
            strip_private=self.strip_private,
            code=(strength * expression.code).astype(np.float32),
            strength=strength,
            notes=(*said, *located.notes, *notes),
            mark=edit_mark(located.photo, model=self.name, model_sha256=self.sha256, strength=strength),
            photo_to_crop=located.in_photo(located.photo_to_crop),
            landmarks=None if located.landmarks is None else located.landmarks + np.array((*corner, 0), np.float32),
        )

    def find_faces(self, pixels: Pixels) -> list[Face]:
        """The faces in a picture, largest first, with the editor's own finder; it is loaded when first needed."""
        return self._locator.finder.find(pixels)

    def follow_face(self, pixels: Pixels, face: Face) -> Face | None:
        """``face`` of the frame before in the next one of a film, see :meth:`twocet.photo.faces.FaceFinder.follow`."""
        return self._locator.finder.follow(pixels, face)

    def _landmarks(self, pixels: Pixels) -> Floats | None:
        faces = self.find_faces(pixels)
        return faces[0].landmarks[:, :2].astype(np.float64) if faces else None


def load(
    model: str | os.PathLike[str] = "default",
    *,
    device: str = "cpu",
    face_model: str | os.PathLike[str] | None = None,
    mouth: MouthKind = "real",
    strict: bool = False,
    strip_private: bool = False,
) -> Editor:
    """An editor with a packaged model, a model file, a run folder, an exported model or ``hf:OWNER/NAME``.

    Raises UserError.

    ``device``: as torch names it. ``face_model``: a ``face_landmarker.task`` to use instead of the packaged one.
    ``mouth``, ``strict`` and ``strip_private``: see :class:`Editor`.
    """
    from twocet.edit.models import load_editing

    loaded, identity = load_editing(model, device)
    finder = FaceFinder(face_model) if face_model is not None else None
    return Editor(
        loaded, **identity._asdict(), finder=finder, mouth=mouth, strict=strict,
        strip_private=strip_private,
    )  # fmt: skip
