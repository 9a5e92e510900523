"""Colour profiles for pictures that name their colours and bring no profile."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from twocet.runtime.arrays import Floats

Chromaticities = tuple[tuple[float, float], ...]
"""CIE x and y of red, green, blue and white."""

_D65, _DCI_WHITE = (0.3127, 0.3290), (0.314, 0.351)
SRGB: Chromaticities = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
ADOBE_RGB: Chromaticities = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
ADOBE_RGB_EXPONENT = 563 / 256
PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI_WHITE),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
"""By their number in ITU-T H.273, table 2."""
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}
_PQ, _HLG = 16, 18
_LIKE_SRGB = (1, 6, 13, 14, 15)
"""Transfers by their number in H.273, table 3; the curves of television are shown by sRGB's."""
_WHITE_NITS, _HLG_PEAK_NITS, _HLG_GAMMA = 203.0, 1000.0, 1.2
"""What standard range shows as white (ITU-R BT.2408); the display that HLG is made for (BT.2100)."""
_D50 = np.array((0.9642, 1.0, 0.8249))
_BRADFORD = np.array([(0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)])
_TABLE = 4096


def is_high_range(transfer: int) -> bool:
    """Whether a transfer (H.273) is one of high dynamic range."""
    return transfer in (_PQ, _HLG)


def nominal_profile(primaries: int, transfer: int) -> bytes | None:
    """The profile of colours by their numbers in H.273; None for sRGB and for numbers that say nothing.

    High dynamic range is cut at the white of standard range.
    """
    colours = PRIMARIES.get(primaries)
    if colours is None or (primaries == 1 and transfer in _LIKE_SRGB):
        return None
    if transfer in _EXPONENTS:
        return matrix_profile(colours, _EXPONENTS[transfer])
    signal = np.linspace(0, 1, _TABLE)
    if transfer in _LIKE_SRGB:
        return matrix_profile(colours, _srgb_light(signal))
    if transfer == _PQ:
        return matrix_profile(colours, _pq_nits(signal) / _WHITE_NITS)
    if transfer == _HLG:
        return matrix_profile(colours, _hlg_nits(signal) / _WHITE_NITS)
    return None


@lru_cache(maxsize=4)
def profile_by_exponent(colours: Chromaticities, exponent: float | None) -> bytes | None:
    """The profile of primaries and an exponent (None: sRGB's curve); None for chromaticities that span no colours."""
    light: float | Floats = _srgb_light(np.linspace(0, 1, _TABLE)) if exponent is None else exponent
    try:
        return matrix_profile(colours, light)
    except (np.linalg.LinAlgError, ValueError, struct.error):
        return None


def matrix_profile(colours: Chromaticities, light: float | npt.NDArray[np.float64]) -> bytes:
    """An ICC profile (version 2) of three primaries and one curve.

    Args:
        colours: Raises LinAlgError or ValueError if they span no colours.
        light: An exponent, or (n,) the light of equally spaced signals; 1 is white, what is above is cut.
    """
    if isinstance(light, float):
        curve = struct.pack(">IH", 1, min(max(round(light * 256), 1), 65_535))
    else:
        levels = np.rint(np.clip(light, 0, 1) * 65_535).astype(">u2")
        curve = struct.pack(">I", len(levels)) + levels.tobytes()
    columns = _adapted_primaries(colours).T
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 7) + b"twocet\0" + bytes(78),
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": _xyz(_D50),
        **{name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), b"curv\0\0\0\0" + curve),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    return _head(len(table + body)) + table + body


def _head(length: int) -> bytes:
    """The 128 bytes before the table of tags (ICC.1:2001-04, 6.1)."""
    start = struct.pack(
        ">I4xI4s4s4s6H4s", 128 + length, 0x2100000, b"mntr", b"RGB ", b"XYZ ", 2026, 1, 1, 0, 0, 0, b"acsp"
    )
    return start.ljust(68, b"\0") + _fixed(_D50).ljust(60, b"\0")


def _xyz(values: Floats) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _fixed(values: Floats) -> bytes:
    return struct.pack(">3i", *(round(float(value) * 65_536) for value in values))


def _adapted_primaries(colours: Chromaticities) -> Floats:
    """(3, 3) XYZ of the primaries, in columns, as they look under D50 (Bradford)."""
    if any(y <= 0 for _, y in colours):
        raise ValueError("no colours")
    *primaries, white = (np.array((x / y, 1.0, (1 - x - y) / y)) for x, y in colours)
    matrix = np.column_stack(primaries)
    scaled = matrix * np.linalg.solve(matrix, white)
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: Floats = np.linalg.solve(_BRADFORD, np.diag(cones) @ _BRADFORD) @ scaled
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 4:
        raise ValueError("no colours")
    return adapted


def _srgb_light(signal: Floats) -> Floats:
    """IEC 61966-2-1."""
    light: Floats = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light


def _pq_nits(signal: Floats) -> Floats:
    """SMPTE ST 2084."""
    root = signal ** (1 / 78.84375)
    nits: Floats = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return nits


def _hlg_nits(signal: Floats) -> Floats:
    """ITU-R BT.2100: the inverse of the camera's curve, then that of the display, for greys."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    nits: Floats = _HLG_PEAK_NITS * scene**_HLG_GAMMA
    return nits
