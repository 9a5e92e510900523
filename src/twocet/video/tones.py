"""Colours of HDR and wide films in those of ordinary ones: transfer functions, primaries, highlights rolled off.

Sources: ITU-R BT.2100 (HLG, PQ, BT.2020's primaries), BT.1886 (the display of ordinary films), BT.2408 (diffuse white).
"""

from __future__ import annotations

from enum import Enum
from functools import cache

import numpy as np
import numpy.typing as npt

from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats, Floats32


class Tones(Enum):
    """How a film codes light."""

    HLG = "HDR (HLG)"
    PQ = "HDR (PQ)"
    ORDINARY = "wide"


TONES = {16: Tones.PQ, 18: Tones.HLG}
"""By the transfer characteristics of ITU-T H.273."""
WIDE_PRIMARIES = (9, 11, 12)
"""BT.2020, DCI-P3, Display P3, by the colour primaries of ITU-T H.273."""

_DIFFUSE_WHITE = 203.0
"""cd/m2 of a white sheet in HDR films: what is white in ordinary ones."""
_PEAK = 1000.0
"""cd/m2 of the display that HLG is made for, whose system gamma is 1.2."""
_KNEE = 0.8
"""Share of white up to which nothing changes; what is brighter is rolled off."""
_DISPLAY_GAMMA = 2.4
_LEVELS = 1 << 12
"""Steps that light is looked up in: more than any film has."""
# Linear RGB of BT.2020 and of Display P3 to that of BT.709 (from the chromaticities; white D65).
_FROM_2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
_FROM_P3 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
_LUMA_2020 = (0.2627, 0.6780, 0.0593)


def converted(levels: npt.NDArray[np.uint16], kind: Tones, primaries: int) -> Pixels:
    """RGB of 16 bits (H, W, 3) as 8 bits of BT.709, its highlights rolled off."""
    light = light_of(kind)[levels >> 4]
    if kind is Tones.HLG:
        # The system gamma works on brightness, not on each colour.
        luma = np.maximum(light @ np.array(_LUMA_2020, np.float32), 1e-6)[..., None]
        light = light * luma ** np.float32(0.2) * np.float32(_PEAK / _DIFFUSE_WHITE)
    matrix = _FROM_P3 if primaries in (11, 12) else _FROM_2020 if primaries == 9 or kind is not Tones.ORDINARY else None
    if matrix is not None:
        light = light @ np.array(matrix, np.float32).T
    light = rolled_off(np.maximum(light, 0)) if kind is not Tones.ORDINARY else light.clip(0, 1)
    result: Pixels = _display()[(light * (_LEVELS * 4 - 1)).round().astype(np.int32)]
    return result


@cache
def light_of(kind: Tones) -> Floats32:
    """(4096,) what each code value means: for PQ in diffuse whites, for HLG of the scene, 0..1, else of the display."""
    code = np.arange(_LEVELS) / (_LEVELS - 1)
    if kind is Tones.PQ:
        return np.asarray(_pq(code) / _DIFFUSE_WHITE, np.float32)
    if kind is Tones.HLG:
        return np.asarray(_hlg(code), np.float32)
    return np.asarray(code**_DISPLAY_GAMMA, np.float32)


def _pq(code: Floats) -> Floats:
    """cd/m2 of PQ (BT.2100, table 4)."""
    root = code ** (32 / 2523)
    return np.asarray(10_000 * (np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305))


def _hlg(code: Floats) -> Floats:
    """Scene light of HLG (BT.2100, table 5), 0..1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def rolled_off(light: Floats32) -> Floats32:
    """Light (H, W, 3) in whites, of which 0.8 and less stays, and more comes near 1; hues stay."""
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    room = 1 - _KNEE
    shown = np.where(brightest <= _KNEE, brightest, 1 - room * np.exp((_KNEE - brightest) / room))
    return np.asarray(light * (shown / brightest), np.float32)


@cache
def _display() -> npt.NDArray[np.uint8]:
    """(16384,) levels of an ordinary film for light 0..1."""
    light = np.arange(_LEVELS * 4) / (_LEVELS * 4 - 1)
    levels: npt.NDArray[np.uint8] = (255 * light ** (1 / _DISPLAY_GAMMA)).round().astype(np.uint8)
    return levels
