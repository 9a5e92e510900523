"""A tiny dataset and a tiny configuration, for tests of training in seconds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from twocet.commands.train import configure

SIZE = 32
COLUMNS = ("file", "identity", "expression", "domain", "split", "lamp")
PAIRS = (
    "network.size=32", "network.code_dim=4", "network.generator_widths=8,12", "network.trunk_widths=8,12", "batch=4",
    "lr=1e-3", "lr_encoder=1e-3", "warm_up=3", "decay=cosine", "threads=1", "bf16=False", "log_every=2",
    "sample_every=5", "validate_every=5", "checkpoint_every=5",
)  # fmt: skip
"""For recipes that learn from pairs."""
SETTINGS = (
    *PAIRS, "weights.cycle_expressive.end=8", "weights.cycle_expressive.stop=1.5", "weights.code.rise=6",
    "weights.code.end=6", "weights.diversity.end=9", "r1_every=2", "cycles=both,neutral", "lr_discriminator=1e-4",
    "select=gain",
)  # fmt: skip
"""For the recipes paper and authors. Every schedule is in motion during the first ten rounds."""
CONFIG = configure("fast", "authors", SETTINGS, steps=10)


def face(identity: int, smile: float) -> np.ndarray:
    """A cartoon: the identity sets colours and place, ``smile`` the height of the mouth. (SIZE, SIZE, 3) uint8."""
    random = np.random.default_rng(identity)
    skin, mouth = random.integers(60, 200, 3), random.integers(0, 60, 3)
    pixels = np.empty((SIZE, SIZE, 3), np.uint8)
    pixels[:] = skin
    left = int(random.integers(6, 12))
    pixels[8:11, left : left + 4] = pixels[8:11, left + 12 : left + 16] = 255
    pixels[22 : 24 + round(6 * smile), 9:23] = mouth
    return pixels


def write_dataset(folder: Path, identities: int = 8, expressions: int = 3) -> Path:
    """Identities 0, 1, ... of which the last two are for validation; one neutral and some expressive photos each."""
    (folder / "faces").mkdir(parents=True)
    rows = []
    for identity in range(identities):
        split = "val" if identity >= identities - 2 else "train"
        for k in range(expressions + 1):
            name = f"faces/{identity}_{k}.png"
            Image.fromarray(face(identity, k / expressions)).save(folder / name)
            domain = "expressive" if k else "neutral"
            rows.append((name, f"id{identity}", f"smile{k}", domain, split, "on"))
    with (folder / "faces.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    info = {
        "format": 1, "name": folder.name, "licence": "CC0-1.0", "citation": "none", "template": "eyes-nose-v1",
        "size": SIZE, "made_by": "tests", "version": "1",
    }  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(info), encoding="utf-8")
    return folder
