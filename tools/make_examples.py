"""Render the packaged example photos: ``python tools/make_examples.py`` writes ``src/twocet/commands/examples``.

Six neutral targets and six expressive references of other people, none of them in a training or benchmark set. They are
whole-head portraits before a background, so that an example takes the same way as a user's photo: find, align, edit,
blend. The bytes depend on the renderer and on Pillow's JPEG encoder alone.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from twocet.synth import EXPRESSIONS, Head, Identity, render

FOLDER = Path(__file__).resolve().parents[1] / "src" / "twocet" / "commands" / "examples"
SIZE = 1024
SUPERSAMPLE = 3
QUALITY = 88
MAX_BYTES = 200_000


class Example(NamedTuple):
    """One photo: who, with which named expression (None: neutral), how the head is turned."""

    name: str
    identity: int
    expression: str | None = None
    strength: float = 1.0
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0)


EXAMPLES = (
    Example("target-1", 900_065, pose=(0.0, -4.0, 1.0)),
    Example("target-2", 900_066, pose=(1.0, 5.0, -1.0)),
    Example("target-3", 900_069, pose=(0.0, 3.0, 2.0)),
    Example("target-4", 900_042, pose=(-1.0, -6.0, 0.0)),
    Example("target-5", 900_071, pose=(0.0, 2.0, -2.0)),
    Example("target-6", 900_083, pose=(1.0, -3.0, 1.0)),
    Example("reference-1-happy", 900_057, "happy", 1.0, (0.0, 4.0, -2.0)),
    Example("reference-2-surprise", 900_024, "surprise", 0.9, (0.0, -3.0, 1.0)),
    Example("reference-3-angry", 900_064, "angry", 1.0, (2.0, 0.0, 0.0)),
    Example("reference-4-sad", 900_039, "sad", 1.0, (1.0, 3.0, 2.0)),
    Example("reference-5-disgust", 900_044, "disgust", 0.9, (0.0, -4.0, 0.0)),
    Example("reference-6-fear", 900_074, "fear", 1.0, (-1.0, 2.0, 1.0)),
)


def photograph(example: Example) -> bytes:
    """The example's JPEG file."""
    head = Head(Identity.sample(example.identity))
    weights = EXPRESSIONS[example.expression] if example.expression else {}
    units = {unit: weight * example.strength for unit, weight in weights.items()}
    picture = render(head, units, SIZE, "portrait", SUPERSAMPLE, example.pose)
    buffer = io.BytesIO()
    Image.fromarray(picture.pixels).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Write all examples."""
    FOLDER.mkdir(exist_ok=True)
    for example in EXAMPLES:
        photo = photograph(example)
        if len(photo) > MAX_BYTES:
            raise SystemExit(f"{example.name} has {len(photo)} bytes: lower QUALITY")
        (FOLDER / f"{example.name}.jpg").write_bytes(photo)
        print(f"{example.name}.jpg {len(photo) // 1000} kB")


if __name__ == "__main__":
    main()
