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
    """Edits expressions in photos with one model.

    A photo is a path, the bytes of a file, a file opened with ``"rb"``, a Pillow image, or an array (H, W), (H, W, 3)
    or (H, W, 4) of uint8 or uint16. Another strength of a recent target is cheap. Methods raise ``twocet.UserError``.
    """

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
        """Use ``twocet.load``, which explains the options. ``name`` and ``sha256`` go into the marks of results."""
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

    def __repr__(self) -> str:
        return f"<twocet.Editor {self.name}>"

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
            target: The photo to edit.
            reference: A photo, a code (d,) of ``preset`` or ``encode`` or a sum of codes, or a ``read_expression``.
            strength: 0 is neutral, 1 the reference's expression, more exaggerates, below 0 gives the opposite.
            aligned: The photos are square face crops already; do not look for faces.
            face: Face of the target: 1 is the largest, "all" every face, None the largest, with a note.
            reference_face: Face of the reference: 1 is the largest.
            regions: Parts of the face to leave as they are: "mouth", "eyes", "brows", "gaze".
            mouth_from: Another photo of the target's person, with an open mouth, to show their own teeth.

        Raises:
            UserError: If a photo cannot be read or has no face, or an argument is out of range.
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
        """The aligned face alone, (S, S, 3) uint8 sRGB. Much faster than ``transfer``: the photo is not edited."""
        (neutral,) = self._neutrals(target, False, face, regions)
        return self.stages.crop(neutral, self.expression(reference), strength)

    def neutralize(
        self, target: PhotoLike, *, aligned: bool = False, face: WhichFace = None, regions: Collection[str] = ()
    ) -> Result:
        """The target's face without expression; a neutral face keeps every pixel. Arguments as for ``transfer``."""
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
        """The target with ``n`` random expressions, the same for the same seed; arguments as for ``transfer``."""
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
        """The expression in equal steps of strength, from ``start`` to ``stop``; arguments as for ``transfer``."""
        if steps < 2:
            raise UserError(f"A continuum of {steps} steps has no start and end: ask for 2 or more.")
        neutrals = self._neutrals(target, aligned, face, regions)
        expression = self.expression(reference, aligned=aligned, face=reference_face, mouth_from=mouth_from)
        return [self._result(neutrals, expression, float(s)) for s in np.linspace(start, stop, steps)]

    def encode(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Code:
        """The photo's expression as a code (d,) float32, to be added and scaled; zeros are neutral."""
        return np.array(self.read_expression(reference, aligned=aligned, face=face).code)

    @property
    def presets(self) -> list[str]:
        """Names of the expressions that come with the model and of those that you saved, sorted."""
        return sorted(presets.fitting(self.name, self.sha256))

    def preset(self, name: str) -> Code:
        """The code (d,) float32 of a named expression. Raises UserError, which lists the names, for an unknown one."""
        return presets.code_of(name, self.name, self.sha256, self.model.code_dim)

    @devices.on_processor
    def draw_codes(self, n: int, seed: int) -> Code:
        """(n, d) float32 random codes; the same seed draws the same. See ``sample``."""
        return to_array(self.model.sample_codes(n, generator_at(seed, 0, "sample")))

    def read_expression(self, reference: PhotoLike, *, aligned: bool = False, face: int | None = None) -> Expression:
        """The photo's code together with its mouth's own pixels: read it once and give it to many targets."""
        return self._read(reference, "reference", aligned, face)

    def expression(
        self,
        reference: Reference,
        *,
        aligned: bool = False,
        face: int | None = None,
        mouth_from: PhotoLike | None = None,
    ) -> Expression:
        """The reference's expression as ``transfer`` uses it, with the mouth of the photo ``mouth_from`` if given."""
        expression = self._given(reference, aligned, face)
        if mouth_from is None:
            return expression
        if aligned:
            raise UserError("An aligned crop takes no mouth_from: give the whole photo, without aligned=True.")
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
            raise UserError("An aligned crop takes no regions: give the whole photo, without aligned=True.")

        def make() -> list[Neutral]:
            located = self._locator.locate(target, "target", aligned, face)
            mouths = [None if "mouth" in kept else self._mouth_of(one) for one in located]
            return [self.stages.neutral(one, mouth, kept) for one, mouth in zip(located, mouths, strict=True)]

        return self._targets.get((photo_key(target), aligned, face, kept, self.mouth), make)

    @devices.on_processor
    def _result(self, neutrals: Sequence[Neutral], expression: Expression, strength: float) -> Result:
        if not np.isfinite(strength):
            raise UserError(f"The strength {strength} is not a number: give one such as 0.8.")
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
        """The faces in a picture (H, W, 3) uint8, largest first."""
        return self._locator.finder.find(pixels)

    def follow_face(self, pixels: Pixels, face: Face) -> Face | None:
        """The face of one frame of a film, found again in the next one (H, W, 3) uint8; None if it is gone."""
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
    """Load a model for editing. Nothing is downloaded, except for ``hf:`` names.

    Args:
        model: Name of a packaged model ("default", "label-free" ...), a model file, a run folder, a folder made by
            ``twocet export``, or ``hf:OWNER/NAME`` (``pip install 'twocet[hub]'``).
        device: Where the networks run, as torch names it: "cpu", "cuda", "cuda:1", "mps".
        face_model: A ``face_landmarker.task`` to use instead of the packaged one.
        mouth: "real" makes mouths of real pixels, "painted" by the model alone.
        strict: Raise UserError where a note would say that something cannot be done well.
        strip_private: Remove place, camera and owner from what results write.

    Raises UserError if there is no such model, or if its file is damaged.
    """
    from twocet.edit.models import load_editing

    loaded, identity = load_editing(model, device)
    finder = FaceFinder(face_model) if face_model is not None else None
    return Editor(loaded, **identity._asdict(), finder=finder, mouth=mouth, strict=strict, strip_private=strip_private)
