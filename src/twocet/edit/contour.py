"""Landmarks of the lips' inner borders, drawn to where the photo shows the borders."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from twocet.edit.curve import height
from twocet.edit.lips import (
    CLOSED,
    LOWER_INNER,
    UPPER_INNER,
    MouthFrame,
    frame_of,
    opening_of,
)
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_COLUMNS = 33
_STEP, _STEPS = 0.004, 15
"""Heights that are tried above and below each border, in mouth widths."""
_STRAY = 0.025
"""Mouth widths that a landmark usually errs by."""
_BEND = 0.004
"""Mouth widths by which a border's error usually changes from column to column."""
_CORNER = 0.2
"""Columns nearer to a corner of the mouth say less of lips and inside."""
_BLACK, _TINT, _BRIGHTNESS = 16.0, 0.05, 0.15
"""Levels that noise adds to primaries; how much logarithms of their ratios and of brightness vary in one thing."""
_LIP_SHADES, _INSIDE_SHADES = 2, 4
_FEWEST = 40
"""Samples that tell the colours of a thing."""
_DOUBT = 1.0
"""Of one sample, whatever its colour, the logarithm of the odds of being lip or inside is no greater."""
_SURELY_OPEN = 0.06
"""Landmarks read closed lips as open by less: thick lips, dark ones and those with a highlight by up to 0.058."""
_THIN, _THIN_PARTED = 0.3, 0.02
"""Both lips together are thinner where landmarks tell well that they part, from this opening on."""
_RED = 0.08
"""Lips with less red, as in a black-and-white photo, cannot be told by it from what they show."""
_PALE, _STRIP = 0.6, 0.012
"""What shows between lips has less than this share of their red, in mouth widths on average at least so much of it."""
_LESS_RED = 0.95
"""Red of most of what shows between lips, in that of the lips: up to 0.9 in shaded teeth; the line of closed lips and
what is beside it have 1.09 and more."""
_IN_THE_DARK = 0.5
"""Logarithm by which what lies within a mouth is darker than lips, if it is not teeth."""
_BAND, _EDGE, _SHARP = 3, 2.0, 8.0
_DARKNESS, _LEAST = 4.0, 8.0


class _Columns(NamedTuple):
    """The mouth in vertical lines of samples, mouth coordinates."""

    x: Floats
    """(k,)."""
    y: Floats
    """(n,) heights, ``_STEP`` apart."""
    colours: Floats
    """(n, k, 3)."""
    borders: Floats
    """(4, k) heights of the four curves of the lips."""


def drawn_to_borders(pixels: Pixels, lips: Floats) -> Floats:
    """The lips (4, 11, 2), photo pixels, with their inner borders where lips end; of closed ones on the dark line.

    Landmarks err by about 2 % of a mouth's width, enough to leave a strip of teeth on a lip, and more where lips are
    thick: whether these are parted is for the pixels to tell.
    """
    frame = frame_of(lips)
    curves = frame.enter(lips)
    columns = _columns(pixels, frame, curves)
    opening = opening_of(lips)
    if opening < CLOSED or (opening < _SURELY_OPEN and not _shows_inside(columns, opening)):
        middle = columns.borders[[UPPER_INNER, LOWER_INNER]].mean(axis=0)
        upper = lower = _drawn(columns, middle, _darkness(columns.colours))
        curves[[UPPER_INNER, LOWER_INNER], 1:-1, 1] = curves[[UPPER_INNER, LOWER_INNER], 1:-1, 1].mean(axis=0)
    else:
        upper, lower = _lips_end(columns)
    for border, shift in ((UPPER_INNER, upper), (LOWER_INNER, lower)):
        curves[border, 1:-1, 1] += np.interp(curves[border, 1:-1, 0], columns.x, shift)
    drawn: Floats = lips.copy()
    inner = [UPPER_INNER, LOWER_INNER]
    drawn[inner, 1:-1] = frame.leave(curves[inner, 1:-1])
    return drawn


def _columns(pixels: Pixels, frame: MouthFrame, curves: Floats) -> _Columns:
    left, right = curves[UPPER_INNER, [0, -1], 0]
    x = np.linspace(left, right, _COLUMNS + 2)[1:-1]
    borders = np.stack([height(x, curve) for curve in curves])
    reach = (_STEPS + 1) * _STEP
    y = np.arange(borders.min() - reach, borders.max() + reach, _STEP)
    place = np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1)
    return _Columns(x, y, _sampled(pixels, frame.leave(place)), borders)


