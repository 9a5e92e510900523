"""A dataset of drawn faces, and studies made of it."""

from __future__ import annotations

import csv
import json

import pytest
from PIL import Image, ImageDraw

from twocet import cli

SIDE = 64
LABELS = ("joy", "anger", "fear", "awe")


def face(person, mouth):
    """A face whose colour is the person's and whose mouth is the expression's."""
    picture = Image.new("RGB", (SIDE, SIDE), (90, 100, 110))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8, 4, 56, 60), fill=(120 + 11 * person % 120, 150 - 7 * person % 90, 90 + 23 * person % 100))
    for x in (22, 42):
        draw.ellipse((x - 4, 22, x + 4, 30), fill="white")
        draw.ellipse((x - 2, 24, x + 2, 28), fill="black")
    draw.ellipse((32 - 6 - mouth, 44 - mouth, 32 + 6 + mouth, 46 + mouth), fill=(150, 30, 40))
    return picture


def write_faces(path, people, labels=LABELS):
    """Everyone neutral and with every expression, all in the split test."""
    path.mkdir()
    table = [("file", "identity", "expression", "domain", "split")]
    for person in range(people):
        for k, label in enumerate(("neutral", *labels)):
            name = f"{person}-{label}.png"
            face(person, 2 * k).save(path / name)
            table.append((name, f"person-{person}", "" if k == 0 else label, "expressive" if k else "neutral", "test"))
    with (path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    info = {"format": 1, "name": "drawn", "licence": "CC0-1.0", "template": "eyes-nose-v1", "size": SIDE}
    (path / "dataset.json").write_text(json.dumps(info))
    return path


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("drawn") / "faces", 12)


@pytest.fixture(scope="session")
def make(tmp_path_factory, faces):
    """Makes a study by the command line and returns its folder."""

    def run(*words, data=faces):
        folder = tmp_path_factory.mktemp("study") / "study"
        given = ("--data", str(data)) if data else ()
        assert cli.main(["study", "make", str(folder), *given, "--size", "64", *map(str, words)]) == 0
        return folder

    return run


@pytest.fixture(scope="session")
def third(faces, tmp_path_factory):
    """A folder with results of another program, for the pairs that seed 0 draws: one grey level each."""
    folder = tmp_path_factory.mktemp("third")
    for number in range(1, 13):
        Image.new("RGB", (SIDE, SIDE), (20 * number,) * 3).save(folder / f"pair-{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def rating(make, third):
    """Twelve pairs, three methods, four checks."""
    return make("--methods", "copy", "own", f"theirs={third}", "--checks", 4)


@pytest.fixture(scope="session")
def comparison(make, third):
    """The same, two methods side by side."""
    return make("--design", "2afc", "--methods", "copy", "own", f"theirs={third}", "--checks", 4)


@pytest.fixture(scope="session")
def raters(load_benchmark):
    """The raters that do not exist, of benchmarks/study_raters.py."""
    return load_benchmark("study_raters")
