"""From an aligned face to a picture of it with another expression: shape, pixels, mouth, blend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from twocet.edit import blend, shape
from twocet.edit.bank import nearest, packaged_bank
from twocet.edit.eyes import move_lids
from twocet.edit.glasses import glasses_on
from twocet.edit.inside import STRETCH, Inside, MouthSource, choose_inside
from twocet.edit.light import light_ratio
from twocet.edit.lips import CLOSED, CURVES, gap_of, opening_of
from twocet.edit.locate import Located
from twocet.edit.mouth import Shapes, finish
from twocet.edit.regions import Region, edited_share
from twocet.edit.skin import lit
from twocet.networks.edit import Edit, render
from twocet.photo import align, resample
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_image, to_pixels
from twocet.runtime.arrays import Floats
from twocet.runtime.cache import Recent

if TYPE_CHECKING:
    from twocet.model.interface import EditingModel

Code = npt.NDArray[np.float32]
"""(d,) float32, an expression; the zero vector is neutral."""

_NOTHING_TO_REMOVE = 0.5
"""A face is neutral already if making it neutral would change it by less than half a grey level of 255 on average."""
_PARTED = 0.025
"""Lips at rest may be parted by so much, see :func:`twocet.edit.lips.opening_of`."""
_KEPT_READINGS = 256


class Expression(NamedTuple):
    """What a reference gives to a face."""

    code: Code
    mouth: MouthSource | None = None
    """Of the reference photo; None for a bare code."""
    own_mouth: MouthSource | None = None
    """From a further photo of the target's person."""
    gap: Floats | None = None
    """(11, 2) between the lips, in mouth coordinates; None: as in ``mouth``, or as the code tells."""
    notes: tuple[str, ...] = ()


class Neutral(NamedTuple):
    """A target without its expression: what every strength and every reference starts from."""

    located: Located
    alpha: npt.NDArray[np.float32]
    """(S, S): how much of an edit the photo takes, see :func:`twocet.edit.blend.face_mask`."""
    whole: bool
    """Whether all of the face takes it."""
    image: torch.Tensor
    """(1, 3, S, S) neutral crop."""
    pixels: Pixels
    """``located.pixels`` without the expression."""
    was_neutral: bool
    mouth: MouthSource | None
    """Of the target as it was given; None where the mouth stays painted."""
    rest: Floats
    """(478, 2) landmarks of the neutral photo in crop sides; of no meaning without a mouth."""
    rigid: torch.Tensor | None
    """Where glasses are, see :func:`twocet.edit.glasses.glasses_on`."""
    readings: Recent[Floats]
    """Landmarks read with expressions, by code, where no movement is known."""


def bytes_of(neutrals: Sequence[Neutral]) -> int:
    """What the pixels of one target take, of whose faces some are edited."""
    return neutrals[0].located.photo.pixels.nbytes + sum(neutral.pixels.nbytes for neutral in neutrals)


class Plan(NamedTuple):
    """What becomes of a mouth."""

    shapes: Shapes
    inside: Inside | None


