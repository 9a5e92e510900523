"""Made-up faces, models whose results are known beforehand, and readers that stand for the measuring networks."""

from __future__ import annotations

import csv
import json

import numpy as np
import torch
from PIL import Image

from twocet.evaluation.readers import Expressions
from twocet.readers.features import ImageFeatures

PEOPLE, NAMES, SIDE = 9, ("happy", "sad", "units0"), 20


def face(person, expression):
    """A picture whose first column tells the person and whose lower half tells the expression."""
    pixels = np.full((SIDE, SIDE, 3), 8 * person + 8, np.uint8)
    pixels[SIDE // 2 :, 5:15] += np.uint8(40 * expression % 256)
    return pixels


def write_dataset(folder, rows, pictures, *, shared=True, size=SIDE):
    """A dataset folder of ``rows`` (of faces.csv) and their pictures."""
    folder.mkdir(exist_ok=True)
    for row, pixels in zip(rows, pictures, strict=True):
        Image.fromarray(pixels).save(folder / row["file"])
    with (folder / "faces.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    about = {"format": 1, "name": "made-up", "licence": "none", "template": "eyes-nose-v1", "size": size}
    settings = {"settings": {"shared_expressions": True}} if shared else {}
    (folder / "dataset.json").write_text(json.dumps({**about, **settings}))
    return folder


def grid(people=PEOPLE, names=NAMES):
    """Rows and pictures: every person neutral and with every expression."""
    shown = [(person, expression) for person in range(people) for expression in range(len(names) + 1)]
    rows = [
        {
            "file": f"{person}-{expression}.png",
            "identity": f"p{person}",
            "expression": names[expression - 1] if expression else "neutral",
            "domain": "expressive" if expression else "neutral",
            "split": "test",
        }
        for person, expression in shown
    ]
    return rows, [face(person, expression) for person, expression in shown]


class Painter:
    """Reads the expression off the reference and paints ``share`` of it on the target: a model with a known gain."""

    size = SIDE

    def __init__(self, share):
        self.share = share
        self.metadata = {"licence": "none"}
        self.spread = 0.1

    def sample_codes(self, num, generator):
        return self.spread * torch.randn(num, 1, generator=generator)

    def encode(self, image):
        pixels = (image + 1) * 127.5
        return (pixels[:, :1, -1, 10] - pixels[:, :1, -1, 0]) / 40

    def generate(self, image, code, strength=1.0):
        change = torch.zeros_like(image)
        change[:, :, SIDE // 2 :, 5:15] = 1
        return image + change * (self.share * 40 * strength * code / 127.5)[:, :, None, None]


class Plain:
    """Does nothing but transfer, and notes what it was asked."""

    size = SIDE

    def __init__(self):
        self.metadata = {"licence": "none"}
        self.labels = []

    def transfer(self, target, reference, strength=1.0, label=None):
        self.labels += label
        return target + strength * (reference - reference[:, :, -1:, :1])


class StubReaders:
    """Expression: how the lower half differs from the upper one. Identity: the corner. Features: mean grey levels."""

    backbone = "stub"

    def expressions(self, pictures):
        steps = (pictures[:, -1, 10, 0].astype(float) - pictures[:, -1, 0, 0]) / 120
        return Expressions(steps[:, None] * np.linspace(0, 1, 51), 20 * steps[:, None, None] * np.ones((1, 478, 2)))

    def identities(self, pictures):
        return np.stack([pictures[:, 0, 0, 0] / 50, np.ones(len(pictures))], axis=1)

    def features(self, pictures):
        upper, lower = (half.mean(axis=(1, 2, 3)) / 255 for half in np.split(pictures, 2, axis=1))
        pooled = np.stack([upper, lower], axis=1).astype(np.float32)
        likely = np.clip((lower - upper) * 4, 0, 1)
        return ImageFeatures(pooled, np.stack([likely, 1 - likely], axis=1).astype(np.float32))

    def diversity(self, groups):
        return np.array([float(np.ptp(group[:, -1, 10, 0])) for group in groups])
