"""Where faces may be: a photo seen in squares of every size, and each finding looked at again in all four turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from twocet.photo.detector import VIEW_SIDE, Region, detect, square_window
from twocet.photo.graphs import Graph
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_NUM_LEVELS = 4
_MIN_TILE = 224
"""Photo pixels: smaller squares would only show faces too small to edit."""
_TILE_STEP = 96
"""View pixels from tile to tile: a face of up to a quarter of the view is whole in one of them."""
_SUSPICION = 0.4
"""Least score of a region that is looked at again."""
_CERTAIN, _CERTAIN_IN_A_PART = 0.5, 0.7
"""Least scores of a face seen upright and close: there are many small squares, so chance findings are likelier."""
_CLOSE_UP = 2.2
"""Side of the close view, in sides of the face."""
_UPRIGHT_BONUS = 0.03
"""Added to the score of an upright face, since most faces are: it decides where half of a face is hidden."""
_SAME_FACE = 0.5
"""Two regions that share so much of the smaller one are of one face."""
_BLOCK, _CONTRAST, _LEAST_BLOCKS = 8, 0.08, 4
"""View pixels; a difference in a block, as a share of that in the whole photo; a face shows in so many blocks."""

_Found = TypeVar("_Found")


class Level(NamedTuple):
    """A photo shrunk so that its longer side is one or more views long."""

    pixels: Pixels
    scale: float
    """Photo pixels of one of its own."""
    certain: float
    """Least score of a face."""


def levels(pixels: Pixels) -> list[Level]:
    """From the whole photo in one view to the smallest squares, each half as large as those before."""
    longer = max(pixels.shape[:2])
    count = 1 + sum(longer / 2**k >= _MIN_TILE for k in range(1, _NUM_LEVELS))
    image = Image.fromarray(pixels)
    made = []
    for k in reversed(range(count)):
        scale = longer / (VIEW_SIDE * 2**k)
        width, height = (max(1, round(side / scale)) for side in pixels.shape[1::-1])
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0)
        made.append(Level(np.asarray(image), scale, _CERTAIN_IN_A_PART if k else _CERTAIN))
    return made[::-1]


def suspects(graph: Graph, level: Level, known: Sequence[Region]) -> list[Region]:
    """Where there may be a face of the level's sizes besides those ``known``, most suspect first."""
    found = [region for view, window in _tiles(level, known) for region in detect(graph, view, window, _SUSPICION)]
    new = [region for region in found if all(_shared(region, other) <= _SAME_FACE for other in known)]
    return distinct(new, lambda region: region)


def look_closely(graph: Graph, level: Level, suspect: Region) -> Region | None:
    """The face of a suspect region in the turn in which it scores best, or None when there is none.

    Upside down a face still looks like an upright one, its mouth on the forehead; but the right turn scores higher.
    """
    side = max(1, round(_CLOSE_UP * suspect.side / level.scale))
    left, top = np.floor(suspect.centre / level.scale - side / 2).astype(int).tolist()
    cut = Image.fromarray(level.pixels).crop((left, top, left + side, top + side))
    view = np.asarray(cut.resize((VIEW_SIDE, VIEW_SIDE), Image.Resampling.BILINEAR))
    centre = np.array((left + side / 2, top + side / 2)) * level.scale
    seen = []
    for quarter in range(4):
        window = square_window(centre, side * level.scale, quarter * np.pi / 2)
        found = detect(graph, np.rot90(view, quarter), window, level.certain)
        seen += [region for region in found if _shared(region, suspect) > _SAME_FACE][:1]
    return max(seen, key=lambda region: region.score + _UPRIGHT_BONUS * float(np.cos(region.angle)), default=None)


def distinct(found: Sequence[_Found], region_of: Callable[[_Found], Region]) -> list[_Found]:
    """Of the findings on one face, the most certain."""
    kept: list[_Found] = []
    for finding in sorted(found, key=lambda finding: -region_of(finding).score):
        if all(_shared(region_of(finding), region_of(other)) <= _SAME_FACE for other in kept):
            kept.append(finding)
    return kept


def _shared(region: Region, other: Region) -> float:
    """What two regions, taken as upright, have in common: share of the smaller one."""
    low = np.maximum(region.centre - region.side / 2, other.centre - other.side / 2)
    high = np.minimum(region.centre + region.side / 2, other.centre + other.side / 2)
    return float(np.prod(np.clip(high - low, 0, None))) / max(min(region.side, other.side) ** 2, 1e-12)


def _tiles(level: Level, known: Sequence[Region]) -> Iterator[tuple[Pixels, Floats]]:
    """Square views that cover the level, with their windows; left out are those without contrast beside ``known``."""
    height, width = level.pixels.shape[:2]
    canvas = np.pad(level.pixels, ((0, max(0, VIEW_SIDE - height)), (0, max(0, VIEW_SIDE - width)), (0, 0)))
    busy = _busy(canvas)
    for region in known:
        # As much as the mesh graph sees of it.
        reach = 0.75 * region.side
        ends = np.array((region.centre - reach, region.centre + reach)) / (level.scale * _BLOCK)
        (left, top), (right, bottom) = np.clip(ends, 0, None).astype(int)
        busy[top : bottom + 1, left : right + 1] = False
    for y in _starts(canvas.shape[0]):
        for x in _starts(canvas.shape[1]):
            rows, columns = (slice(start // _BLOCK, (start + VIEW_SIDE) // _BLOCK) for start in (y, x))
            if busy[rows, columns].sum() < _LEAST_BLOCKS:
                continue
            centre = (np.array((x, y)) + VIEW_SIDE / 2) * level.scale
            yield canvas[y : y + VIEW_SIDE, x : x + VIEW_SIDE], square_window(centre, VIEW_SIDE * level.scale)


def _starts(length: int) -> list[int]:
    """Where tiles begin along a side."""
    count = 1 + int(np.ceil((length - VIEW_SIDE) / _TILE_STEP))
    return [round(start) for start in np.linspace(0, length - VIEW_SIDE, count)]


def _busy(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Which blocks of 8 x 8 pixels have enough contrast to be part of a face."""
    rows, columns = (side // _BLOCK for side in pixels.shape[:2])
    green = pixels[: rows * _BLOCK, : columns * _BLOCK, 1].astype(int).reshape(rows, _BLOCK, columns, _BLOCK)
    busy: npt.NDArray[np.bool_] = np.ptp(green, axis=(1, 3)) > _CONTRAST * np.ptp(green)
    return busy
