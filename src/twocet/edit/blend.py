"""Putting an edit of the face crop back into the photo, at the photo's own resolution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample, interpolate

from twocet.networks.colours import natural_colours, tone_of, toned
from twocet.networks.edit import Edit
from twocet.photo.align import apply, invert
from twocet.photo.images import Pixels
from twocet.photo.scaling import HALF_RANGE, to_levels, to_unit
from twocet.runtime.arrays import Floats

# The outline of the face in MediaPipe's mesh, clockwise in the picture from the middle of the forehead.
FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_CHIN, _NOSE_BASE = 152, 2

# All in crop sides.
_JAW_DROP = 0.10
_DILATION = 0.02
_FEATHER = 0.08
_BORDER = 0.05
_STRIP_PIXELS = 1 << 17
"""What is worked on at a time: little enough to stay in the processor's cache, enough to keep its cores busy."""
_SAMPLE = 10_000
_REFINE_FROM = 1.5
_REFINEMENT = 2

# Below these nothing changes by half a grey level: the pixel keeps its exact value, and no time is spent on it.
_INVISIBLE_MASK = 1 / 512
_INVISIBLE_SHIFT = 1 / 64

Box = tuple[int, int, int, int]
"""Left, top, right, bottom (exclusive) in photo pixels."""


class Change(NamedTuple):
    """What becomes of a face: an edit whose light is apart from its paint. All fields are float32 of one size."""

    flow: torch.Tensor
    """(1, 2, h, w), as in :class:`twocet.networks.edit.Edit`."""
    mask: torch.Tensor
    """(1, 1, h, w)."""
    colour: torch.Tensor
    """(1, 3, h, w)."""
    light: torch.Tensor
    """(1, 1, h, w) logarithm of what the moved pixels are multiplied by."""


def unlit(edit: Edit) -> Change:
    """An edit that paints its light."""
    return Change(*edit, torch.zeros_like(edit.mask))


