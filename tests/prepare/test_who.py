"""People found by their faces in two piles of photos whose names say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fakes import save
from test_prepare import prepare, rows

from twocet import cli
from twocet.data.prepare import Settings, who
from twocet.data.prepare.crops import DESCRIPTOR
from twocet.data.prepare.originals import Original, PhotoFile
from twocet.errors import UserError
from twocet.photo.images import read_photo
from twocet.readers.identity import MATCH

pytest.importorskip("dlib")
SETTINGS = Settings(kind="folder", size=64, master=0, people="faces", unpaired="leave out")


@pytest.fixture(scope="module")
def piles(tmp_path_factory, portraits):
    """Photos of four people in an order of no meaning; the last one has a neutral photo alone."""
    folder = tmp_path_factory.mktemp("originals") / "piles"
    order = np.random.default_rng(3).permutation(12)
    for number, place in enumerate(order):
        person, k = divmod(int(place), 3)
        if not (person == 3 and k):
            save(folder / ("expressive" if k else "neutral") / f"IMG_{number:04d}.png", portraits[person][k])
    return folder


def who_is(piles, portraits, row):
    """The person in the photo that a row was made of."""
    number = row["file"].split("/")[1][:8]
    pixels = read_photo(piles / row["domain"] / f"{number}.png").pixels
    return next(p for p, photos in enumerate(portraits) if any((pixels == photo).all() for photo in photos))


def test_people_are_found_whatever_their_photos_are_called(tmp_path, piles, portraits):
    prepared = prepare(tmp_path / "faces", (piles,), SETTINGS)
    found = rows(tmp_path / "faces")
    assert len(found) == prepared.photos == 9
    people = {}
    for row in found:
        people.setdefault(row["identity"], set()).add(who_is(piles, portraits, row))
    assert sorted(map(sorted, people.values())) == [[0], [1], [2]]
    assert len(prepared.report["people_in_one_domain"]) == 1
    for row in found:
        assert row["split"] == next(r["split"] for r in found if r["identity"] == row["identity"])


def test_a_folder_that_was_begun_by_names_is_described_later(tmp_path, piles):
    names = Settings(kind="folder", size=64, master=0, unpaired="keep")
    prepare(tmp_path / "faces", (piles,), names)
    assert {row["identity"] for row in rows(tmp_path / "faces")} == {"IMG"}
    prepare(tmp_path / "faces", (piles,), SETTINGS)
    assert len({row["identity"] for row in rows(tmp_path / "faces")}) == 3


def test_people_in_one_domain_are_refused_when_they_are_known(tmp_path, piles, capsys):
    words = ["prepare", "folder", str(piles), "-o", str(tmp_path / "faces"), "--people", "faces", "--size", "64"]
    assert cli.main([*words, "--master", "0", "--workers", "1"]) == 2
    assert "1 of 4 people (such as person-000" in capsys.readouterr().err
    assert not (tmp_path / "faces" / "faces.csv").exists()
    assert cli.main([*words, "--master", "0", "--workers", "1", "--leave-out-unpaired", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["photos"]["used"] == 9


def test_nobody_need_be_known(tmp_path, piles, capsys):
    """Every photo is of a person of its own, whatever its name, and nobody is missed in the other domain."""
    words = ["prepare", "folder", str(piles), "-o", str(tmp_path / "faces"), "--people", "none", "--size", "64"]
    assert cli.main([*words, "--master", "0", "--workers", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = rows(tmp_path / "faces")
    assert len({row["identity"] for row in found}) == len(found) == 10
    assert {row["domain"] for row in found} == {"neutral", "expressive"}
    assert report["people_in_one_domain"] == report["people_left_out_for_a_lost_photo"] == []
    assert sum(report["people"].values()) == 10


@pytest.mark.parametrize("people", ["faces", "none"])
def test_sets_whose_names_tell_are_not_guessed(people):
    with pytest.raises(UserError, match=f"say who is who: leave out --people {people}"):
        Settings(kind="london", people=people)


def test_distance_decides():
    """Three photos along a line, neighbours nearer than a match; one far away."""
    step = 0.9 * MATCH
    places = {"a": 0, "b": 9, "c": 0.5, "d": 1}
    photos = [Original(PhotoFile(Path(), name), name, "?", "", "neutral") for name in places]
    records = {name: {DESCRIPTOR: [place * step, *[0.0] * 127]} for name, place in places.items()}
    found = who.with_found_people(photos, records)
    assert {photo.name: photo.identity for photo in found} == {
        "a": "person-0001", "c": "person-0001", "d": "person-0001", "b": "person-0002",
    }  # fmt: skip