@dataclass(frozen=True)
class Stages:
    """What one model makes of faces."""

    model: EditingModel
    mover: shape.Mover | None
    """Where its codes move landmarks; None: they are read on what it paints."""
    read: Callable[[Pixels], Floats | None]
    """(478, 2) landmarks of the largest face in a picture, its pixels; None without a face."""

    @torch.inference_mode()
    def neutral(self, located: Located, mouth: MouthSource | None, regions: Collection[Region] = ()) -> Neutral:
        """The face without its expression; ``mouth`` None paints mouths, ``regions`` stay as they are."""
        moved, at_rest = self._from_rest(located.image)
        edit = self.model.edit(located.image, located.image.new_zeros(1, self.model.code_dim))
        image, alpha = render(located.image, edit), _mask(located, regions)
        photo, photo_to_crop = located.pixels, located.photo_to_crop
        points = np.zeros((0, 2)) if mouth is None else located.points(mouth)
        whole = not regions
        rigid = None if mouth is None else glasses_on(photo, photo_to_crop, points, self.model.size)
        face = Neutral(located, alpha, whole, located.image, photo, True, mouth, points, rigid, Recent(_KEPT_READINGS))
        if moved is None:
            at_rest = blend.mean_change(located.image, image, alpha) <= _NOTHING_TO_REMOVE
        if at_rest and (mouth is None or mouth.opening < _PARTED):
            return face
        if mouth is None:
            pixels = blend.apply_edit(photo, photo_to_crop, blend.unlit(edit), alpha)
            image = image if whole else self._image(pixels, photo_to_crop)
            return face._replace(image=image, pixels=pixels, was_neutral=False)
        rest = shape.closed(self._read(image, points) if moved is None else points - moved)
        shapes = Shapes(shape.within_lips(points), rest, rest)
        change = lit(edit, located.image, rest, painted_eyes=moved is None, rigid=rigid)
        pixels = apply_plan(photo, photo_to_crop, change, alpha, Plan(shapes, None), lids=moved is not None)
        return face._replace(image=self._image(pixels, photo_to_crop), pixels=pixels, was_neutral=False, rest=rest)

    def photo(self, neutral: Neutral, expression: Expression, strength: float) -> Pixels:
        """The photo (H, W, 3) with the expression."""
        edit = self.edit(neutral, expression.code, strength)
        if edit is None:
            same: Pixels = neutral.pixels.copy()
            return same
        photo_to_crop = neutral.located.photo_to_crop
        return self._applied(neutral, photo_to_crop, edit, expression, strength)

    def crop(self, neutral: Neutral, expression: Expression, strength: float) -> Pixels:
        """The face alone (S, S, 3), much sooner."""
        image = neutral.image
        edit = self.edit(neutral, expression.code, strength)
        if edit is None or (neutral.mouth is None and neutral.whole):
            return to_pixels(image if edit is None else render(image, edit))
        small = neutral._replace(pixels=to_pixels(neutral.image))
        return self._applied(small, align.square_to_crop(*image.shape[-2:]), edit, expression, strength)

    @torch.inference_mode()
    def edit(self, neutral: Neutral, code: Code, strength: float) -> Edit | None:
        """The edit that gives a neutral face an expression; None: there is nothing to do."""
        if not (strength * code).any():
            return None
        return self.model.edit(neutral.image, torch.from_numpy(code)[None].to(neutral.image.device), strength)

    def _applied(
        self, neutral: Neutral, photo_to_crop: Floats, edit: Edit, expression: Expression, strength: float
    ) -> Pixels:
        """The neutral photo with the edit, and with a mouth of real pixels where one is known."""
        plan = None
        if neutral.mouth is not None:
            moved = self._moved(neutral, expression.code)
            plan = plan_mouth(neutral.rest, moved, neutral.mouth, expression, strength, packaged_bank())
        if plan is None:
            return blend.apply_edit(neutral.pixels, photo_to_crop, blend.unlit(edit), neutral.alpha)
        lids = self.mover is not None
        change = lit(edit, neutral.image, plan.shapes.after, painted_eyes=not lids, rigid=neutral.rigid)
        return apply_plan(neutral.pixels, photo_to_crop, change, neutral.alpha, plan, lids=lids)

    def _image(self, pixels: Pixels, photo_to_crop: Floats) -> torch.Tensor:
        """(1, 3, S, S) the crop of a photo."""
        return to_image(resample.crop(pixels, photo_to_crop, self.model.size)).to(self.model.device)

    def _from_rest(self, image: torch.Tensor) -> tuple[Floats | None, bool]:
        """(478, 2) how far from rest a face's landmarks are, crop sides, and whether it is at rest; None: unknown."""
        if self.mover is None:
            return None, False
        own = to_array(self.model.encode(image)[0])
        return self.mover.from_rest(image, own), self.mover.at_rest(image, own)

    def _moved(self, neutral: Neutral, code: Code) -> Floats:
        """(478, 2) where the neutral face's landmarks lie with an expression at strength 1, crop sides."""
        if self.mover is not None:
            return neutral.rest + self.mover.given(neutral.image, code)

        def read() -> Floats:
            edit = self.edit(neutral, code, 1.0)
            return neutral.rest if edit is None else self._read(render(neutral.image, edit), neutral.rest)

        return neutral.readings.get(code.tobytes(), read)

    def _read(self, image: torch.Tensor, otherwise: Floats) -> Floats:
        """(478, 2) landmarks of a crop (1, 3, S, S), crop sides; ``otherwise`` if no face is found there."""
        points = self.read(to_pixels(image))
        return otherwise if points is None else points / image.shape[-1]


def plan_mouth(
    rest: Floats,
    moved: Floats,
    own: MouthSource,
    expression: Expression,
    strength: float,
    bank: Sequence[MouthSource] = (),
) -> Plan | None:
    """What becomes of a neutral face's mouth; None if it opens and nothing is known of its inside.

    Args:
        rest: (478, 2) landmarks of the neutral face, crop sides.
        moved: Likewise with the expression's code at strength 1.
        own: The mouth of the target as it was given.
        expression: What it is given.
        strength: How much of it.
        bank: Mouths for expressions of which no photo is at hand.
    """
    gap = expression.mouth.gap if expression.gap is None and expression.mouth else expression.gap
    full = moved if gap is None else shape.with_gap(moved, gap)
    opening = opening_of(full[CURVES])
    inside = choose_inside(own.light, opening, (expression.own_mouth, own), expression.mouth)
    if inside is None and opening > CLOSED:
        if not bank:
            return None
        source = nearest(full[CURVES], bank)
        inside = Inside(source, light_ratio(own.light, source.light))
    if inside is not None:
        # Lips that open wider than the teeth may be stretched would bare a strip of nothing.
        full = shape.no_wider(full, STRETCH[1] * inside.source.gap)
    after = shape.at_strength(rest, full, strength)
    if strength > 1 and inside is not None:
        after = shape.no_wider(after, np.maximum(gap_of(full[CURVES]), STRETCH[1] * inside.source.gap))
    return Plan(Shapes(rest, after, full if strength <= 1 else after), inside)


def apply_plan(
    pixels: Pixels,
    photo_to_crop: Floats,
    change: blend.Change,
    alpha: npt.NDArray[np.float32],
    plan: Plan,
    *,
    lids: bool,
) -> Pixels:
    """The photo (H, W, 3) with a change of its face, the planned mouth and, with ``lids``, eyes of its own skin."""
    made = finish(pixels, photo_to_crop, change, alpha, *plan)
    if lids:
        move_lids(pixels, made, photo_to_crop, change, alpha, plan.shapes.before, plan.shapes.after)
    return made


def to_array(code: torch.Tensor) -> Code:
    """Any code as an array."""
    array: Code = code.detach().float().cpu().numpy()
    return array


def _mask(located: Located, regions: Collection[Region]) -> npt.NDArray[np.float32]:
    """Where an edit may change the photo: on the face, or everywhere if the photo is a crop already."""
    size = located.image.shape[-1]
    if located.landmarks is None:
        return np.ones((size, size), np.float32)
    points = align.apply(located.photo_to_crop, located.landmarks[:, :2])
    return blend.face_mask(points, size) * edited_share(points, size, regions)
