"""What one visitor has given, and everything that can be done with it. Nothing here knows HTTP."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from twocet.edit.editor import Editor
from twocet.edit.result import Result
from twocet.edit.stages import Code, Expression
from twocet.errors import UserError
from twocet.model.model import Model
from twocet.photo.colour import shown
from twocet.photo.faces import Face, FaceFinder
from twocet.photo.images import Photo, Pixels
from twocet.photo.privacy import KINDS, private_kinds
from twocet.web.pictures import decode, marked_file, preview, to_jpeg

Role = Literal["target", "reference"]
ROLES: tuple[Role, ...] = ("target", "reference")

STRENGTHS = (-0.5, 1.5)
STRIP = tuple(np.linspace(*STRENGTHS, 9).tolist())
"""The strengths of the continuum under the slider."""
_PAD_REACH = 2.0
"""The edge of the pad, in standard deviations of the codes that the encoder finds in photos."""


class Studio(NamedTuple):
    """What all visitors share."""

    model: Model
    model_name: str
    model_sha256: str | None
    finder: FaceFinder
    presets: Mapping[str, Code]

    def editor(self, *, strip_private: bool = False) -> Editor:
        """A new editor, with nothing kept from earlier photos."""
        return Editor(
            self.model, name=self.model_name, sha256=self.model_sha256, finder=self.finder, strip_private=strip_private
        )


class Picture(NamedTuple):
    """An uploaded photo: its bytes for the download, a small copy for everything else."""

    name: str
    content: bytes
    preview: Photo
    faces: list[Face]
    private: tuple[str, ...]
    """What it tells of where, with which camera and by whom it was taken."""

    @property
    def boxes(self) -> list[list[float]]:
        """Left, top, width, height of every face as fractions of the picture, largest first."""
        width, height = self.preview.size
        boxes = ((*face.box[:2], face.box[2] - face.box[0], face.box[3] - face.box[1]) for face in self.faces)
        return [[left / width, top / height, w / width, h / height] for left, top, w, h in boxes]


@dataclass(frozen=True)
class Wish:
    """What the face shall look like."""

    kind: str
    """``neutral``, ``reference``, ``random``, ``pad`` or ``preset``."""
    strength: float
    face: int
    """Which face of the target, 1 = largest."""
    reference_face: int = 1
    seed: int = 0
    x: float = 0.0
    y: float = 0.0
    """Place on the pad, -1..1."""
    preset: str = ""
    strip_private: bool = False
    """Whether the download leaves out what the target tells of place, camera and owner."""

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Wish:
        """From what the page sends. Raises UserError for anything else."""
        try:
            wish = cls(
                kind=str(values["kind"]),
                strength=_bounded(values.get("strength", 1.0), *STRENGTHS),
                face=int(_bounded(values.get("face", 1), 1, 1000)),
                reference_face=int(_bounded(values.get("reference_face", 1), 1, 1000)),
                seed=int(_bounded(values.get("seed", 0), 0, 2**32 - 1)),
                x=_bounded(values.get("x", 0.0), -1, 1),
                y=_bounded(values.get("y", 0.0), -1, 1),
                preset=str(values.get("preset", "")),
                strip_private=values.get("strip_private") is True,
            )
        except (KeyError, TypeError, ValueError):
            raise UserError("The page sent something that makes no sense: reload it.") from None
        return wish


def _bounded(value: object, low: float, high: float) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not low <= number <= high:
        raise ValueError(value)
    return number


class Session:
    """One visitor's photos. Its own editor keeps the analysis of them, so that a new strength costs one edit."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._editor = studio.editor()
        self._pad = pad_directions(self._editor)
        self._pictures: dict[Role, Picture] = {}
        self._references: dict[int, Expression] = {}

    def give(self, role: Role, content: bytes, name: str) -> Picture:
        """Takes an uploaded file in place of the one before. Raises UserError if it shows no face."""
        whole = decode(content, name)
        small = preview(whole)
        faces = self._studio.finder.find(shown(small))
        if not faces:
            raise UserError(
                f"No face found in {name}: choose a picture in which the face is larger and seen from the front."
            )
        picture = Picture(
            name,
            content if role == "target" else b"",
            small,
            faces,
            tuple(KINDS[kind] for kind in private_kinds(whole)),
        )
        if role == "target":
            # The old target's analysis goes with the old editor.
            self._editor = self._studio.editor()
        else:
            self._references.clear()
        self._pictures[role] = picture
        return picture

    def picture(self, role: Role) -> Picture:
        """The photo given as ``role``. Raises UserError if there is none."""
        if role not in self._pictures:
            raise UserError(f"A {role} is missing: choose a photo first.")
        return self._pictures[role]

    def render(self, wish: Wish) -> Result:
        """The small target with the wished expression."""
        target = self.picture("target").preview
        return self._editor.transfer(target, self._expression(wish), wish.strength, face=wish.face)

    def strip(self, wish: Wish) -> list[str]:
        """The face at the strengths ``STRIP``, as data URLs."""
        target, shown = self.picture("target").preview, self._expression(wish)
        return [_data_url(self._editor.transfer_crop(target, shown, strength, face=wish.face)) for strength in STRIP]

    def preset_pictures(self, face: int) -> dict[str, str]:
        """The face with every preset at strength 1, as data URLs."""
        target = self.picture("target").preview
        return {
            name: _data_url(self._editor.transfer_crop(target, code, face=face))
            for name, code in self._studio.presets.items()
        }

    def download(self, wish: Wish) -> tuple[str, bytes]:
        """Name and bytes of the whole target at its own resolution with the wished expression and AI marks."""
        picture = self.picture("target")
        photo = decode(picture.content, picture.name)
        # Its own editor: the full photo and its analysis are forgotten at the end.
        editor = self._studio.editor(strip_private=wish.strip_private)
        face = _same_face(picture, wish.face, photo, self._studio.finder.find(shown(photo)))
        return marked_file(editor.transfer(photo, self._expression(wish), wish.strength, face=face), picture.name)

    def _expression(self, wish: Wish) -> Expression:
        if wish.kind == "neutral":
            return Expression(np.zeros(self._editor.model.code_dim, np.float32))
        if wish.kind == "reference":
            return self._reference(wish.reference_face)
        if wish.kind == "random":
            return Expression(self._editor.draw_codes(1, wish.seed).reshape(-1))
        if wish.kind == "pad":
            return Expression(np.array([wish.x, wish.y], np.float32) @ self._pad)
        if wish.kind == "preset" and wish.preset in self._studio.presets:
            return Expression(self._studio.presets[wish.preset])
        raise UserError(f"There is no expression {wish.preset or wish.kind!r} here: choose another one.")

    def _reference(self, face: int) -> Expression:
        if face not in self._references:
            self._references[face] = self._editor.read_expression(self.picture("reference").preview, face=face)
        return self._references[face]


