"""Photos of coloured cartoons, tiny networks, and readers that stand for the measuring networks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from twocet.compare.baselines.config import GANimationConfig, StarGANConfig
from twocet.compare.baselines.units import UNITS
from twocet.evaluation.readers import Expressions
from twocet.networks.config import NetworkConfig
from twocet.readers.features import ImageFeatures

SIZE = 32
LABELS = ("happy", "sad", "units")
STARGAN = StarGANConfig(
    network=NetworkConfig(
        size=SIZE, code_dim=8, generator_widths=(12, 16), trunk_widths=(12, 16), reduce=1, shuffle=2
    ),
    latent_dim=4, mapping_width=8, batch=4, steps=6, lr=1e-3, lr_mapping=1e-3, warm_up=2, r1_every=2, threads=1,
    bf16=False, log_every=2, sample_every=3, validate_every=3, checkpoint_every=3, select="gain",
)  # fmt: skip
GANIMATION = GANimationConfig(
    network=NetworkConfig(
        size=SIZE, code_dim=17, generator_widths=(12, 16), trunk_widths=(12, 16), reduce=2, shuffle=2
    ),
    batch=4, critic_steps=2, steps=6, lr=1e-3, warm_up=2, threads=1, bf16=False, log_every=2, sample_every=3,
    validate_every=3, checkpoint_every=3, select="gain",
)  # fmt: skip


def face(identity: int, smile: float) -> np.ndarray:
    """The identity sets colours, ``smile`` the height of the mouth: (SIZE, SIZE, 3) uint8."""
    random = np.random.default_rng(identity)
    pixels = np.empty((SIZE, SIZE, 3), np.uint8)
    pixels[:] = random.integers(60, 200, 3)
    pixels[8:11, 8:12] = pixels[8:11, 20:24] = 255
    pixels[22 : 24 + round(6 * smile), 9:23] = random.integers(0, 60, 3)
    return pixels


def write_dataset(folder: Path, identities: int = 8, *, shared: bool = False) -> Path:
    """Each identity neutral and with every label; the last two for testing, the two before for validation."""
    (folder / "faces").mkdir(parents=True)
    rows, units = [], []
    for identity in range(identities):
        split = ("train", "val", "test")[max(0, (identity - identities + 6) // 2)]
        for k, label in enumerate(("neutral", *LABELS)):
            name = f"faces/{identity}_{k}.png"
            Image.fromarray(face(identity, k / len(LABELS))).save(folder / name)
            rows.append((name, f"id{identity}", label, "expressive" if k else "neutral", split))
            units.append((name, *(5 * k / len(LABELS) if unit in ("AU12", "AU25") else 0 for unit in UNITS)))
    with (folder / "faces.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "identity", "expression", "domain", "split"), *rows])
    with (folder / "openface.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", *(f" {unit}_r" for unit in UNITS)), *units])
    info = {
        "format": 1, "name": folder.name, "licence": "CC0-1.0", "citation": "none", "template": "eyes-nose-v1",
        "size": SIZE, "made_by": "tests", "version": "1",
    }  # fmt: skip
    if shared:
        info["settings"] = {"shared_expressions": True}
    (folder / "dataset.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


class StubReaders:
    """Expression: the mouth's height. Identity: the skin's colour. Features: mean grey levels."""

    backbone = "stub"

    def expressions(self, pictures):
        height = (pictures[:, 22:30, 9:23].mean(axis=(1, 2, 3)) - pictures[:, 0, 0].mean(axis=1)) / 255
        return Expressions(height[:, None] * np.linspace(0, 1, 51), height[:, None, None] * np.ones((1, 478, 2)))

    def identities(self, pictures):
        return pictures[:, 0, 0].astype(float) / 255

    def features(self, pictures):
        pooled = np.stack([pictures[:, 20:, :, k].mean(axis=(1, 2)) / 255 for k in range(3)], axis=1)
        likely = pooled / pooled.sum(axis=1, keepdims=True).clip(1e-6)
        return ImageFeatures(pooled.astype(np.float32), likely.astype(np.float32))

    def diversity(self, groups):
        return np.array([float(np.ptp(group[:, 25].astype(float).mean(axis=(1, 2)))) for group in groups])
