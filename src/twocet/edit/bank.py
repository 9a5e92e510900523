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


def nearest(gap: Floats, mouths: Sequence[MouthSource]) -> MouthSource:
    """The mouth whose gap between the lips is most like ``gap`` (11, 2), in mouth coordinates."""

    def distance(mouth: MouthSource) -> float:
        difference = mouth.gap[:, 1] - gap[:, 1]
        return float(np.mean(np.where(difference < 0, _MISSING, 1.0) * difference**2))

    return min(mouths, key=distance)


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
