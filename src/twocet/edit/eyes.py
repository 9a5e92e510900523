"""The eyes at the photo's own resolution: lids of the person's own skin that close over their own eyeballs, or open."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate

from twocet.edit.blend import Box, Change, bounds, moved, positions, sampled, smoothstep
from twocet.edit.curve import height
from twocet.edit.lips import MouthFrame
from twocet.edit.warp import thin_plate
from twocet.photo.align import apply, invert
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats


class Eye(NamedTuple):
    """Landmarks of one eye, from the left of the picture to the right."""

    upper: tuple[int, ...]
    """(9) the border of the upper lid, corners included."""
    lower: tuple[int, ...]
    """(9) of the lower lid."""
    above: tuple[int, ...]
    """(7) skin between the upper lid and the brow."""
    below: tuple[int, ...]
    """(7) skin below the lower lid."""
    iris: int


# fmt: off
EYES = (
    Eye((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (247, 30, 29, 27, 28, 56, 190), (25, 110, 24, 23, 22, 26, 112), 468),
    Eye((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263),
        (414, 286, 258, 257, 259, 260, 467), (341, 256, 252, 253, 254, 339, 255), 473),
)
# fmt: on

# All in eye widths unless said otherwise.
_CLOSED = 0.08
"""Mean height of an eye that is closed: there is nothing below its lid that could be shown."""
_REMNANT = 0.2
"""Share of its height that an eye which shall be closed may be told to leave open."""
_WIDEST = 1.25
"""How much higher an eye may become: more would show what no photo does."""
_LEAST_RISING = 0.15
"""Of what an eye closes, the lower lid's share at least where it closes altogether: the line that the lids make is
flatter than the lower lid of an open eye."""
_WATER_LINE = 0.035
"""How far below its read border the lower lid ends: nothing of the eyeball stays on it."""
_LASHES = 0.06
"""Skin beside a border that goes with it unstretched."""
_FOLD, _YIELDING = 0.2, 0.5
"""Shares of a lid's own way, and of that of the face around, which the skin between the two goes."""
_ACROSS, _UP, _DOWN = 0.9, 0.6, 0.5
"""Half axes of the ellipse about the middle of the eye in which lids move the skin."""
_INNER = 0.65
"""Share of the ellipse in which they alone do."""
_WHOLLY = 0.99
_ANCHORS = 16
_SMOOTHING = 1e-6
_SPARSE = 4
_SOFT_PIXELS, _SOFT = 0.8, 0.012
"""Half the width of the lids' borders: pixels at least, and eye widths."""
_SHADOW, _SHADOW_REACH = 0.4, 0.06
"""Depth of the shadow of a lid that has come down, and its length."""


class Lid(NamedTuple):
    """One lid in the coordinates of the eye before."""

    border: Floats
    """(9, 2) before."""
    way: Floats
    """(9, 2) where it goes from there."""
    skin: Floats
    """(7, 2) of it, before."""

    @property
    def goes(self) -> Floats:
        """(9, 2) the border that is made."""
        return self.border + self.way


class Lids(NamedTuple):
    """An eye that opens or closes."""

    frame: MouthFrame
    """From corner to corner, in crop sides and in its widths; corners and eyeball lie still in the skull."""
    upper: Lid
    lower: Lid
    iris: float
    """Height of the iris' centre."""


class _View(NamedTuple):
    """The part of a photo in which one eye lies."""

    box: Box
    local: Floats
    """(h, w, 2) where its pixels lie in the eye's coordinates."""
    shift: torch.Tensor
    """(1, 2, h, w) crop sides: where the face's own movement takes them from."""
    light: torch.Tensor
    """(1, 1, h, w), see :class:`twocet.edit.blend.Change`."""
    weight: Floats
    """(h, w) how much lids move them in its place."""
    soft: float
    """Half the width of borders, eye widths."""

    def part(self, rows: slice, columns: slice) -> _View:
        """Some of it."""
        left, top = self.box[0] + columns.start, self.box[1] + rows.start
        return _View(
            (left, top, left + columns.stop - columns.start, top + rows.stop - rows.start),
            self.local[rows, columns],
            self.shift[..., rows, columns],
            self.light[..., rows, columns],
            self.weight[rows, columns],
            self.soft,
        )


