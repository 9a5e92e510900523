"""Writing pictures for fake sets."""

from __future__ import annotations

from PIL import Image


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
