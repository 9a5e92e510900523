"""From a photo to the aligned crop of one of its faces, and what is to be said of it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch

from twocet.edit.inside import MouthSource
from twocet.edit.lips import CURVES
from twocet.edit.notes import notes_on_face
from twocet.errors import UserError
from twocet.photo import align, resample
from twocet.photo.colour import shown, to_srgb
from twocet.photo.faces import Face, FaceFinder, WhichFace, choose_faces
from twocet.photo.images import Photo, PhotoLike, Pixels, photo_key, read_photo
from twocet.photo.privacy import without_private
from twocet.photo.scaling import to_image
from twocet.runtime.arrays import Floats, Floats32
from twocet.runtime.cache import Recent

if TYPE_CHECKING:
    from twocet.model.interface import EditingModel


Role = Literal["target", "reference", "photo for the mouth"]
_OPTIONS: dict[Role, str] = {"target": "face", "reference": "reference_face"}
"""The argument that chooses a face of the photo."""
_KEPT_PHOTOS = 8
_REACH = 0.4
"""How far beyond the crop edits may fetch pixels, in crop sides."""


class Located(NamedTuple):
    """A face ready for the networks."""

    photo: Photo
    """The whole photo as it was given."""
    corner: tuple[int, int]
    """Left and top of what is edited of it, photo pixels."""
    pixels: Pixels
    """(h, w, 3) what is edited of it: the face and what is about it, in sRGB."""
    photo_to_crop: Floats
    """From places in ``pixels``."""
    image: torch.Tensor
    """(1, 3, S, S) crop."""
    landmarks: Floats32 | None
    """(478, 3) places in ``pixels``; None when no face was looked for."""
    notes: tuple[str, ...]

    def points(self, mouth: MouthSource) -> Floats:
        """(478, 2) the landmarks in crop sides, those of the lips by its mouth."""
        assert self.landmarks is not None
        points = self.landmarks[:, :2].astype(np.float64)
        points[CURVES] = mouth.lips + mouth.corner
        return align.apply(self.photo_to_crop, points)

    def in_photo(self, photo_to_crop: Floats) -> Floats:
        """A photo_to_crop that holds for ``pixels``, for the whole photo."""
        linear = photo_to_crop[:, :2]
        return np.column_stack([linear, align.apply(photo_to_crop, -np.array(self.corner, np.float64))])

    def changed_face(self, pixels: Pixels) -> tuple[Floats, ...]:
        """Where in the photo the face is, for marks, if ``pixels`` are no longer those that were given."""
        if np.array_equal(pixels, self.pixels):
            return ()
        return (self.in_photo(self.photo_to_crop if self.landmarks is None else align.align(self.landmarks)),)


class Locator:
    """Finds the faces of photos for one model. Keeps the faces of the latest photos."""

    def __init__(self, model: EditingModel, finder: FaceFinder | None, *, strict: bool, strip_private: bool) -> None:
        """``finder`` None loads one when it is first needed; ``strict`` raises what would be noted;
        ``strip_private`` leaves out of targets where, with which camera and by whom they were taken.
        """
        self._model = model
        self._finder = finder
        self._strict = strict
        self._strip_private = strip_private
        self._faces: Recent[list[Face]] = Recent(_KEPT_PHOTOS)

    @property
    def finder(self) -> FaceFinder:
        """The finder, loaded when it is first needed."""
        if self._finder is None:
            self._finder = FaceFinder()
        return self._finder

    def locate(self, given: PhotoLike, role: Role, aligned: bool, which: WhichFace) -> list[Located]:
        """The faces asked for, largest first; one if ``aligned``, or unless ``which`` is "all". Raises UserError."""
        photo = read_photo(given)
        name = name_of(photo, role)
        if self._strip_private:
            # Without its path no manifest refers to the file, whose own manifests may tell all of it.
            photo = replace(without_private(photo), path=None)
        if aligned:
            return [_whole(photo, name, self._model)]
        found = self._faces.get(photo_key(given), lambda: self.finder.require(shown(photo), name))
        chosen, choice = choose_faces(found, which, name, _OPTIONS.get(role))
        names = [name] if len(chosen) == 1 else [f"{name}, face {number}" for number, _ in enumerate(chosen, start=1)]
        first, *others = [
            _face(photo, face, called, self._model, is_target=role == "target")
            for face, called in zip(chosen, names, strict=True)
        ]
        located = [first._replace(notes=choice + first.notes), *others]
        for one in located:
            self.admitted(one.notes)
        return located

    def admitted(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        """``notes`` on what cannot be done well; if strict, raises the first as UserError."""
        if notes and self._strict:
            raise UserError(f"{notes[0]} Refused (strict=True).")
        return notes


def name_of(photo: PhotoLike, role: str) -> str:
    """What messages call a photo."""
    path = photo.path if isinstance(photo, Photo) else photo if isinstance(photo, str | os.PathLike) else None
    return str(path or f"the {role}")


def _whole(photo: Photo, name: str, model: EditingModel) -> Located:
    """A photo that is a face crop already. Raises UserError for one that is not square."""
    width, height = photo.size
    if width != height:
        raise UserError(f"{name} is {width} x {height}: an aligned face crop is square; leave out aligned=True.")
    photo_to_crop = align.square_to_crop(width, height)
    pixels = shown(photo)
    image = to_image(resample.crop(pixels, photo_to_crop, model.size))
    return Located(photo, (0, 0), pixels, photo_to_crop, image.to(model.device), None, ())


def _face(photo: Photo, face: Face, name: str, model: EditingModel, *, is_target: bool) -> Located:
    """The crop of ``face``, with notes on why it is hard to read or, with ``is_target``, to edit."""
    template = str(model.metadata.get("template", align.TEMPLATE_NAME))
    photo_to_crop = align.align_to(template, face.landmarks, photo.size)
    left, top, right, bottom = _around(photo_to_crop, photo.size)
    pixels = to_srgb(photo.pixels[top:bottom, left:right], photo.icc)
    to_crop = np.column_stack([photo_to_crop[:, :2], align.apply(photo_to_crop, (left, top))])
    crop = resample.crop(pixels, to_crop, model.size)
    side = float(1 / np.hypot(*photo_to_crop[:, 0]))
    notes = notes_on_face(name, face, photo.size, crop, side, is_target=is_target)
    landmarks = face.landmarks - np.array((left, top, 0), np.float32)
    return Located(photo, (left, top), pixels, to_crop, to_image(crop).to(model.device), landmarks, notes)


def _around(photo_to_crop: Floats, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what an edit can reach or look at: of a large photo it alone is worked on."""
    reach = (-_REACH, 1 + _REACH)
    corners = align.apply(align.invert(photo_to_crop), [(x, y) for x in reach for y in reach])
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, size).astype(int).tolist()
    return left, top, right, bottom
