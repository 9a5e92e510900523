"""What one visitor has given, and everything that can be done with it. Nothing here knows HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from twocet.edit import presets as book
from twocet.edit.editor import Editor
from twocet.edit.result import Result, together
from twocet.edit.stages import Code, Expression
from twocet.errors import UserError
from twocet.model.interface import EditingModel
from twocet.photo.colour import shown
from twocet.photo.faces import Face, FaceFinder
from twocet.photo.images import Photo, Pixels
from twocet.photo.privacy import KINDS, private_kinds
from twocet.web.pad import Pad
from twocet.web.pictures import archive, decode, marked_file, preview, to_jpeg
from twocet.web.wishes import STRENGTHS, Wish

Role = Literal["target", "reference"]
ROLES: tuple[Role, ...] = ("target", "reference")

STRIP = tuple(np.linspace(*STRENGTHS, 9).tolist())
"""The strengths of the continuum under the slider."""
STEPS = tuple(np.linspace(0, 1, 11).tolist())
"""The strengths of a continuum that is taken away, in shares of the strength wished for."""
MOST_FINISHED_BYTES = 300_000_000
"""Of the pictures of a batch that wait to be fetched."""


class Studio(NamedTuple):
    """What all visitors share."""

    model: EditingModel
    model_name: str
    model_sha256: str | None
    finder: FaceFinder
    presets: dict[str, Code]
    may_save: bool = False
    """Whether a visitor may add to the presets of the computer's user: on this computer alone."""

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


