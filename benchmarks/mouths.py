"""Measures mouths at photo scale: real smiles of other people on neutral portraits. Prints one line of JSON.

FOLDER is the London set, see ``portraits``. Every one of the ten people who were not trained on gets the smile of each
of the other nine (``--everybody``: each of all people that of the one seven places further on). Mouths are cut out at
photo scale and compared with the real smiles of all people: the kernel distance (KID) of MobileNetV2's features, and
sharpness. Two pictures that have a person in common, as target or as reference, are not compared with each other, so
that neither a person's ten pictures nor borrowed teeth count as likeness. Mouths are made both ways, of real pixels and
painted; the people's own smiles are the anchor.

    python benchmarks/mouths.py FOLDER
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import portraits
import tyro
from line import print_line
from real_pairs import compare
from tqdm import tqdm

import twocet
from twocet import metrics
from twocet.edit.editor import MouthKind
from twocet.photo.images import Pixels, read_photo
from twocet.readers.features.mobilenet import MobileNetReader
from twocet.runtime.arrays import Floats

OFFSET = 7
BATCH = 16


class Mouths(NamedTuple):
    """Mouths of n pictures."""

    features: Floats
    """(n, D)."""
    sharpness: Floats
    """(n,)."""
    people: list[set[str]]
    """Whose pixels may be in each."""

    def take(self, chosen: Sequence[int]) -> Mouths:
        """Some of them."""
        return Mouths(self.features[chosen], self.sharpness[chosen], [self.people[k] for k in chosen])


class Pair(NamedTuple):
    """One transfer."""

    target: str
    reference: str


def pairs_of(names: Sequence[str], everybody: bool) -> list[Pair]:
    """The pairs to measure, of all people ``names``."""
    if everybody:
        return [Pair(name, names[(k + OFFSET) % len(names)]) for k, name in enumerate(names)]
    apart = [name for name in names if name in portraits.APART]
    return [Pair(target, reference) for target in apart for reference in apart if target != reference]


def distance(mouths: Mouths, real: Mouths) -> float:
    """KID over the pairs of pictures that have nobody in common."""
    parts = [_mean_kernel(*both) for both in ((mouths, mouths), (real, real), (mouths, real))]
    return parts[0] + parts[1] - 2 * parts[2]


def _mean_kernel(some: Mouths, others: Mouths) -> float:
    apart = np.array([[not (one & other) for other in others.people] for one in some.people])
    return float(metrics.polynomial_kernel(some.features, others.features)[apart].mean())


def distance_error(mouths: Mouths, real: Mouths, targets: Sequence[str]) -> float:
    """Standard error of ``distance``: the jackknife over the people edited."""
    kept = [[k for k, target in enumerate(targets) if target != name] for name in sorted(set(targets))]
    without = [distance(mouths.take(some), real) for some in kept]
    return float(np.sqrt((len(without) - 1) * np.var(without)))


def summary(mouths: Mouths, real: Mouths, targets: Sequence[str]) -> dict[str, float]:
    """Kernel distance with its standard error, and sharpness."""
    return {
        "kernel_distance": round(distance(mouths, real), 4),
        "standard_error": round(distance_error(mouths, real, targets), 4),
        "sharpness": round(float(mouths.sharpness.mean()), 2),
    }


class Photos:
    """The photos of a folder; each is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.readers = folder, portraits.Readers()
        self._read: dict[Path, portraits.Reading] = {}

    def path(self, kind: str, name: str) -> Path:
        """``kind``: neutral or smiling."""
        return self._folder / kind / f"{name}.jpg"

    def reading(self, kind: str, name: str) -> portraits.Reading:
        """What is read in one photo."""
        path = self.path(kind, name)
        if path not in self._read:
            self._read[path] = self.readers.read(read_photo(path).pixels)
        return self._read[path]

    def own_smile(self, name: str) -> Pixels:
        """The mouth of a person's own smile."""
        pixels = read_photo(self.path("smiling", name)).pixels
        return portraits.mouth_crop(pixels, self.reading("smiling", name).landmarks)


class Made(NamedTuple):
    """A transfer."""

    mouth: Pixels | None
    """None where no face is found."""
    figures: dict[str, float]


def make(editor: twocet.Editor, photos: Photos, pair: Pair) -> Made:
    """Make one transfer and measure it."""
    target, reference = pair
    output = editor.transfer(photos.path("neutral", target), photos.path("smiling", reference)).pixels
    made = photos.readers.read(output)
    given = [photos.reading(kind, name) for name in pair for kind in ("neutral", "smiling")]
    found = np.isfinite(made.landmarks).all()
    return Made(portraits.mouth_crop(output, made.landmarks) if found else None, compare(made, *given))


def mouths_of(reader: MobileNetReader, crops: Sequence[Pixels], people: Sequence[set[str]]) -> Mouths:
    """The features and the sharpness of mouth crops."""
    parts = [reader.read(np.stack(crops[k : k + BATCH])).pooled for k in range(0, len(crops), BATCH)]
    sharp = np.array([portraits.sharpness(crop) for crop in crops])
    return Mouths(np.concatenate(parts).astype(np.float64), sharp, list(people))


def measure(
    editor: twocet.Editor, photos: Photos, reader: MobileNetReader, pairs: Sequence[Pair], real: Mouths
) -> dict[str, float]:
    """Make all pairs and sum them up."""
    made = [make(editor, photos, pair) for pair in tqdm(pairs, desc=f"{editor.mouth} mouths", disable=None)]
    shown = [(one.mouth, pair) for one, pair in zip(made, pairs, strict=True) if one.mouth is not None]
    mouths = mouths_of(reader, [mouth for mouth, _ in shown], [set(pair) for _, pair in shown])
    figures = {name: round(float(np.nanmean([one.figures[name] for one in made])), 3) for name in made[0].figures}
    return {
        **summary(mouths, real, [pair.target for _, pair in shown]),
        **figures,
        "without_face": len(made) - len(shown),
    }


def main(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    model: str = "default",
    mouths: tuple[MouthKind, ...] = ("real", "painted"),
    everybody: bool = False,
) -> None:
    """Print the figures.

    Args:
        folder: The London set: neutral/ and smiling/ with the same file names.
        model: Name of a packaged model, or a model file.
        mouths: Of real pixels, or painted by the model alone.
        everybody: Also edit the people whom the model was trained on, each once: more of them, so more stable.
    """
    names = portraits.names_in(folder)
    photos, reader, pairs = Photos(folder), MobileNetReader(), pairs_of(names, everybody)
    real = mouths_of(reader, [photos.own_smile(name) for name in names], [{name} for name in names])
    edited = {pair.target for pair in pairs}
    own = real.take([k for k, name in enumerate(names) if name in edited])
    made = {kind: measure(twocet.load(model, mouth=kind), photos, reader, pairs, real) for kind in mouths}
    print_line(
        {
            "benchmark": "mouths",
            "model": model,
            "people": len(edited),
            "pairs": len(pairs),
            **made,
            "own_smiles": summary(own, real, sorted(edited)),
            "real_smiles": {"people": len(names), "sharpness": round(float(real.sharpness.mean()), 2)},
        }
    )


if __name__ == "__main__":
    tyro.cli(main)
