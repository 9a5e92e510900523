"""Landmarks of the lips' inner borders, drawn to where the photo shows the borders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from twocet.edit.curve import height
from twocet.edit.lips import CLOSED, LOWER_INNER, UPPER_INNER, MouthFrame, frame_of, opening_of
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

_COLUMNS = 33
_STEP, _STEPS = 0.004, 15
"""Heights that are tried above and below each border, in mouth widths."""
_BAND = 5
"""Steps on both sides of a border that are compared."""
_STRAY = 0.02
"""Mouth widths that a landmark usually errs by."""
_BEND = 0.004


def drawn_to_borders(pixels: Pixels, lips: Floats) -> Floats:
    """The lips (4, 11, 2), photo pixels, with their inner borders where colours change most; closed: on the dark line.

    Landmarks err by about 2 % of a mouth's width, enough to leave a strip of teeth on a lip.
    """
    frame = frame_of(lips)
    curves = frame.enter(lips[[UPPER_INNER, LOWER_INNER]])
    moved: Floats = lips.copy()
    if opening_of(lips) < CLOSED:
        middle = curves.mean(axis=0)
        shift = _drawn(pixels, frame, middle, _darkness)
        for border in (UPPER_INNER, LOWER_INNER):
            moved[border, 1:-1] = frame.leave(middle + shift)[1:-1]
        return moved
    for border, curve in zip((UPPER_INNER, LOWER_INNER), curves, strict=True):
        moved[border, 1:-1] = frame.leave(curve + _drawn(pixels, frame, curve, _contrast))[1:-1]
    return moved


def _drawn(pixels: Pixels, frame: MouthFrame, curve: Floats, likeness: Callable[[Floats], Floats]) -> Floats:
    """(11, 2) how far the points of ``curve`` (11, 2) go, mouth coordinates: down or up only."""
    xs = np.linspace(curve[0, 0], curve[-1, 0], _COLUMNS + 2)[1:-1]
    reach = _STEPS + _BAND
    heights = height(xs, curve)[None] + (np.arange(-reach, reach + 1) * _STEP)[:, None]
    place = frame.leave(np.stack([np.broadcast_to(xs, heights.shape), heights], axis=-1))
    profile = _sampled(pixels, place)
    score = likeness(profile)
    offset = np.arange(-_STEPS, _STEPS + 1) * _STEP
    score = score - 0.5 * (offset[:, None] / _STRAY) ** 2
    path = offset[_best_path(score)]
    shift = np.interp(curve[:, 0], xs, path)
    return np.stack([np.zeros(len(curve)), shift], axis=-1)


def _contrast(profile: Floats) -> Floats:
    """(2 s + 1, k) how much the colours above and below each height differ, in units that count."""
    total = np.concatenate([np.zeros((1, *profile.shape[1:])), np.cumsum(profile, axis=0)])
    above = (total[_BAND:-_BAND] - total[: -2 * _BAND]) / _BAND
    below = (total[2 * _BAND :] - total[_BAND:-_BAND]) / _BAND
    edge = np.sqrt(((above - below) ** 2).sum(axis=-1))[:-1]
    return np.asarray(4 * edge / max(float(np.median(edge.max(axis=0))), 1e-6))


def _darkness(profile: Floats) -> Floats:
    """(2 s + 1, k) how dark each height is within its column."""
    level = profile.mean(axis=-1)[_BAND:-_BAND]
    low, high = level.min(axis=0), level.max(axis=0)
    return np.asarray(4 * (high - level) / np.maximum(high - low, 8.0))


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
    height_, width = pixels.shape[:2]
    low = np.clip(np.floor(place.reshape(-1, 2).min(axis=0)) - 1, 0, (width - 1, height_ - 1)).astype(int)
    high = np.clip(np.ceil(place.reshape(-1, 2).max(axis=0)) + 1, low + 1, (width, height_)).astype(int)
    window = pixels[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    image = torch.from_numpy(window).permute(2, 0, 1)[None]
    grid = torch.from_numpy((place - low) * (2 / np.array((window.shape[1], window.shape[0]))) - 1).float()[None]
    seen = torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
    return np.asarray(seen[0].permute(1, 2, 0).numpy(), np.float64)
