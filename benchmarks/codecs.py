"""Which films are read as they are shown: every codec that this FFmpeg writes, tried; the table of docs/films.md.

Each film is ten frames of a packaged photo, written by PyAV, read by the product, written and read again. Run:
PYTHONPATH=src python benchmarks/codecs.py
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image

import twocet
from twocet.errors import UserError
from twocet.video.clips import ClipReader, ClipWriter

EXAMPLE = Path(twocet.__file__).parent / "commands" / "examples" / "target-1.jpg"
FRAMES, SIZE = 10, (352, 288)
"""CIF, which the oldest codecs know too."""


class Tried(NamedTuple):
    """One kind of film."""

    name: str
    ending: str
    codec: str
    pixels: str
    told: dict[str, int] = {}  # noqa: RUF012 - never changed


HLG = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
PQ = HLG | {"color_trc": 16}
FILMS = (
    Tried("H.264", ".mp4", "libx264", "yuv420p"),
    Tried("H.264, all of 0..255", ".mp4", "libx264", "yuvj420p"),
    Tried("H.264, 4:4:4", ".mkv", "libx264", "yuv444p"),
    Tried("H.264, 10 bits", ".mkv", "libx264", "yuv420p10le"),
    Tried("H.264, transport stream", ".ts", "libx264", "yuv420p"),
    Tried("H.265", ".mp4", "libx265", "yuv420p"),
    Tried("H.265, 10 bits", ".mov", "libx265", "yuv420p10le"),
    Tried("H.265, HLG", ".mkv", "libx265", "yuv420p10le", HLG),
    Tried("H.265, PQ", ".mkv", "libx265", "yuv420p10le", PQ),
    Tried("VP8", ".webm", "libvpx", "yuv420p"),
    Tried("VP9", ".webm", "libvpx-vp9", "yuv420p"),
    Tried("AV1", ".mkv", "libsvtav1", "yuv420p"),
    Tried("MPEG-2", ".mpg", "mpeg2video", "yuv420p"),
    Tried("MPEG-4 part 2", ".avi", "mpeg4", "yuv420p"),
    Tried("H.263", ".3gp", "h263", "yuv420p"),
    Tried("Motion JPEG", ".avi", "mjpeg", "yuvj422p"),
    Tried("ProRes", ".mov", "prores_ks", "yuv422p10le"),
    Tried("ProRes 4444 with alpha", ".mov", "prores_ks", "yuva444p10le"),
    Tried("CineForm", ".mov", "cfhd", "yuv422p10le"),
    Tried("FFV1", ".mkv", "ffv1", "yuv420p"),
    Tried("HuffYUV", ".avi", "huffyuv", "yuv422p"),
    Tried("QuickTime Animation with alpha", ".mov", "qtrle", "argb"),
    Tried("Windows Media 8", ".wmv", "wmv2", "yuv420p"),
    Tried("Theora", ".ogv", "libtheora", "yuv420p"),
    Tried("GIF", ".gif", "gif", "rgb8"),
    Tried("Animated PNG", ".apng", "apng", "rgb24"),
)


def write(path: Path, kind: Tried, picture: Image.Image) -> None:
    """Ten frames of the picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(kind.codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *picture.size, kind.pixels
        if kind.codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        for name, value in kind.told.items():
            setattr(stream.codec_context, name, value)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_image(picture)
            frame.time_base, frame.pts = Fraction(1, 25), number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def row(kind: Tried, picture: Image.Image, folder: Path) -> str:
    """One line of the table."""
    source, target = folder / f"in{kind.ending}", folder / "out.mp4"
    try:
        write(source, kind, picture)
    except (av.FFmpegError, ValueError) as error:
        return (
            f"| {kind.name} | {kind.ending} | {kind.pixels} | not tried: this FFmpeg does not write it ({error}) | | |"
        )
    try:
        with ClipReader(source) as reader, ClipWriter(target, reader.fps, None, reader) as writer:
            first = None
            for frame in reader:
                first = frame.pixels if first is None else first
                writer.write(*frame)
            notes = " ".join(reader.notes)
        with ClipReader(target) as again:
            frames = list(again)
    except UserError as error:
        return f"| {kind.name} | {kind.ending} | {kind.pixels} | refused: {error} | | |"
    assert first is not None
    off = np.abs(first.astype(int) - np.asarray(picture.resize(first.shape[1::-1]))).mean()
    length = again.end
    return (
        f"| {kind.name} | {kind.ending} | {kind.pixels} | {len(frames)} frames, {length:.2f} s | "
        f"{'–' if kind.told else f'{off:.1f}'} | {notes} |"
    )


def table() -> str:
    """The whole table."""
    with Image.open(EXAMPLE) as photo:
        picture = photo.convert("RGB").resize(SIZE)
    with tempfile.TemporaryDirectory() as folder:
        lines = [row(kind, picture, Path(folder)) for kind in FILMS]
    heading = "| film | ending | pixels | result | levels off | note |\n|---|---|---|---|---|---|"
    return "\n".join([heading, *lines])


if __name__ == "__main__":
    print(table())
