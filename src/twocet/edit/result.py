"""What an edit gives back."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from twocet.edit.blend import bounds
from twocet.edit.stages import Code
from twocet.photo import align, resample
from twocet.photo.colour import changed_in_place, shown
from twocet.photo.credentials import Original
from twocet.photo.encode import SUFFIXES, encode_photo
from twocet.photo.images import Photo, Pixels
from twocet.photo.mark import Mark
from twocet.photo.marks import marked_bytes, write_marked
from twocet.photo.privacy import without_private
from twocet.photo.watermark.embed import watermarked
from twocet.runtime.arrays import Floats, Floats32

_SHOWN_SIDE = 640
"""Longest side of the preview in a notebook, pixels."""


class Change(NamedTuple):
    """What an edit changed."""

    corner: tuple[int, int]
    """Left and top in the photo."""
    before: Pixels
    """(h, w, 3) in sRGB."""
    after: Pixels


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """One edited photo.

    A notebook shows it as a picture, and ``np.asarray`` gives its pixels. If several faces were edited, ``crop``,
    ``code`` and ``landmarks`` belong to the largest. Two results are equal only if they are the same object: compare
    ``pixels``.
    """

    target: Photo
    """The photo that was edited."""
    changes: tuple[Change, ...]
    """What was changed, for each face."""
    faces: tuple[Floats, ...]
    """Where the changed faces are: photo_to_crop (2, 3) by ``twocet.photo.align.align``, for the watermark."""
    size: int
    """S: side of the model's crop in pixels."""
    code: Code
    """The expression given to the face, strength included."""
    strength: float
    """Factor on the reference's code."""
    notes: tuple[str, ...]
    """What the user should know, one line each."""
    mark: Mark
    """What the file will say about the edit."""
    photo_to_crop: Floats
    """(2, 3) float64: where the face is, as an affine map from photo pixels to crop sides (0 to 1)."""
    strip_private: bool
    """Whether place, camera and owner are left out of what is written."""
    landmarks: Floats32 | None
    """(478, 3) float32: the target's landmarks before the edit, in photo pixels; None if no face was looked for."""

    @cached_property
    def photo(self) -> Photo:
        """The whole picture with the target's metadata, in the target's colours."""
        return self._made()

    @property
    def pixels(self) -> Pixels:
        """(H, W, 3) uint8: the picture, as large as the target and in its colour space."""
        return self.photo.pixels

    @property
    def shown(self) -> Pixels:
        """(H, W, 3) uint8 in sRGB, as a screen shows it."""
        return shown(self.photo)

    def _made(self) -> Photo:
        pixels = self.target.pixels.copy()
        for (left, top), before, after in self.changes:
            height, width = before.shape[:2]
            changed_in_place(pixels[top : top + height, left : left + width], before, after, self.target.icc)
        return replace(self.target, pixels=pixels, edited=(*self.target.edited, *self.faces))

    @property
    def crop(self) -> Pixels:
        """(S, S, 3) uint8: the aligned face alone."""
        return resample.crop(self.pixels, self.photo_to_crop, self.size)

    @property
    def image(self) -> Image.Image:
        """The picture for Pillow: RGB, or RGBA if the target has transparency. It has no marks: ``save`` adds them."""
        image = Image.fromarray(self.pixels)
        if self.target.icc:
            image.info["icc_profile"] = self.target.icc
        if self.target.alpha is not None:
            image.putalpha(Image.fromarray(self.target.alpha))
        return image

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[np.generic]:
        """``pixels``, as NumPy's protocol asks for them."""
        return np.array(self.pixels, dtype, copy=copy)

    def __repr__(self) -> str:
        width, height = self.target.size
        notes = f", {len(self.notes)} note{'s' * (len(self.notes) > 1)}" * bool(self.notes)
        return f"<twocet.Result {width} x {height}, strength {self.strength:g}{notes}>"

    def _repr_png_(self) -> bytes:
        """A preview for notebooks, as IPython asks for it; at most 640 pixels wide and high."""
        preview = self.image
        preview.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        buffer = io.BytesIO()
        preview.save(buffer, "PNG")
        return buffer.getvalue()

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        mark: bool = True,
        crop: bool = False,
        strip_private: bool = False,
        source: Path | None = None,
    ) -> Path:
        """Write the picture with its marks, in the format that the suffix names. The file is whole or absent.

        Args:
            path: File to write: .png, .jpg, .webp or .tif.
            mark: Add the marks that say that a model changed the picture. A picture without a changed pixel gets none.
            crop: Write only the aligned face, (S, S, 3).
            strip_private: Remove place, camera and owner.
            source: The target's file, for a signed manifest, if the target was not given as a path.

        Returns:
            The path.

        Raises:
            UserError: If the file cannot be written, or the format has no room for the picture.
        """
        strip_private = strip_private or self.strip_private
        photo = self._to_write(strip_private)
        if strip_private:
            source = None
        if crop:
            photo = replace(photo, pixels=self.crop, alpha=None, low=None, edited=self._edited_in_crop())
        return write_marked(path, photo, self.mark if mark and photo.edited else None, source)

    def encoded(self, suffix: str, *, strip_private: bool = False, source: Original | None = None) -> bytes:
        """What ``save`` would write to a file with this suffix (".png"), as bytes, with marks."""
        strip_private = strip_private or self.strip_private
        photo = self._to_write(strip_private)
        if not photo.edited:
            return encode_photo(photo, SUFFIXES[suffix])
        return marked_bytes(photo, suffix, self.mark, None if strip_private else source)

    def _to_write(self, strip_private: bool) -> Photo:
        photo = self.__dict__.get("photo") or self._made()
        # The source's own manifests may tell all of it.
        return replace(without_private(photo), path=None) if strip_private else photo

    def marked(self, *, crop: bool = False) -> Pixels:
        """``shown``, or its crop, with the watermark: (H, W, 3) uint8 sRGB, for pictures that you write yourself."""
        if not crop:
            return watermarked(self.shown, self.photo.edited, self.mark.model_sha256)
        return watermarked(self.crop, self._edited_in_crop(), self.mark.model_sha256)

    def _edited_in_crop(self) -> tuple[Floats, ...]:
        return tuple(align.seen_through(place, self.photo_to_crop, self.size) for place in self.photo.edited)


def change(corner: tuple[int, int], before: Pixels, after: Pixels) -> Change:
    """What differs between two pictures whose left upper corner is at ``corner`` of the photo."""
    # By rows of levels: along the three of a pixel NumPy takes ten times as long.
    part = bounds((before != after).reshape(len(before), -1))
    if part is None:
        return Change(corner, before[:0, :0], after[:0, :0])
    rows, levels = part
    columns = slice(levels.start // 3, -(-levels.stop // 3))
    part = rows, columns
    return Change((corner[0] + columns.start, corner[1] + rows.start), before[part], after[part].copy())


def together(results: Sequence[Result]) -> Result:
    """Edits of several faces of one photo in one picture.

    Changes are added, so that where two faces touch neither edit is cut off.
    """
    first, *others = results
    if not others:
        return first
    same = all(result.strength == first.strength for result in others)
    return replace(
        first,
        changes=tuple(one for result in results for one in result.changes),
        faces=tuple(place for result in results for place in result.faces),
        notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
        mark=first.mark if same else replace(first.mark, strength=None),
    )
