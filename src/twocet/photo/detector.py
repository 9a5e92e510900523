"""BlazeFace (arXiv 1907.05047): boxes and eyes of the faces in one small square view."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twocet.photo import align
from twocet.photo.graphs import Graph
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

VIEW_SIDE = 128
"""Pixels of the view that the graph reads."""
_SAME_FACE_OVERLAP = 0.3


class Region(NamedTuple):
    """A turned square in the photo that a face fills."""

    centre: Floats
    """(2,) x and y in photo pixels."""
    side: float
    """Of the face, photo pixels."""
    angle: float
    """Radians, clockwise in the picture: 0 is an upright face."""
    score: float
    """The detector's confidence, 0..1."""


def detect(graph: Graph, view: Pixels, window: Floats, least: float) -> list[Region]:
    """The faces in ``view`` (128, 128, 3) with a score of ``least`` or more, most certain first.

    ``window``: (2, 3), takes the view's unit square to the photo. The graph also sees faces that lie on their side or
    upside down, only less surely; then its eyes, and the angle made from them, may be wrong.
    """
    boxes, logits = graph(view.astype(np.float32) / 127.5 - 1)
    scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0].astype(np.float64), -80, 80)))
    found = np.flatnonzero(scores >= least)
    # Rows: centre, size, then six key points, the first two being the eyes.
    rows = boxes[0, found].reshape(-1, 8, 2).astype(np.float64) / VIEW_SIDE
    rows[:, 0] += _ANCHORS[found]
    rows[:, 2:] += _ANCHORS[found][:, None]
    return [_region(row, score, window) for row, score in _suppress(rows, scores[found])]


def square_window(centre: npt.ArrayLike, side: float, angle: float = 0.0) -> Floats:
    """(2, 3): takes the unit square to a square in the photo."""
    cosine, sine = side * np.cos(angle), side * np.sin(angle)
    linear = np.array([(cosine, -sine), (sine, cosine)])
    return np.column_stack([linear, np.asarray(centre, np.float64) - linear @ (0.5, 0.5)])


def overlap(region: Region, other: Region) -> float:
    """Intersection over union of two regions, as if they were upright."""
    low, high = region.centre - region.side / 2, region.centre + region.side / 2
    return box_overlap(low, high, other.centre - other.side / 2, other.centre + other.side / 2)


def box_overlap(low: npt.ArrayLike, high: npt.ArrayLike, other_low: npt.ArrayLike, other_high: npt.ArrayLike) -> float:
    """Intersection over union of two boxes."""
    a, b, c, d = (np.asarray(corner, np.float64) for corner in (low, high, other_low, other_high))
    shared = np.prod(np.clip(np.minimum(b, d) - np.maximum(a, c), 0, None))
    union = np.prod(b - a) + np.prod(d - c) - shared
    return float(shared / union) if union > 0 else 0.0


def _anchors() -> Floats:
    """(896, 2) centres (x, y) of the detector's boxes: two on each cell of stride 8, six on each of stride 16."""
    layers = []
    for stride, count in ((8, 2), (16, 6)):
        ticks = (np.arange(VIEW_SIDE // stride) + 0.5) * stride / VIEW_SIDE
        x, y = np.meshgrid(ticks, ticks)
        layers.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), count, axis=0))
    return np.concatenate(layers)


_ANCHORS = _anchors()


def _suppress(rows: Floats, scores: Floats) -> list[tuple[Floats, float]]:
    """Weighted non-maximum suppression (BlazeFace, section 3.3): boxes that overlap become their average."""
    low, high = rows[:, 0] - rows[:, 1] / 2, rows[:, 0] + rows[:, 1] / 2
    left = list(np.argsort(-scores))
    merged = []
    while left:
        best = left[0]
        group = [
            k for k in left if k == best or box_overlap(low[best], high[best], low[k], high[k]) > _SAME_FACE_OVERLAP
        ]
        left = [k for k in left if k not in group]
        merged.append((np.average(rows[group], axis=0, weights=scores[group]), float(scores[best])))
    return merged


def _region(row: Floats, score: float, window: Floats) -> Region:
    """A detector's row, in fractions of its view, in photo pixels."""
    centre, eye, other_eye = align.apply(window, row[[0, 2, 3]])
    scale = float(np.hypot(*window[:, 0]))
    angle = float(np.arctan2(other_eye[1] - eye[1], other_eye[0] - eye[0]))
    return Region(centre, scale * float(row[1].max()), angle, score)
