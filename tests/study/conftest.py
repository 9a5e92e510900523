"""A dataset of drawn faces, and studies made of it."""

from __future__ import annotations

import pytest
from PIL import Image
from study_tools import SIDE, write_faces

from twocet import cli


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
