"""Edits the largest photos that are accepted, each in a process of its own. Prints one line of JSON.

Every photo has a face of 3000 pixels, or as large as there is room for. Counted are exceptions, photos that take over
10 seconds of one core, and processes of over 1500 MB; what each took is printed on standard error.

    python benchmarks/large_photos.py
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import tyro
from line import peak_memory_mb, print_line
from PIL import Image

_MOST_SECONDS, _MOST_MEGABYTES = 10.0, 1500.0
_WHOLE = (8_900, 7_150)
_WEBP = (8_000, 6_200)


class Large(NamedTuple):
    """One photo."""

    name: str
    mode: str
    size: tuple[int, int]
    file_format: str
    options: Mapping[str, Any] = MappingProxyType({})


PHOTOS = (
    Large("JPEG of 64 MP", "RGB", _WHOLE, "JPEG"),
    Large("progressive JPEG of 64 MP", "RGB", _WHOLE, "JPEG", {"progressive": True, "quality": 95, "subsampling": 0}),
    Large("PNG of 64 MP", "RGB", _WHOLE, "PNG", {"compress_level": 1}),
    Large("PNG of 64 MP with opacity", "RGBA", _WHOLE, "PNG", {"compress_level": 1}),
    Large("PNG of 64 MP in grey", "L", _WHOLE, "PNG", {"compress_level": 1}),
    Large("PNG of 64 MP and 16 bits", "RGB;16", _WHOLE, "PNG"),
    Large("PNG of 40 MP and 16 bits", "RGB;16", (6_500, 6_100), "PNG"),
    Large("TIFF of 64 MP", "RGB", _WHOLE, "TIFF"),
    Large("TIFF of 64 MP in CMYK", "CMYK", _WHOLE, "TIFF"),
    Large("grey TIFF of 64 MP and 16 bits", "I;16", _WHOLE, "TIFF"),
    Large("TIFF of 64 MP in floats", "F", _WHOLE, "TIFF"),
    Large("GIF of 64 MP", "L", _WHOLE, "GIF"),
    Large("BMP of 64 MP", "RGB", _WHOLE, "BMP"),
    Large("WebP of 50 MP", "RGB", _WEBP, "WEBP", {"quality": 50, "method": 0}),
    Large("AVIF of 64 MP", "RGB", _WHOLE, "AVIF", {"speed": 10}),
    Large("JPEG of 65500 x 1500", "RGB", (65_500, 1_500), "JPEG"),
    Large("JPEG of 1500 x 65500", "RGB", (1_500, 65_500), "JPEG"),
    Large("PNG of 1 x 65500", "RGB", (1, 65_500), "PNG"),
    Large("PNG of 65500 x 1", "RGB", (65_500, 1), "PNG"),
)


def main(only: str = "", one: int | None = None, path: Path | None = None) -> None:
    """Print the counts.

    Args:
        only: Photos whose names contain this.
        one: Edit the photo of this number at PATH, and say what it took; for the processes that this starts.
        path: Of the photo.
    """
    if one is not None and path is not None:
        _edit(path)
        return
    found: dict[str, list[str]] = {"exceptions": [], "slow": [], "large": []}
    files = refused = 0
    for number, large in enumerate(PHOTOS):
        if only not in large.name:
            continue
        files += 1
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, __file__, "--one", str(number), "--path", str(Path(folder) / "photo.bin")]
            make(large, Path(folder) / "photo.bin")
            done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            found["exceptions"].append(f"{large.name}: {done.stderr[-800:]}")
            continue
        said, seconds, megabytes = done.stdout.split()
        refused += said == "refused"
        print(f"{large.name}: {said}, {seconds} s, {megabytes} MB {done.stderr.strip()}", file=sys.stderr)
        found["slow"] += [large.name] * (float(seconds) > _MOST_SECONDS)
        found["large"] += [large.name] * (float(megabytes) > _MOST_MEGABYTES)
    for kind, names in found.items():
        print(kind, *names, sep="\n  ", file=sys.stderr)
    counts = {kind: len(names) for kind, names in found.items()}
    print_line({"benchmark": "large_photos", "files": files, "refused": refused, **counts})


def make(large: Large, path: Path) -> None:
    """Writes the photo."""
    from twocet.edit.examples import example_photos

    side = min(3000, *large.size)
    with Image.open(example_photos()["target-1"]) as example:
        face = example.resize((side, side))
    place = tuple((length - side) // 3 for length in large.size)
    mode = {"RGB;16": "RGB", "I;16": "L", "F": "L"}.get(large.mode, large.mode)
    picture = Image.new("RGB", large.size, "grey").convert(mode)
    picture.paste(face.convert(mode), place)
    if large.mode == "RGB;16":
        path.write_bytes(_deep_png(np.asarray(picture)))
        return
    if large.mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    if large.mode == "F":
        picture = Image.fromarray(np.asarray(picture).astype(np.float32) / 255)
    picture.save(path, large.file_format, **large.options)


def _deep_png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A PNG file of 16 bits."""
    squeeze = zlib.compressobj(1)
    rows = [squeeze.compress(b"\0" + (row.astype(">u2") * 257).tobytes()) for row in pixels]
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", b"".join([*rows, squeeze.flush()])), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _edit(path: Path) -> None:
    """Edits one photo and prints whether it was read, seconds of one core and megabytes."""
    import twocet
    from twocet.edit.examples import example_photos

    examples = example_photos()
    editor = twocet.load()
    expression = editor.expression(examples["reference-1-happy"])
    editor.transfer(examples["target-2"], expression)
    began, said = time.process_time(), "read"
    try:
        editor.transfer(path, expression).save(path.with_suffix(".jpg"))
    except twocet.UserError as error:
        said = "refused"
        print(str(error).replace(str(path), "it"), file=sys.stderr)
    print(said, f"{time.process_time() - began:.1f}", f"{peak_memory_mb():.0f}")


if __name__ == "__main__":
    tyro.cli(main)
