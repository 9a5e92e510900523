"""The patterns that carry the watermark, and the view of a face in which they are looked for.

All of it lives on the aligned face at 128 pixels (:mod:`twocet.photo.align`); frequencies are in cycles per crop side.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from twocet.photo.watermark.code import CARRIERS_PER_SYMBOL, NUM_SYMBOLS
from twocet.runtime.arrays import Floats32

SIDE = 128
_WHITENING = 1.2
"""Spectra of faces fall with about this power of the frequency."""
_SPREAD = 2.5
"""Pixels over which a face's local contrast is taken."""
_LEAST_CONTRAST = 1.0
_CLIP = 2.5
_OVAL = (0.5, 0.52, 0.40, 0.46)
"""Centre and half axes of the marked part of the crop: x, y, x, y."""
_TAPER = 0.25


@dataclass(frozen=True)
class Layer:
    """Carriers of one band of frequencies."""

    name: str
    low: float
    high: float

    @cached_property
    def bins(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Rows and columns of the band in a real spectrum, without column 0, where conjugates come in pairs."""
        inside = (_radius() >= self.low) & (_radius() <= self.high)
        inside[:, 0] = False
        rows, columns = np.nonzero(inside)
        return rows, columns

    @cached_property
    def carriers(self) -> Floats32:
        """(768, m) one carrier a row, length 1, as real and imaginary parts of the band's spectrum.

        Their signs are the bits of SHAKE-256 of the layer's name: the same for ever, on every machine.
        """
        num, length = NUM_SYMBOLS * CARRIERS_PER_SYMBOL, 2 * len(self.bins[0])
        stream = hashlib.shake_256(f"twocet watermark 1 {self.name}".encode()).digest(-(-num * length // 8))
        bits = np.unpackbits(np.frombuffer(stream, np.uint8), count=num * length).reshape(num, length)
        signs: Floats32 = (1 - 2 * bits.astype(np.float32)) / np.float32(np.sqrt(length))
        return signs

    @cached_property
    def _filter(self) -> Floats32:
        inside = (_radius() >= self.low - 1) & (_radius() <= self.high + 1)
        return np.where(inside, (_radius() / self.low) ** _WHITENING, 0).astype(np.float32)

    def pattern(self, coefficients: Floats32) -> Floats32:
        """(128, 128) the sum of carriers, within the oval; ``coefficients`` (m,) of the spectrum."""
        spectrum = np.zeros((SIDE, SIDE // 2 + 1), np.complex64)
        half = len(coefficients) // 2
        spectrum[self.bins] = coefficients[:half] + 1j * coefficients[half:]
        scaled: Floats32 = oval() * _inverse(spectrum) * np.float32(SIDE / np.sqrt(2))
        return scaled

    def coefficients(self, view: Floats32) -> Floats32:
        """(m,) the transpose of :meth:`pattern`."""
        band = np.fft.rfft2(oval() * view)[self.bins] * np.float32(np.sqrt(2) / SIDE)
        return np.concatenate([band.real, band.imag])

    def filtered(self, luma: Floats32) -> Floats32:
        """(128, 128) the band, its frequencies about equally strong; of a picture or of a pattern."""
        return _inverse(np.fft.rfft2(luma) * self._filter)

    def view(self, luma: Floats32) -> tuple[Floats32, Floats32]:
        """(128, 128) the band of a face's luma (0..255) over its local contrast, and that contrast in grey levels."""
        band = self.filtered(luma - luma.mean())
        contrast = np.sqrt(np.maximum(_blurred(band * band), 0) + np.float32(_LEAST_CONTRAST**2))
        return np.clip(band / contrast, -_CLIP, _CLIP), contrast

    def scores(self, view: Floats32) -> tuple[Floats32, float]:
        """(6, 128) correlations with all carriers in standard deviations, and one standard deviation."""
        found = self.carriers @ self.coefficients(view)
        # The median is that of the carriers that are not there.
        deviation = float(np.median(np.abs(found))) / 0.6745
        return (found / np.float32(deviation)).reshape(NUM_SYMBOLS, CARRIERS_PER_SYMBOL), deviation


FINE = Layer("fine", 12, 44)
COARSE = Layer("coarse", 8, 30)
LAYERS = (FINE, COARSE)


@lru_cache(maxsize=1)
def oval() -> Floats32:
    """(128, 128) 1 on the face, falling smoothly to 0: the part of a crop that is marked."""
    x, y, half_width, half_height = _OVAL
    ticks = (np.arange(SIDE) + 0.5) / SIDE
    radius = np.hypot((ticks - x) / half_width, (ticks[:, None] - y) / half_height)
    inside = np.clip((1 - radius) / _TAPER, 0, 1)
    smooth: Floats32 = (inside * inside * (3 - 2 * inside)).astype(np.float32)
    return smooth


@lru_cache(maxsize=1)
def _radius() -> Floats32:
    across, down = np.fft.rfftfreq(SIDE, 1 / SIDE), np.fft.fftfreq(SIDE, 1 / SIDE)
    radius: Floats32 = np.hypot(across, down[:, None]).astype(np.float32)
    return radius


@lru_cache(maxsize=1)
def _gaussian() -> Floats32:
    passed: Floats32 = np.exp(-2 * (np.float32(np.pi * _SPREAD / SIDE) * _radius()) ** 2)
    return passed


def _blurred(values: Floats32) -> Floats32:
    return _inverse(np.fft.rfft2(values) * _gaussian())


def _inverse(spectrum: npt.NDArray[np.complexfloating]) -> Floats32:
    return np.fft.irfft2(spectrum, (SIDE, SIDE)).astype(np.float32, copy=False)