def lids_of(eye: Eye, before: Floats, after: Floats) -> Lids | None:
    """How an eye opens or closes from one set of landmarks (478, 2; crop sides) to another; None for a closed one."""
    frame = _frame(before, eye)
    upper, lower, above, below = (frame.enter(before[list(part)]) for part in eye[:4])
    gap = np.maximum((lower - upper)[:, 1], 0)
    mean = float(gap[1:-1].mean())
    if mean < _CLOSED:
        return None
    down, up = (_lowered(frame, side, before, after) / mean for side in (eye.upper, eye.lower))
    closing = 1 - share_open(1 - down + up)
    # Meshes sink and rise with all of the eye: what both lids do together is not theirs.
    rising = float(np.clip(-up / (down - up), 0, 1)) if down != up else 0.0
    rising = max(rising, _LEAST_RISING * closing)
    lower[:, 1] += _WATER_LINE * np.minimum(2 * gap / gap.max(), 1)
    apart = np.column_stack([np.zeros_like(gap), closing * (lower - upper)[:, 1]])
    iris = float(frame.enter(before[eye.iris])[1])
    return Lids(frame, Lid(upper, (1 - rising) * apart, above), Lid(lower, -rising * apart, below), iris)


def share_open(told: float) -> float:
    """How high an eye shall be, of its own height, when landmarks tell ``told``: closed for almost closed."""
    return max(told - _REMNANT, 0) / (1 - _REMNANT) if told < 1 else min(told, _WIDEST)


def _lowered(frame: MouthFrame, side: tuple[int, ...], before: Floats, after: Floats) -> float:
    inner = list(side[1:-1])
    return float((frame.enter(after[inner]) - frame.enter(before[inner]))[:, 1].mean())


def _frame(points: Floats, eye: Eye) -> MouthFrame:
    left, right = points[eye.upper[0]], points[eye.upper[-1]]
    width = float(np.hypot(*(right - left)))
    return MouthFrame((left + right) / 2, (right - left) / width, width)


def move_lids(
    pixels: Pixels,
    result: Pixels,
    photo_to_crop: Floats,
    change: Change,
    alpha: npt.NDArray[np.float32],
    before: Floats,
    after: Floats,
) -> None:
    """Writes the eyes into ``result``, to which ``change`` was applied.

    Args:
        pixels: (H, W, 3) the photo that is edited.
        result: (H, W, 3) what is made of it.
        photo_to_crop: Where its face is.
        change: What was applied; lids move in it.
        alpha: (S, S) how much of the change the photo takes: eyes that do not take all of it are left alone.
        before: (478, 2) landmarks of the photo, crop sides.
        after: Likewise of what is made.
    """
    size = change.flow.shape[-1]
    weight = torch.from_numpy(alpha)[None, None]
    fields = torch.cat([change.flow.cpu() * weight, change.light.cpu() * weight], dim=1).float()
    for eye in EYES:
        column, row = np.clip((size * before[eye.iris]).astype(int), 0, size - 1)
        lids = lids_of(eye, before, after) if alpha[row, column] > _WHOLLY else None
        view = None if lids is None else _view(lids.frame, fields, photo_to_crop, pixels.shape)
        if lids is not None and view is not None:
            left, top, right, bottom = view.box
            made = _made(pixels, view, lids, fields, photo_to_crop)
            np.copyto(result[top:bottom, left:right], made, where=(view.weight > 0)[..., None])


def _view(frame: MouthFrame, fields: torch.Tensor, photo_to_crop: Floats, shape: tuple[int, ...]) -> _View | None:
    corners = frame.leave([(x, y) for x in (-_ACROSS, _ACROSS) for y in (-_UP, _DOWN)])
    places = apply(invert(photo_to_crop), corners)
    limit = (shape[1], shape[0])
    left, top = (int(v) for v in np.clip(np.floor(places.min(axis=0)), 0, limit))
    right, bottom = (int(v) for v in np.clip(np.ceil(places.max(axis=0)), 0, limit))
    if left >= right or top >= bottom:
        return None
    place = positions((left, top, right, bottom), photo_to_crop)
    shift, light = sampled(fields, place).split_with_sizes([2, 1], dim=1)
    local = frame.enter((place[0].numpy().astype(np.float64) + 1) / 2)
    away = np.hypot(local[..., 0] / _ACROSS, local[..., 1] / np.where(local[..., 1] < 0, _UP, _DOWN))
    pixel = float(np.hypot(*photo_to_crop[:, 0])) / frame.width
    weight = smoothstep((1 - away) / (1 - _INNER))
    return _View((left, top, right, bottom), local, shift, light, weight, max(_SOFT_PIXELS * pixel, _SOFT))