def face_mask(landmarks: npt.ArrayLike, size: int) -> npt.NDArray[np.float32]:
    """How much of an edit to apply: (size, size) float32, 1 on the face, falling smoothly to exactly 0 at the border.

    ``landmarks``: (478, 2 or more) in crop coordinates. The outline is widened, below the nose also downwards, because
    a jaw that drops shows where background was.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    outline = points[list(FACE_OVAL)]
    nose, chin = points[_NOSE_BASE, 1], points[_CHIN, 1]
    lowered = smoothstep((outline[:, 1] - nose) / max(chin - nose, 1e-6))
    outline = outline + np.column_stack([np.zeros_like(lowered), _JAW_DROP * lowered])
    ticks = (np.arange(size) + 0.5) / size
    x, y = ticks, ticks[:, None]
    inside = smoothstep((_DILATION + _FEATHER - signed_distance(x, y, outline)) / _FEATHER)
    # Half a pixel in from the side, so that the outermost pixels are exactly 0.
    to_border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) - 0.5 / size
    return (inside * smoothstep(to_border / _BORDER)).astype(np.float32)


def smoothstep(value: Floats) -> Floats:
    t: Floats = np.clip(value, 0, 1)
    return t * t * (3 - 2 * t)


def signed_distance(x: Floats, y: Floats, polygon: Floats) -> Floats:
    """(H, W): distance of points, columns ``x`` (W,), rows ``y`` (H, 1), to ``polygon`` (K, 2); negative within."""
    squared = np.full((len(y), len(x)), np.inf)
    within = np.zeros(squared.shape, bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        length = max(ex * ex + ey * ey, 1e-12)
        along = np.clip((x - ax) * (ex / length) + (y - ay) * (ey / length), 0, 1)
        squared = np.minimum(squared, (x - ax - along * ex) ** 2 + (y - ay - along * ey) ** 2)
        if ay != by:
            within ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * ex / ey)
    distance: Floats = np.where(within, -1.0, 1.0) * np.sqrt(squared)
    return distance


def mean_change(image: torch.Tensor, other: torch.Tensor, alpha: npt.NDArray[np.float32]) -> float:
    """How much two crops differ inside the face, in grey levels of 255.

    Args:
        image: (1, 3, S, S) float in [-1, 1].
        other: likewise.
        alpha: (S, S) of :func:`face_mask`; not 0 everywhere.

    Returns:
        The mean absolute difference, weighted by ``alpha``.
    """
    difference = (image - other).abs().mean(dim=1)[0].cpu().numpy() * HALF_RANGE
    return float((difference * alpha).sum() / alpha.sum())


def apply_edit(pixels: Pixels, photo_to_crop: Floats, edit: Change, alpha: npt.NDArray[np.float32]) -> Pixels:
    """The photo with ``edit`` (batch of one) applied where ``alpha`` (S, S) allows it; a new array of the same size.

    ``alpha`` is 0 at its border, unless the photo ends there too: beyond the border its border value goes on.
    The flow moves the photo's own pixels (bicubic), so that skin keeps its full resolution, and light makes them
    brighter or darker; the mask then mixes in the generated colour, as far as faces and the photo's tone have it
    (:mod:`twocet.networks.colours`). ``alpha`` scales flow, light and mask, not the result: a seam of two mixed
    pictures would show both. Pixels where alpha, or flow, light and mask, are 0 stay bit-identical.
    """
    result: Pixels = pixels.copy()
    box = _photo_box(alpha, photo_to_crop, pixels.shape)
    if box is None:
        return result
    left, top, right, bottom = box
    if bool(edit.mask.any()):
        tone = tone_of(_sparse(pixels[top:bottom, left:right]))
        edit = edit if tone is None else edit._replace(colour=toned(edit.colour, tone))
    fields = _fields(edit, photo_to_crop, alpha)
    rows = max(1, _STRIP_PIXELS // (right - left))
    for first in range(top, bottom, rows):
        _edit_box(pixels, result, (left, first, right, min(first + rows, bottom)), photo_to_crop, fields)
    return result


def _sparse(pixels: Pixels) -> Pixels:
    """Every k-th row and column: some ten thousand pixels at most."""
    step = 1 + int(np.sqrt(pixels.shape[0] * pixels.shape[1] / _SAMPLE))
    return pixels[::step, ::step]


def _fields(edit: Change, photo_to_crop: Floats, alpha: npt.NDArray[np.float32]) -> torch.Tensor:
    """Shift in photo pixels and light, as far as ``alpha`` (S, S) allows them: one (1, 3, h, w) field.

    Where something is painted, mask, likewise, and colour are channels 4 to 7 of it.

    It is fine enough that linear interpolation in the photo is smooth: where one pixel of the edit covers several of
    the photo, a linear ramp would show as facets on cheeks and lips.
    """
    painted = [edit.mask.clamp(0, 1), edit.colour] if bool(edit.mask.any()) else []
    fields = torch.cat([edit.flow, edit.light, *painted], dim=1).float().cpu()
    photo_side = 1 / float(np.sqrt(np.linalg.det(photo_to_crop[:, :2])))
    if photo_side >= _REFINE_FROM * fields.shape[-1]:
        fields = interpolate(fields, scale_factor=_REFINEMENT, mode="bicubic", align_corners=False)
    weight = torch.from_numpy(alpha)[None, None]
    weight = interpolate(weight, size=fields.shape[-2:], mode="bilinear", align_corners=False)
    to_pixels = torch.from_numpy(np.linalg.inv(photo_to_crop[:, :2])).float()
    shift = torch.einsum("kc,nchw->nkhw", to_pixels, fields[:, :2] * weight)
    return torch.cat([shift, fields[:, 2:4] * weight, fields[:, 4:].clamp(-1, 1)], dim=1)


def _photo_box(alpha: npt.NDArray[np.float32], photo_to_crop: Floats, shape: tuple[int, ...]) -> Box | None:
    """The photo pixels that ``alpha`` can reach."""
    part = bounds(alpha > 0)
    if part is None:
        return None
    rows, columns = part
    x = np.array((columns.start - 1, columns.stop + 1)) / alpha.shape[1]
    y = np.array((rows.start - 1, rows.stop + 1)) / alpha.shape[0]
    corners = apply(invert(photo_to_crop), [(u, v) for u in np.clip(x, 0, 1) for v in np.clip(y, 0, 1)])
    limit = (shape[1], shape[0])
    left, top = (int(value) for value in np.clip(np.floor(corners.min(axis=0)), 0, limit))
    right, bottom = (int(value) for value in np.clip(np.ceil(corners.max(axis=0)), 0, limit))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _edit_box(pixels: Pixels, result: Pixels, box: Box, photo_to_crop: Floats, fields: torch.Tensor) -> None:
    """Writes the edited pixels of ``box`` into ``result``; ``fields`` are :func:`_fields`'."""
    place = positions(box, photo_to_crop)
    given = sampled(fields[:, :4], place)
    far = torch.maximum(given[:, 0].abs(), given[:, 1].abs()) > _INVISIBLE_SHIFT
    changed = (far | (given[:, 2:].abs() > _INVISIBLE_MASK).any(dim=1))[0].numpy()
    part = bounds(changed)
    if part is None:
        return
    rows, columns = part
    inner = (box[0] + columns.start, box[1] + rows.start, box[0] + columns.stop, box[1] + rows.stop)
    given, place = given[..., rows, columns], place[:, rows, columns]
    shown = moved(pixels, inner, given[:, :2]).mul_(given[:, 2:3].exp())
    edited = (
        shown.round_().clamp_(0, 255).to(torch.uint8) if given.shape[1] == 3 else _painted(shown, given, fields, place)
    )
    region = result[inner[1] : inner[3], inner[0] : inner[2]]
    np.copyto(region, edited[0].permute(1, 2, 0).numpy(), where=changed[rows, columns, None])


