"""What a photo is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from twocet.runtime.arrays import Floats

Pixels = npt.NDArray[np.uint8]
"""uint8, height x width x RGB, 0..255."""


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A whole picture, upright, in RGB, with the metadata to carry over to the result."""

    pixels: Pixels
    """In the photo's own colours, see ``icc``; of a photo of 16 bits the upper 8."""
    alpha: npt.NDArray[np.uint8] | None = None
    """(height, width) opacity, 255 = opaque; None when the file has none."""
    low: Pixels | None = None
    """The lower 8 bits of a photo of more than 8: a value is 256 x pixels + low. None for a photo of 8."""
    path: Path | None = None
    icc: bytes | None = None
    """RGB colour profile of the pixels; None means sRGB."""
    exif: bytes | None = None
    """Description, camera and place as an EXIF block; never the orientation, which is already applied."""
    xmp: bytes | None = None
    iptc: bytes | None = None
    """IPTC-IIM datasets."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch, across and down."""
    texts: tuple[tuple[str, str], ...] = ()
    """Names and texts, as PNG files hold them."""
    comment: bytes | None = None
    """Of a JPEG or GIF file."""
    notes: tuple[str, ...] = ()
    """What of the file could not be kept, a sentence each."""
    edited: tuple[Floats, ...] = ()
    """Where a model changed faces: photo_to_crop (2, 3) by :func:`twocet.photo.align.align`. Marks go there."""
    format: str | None = None
    """Pillow's name of the file's format; None for a picture that came from memory."""

    @property
    def size(self) -> tuple[int, int]:
        """Width, height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]