def _made(pixels: Pixels, view: _View, lids: Lids, fields: torch.Tensor, photo_to_crop: Floats) -> Pixels:
    """(h, w, 3) the eye: two lids, and between them the eyeball."""
    edges = [height(view.local[..., 0], lid.goes) for lid in (lids.upper, lids.lower)]
    under, below = (smoothstep(0.5 + (view.local[..., 1] - edge) / (2 * view.soft)) for edge in edges)
    gap = np.maximum(under - below, 0)
    out = np.zeros((*gap.shape, 3))

    def add(share: Floats, source: Callable[[Floats], Floats], shade: Callable[[Floats], Floats] | None = None) -> None:
        """Adds a layer where it shows: the photo as seen at the places of the eye that ``source`` tells."""
        part = bounds((share > 0) & (view.weight > 0))
        if part is not None:
            seen = _seen(pixels, view.part(*part), lids.frame, source, photo_to_crop)
            light = 1.0 if shade is None else shade(view.local[part])[..., None]
            out[part] += seen * light * share[part][..., None]

    add(1 - below - gap, lambda local: _skin(lids.upper, -1, lids.frame, local, fields))
    add(below, lambda local: _skin(lids.lower, 1, lids.frame, local, fields))
    add(gap, lambda local: _ball(lids, local), lambda local: _shade(lids, local))
    made: Pixels = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    return made


def _seen(
    pixels: Pixels, view: _View, frame: MouthFrame, source: Callable[[Floats], Floats], photo_to_crop: Floats
) -> Floats:
    """(h, w, 3) levels of the photo, lit, where lids or the face's own movement take it from."""
    to_pixels = torch.from_numpy(np.linalg.inv(photo_to_crop[:, :2])).float()
    own = torch.from_numpy(frame.leave(source(view.local)) - frame.leave(view.local)).permute(2, 0, 1)[None].float()
    shift = torch.lerp(view.shift, own, torch.from_numpy(view.weight).float())
    levels = moved(pixels, view.box, torch.einsum("kc,nchw->nkhw", to_pixels, shift)) * view.light.exp()
    seen: Floats = levels[0].permute(1, 2, 0).numpy()
    return seen


def _ball(lids: Lids, local: Floats) -> Floats:
    """(h, w, 2) where the eyeball's pixels come from: it lies still; under a lid that is raised it is stretched."""
    x, y = local[..., 0], local[..., 1]
    edge = height(x, lids.upper.goes)
    half = np.maximum(lids.iris - edge, 1e-6)
    raised = np.clip((height(x, lids.upper.border) - edge) / half, 0, 0.5)
    up = np.clip((lids.iris - y) / half, 0, 1)
    return np.stack([x, y + half * raised * up * up], axis=-1)


def _shade(lids: Lids, local: Floats) -> Floats:
    """(h, w) the light that a lid which has come down leaves on the eyeball."""
    edge = height(local[..., 0], lids.upper.goes)
    covered = np.clip((edge - height(local[..., 0], lids.upper.border)) / _SHADOW_REACH, 0, 1)
    shade: Floats = 1 - _SHADOW * covered * np.exp(-np.maximum(local[..., 1] - edge, 0) / _SHADOW_REACH)
    return shade


def _skin(lid: Lid, side: int, frame: MouthFrame, local: Floats, fields: torch.Tensor) -> Floats:
    """(h, w, 2) where the skin of a lid comes from; ``side`` -1 for the upper one."""

    def of_face(places: Floats) -> Floats:
        """(k, 2) where the face's own movement takes places (k, 2) from, from there."""
        points = frame.leave(places)
        place = torch.from_numpy(2 * points - 1).float()[None, None]
        flow = sampled(fields[:, :2], place)[0, :, 0].numpy().T
        return frame.enter(points + flow) - places

    within = lid.way[1:-1]
    lashes = lid.border[1:-1] + np.array((0, side * _LASHES))
    before = np.concatenate([lid.border, lashes, lid.skin])
    way = np.concatenate([lid.way, within, _FOLD * within - _YIELDING * of_face(lid.skin)])
    turn = np.arange(_ANCHORS) * (2 * np.pi / _ANCHORS)
    rim = np.column_stack([_ACROSS * np.cos(turn), np.where(np.sin(turn) < 0, _UP, _DOWN) * np.sin(turn)])
    # The movement is smooth: some places are enough, between which it is interpolated.
    rows, columns = (2 + length // _SPARSE for length in local.shape[:2])
    down, along = np.linspace(0, 1, rows)[:, None, None], np.linspace(0, 1, columns)[:, None]
    at = local[0, 0] + along * (local[0, -1] - local[0, 0]) + down * (local[-1, 0] - local[0, 0])
    known = np.concatenate([-way, of_face(rim)])
    shift = thin_plate(np.concatenate([before + way, rim]), known, at.reshape(-1, 2), _SMOOTHING)
    coarse = torch.from_numpy(shift.T.reshape(1, 2, rows, columns)).float()
    fine = interpolate(coarse, size=local.shape[:2], mode="bicubic", align_corners=True)
    source: Floats = local + fine[0].permute(1, 2, 0).numpy()
    return source
