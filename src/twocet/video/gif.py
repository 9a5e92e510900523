"""Animations for web pages."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from twocet.photo.mark import Mark
from twocet.runtime.files import write_whole
from twocet.video.clips import mark_tags


def write_gif(path: Path, frames: list[Image.Image], fps: float, mark: Mark | None) -> Path:
    """Writes an animation that runs once and stays; GIF counts time in hundredths of a second."""
    ticks = [round(100 * (number + 1) / fps) - round(100 * number / fps) for number in range(len(frames))]
    buffer = io.BytesIO()
    comment = "; ".join(f"{key}: {value}" for key, value in mark_tags(mark).items() if key != "comment")
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[10 * max(count, 1) for count in ticks],
        comment=comment.encode(),
        disposal=1,
    )
    return write_whole(path, buffer.getvalue())
