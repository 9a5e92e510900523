"""Measures ``neutralize`` on real photos: smiles should go, neutral photos should stay. Prints one line of JSON.

DATA holds ``london/neutral``, ``london/smiling`` and, if there are any, further folders of photos such as
``snapshots``, whose photos count as smiling by what is read in them. London people who were not trained on stand apart.

- *closed*: of the photos with open lips, how many have closed ones afterwards (``portraits.opening`` under 0.012);
- *smile*: the mean of both smile blendshapes of smiling photos, before and after; *faint* where it is at most 0.1;
- *unchanged*: how many neutral photos are the same to the last bit, and the largest change of each of the others.

    python benchmarks/neutral.py DATA
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import filterfalse
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import portraits
import tyro
from line import print_line
from tqdm import tqdm

import twocet
from twocet.photo.images import read_photo

FAINT = 0.1
"""Blendshapes of a smile that nobody sees."""
SMILING = 0.3
"""From here on a photo counts as smiling where no folder says so."""


class Neutralised(NamedTuple):
    """One photo, before and after."""

    name: str
    opening: float
    opening_after: float
    smile: float
    smile_after: float
    change: int
    """The largest difference of a pixel, in levels of 255."""


def neutralised(editor: twocet.Editor, readers: portraits.Readers, path: Path) -> Neutralised:
    """Make one photo neutral and measure it."""
    before = read_photo(path).pixels
    after = editor.neutralize(path).pixels
    readings = [readers.read(pixels) for pixels in (before, after)]
    openings = [portraits.opening(reading.landmarks) for reading in readings]
    change = int(np.abs(after.astype(np.int16) - before).max())
    return Neutralised(path.name, *openings, *(reading.smile for reading in readings), change)


def of_smiles(photos: Sequence[Neutralised]) -> dict[str, Any]:
    """What became of smiling photos."""
    opened = [photo for photo in photos if photo.opening >= portraits.CLOSED]
    return {
        "photos": len(photos),
        "open": len(opened),
        "closed": sum(photo.opening_after < portraits.CLOSED for photo in opened),
        "left_open": {
            photo.name: round(photo.opening_after, 3) for photo in opened if not photo.opening_after < portraits.CLOSED
        },
        "smile": mean(photo.smile for photo in photos),
        "smile_after": mean(photo.smile_after for photo in photos),
        "faint": sum(photo.smile_after <= FAINT for photo in photos),
    }


def mean(values: Iterable[float]) -> float | None:
    """Of those that could be read; None if there is none."""
    read = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(read)), 3) if read else None


def of_neutral(photos: Sequence[Neutralised]) -> dict[str, Any]:
    """What became of neutral photos."""
    return {
        "photos": len(photos),
        "unchanged": sum(photo.change == 0 for photo in photos),
        "changed": {photo.name: photo.change for photo in photos if photo.change},
    }


def main(
    data: Annotated[Path, tyro.conf.Positional],
    *,
    model: str = "default",
    others: tuple[str, ...] = ("snapshots", "wild"),
) -> None:
    """Print the figures.

    Args:
        data: Folder with london/ and others.
        model: Name of a packaged model, or a model file.
        others: Further folders of photos in DATA.
    """
    editor, readers = twocet.load(model), portraits.Readers()

    def measure(paths: Iterable[Path], title: str) -> list[Neutralised]:
        return [neutralised(editor, readers, path) for path in tqdm(sorted(paths), desc=title, disable=None)]

    smiling, neutral = (measure((data / "london" / kind).glob("*.jpg"), kind) for kind in ("smiling", "neutral"))
    further = [photo for name in others for photo in measure((data / name).glob("*.jpg"), name)]
    print_line(
        {
            "benchmark": "neutral",
            "model": model,
            "apart": figures(filter(is_apart, smiling), filter(is_apart, neutral)),
            "trained_on": figures(filterfalse(is_apart, smiling), filterfalse(is_apart, neutral)),
            "others": figures(filter(is_smiling, further), filterfalse(is_smiling, further)),
        }
    )


def figures(smiling: Iterable[Neutralised], neutral: Iterable[Neutralised]) -> dict[str, Any]:
    """All figures of some people's photos."""
    return {"smiling": of_smiles(list(smiling)), "neutral": of_neutral(list(neutral))}


def is_apart(photo: Neutralised) -> bool:
    """Whether the London person of a photo was not trained on."""
    return Path(photo.name).stem in portraits.APART


def is_smiling(photo: Neutralised) -> bool:
    """Whether a photo shows a smile or open lips."""
    return photo.smile > SMILING or photo.opening >= portraits.CLOSED


if __name__ == "__main__":
    tyro.cli(main)
