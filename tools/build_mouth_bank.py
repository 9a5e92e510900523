"""Render the packaged bank of mouths: ``python tools/build_mouth_bank.py [sheet.png]`` writes ``edit/mouths.npz``.

One person with even teeth under one soft light shows every kind of open mouth, at the scale of a photo of 1024 pixels.
Lips and light are read in the pictures as they are in photos.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from twocet.edit.bank import BANK, pack
from twocet.edit.inside import MouthSource, mouth_source
from twocet.photo.faces import FaceFinder
from twocet.synth import Head, Identity, render
from twocet.synth.expressions import units_from_text

FILE = Path(__file__).resolve().parents[1] / "src" / "twocet" / "edit" / BANK
PERSON = 42
SIZE = 768
SMILES = (
    "mouthSmile* 0.7, mouthUpperUp* 0.1, mouthLowerDown* 0.4, jawOpen 0.06",
    "mouthSmile* 0.8, mouthUpperUp* 0.25, mouthLowerDown* 0.6, jawOpen 0.06",
    "mouthSmile* 0.9, mouthUpperUp* 0.3, mouthLowerDown* 0.9, jawOpen 0.1",
    "mouthSmile* 0.95, mouthUpperUp* 0.35, mouthLowerDown* 0.9, jawOpen 0.22",
    "mouthSmile* 0.95, mouthUpperUp* 0.35, mouthLowerDown* 0.9, jawOpen 0.35",
    "mouthSmile* 0.95, mouthUpperUp* 0.4, mouthLowerDown* 0.6, jawOpen 0.5",
)
"""With the upper teeth raised by ``RAISED``: most people's smiles show no gums."""
RAISED = 0.016
"""Head units."""
OTHERS = (
    "jawOpen 0.12",
    "jawOpen 0.25",
    "jawOpen 0.4",
    "jawOpen 0.6, mouthFunnel 0.15",
    "jawOpen 0.85, mouthFunnel 0.1",
    "jawOpen 0.3, mouthFunnel 0.7",
    "jawOpen 0.85, mouthStretch* 0.5, mouthUpperUp* 0.4, mouthLowerDown* 0.5",
    "mouthStretch* 0.9, jawOpen 0.28, mouthLowerDown* 0.15",
    "mouthUpperUp* 0.75, noseSneer* 0.6, mouthLowerDown* 0.2",
    "mouthUpperUp* 0.6, mouthLowerDown* 0.5, noseSneer* 0.5, mouthStretch* 0.4, jawOpen 0.06",
    "mouthSmile* 0.4, mouthLowerDown* 0.6, mouthUpperUp* 0.3, mouthStretch* 0.3",
    "mouthSmile* 0.4, mouthLowerDown* 0.8, mouthUpperUp* 0.2, mouthStretch* 0.2, jawOpen 0.05",
    "mouthSmile* 0.3, mouthLowerDown* 0.5, mouthUpperUp* 0.5",
    "mouthSmile* 0.3, mouthLowerDown* 0.8, mouthUpperUp* 0.5, mouthStretch* 0.3, jawOpen 0.05",
)
LIGHT = {"key_light": (8.0, 32.0), "key_gain": 0.45, "sky_gain": 0.65, "temperature": 0.0, "pose": (0.0, 0.0, 0.0),
         "gaze": (0.0, 0.0), "stubble": 0.0}  # fmt: skip


def mouths() -> list[MouthSource]:
    """All mouths of the bank."""
    finder, found = FaceFinder(), []
    heads = {shape: head(RAISED if shape in SMILES else 0.0) for shape in (*SMILES, *OTHERS)}
    for shape, shown in tqdm(heads.items(), desc="rendering", disable=None):
        pixels = render(shown, units_from_text(shape), SIZE, "portrait").pixels
        landmarks = finder.require(pixels, shape)[0].landmarks[:, :2].astype(np.float64)
        found.append(mouth_source(pixels, landmarks))
    return found


def head(raised: float) -> Head:
    """The person, with the upper teeth and gums higher by ``raised``."""
    made = Head(dataclasses.replace(Identity.sample(PERSON), **LIGHT))
    made.dentition.teeth[~made.dentition.on_jaw, 1] += raised
    return made


if __name__ == "__main__":
    bank = mouths()
    np.savez(FILE, **pack(bank))
    print(f"{FILE}: {len(bank)} mouths, {FILE.stat().st_size} bytes")
    if len(sys.argv) > 1:
        side = max(max(mouth.pixels.shape[:2]) for mouth in bank)
        sheet = Image.new("RGB", (8 * side, -(-len(bank) // 8) * side))
        for k, mouth in enumerate(bank):
            sheet.paste(Image.fromarray(mouth.pixels), (k % 8 * side, k // 8 * side))
        sheet.save(sys.argv[1])