def _painted(shown: torch.Tensor, given: torch.Tensor, fields: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """(1, 3, h, w) uint8: ``shown`` (levels) with the fields' colour mixed in."""
    unit, colour = to_unit(shown), sampled(fields[:, 4:], place)
    return to_levels(natural_colours(torch.lerp(unit, colour, given[:, 3:]), unit))


def bounds(hits: npt.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The smallest rows and columns that hold every hit."""
    rows, columns = np.flatnonzero(hits.any(axis=1)), np.flatnonzero(hits.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def positions(box: Box, photo_to_crop: Floats) -> torch.Tensor:
    """(1, h, w, 2) float32: where each photo pixel of ``box`` lies in the crop, counted from -1 to 1."""
    left, top, right, bottom = box
    x, y = np.arange(left, right) + 0.5, np.arange(top, bottom)[:, None] + 0.5
    place = np.empty((1, bottom - top, right - left, 2), np.float32)
    for axis, row in enumerate(2 * photo_to_crop):
        place[0, ..., axis] = row[0] * x + (row[1] * y + (row[2] - 1))
    return torch.from_numpy(place)


def sampled(field: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """``field`` (1, C, S, S) at :func:`positions` (1, h, w, 2), bilinear."""
    return grid_sample(field, place, mode="bilinear", padding_mode="border", align_corners=False)


def moved(pixels: Pixels, box: Box, shift: torch.Tensor) -> torch.Tensor:
    """The photo at each pixel of ``box`` plus ``shift`` (1, 2, h, w) photo pixels: (1, 3, h, w) float32, 0..255."""
    left, top, right, bottom = box
    reach = int(np.ceil(float(shift.abs().max()))) + 3
    x0, y0 = max(left - reach, 0), max(top - reach, 0)
    x1, y1 = min(right + reach, pixels.shape[1]), min(bottom + reach, pixels.shape[0])
    window = torch.from_numpy(pixels[y0:y1, x0:x1].astype(np.float32)).permute(2, 0, 1)[None]
    x = (torch.arange(left, right, dtype=torch.float32) + (0.5 - x0) + shift[0, 0]) * (2 / (x1 - x0)) - 1
    y = (torch.arange(top, bottom, dtype=torch.float32)[:, None] + (0.5 - y0) + shift[0, 1]) * (2 / (y1 - y0)) - 1
    grid = torch.stack([x, y], dim=-1)[None]
    return grid_sample(window, grid, mode="bicubic", padding_mode="border", align_corners=False)
