"""PNG files in memory."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin


def png_bytes(pixels: np.ndarray[Any, Any], xmp: bytes | None = None) -> bytes:
    """(H, W, 3) uint8 as a PNG file, with an XMP packet if one is given."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=png_info(xmp))
    return buffer.getvalue()


def png_info(xmp: bytes | None) -> PngImagePlugin.PngInfo:
    """What Pillow writes into a PNG file beside the pixels: an XMP packet, or nothing."""
    chunks = PngImagePlugin.PngInfo()
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return chunks