def _shows_inside(columns: _Columns, opening: float) -> bool:
    """Whether anything shows between the lips: teeth are paler than lips, closed lips' shadow is redder."""
    y, central = columns.y, np.abs(columns.x - columns.x.mean()) < columns.x.max() - _CORNER
    red, borders = _redness(columns.colours[:, central]), columns.borders[:, central]
    outer_upper, inner_upper, inner_lower, outer_lower = borders
    on_upper, on_lower = _across(y, outer_upper, inner_upper), _across(y, outer_lower, inner_lower)
    of_lips = min(float(np.median(red[(on > 0.3) & (on < 0.85)])) for on in (on_upper, on_lower))
    thickness = (inner_upper - outer_upper + outer_lower - inner_lower).mean()
    if of_lips < _RED or (thickness < _THIN and opening > _THIN_PARTED):
        return True
    between = _across(y, inner_upper, inner_lower)
    pale = (red < _PALE * of_lips) & (on_upper > 0.8) & (on_lower > 0.8)
    return bool(
        np.median(red[(between > 0.2) & (between < 0.8)]) < _LESS_RED * of_lips
        or _STEP * pale.sum(axis=0).mean() > _STRIP
    )


def _across(y: Floats, start: Floats, end: Floats) -> Floats:
    """(n, k) heights ``y`` (n,) counted from 0 at ``start`` (k,) to 1 at ``end`` (k,)."""
    return (y[:, None] - start) / np.where(start == end, 1, end - start)


def _redness(colours: Floats) -> Floats:
    """(n, k) logarithm of red over green and blue."""
    red, green, blue = np.moveaxis(np.log(colours + _BLACK), -1, 0)
    return np.asarray(red - (green + blue) / 2)


def _lips_end(columns: _Columns) -> tuple[Floats, Floats]:
    """(k,) each: how much lower than the landmarks' the borders of the upper and of the lower lip lie."""
    y = columns.y[:, None]
    outer_upper, inner_upper, inner_lower, outer_lower = columns.borders
    middle, tall = (inner_upper + inner_lower) / 2, inner_lower - inner_upper
    telling = (np.abs(columns.x - columns.x.mean()) < columns.x.max() - _CORNER) & np.ones_like(y, bool)
    inside = telling & (y > inner_upper + 0.2 * tall) & (y < inner_lower - 0.2 * tall)
    edges = _EDGE * _edges(_hues(columns.colours))
    shifts = []
    for inner, outer, sign in ((inner_upper, outer_upper, 1), (inner_lower, outer_lower, -1)):
        across = (y - outer) / np.where(inner == outer, 1, inner - outer)
        lip = telling & (across > 0.25) & (across < 0.8)
        odds = _odds(columns.colours, lip, inside)
        if inner is inner_lower and lip.any():
            odds = np.where(_as_red(columns.colours, lip), _DOUBT, odds)
        # What is beside the border on one side is lip, on the other inside.
        behind = np.cumsum(odds, axis=0)
        score = sign * (2 * behind - behind[-1]) + edges
        score = np.where(sign * (middle - y) > 0, score, -1e6)
        shifts.append(_drawn(columns, inner, score))
    return shifts[0], shifts[1]


