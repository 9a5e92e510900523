"""The packaged bank of rendered mouths: what shows between lips where no photo tells it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from twocet.edit.inside import MouthSource
from twocet.edit.light import Light
from twocet.edit.lips import UPPER_INNER, frame_of, gap_of
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

BANK = "mouths.npz"
"""Made by ``tools/build_mouth_bank.py`` from faces of ``twocet synth`` (CC0)."""
_QUALITY = 92
_MISSING = 4.0
"""A gap that is too small, and has to be filled with darkness, weighs so much more than one that is too large."""


@cache
def packaged_bank() -> tuple[MouthSource, ...]:
    """The mouths of the bank."""
    with (resources.files("twocet.edit") / BANK).open("rb") as file, np.load(file) as content:
        return unpack(dict(content))


def nearest(lips: Floats, mouths: Sequence[MouthSource]) -> MouthSource:
    """The mouth whose lips part most like ``lips`` (4, 11, 2), in any unit, and under most the same upper lip.

    A smile lifts the corners of the mouth and shows a row of teeth; a jaw that drops the same way shows the depth.
    """
    gap, line = gap_of(lips)[:, 1], _upper_line(lips)

    def distance(mouth: MouthSource) -> float:
        difference = mouth.gap[:, 1] - gap
        return float(
            np.mean(np.where(difference < 0, _MISSING, 1.0) * difference**2 + (_upper_line(mouth.lips) - line) ** 2)
        )

    return min(mouths, key=distance)


def _upper_line(lips: Floats) -> Floats:
    """(11,) how far below the corners of the mouth the upper lip ends, mouth widths."""
    heights: Floats = frame_of(lips).enter(lips[UPPER_INNER])[:, 1]
    return heights


def pack(mouths: Sequence[MouthSource]) -> dict[str, npt.NDArray[Any]]:
    """Mouths as arrays of one archive; pictures are WebP files, one behind the other."""
    files = [_encoded(mouth.pixels) for mouth in mouths]
    return {
        "pictures": np.frombuffer(b"".join(files), np.uint8),
        "lengths": np.array([len(file) for file in files], np.int32),
        "lips": np.array([mouth.lips for mouth in mouths], np.float32),
        "light": np.array([mouth.light for mouth in mouths], np.float32),
    }


def unpack(content: dict[str, npt.NDArray[Any]]) -> tuple[MouthSource, ...]:
    """What :func:`pack` packed."""
    files = np.split(content["pictures"], np.cumsum(content["lengths"])[:-1])
    lips, lights = (content[name].astype(np.float64) for name in ("lips", "light"))
    return tuple(
        MouthSource(_decoded(file.tobytes()), np.zeros(2), curves, Light(*light))
        for file, curves, light in zip(files, lips, lights, strict=True)
    )


def _encoded(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()


def _decoded(file: bytes) -> Pixels:
    with Image.open(io.BytesIO(file), formats=("WEBP",)) as picture:
        return np.asarray(picture.convert("RGB"))
