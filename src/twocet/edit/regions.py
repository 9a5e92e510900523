"""Parts of the face that an edit leaves as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from twocet.edit.blend import signed_distance, smoothstep
from twocet.errors import UserError
from twocet.runtime.arrays import Floats

Region = Literal["mouth", "eyes", "brows", "gaze"]
REGIONS: tuple[Region, ...] = get_args(Region)
"""``eyes`` are lids and all within them, ``gaze`` is what is seen between the lids."""


class _Part(NamedTuple):
    """What belongs to a region: within ``kept`` of the outlines nothing changes, from ``kept + soft`` on everything.

    Both in crop sides.
    """

    outlines: tuple[tuple[int, ...], ...]
    """Landmarks around each piece, in order."""
    kept: float
    soft: float


# fmt: off
_PARTS: dict[Region, _Part] = {
    "mouth": _Part(((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),),
                   0.03, 0.07),
    "eyes": _Part(((226, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25),
                   (446, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255)), 0.01, 0.04),
    "brows": _Part(((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)),
                   0.02, 0.04),
    "gaze": _Part(((33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
                   (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)), 0.008, 0.02),
}
# fmt: on


def parse_regions(names: Iterable[str]) -> tuple[Region, ...]:
    """The regions in a fixed order, each once. Raises UserError for a name that there is not."""
    given = set(names)
    for name in given - set(REGIONS):
        raise UserError(f"There is no region {name!r} of the face: choose from {', '.join(REGIONS)}.")
    return tuple(region for region in REGIONS if region in given)


def edited_share(landmarks: npt.ArrayLike, size: int, kept: Iterable[Region]) -> npt.NDArray[np.float32]:
    """How much of an edit each place takes: (size, size) float32, exactly 0 in the regions ``kept``, 1 far from them.

    ``landmarks``: (478, 2 or more) in crop coordinates.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    ticks: Floats = (np.arange(size) + 0.5) / size
    share = np.ones((size, size))
    for region in kept:
        part = _PARTS[region]
        for outline in part.outlines:
            distance = signed_distance(ticks, ticks[:, None], points[list(outline)])
            share *= smoothstep((distance - part.kept) / part.soft)
    return share.astype(np.float32)
