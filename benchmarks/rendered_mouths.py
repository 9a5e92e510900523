"""Measures the mouths that a model makes in crops of rendered people. Prints one line of JSON.

The mouth's part of the crop, of expressions with open mouths, transferred from another person's photo and from the own
one: kernel distance of MobileNetV2's features to those of the true mouths, sharpness (mean difference of neighbouring
pixels about the lips, in levels of 255), and the gain there.

    python benchmarks/rendered_mouths.py default --data bench
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import tyro
from line import print_line
from PIL import Image

from twocet.evaluation.people import read_people
from twocet.metrics.distributions import kernel_distance
from twocet.model.model import find_model, load_model
from twocet.networks.close_up import cut
from twocet.photo.scaling import to_image, to_pixels
from twocet.readers.features.mobilenet import MobileNetReader

OPEN = ("laugh", "scream", "surprise", "happy", "fear")
NEXT = 7
"""The expression comes from the person so many places further on."""

Pixels = npt.NDArray[np.uint8]


def main(model: tyro.conf.Positional[str], data: Path, every: int = 1) -> None:
    """Print the figures.

    Args:
        model: Name of a packaged model, or a model file.
        data: Folder of `twocet synth` with shared expressions.
        every: One person in so many.
    """
    loaded, reader = load_model(find_model(model)), MobileNetReader()
    people = read_people(data, "test", loaded.size)
    shown = zip(people.expressive_people, people.labels, strict=True)
    places = {(int(who), label): k for k, (who, label) in enumerate(shown)}
    count = len(people.first_neutral)
    chosen = range(0, count, every)
    photos = people.neutral[[people.first_neutral[who] for who in chosen]]

    def expressive(label: str, further: int) -> Pixels:
        return people.expressive[[places[(who + further) % count, label] for who in chosen]]

    def made(label: str, further: int) -> Pixels:
        output = loaded.generate(to_image(photos), loaded.encode(to_image(expressive(label, further))))
        return np.stack([to_pixels(picture) for picture in output])

    def features(mouths: Pixels) -> npt.NDArray[np.float64]:
        large = [np.asarray(Image.fromarray(mouth).resize((128, 128), Image.Resampling.BICUBIC)) for mouth in mouths]
        return reader.read(np.stack(large)).pooled.astype(np.float64)

    truth = np.concatenate([part(expressive(label, 0)) for label in OPEN])
    target = np.concatenate([part(photos)] * len(OPEN))
    true_features = features(truth)
    figures: dict[str, dict[str, float]] = {"truth": {"sharpness": sharpness(truth)}}
    for name, further in (("another", NEXT), ("own", 0)):
        mouths = np.concatenate([part(made(label, further)) for label in OPEN])
        figures[name] = {
            "kernel_distance": round(float(kernel_distance(features(mouths), true_features)), 4),
            "sharpness": sharpness(mouths),
            "gain": round(1 - difference(mouths, truth) / difference(target, truth), 4),
        }
    print_line({"benchmark": "rendered_mouths", "model": model, "people": len(chosen), **figures})


def part(pixels: Pixels) -> Pixels:
    """The mouth's part of crops (N, S, S, 3): (N, S / 2, S / 2, 3)."""
    return cut(torch.from_numpy(pixels).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()


def sharpness(mouths: Pixels) -> float:
    """Mean absolute difference of neighbouring pixels about the lips, down and across."""
    grey = mouths.astype(float).mean(axis=-1)[:, 20:58, 6:58]
    return round(float(np.mean([np.abs(np.diff(grey, axis=axis)).mean() for axis in (1, 2)])), 2)


def difference(mouths: Pixels, truth: Pixels) -> float:
    """Sum of absolute differences."""
    return float(np.abs(mouths.astype(float) - truth).sum())


if __name__ == "__main__":
    tyro.cli(main)