class Session:
    """One visitor's photos. Its own editor keeps the analysis of them, so that a new strength costs one edit."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._editor = studio.editor()
        self._pictures: dict[Role, Picture] = {}
        self._references: dict[int, Expression] = {}
        self._finished: dict[str, bytes] = {}

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

    @property
    def is_empty(self) -> bool:
        """Whether no photo was given."""
        return not (self._pictures or self._finished)

    def pad(self) -> Pad:
        """The pad with the presets of today."""
        return Pad(self._editor, self._studio.presets)

    def picture(self, role: Role) -> Picture:
        """The photo given as ``role``. Raises UserError if there is none."""
        if role not in self._pictures:
            raise UserError(f"A {role} is missing: choose a photo first.")
        return self._pictures[role]

    def render(self, wish: Wish) -> Result:
        """The small target with the wished expressions."""
        target = self.picture("target").preview
        results = [
            self._editor.transfer(target, self._expression(one), one.strength, face=one.face, regions=one.keep)
            for one in (wish, *wish.others)
        ]
        return together(results)

    def strip(self, wish: Wish) -> list[str]:
        """The face at the strengths ``STRIP``, as data URLs."""
        target, shown = self.picture("target").preview, self._expression(wish)
        return [
            _data_url(self._editor.transfer_crop(target, shown, strength, face=wish.face, regions=wish.keep))
            for strength in STRIP
        ]

    def preset_pictures(self, face: int) -> dict[str, str]:
        """The face with every preset at strength 1, as data URLs."""
        target = self.picture("target").preview
        return {
            name: _data_url(self._editor.transfer_crop(target, code, face=face))
            for name, code in self._studio.presets.items()
        }

    def download(self, wish: Wish) -> tuple[str, bytes]:
        """Name and bytes of the whole target at its own resolution with the wished expressions and AI marks."""
        (made,) = self._full_size(wish, [wish.strength])
        return made

    def continuum(self, wish: Wish) -> tuple[str, bytes]:
        """Name and bytes of a zip file: the whole target in equal steps from neutral to the wished strength."""
        stem = f"{self._stem}-{self._named(wish)}"
        return f"{stem}-continuum.zip", archive(self._full_size(wish, [share * wish.strength for share in STEPS]))

    def _full_size(self, wish: Wish, strengths: Iterable[float]) -> list[tuple[str, bytes]]:
        """Names and bytes of the whole target at its own resolution, at each strength of the wish's own face."""
        picture = self.picture("target")
        photo = decode(picture.content, picture.name)
        # Its own editor: the full photo and its analysis are forgotten at the end.
        editor = self._studio.editor(strip_private=wish.strip_private)
        content = None if wish.strip_private else picture.content
        found = self._studio.finder.find(shown(photo))

        def edit(one: Wish, strength: float) -> Result:
            face = _same_face(picture, one.face, photo, found)
            return editor.transfer(photo, self._expression(one), strength, face=face, regions=one.keep)

        others = [edit(one, one.strength) for one in wish.others]
        made = []
        for strength in strengths:
            result = together([edit(wish, strength), *others])
            name = self._named(wish) if strength else "neutral"
            made.append(marked_file(result, f"{self._stem}-{name}-{strength:.2f}", content))
        return made

    @property
    def _stem(self) -> str:
        return Path(self.picture("target").name).stem or "face"

    def _named(self, wish: Wish) -> str:
        """A word for the expression, for names of files."""
        if wish.is_neutral:
            return "neutral"
        names = {"reference": lambda: Path(self.picture("reference").name).stem, "preset": lambda: wish.preset}
        return names.get(wish.kind, lambda: f"random{wish.seed}" if wish.kind == "random" else wish.kind)()

    def finish(self, content: bytes, name: str, wish: Wish) -> str:
        """Gives another photo's largest face the wished expression; its file waits for ``fetch``. Returns its name.

        Raises UserError for what is no photo of a face, or when too much waits.
        """
        photo = decode(content, name)
        editor = self._studio.editor(strip_private=wish.strip_private)
        result = editor.transfer(photo, self._expression(wish), wish.strength, regions=wish.keep)
        stem = f"{Path(name).stem or 'face'}-{self._named(wish)}-{wish.strength:.2f}"
        called, made = marked_file(result, stem, None if wish.strip_private else content)
        if sum(map(len, self._finished.values())) + len(made) > MOST_FINISHED_BYTES:
            raise UserError("The pictures that are ready fill the memory: fetch them first.")
        while called in self._finished:
            called = f"again-{called}"
        self._finished[called] = made
        return called

    def fetch(self) -> tuple[str, bytes]:
        """Name and bytes of a zip file of what ``finish`` made; it is forgotten then."""
        if not self._finished:
            raise UserError("No pictures are ready: choose photos first.")
        finished, self._finished = self._finished, {}
        return "twocet.zip", archive(list(finished.items()))

    def save_preset(self, name: str, wish: Wish) -> None:
        """Adds the wished expression, at its strength, to the presets of this computer's user. Raises UserError."""
        if not self._studio.may_save or self._studio.model_sha256 is None:
            raise UserError("Presets are saved only on the computer that runs the page.")
        code = (wish.strength * self._expression(wish).code).astype(np.float32)
        made_from = f"the page: {self._named(wish)}"
        numbers = tuple(round(float(value), 6) for value in code)
        book.save(book.Preset(name, numbers, self._studio.model_sha256, made_from, own=True))
        self._studio.presets[name] = code

    def _expression(self, wish: Wish) -> Expression:
        if wish.kind == "neutral":
            return Expression(np.zeros(self._editor.model.code_dim, np.float32))
        if wish.kind == "reference":
            return self._reference(wish.reference_face)
        if wish.kind == "random":
            return Expression(self._editor.draw_codes(1, wish.seed).reshape(-1))
        if wish.kind == "pad":
            return Expression(self.pad().code(wish.x, wish.y))
        if wish.kind == "preset" and wish.preset in self._studio.presets:
            return Expression(self._studio.presets[wish.preset])
        raise UserError(f"There is no expression {wish.preset or wish.kind!r} here: choose another one.")

    def _reference(self, face: int) -> Expression:
        if face not in self._references:
            self._references[face] = self._editor.read_expression(self.picture("reference").preview, face=face)
        return self._references[face]


def _same_face(picture: Picture, number: int, photo: Photo, faces: list[Face]) -> int:
    """The number in the full photo of the face that is ``number`` in its preview."""
    if not 1 <= number <= len(picture.faces) or not faces:
        return number
    scale = photo.size[0] / picture.preview.size[0]
    wanted = np.array(picture.faces[number - 1].box) * scale
    return 1 + int(np.argmin([np.abs(np.array(face.box) - wanted).sum() for face in faces]))


def _data_url(crop: Pixels) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(to_jpeg(crop, quality=85)).decode("ascii")
