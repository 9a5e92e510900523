"""Smoothing in time: a filter that needs no future, and a better one that waits for it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from twocet.runtime.arrays import Floats

_T = TypeVar("_T")


class OneEuro:
    """The 1€ filter (Casiez, Roussel, Vogel, CHI 2012): a low pass whose cut-off rises with speed, for each number.

    Slow changes lose their jitter, quick ones keep their time.
    """

    def __init__(self, min_cutoff: float, beta: float, derivative_cutoff: float = 1.0) -> None:
        """``min_cutoff`` in Hz, ``beta`` in Hz per unit of value a second. An infinite cut-off filters nothing."""
        self._min_cutoff, self._beta, self._derivative_cutoff = min_cutoff, beta, derivative_cutoff
        self._value: Floats | None = None
        self._speed: Floats = np.zeros(())
        self._seconds = 0.0

    def __call__(self, value: npt.ArrayLike, seconds: float) -> Floats:
        """The filtered value at a time that is later than that of the call before."""
        given = np.asarray(value, np.float64)
        if self._value is None:
            self._value, self._speed, self._seconds = given, np.zeros_like(given), seconds
            return given
        step = max(seconds - self._seconds, 1e-6)
        speed = (given - self._value) / step
        self._speed = self._speed + _share(np.array(self._derivative_cutoff), step) * (speed - self._speed)
        cutoff = self._min_cutoff + self._beta * np.abs(self._speed)
        self._value = self._value + _share(cutoff, step) * (given - self._value)
        self._seconds = seconds
        return self._value

    def reset(self) -> None:
        """Forgets everything: the next value comes out as it is."""
        self._value = None


def _share(cutoff: Floats, step: float) -> Floats:
    """Share of the new value in an exponential filter with this cut-off (Hz)."""
    if np.isinf(cutoff).all():
        return np.ones_like(cutoff)
    ratio: Floats = 2 * math.pi * cutoff * step
    return ratio / (ratio + 1)


def neighbourhoods(
    moments: Iterable[_T], seconds: Callable[[_T], float], reach: float
) -> Iterator[tuple[_T, list[_T]]]:
    """Each of ``moments`` with all those less than ``reach`` seconds away, itself included, in the order of time.

    ``moments``: their ``seconds`` rise. Reads no further ahead than it must, and keeps nothing that is out of reach.
    """
    held: deque[_T] = deque()
    ready = 0

    def next_ready() -> tuple[_T, list[_T]]:
        nonlocal ready
        now = held[ready]
        near = [moment for moment in held if abs(seconds(moment) - seconds(now)) < reach or moment is now]
        ready += 1
        while held and seconds(now) - seconds(held[0]) >= reach:
            held.popleft()
            ready -= 1
        return now, near

    for moment in moments:
        held.append(moment)
        while ready < len(held) and seconds(moment) - seconds(held[ready]) >= reach:
            yield next_ready()
    while ready < len(held):
        yield next_ready()


def local_weights(offsets: npt.ArrayLike, reach: float) -> Floats:
    """How much values at ``offsets`` (n,) seconds from now count for the smoothed value now: (n,), sum 1.

    The value now of the parabola that fits best (local regression, Cleveland, JASA 1979), with tricube weights that
    are 0 at ``reach``. Movements that look like parabolas pass whole and in time; a mean would flatten and, at the ends
    of a film, delay them. Three values or fewer make a parabola of their own: nothing is smoothed.
    """
    along = np.asarray(offsets, np.float64) / max(reach, 1e-9)
    roots = np.clip(1 - np.abs(along) ** 3, 0, None) ** 1.5
    powers = np.vander(along, min(3, len(along)))
    weights: Floats = np.linalg.pinv(powers * roots[:, None])[-1] * roots
    return weights
