"""Finding the watermark in a photo, by its faces."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import grid_sample

from twocet.photo import align, resample
from twocet.photo.images import Pixels
from twocet.photo.watermark.carriers import LAYERS, SIDE, Layer
from twocet.photo.watermark.code import HEADER, amplitudes_of, decoded, is_message
from twocet.photo.watermark.embed import face_luma
from twocet.runtime.arrays import Floats, Floats32

_AROUND, _NEAR_SIDE = 0.15, 224
"""Crop sides; pixels."""
_TRIED = 5
"""Places where the header seems to lie, in each layer."""
_LOOKS = 3
"""At each of these places."""
_LEAST_SCORE = 3.1
"""The mean score of symbols: of messages that are there it is above, of 100 that are not below in 97."""

_HOPEFUL = 2.9
"""A score from which on it is worth while to look again: of marks that are not there a fourth reach it."""


class Found(NamedTuple):
    """A watermark."""

    message: bytes
    """Six bytes, see :mod:`twocet.photo.watermark.code`."""
    score: float
    """Mean correlation of its symbols, in standard deviations of what faces without it show (about 2.8)."""


class _Search(NamedTuple):
    """Small similarities about the centre of the crop, and shifts."""

    scales: tuple[float, ...]
    """Logarithms."""
    turns: tuple[float, ...]
    """Radians."""
    reach: int
    """Pixels of the crop."""


_COARSELY = _Search(tuple(np.linspace(-0.06, 0.06, 9)), tuple(np.radians(np.linspace(-4, 4, 9))), 8)
_FINELY = _Search(tuple(np.linspace(-0.008, 0.008, 3)), tuple(np.radians(np.linspace(-0.5, 0.5, 3))), 2)


def find_watermark(pixels: Pixels, photo_to_crop: Floats) -> Found | None:
    """The mark in the face at ``photo_to_crop``, as landmarks give it: 4 degrees, 6 % of its size off at most."""
    # Everything is looked for in a small picture of the face with a little around it.
    scale = (1 + 2 * _AROUND) / _NEAR_SIDE
    near_to_crop = np.array([(scale, 0.0, -_AROUND), (0.0, scale, -_AROUND)])
    wide = np.array([(1.0, 0.0, _AROUND), (0.0, 1.0, _AROUND)]) / (1 + 2 * _AROUND)
    near = resample.crop(pixels, _composed(wide, photo_to_crop), _NEAR_SIDE)
    for layer in LAYERS:
        view, _ = layer.view(face_luma(near, near_to_crop, supersample=1))
        for moved in _likely(view, _header(layer, _COARSELY), _COARSELY, _TRIED):
            found = _read_near(near, _composed(align.invert(moved), near_to_crop), layer)
            if found is not None:
                return found
    return None


def _read_near(pixels: Pixels, place: Floats, layer: Layer) -> Found | None:
    """The mark at ``place`` or a little beside it: first the header says where, then all that was read."""
    spectra = _header(layer, _FINELY)
    for _ in range(_LOOKS):
        view, _ = layer.view(face_luma(pixels, place, supersample=1))
        (nudge,) = _likely(view, spectra, _FINELY, 1)
        place = _composed(align.invert(nudge), place)
        scores, _ = layer.scores(layer.view(face_luma(pixels, place, supersample=1))[0])
        message, score = decoded(scores)
        if score >= _LEAST_SCORE and is_message(message):
            return Found(message, score)
        if score < _HOPEFUL:
            return None
        spectra = _spectra(layer.pattern(amplitudes_of(message).ravel() @ layer.carriers), _FINELY)
    return None


def _likely(view: Floats32, spectra: torch.Tensor, search: _Search, number: int) -> Iterator[Floats]:
    """The similarities (2, 3) of the crop under which a pattern is seen best, the best first."""
    reach = search.reach
    seen = torch.fft.irfft2(torch.fft.rfft2(torch.from_numpy(view)) * spectra, s=(SIDE, SIDE))
    # Shifts wrap around: those to the left and upwards are at the end.
    near = torch.roll(seen, (reach, reach), dims=(1, 2))[:, : 2 * reach + 1, : 2 * reach + 1].clone()
    for _ in range(number):
        which, down, right = np.unravel_index(int(near.argmax()), near.shape)
        scale, turn = np.unravel_index(which, (len(search.scales), len(search.turns)))
        between = np.array((_peak(near[which, down], right), _peak(near[which, :, right], down)))
        yield _similarity(search.scales[scale], search.turns[turn], (between - reach) / SIDE)
        # The next one is another place, not the flank of this one.
        near[:, max(0, down - 1) : down + 2, max(0, right - 1) : right + 2] = 0


def _peak(line: torch.Tensor, place: np.intp) -> float:
    """Where between its places a line of numbers is highest, near its maximum at ``place``: on a parabola."""
    if not 0 < place < len(line) - 1:
        return float(place)
    before, here, after = line[int(place) - 1 : int(place) + 2].tolist()
    bend = before - 2 * here + after
    return float(place) + (0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5)))


@lru_cache(maxsize=4)
def _header(layer: Layer, search: _Search) -> torch.Tensor:
    return _spectra(layer.pattern(layer.carriers[HEADER]), search)


def _spectra(pattern: Floats32, search: _Search) -> torch.Tensor:
    """(n, 128, 65) conjugate spectra of a pattern under every similarity of the search, without shifts."""
    ticks = (torch.arange(SIDE, dtype=torch.float32) + 0.5) / SIDE
    grids = []
    for scale in search.scales:
        for turn in search.turns:
            back = align.invert(_similarity(scale, turn, np.zeros(2)))
            # grid_sample counts from -1 to 1.
            grids.append(torch.stack([2 * (r[0] * ticks + r[1] * ticks[:, None] + r[2]) - 1 for r in back], dim=-1))
    grid = torch.stack(grids).float()
    image = torch.from_numpy(pattern).expand(len(grid), 1, SIDE, SIDE)
    moved = grid_sample(image, grid, mode="bicubic", align_corners=False)[:, 0]
    spectra: torch.Tensor = torch.fft.rfft2(moved / moved.flatten(1).norm(dim=1)[:, None, None])
    return spectra.conj()


def _similarity(scale: float, turn: float, shift: Floats) -> Floats:
    """(2, 3) about the centre of the crop: larger by exp(scale), turned, then shifted (crop sides)."""
    cosine, sine = np.exp(scale) * np.cos(turn), np.exp(scale) * np.sin(turn)
    linear = np.array([(cosine, -sine), (sine, cosine)])
    return np.column_stack([linear, 0.5 + shift - linear @ (0.5, 0.5)])


def _composed(after: Floats, before: Floats) -> Floats:
    """(2, 3) ``before``, then ``after``."""
    return np.column_stack([after[:, :2] @ before[:, :2], align.apply(after, before[:, 2])])