def _as_red(colours: Floats, lip: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(n, k) what is as red as the samples that most likely are ``lip``, and not in the dark."""
    red, brightness = _redness(colours), np.log(colours + _BLACK).mean(axis=-1)
    lit = brightness > np.median(brightness[lip]) - _IN_THE_DARK
    return np.asarray(lit & (red > _LESS_RED * np.median(red[lip])))


def _odds(colours: Floats, lip: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_]) -> Floats:
    """(n, k) logarithms of the odds that samples are lip, by the colours of those that most likely are either."""
    if min(lip.sum(), inside.sum()) < _FEWEST:
        return np.zeros(colours.shape[:2])
    hues = _hues(colours)
    odds = _likelihood(hues, hues[lip], _LIP_SHADES) - _likelihood(hues, hues[inside], _INSIDE_SHADES)
    return np.clip(odds, -_DOUBT, _DOUBT)


def _edges(hues: Floats) -> Floats:
    """(n, k) how much the ``_BAND`` samples above and below each height differ."""
    total = np.cumsum(np.concatenate([np.zeros_like(hues[:1]), hues]), axis=0)
    n = len(hues)
    at = np.arange(n) + 1
    above, below = np.maximum(at - _BAND, 0), np.minimum(at + _BAND, n)
    up = (total[at] - total[above]) / (at - above)[:, None, None]
    down = (total[below] - total[at]) / np.maximum(below - at, 1)[:, None, None]
    return np.asarray(np.minimum(np.linalg.norm(up - down, axis=-1), _SHARP))


def _hues(colours: Floats) -> Floats:
    """(n, k, 3) two ratios of primaries, which shadows hardly change, and brightness: all in units of their noise."""
    red, green, blue = np.moveaxis(np.log(colours + _BLACK), -1, 0)
    brightness = (red + green + blue) / 3
    return np.stack([(red - green) / _TINT, (blue - green) / _TINT, brightness / _BRIGHTNESS], axis=-1)


def _likelihood(hues: Floats, samples: Floats, shades: int) -> Floats:
    """(n, k) logarithm of the density of ``hues`` (n, k, 3) in a mixture of normal distributions.

    Each describes an equal part of the ``samples`` (m, 3), from dark to bright: teeth and depth are several things.
    """
    ranked = samples[np.argsort(samples[:, 2])]
    parts = []
    for part in np.array_split(ranked, shades):
        away = hues - part.mean(axis=0)
        spread = np.cov(part.T) + np.eye(3)
        distance = (away @ np.linalg.inv(spread) * away).sum(axis=-1)
        parts.append(-0.5 * (distance + np.linalg.slogdet(spread)[1]))
    return np.asarray(np.logaddexp.reduce(parts) - np.log(shades))


def _darkness(colours: Floats) -> Floats:
    """(n, k) how dark each height is within its column."""
    level = colours.mean(axis=-1)
    low, high = level.min(axis=0), level.max(axis=0)
    return np.asarray(_DARKNESS * (high - level) / np.maximum(high - low, _LEAST))


def _drawn(columns: _Columns, border: Floats, score: Floats) -> Floats:
    """(k,) how far down ``border`` (k,) moves to where ``score`` (n, k) is great, as far and as roughly as usual."""
    offset = np.arange(-_STEPS, _STEPS + 1) * _STEP
    at = np.clip(np.rint((border + offset[:, None] - columns.y[0]) / _STEP), 0, len(columns.y) - 1).astype(int)
    to_corner = np.minimum(columns.x - columns.x[0], columns.x[-1] - columns.x) + columns.x[1] - columns.x[0]
    sure = np.minimum(to_corner / _CORNER, 1)
    tried = sure**2 * np.take_along_axis(score, at, axis=0) - 0.5 * (offset[:, None] / (sure * _STRAY)) ** 2
    return np.asarray(offset[_best_path(tried)])


def _best_path(score: Floats) -> npt.NDArray[np.int64]:
    """(k,) the row in each column that makes the sum of ``score`` (n, k), less the squared steps, greatest."""
    n, k = score.shape
    rows = np.arange(n)
    step = 0.5 * ((rows[:, None] - rows[None]) * _STEP / _BEND) ** 2
    total, back = score[:, 0].copy(), np.zeros((n, k), np.int64)
    for column in range(1, k):
        choice = total[None] - step
        back[:, column] = choice.argmax(axis=1)
        total = choice.max(axis=1) + score[:, column]
    path = np.empty(k, np.int64)
    path[-1] = int(total.argmax())
    for column in range(k - 1, 0, -1):
        path[column - 1] = back[path[column], column]
    return path


def _sampled(pixels: Pixels, place: Floats) -> Floats:
    """(n, k, 3) bilinear samples at ``place`` (n, k, 2) photo pixels."""
    rows, width = pixels.shape[:2]
    low = np.clip(np.floor(place.min(axis=(0, 1))) - 1, 0, (width - 1, rows - 1)).astype(int)
    high = np.clip(np.ceil(place.max(axis=(0, 1))) + 1, low + 1, (width, rows)).astype(int)
    window = pixels[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    image = torch.from_numpy(window).permute(2, 0, 1)[None]
    grid = torch.from_numpy((place - low) * (2 / np.array((window.shape[1], window.shape[0]))) - 1).float()[None]
    seen = grid_sample(image, grid, padding_mode="border", align_corners=False)
    return np.asarray(seen[0].permute(1, 2, 0).numpy(), np.float64)