def pad_directions(editor: Editor) -> Code:
    """(2, d) codes at the right and the upper edge of the pad.

    The two principal directions of the codes that the encoder found in photos; two fixed random codes if the model
    does not say what it found.
    """
    covariance = editor.model.metadata.get("code_covariance")
    if covariance is None or editor.model.code_dim < 2:
        return editor.draw_codes(2, seed=0)
    variances, directions = np.linalg.eigh(np.asarray(covariance, np.float64))
    reach = _PAD_REACH * np.sqrt(np.maximum(variances[-1:-3:-1], 0))
    # An eigenvector may point either way: the largest number of a direction is made positive.
    chosen = directions[:, -1:-3:-1].T
    signs = np.sign(chosen[np.arange(2), np.abs(chosen).argmax(axis=1)])
    reaching: Code = (chosen * (signs * reach)[:, None]).astype(np.float32)
    return reaching


def pad_places(editor: Editor, presets: Mapping[str, Code]) -> dict[str, tuple[float, float]]:
    """Where on the pad the presets are (x, y in -1..1): their nearest points in the pad's plane, if they are on it."""
    pad = pad_directions(editor).astype(np.float64)
    # A model may vary in one direction alone: the other one has no length.
    lengths = np.maximum(np.square(pad).sum(axis=1), 1e-12)
    places = {name: np.asarray(code, np.float64) @ pad.T / lengths for name, code in presets.items()}
    return {name: (float(x), float(y)) for name, (x, y) in places.items() if max(abs(x), abs(y)) <= 1}


def _same_face(picture: Picture, number: int, photo: Photo, faces: list[Face]) -> int:
    """The number in the full photo of the face that is ``number`` in its preview."""
    if not 1 <= number <= len(picture.faces) or not faces:
        return number
    scale = photo.size[0] / picture.preview.size[0]
    wanted = np.array(picture.faces[number - 1].box) * scale
    return 1 + int(np.argmin([np.abs(np.array(face.box) - wanted).sum() for face in faces]))


def _data_url(crop: Pixels) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(to_jpeg(crop, quality=85)).decode("ascii")
