"""Make every picture of the documentation anew: ``python tools/docs_pictures.py [NAME ...]`` writes ``docs/images``.

All are made by the program from the packaged examples and from rendered people: nobody in them exists. Run it again
whenever the packaged model or the page changes. The captions in the documentation name the command of each picture.
matrix needs the extra ``figures``; web is made by ``web_screenshot.py``, which needs Chromium.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import tyro
from PIL import Image

from twocet import cli
from twocet.edit.examples import example_photos

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
MOST_BYTES = 150_000
WIDTH = 1000
PEOPLE, FIRST_PERSON = 24, 960_000

Name = Literal["demo", "transfer", "sample", "continuum", "standard", "matrix", "web"]


def call(*words: str) -> None:
    """``twocet WORDS`` in this process."""
    code = cli.main(list(words))
    if code:
        raise SystemExit(f"twocet {' '.join(words)} ended with {code}")


def demo() -> Path:
    """README: what ``twocet demo`` makes of all example pairs."""
    call("demo", "-o", "demo")
    return Path("demo/overview.png")


def transfer() -> Path:
    """photos.md: one expression at three strengths."""
    call("transfer", "me.jpg", "smile.jpg", "-o", "strengths.png", "--strength", "0.5", "1.0", "1.5")
    return Path("strengths.png")


def sample() -> Path:
    """photos.md: random expressions."""
    call("sample", "me.jpg", "-n", "8", "-o", "samples")
    return Path("samples/me-sheet.jpg")


def continuum() -> Path:
    """stimuli.md: steps equal in movement."""
    call("continuum", "me.jpg", "smile.jpg", "--steps", "6", "--to", "1", "--equalize", "landmarks", "-o", "equal")
    return Path("equal/contact-sheet.png")


def standard() -> Path:
    """stimuli.md: the standard view."""
    view = ("--size", "512", "--mask", "oval", "--grey", "--match-luminance")
    call("continuum", "me.jpg", "smile.jpg", "--steps", "6", "--to", "1", *view, "-o", "standard")
    return Path("standard/contact-sheet.png")


def matrix() -> Path:
    """reproducing.md: the layout of the paper's Fig. 1, with the packaged model and rendered people."""
    call("synth", "faces", "--identities", str(PEOPLE), "--expressions", "2", "--first-identity", str(FIRST_PERSON))
    call("figure", "matrix", "--data", "faces", "--split", "train", "-o", "matrix.png")
    return Path("matrix.png")


def web() -> Path:
    """web.md: the page at both widths."""
    tool = Path(__file__).with_name("web_screenshot.py")
    subprocess.run([sys.executable, str(tool), "-o", "web.png"], check=True)
    return Path("web.png")


PICTURES: dict[Name, Callable[[], Path]] = {
    "demo": demo, "transfer": transfer, "sample": sample, "continuum": continuum, "standard": standard,
    "matrix": matrix, "web": web,
}  # fmt: skip


def shrunk(path: Path) -> bytes:
    """The picture as a JPEG of at most ``MOST_BYTES``, with the XMP (the AI mark) of the one that was made."""
    with Image.open(path) as made:
        xmp = made.info.get("xmp")
        picture = made.convert("RGB")
    picture.thumbnail((WIDTH, 10 * WIDTH), Image.Resampling.LANCZOS)
    for quality in range(90, 30, -5):
        buffer = io.BytesIO()
        options = {"xmp": xmp} if xmp else {}
        picture.save(buffer, "JPEG", quality=quality, optimize=True, **options)
        if buffer.tell() <= MOST_BYTES:
            return buffer.getvalue()
    raise SystemExit(f"{path} does not fit {MOST_BYTES} bytes")


def main(names: tyro.conf.Positional[tuple[Name, ...]] = ()) -> None:
    """Makes the pictures.

    Args:
        names: Which ones; all if not given.
    """
    FOLDER.mkdir(exist_ok=True)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        examples = example_photos()
        shutil.copy(examples["target-2"], "me.jpg")
        shutil.copy(examples["reference-1-happy"], "smile.jpg")
        for name in names or PICTURES:
            content = shrunk(PICTURES[name]())
            (FOLDER / f"{name}.jpg").write_bytes(content)
            print(f"{FOLDER / name}.jpg {len(content) // 1000} kB")
        os.chdir(here)


if __name__ == "__main__":
    tyro.cli(main)
