"""Fake laboratory sets: synthetic people under the original file names."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import save
from PIL import Image

from twocet.synth import Head, Identity, render
from twocet.synth.expressions import shared_expressions

EXPRESSIONS = shared_expressions(np.random.default_rng(0), 2)


@pytest.fixture(scope="session")
def portraits():
    """Four people, each neutral and with two expressions: [person][k] is (256, 256, 3) uint8."""
    heads = [Head(Identity.sample(1_000_100 + number)) for number in range(4)]
    units = [{}, *(expression.units for expression in EXPRESSIONS)]
    return [[render(head, shown, 256, "portrait", supersample=1).pixels for shown in units] for head in heads]


@pytest.fixture(scope="session")
def cfee(tmp_path_factory, portraits):
    """Classes 01 to 03 of four people, of whom 122 and 185 are the paper's test people; one picture without a face."""
    folder = tmp_path_factory.mktemp("originals") / "CFEE"
    for identity, photos in zip(("122", "130", "185", "201"), portraits, strict=True):
        for label, pixels in enumerate(photos, start=1):
            save(folder / f"{label:02d}" / f"{label:02d}_{identity}_AB.jpg", pixels, quality=95)
    save(folder / "04" / "04_130_AB.jpg", np.full((256, 256, 3), 90, np.uint8))
    save(folder / "readme.png", portraits[0][0])
    return folder


@pytest.fixture(scope="session")
def rafd(tmp_path_factory, portraits):
    """Three angles, two expressions and an averted gaze of four people, 12 being one of the paper's test people."""
    folder = tmp_path_factory.mktemp("originals") / "RafD"
    for identity, photos in zip(("01", "12", "23", "61"), portraits, strict=True):
        shown = [("neutral", "frontal", 0), ("neutral", "left", 0), ("happy", "frontal", 1), ("angry", "right", 2)]
        for angle in ("045", "090", "135", "180"):
            for expression, gaze, k in shown:
                canvas = np.full((1024, 681, 3), 128, np.uint8)
                portrait = Image.fromarray(photos[k]).resize((621, 621))
                canvas[90:711, 30:651] = np.asarray(portrait) + np.uint8(int(angle) // 45)
                save(folder / f"Rafd{angle}_{identity}_Caucasian_female_{expression}_{gaze}.jpg", canvas, quality=95)
    return folder
