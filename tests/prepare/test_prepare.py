"""Fake CFEE and RaFD trees become dataset folders that can be trained on."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile

import numpy as np
import pytest
from fakes import save
from PIL import Image

from twocet import cli
from twocet.data.dataset import open_dataset
from twocet.data.prepare import Settings, Splitting, prepare_dataset
from twocet.errors import UserError
from twocet.model.model import load_model
from twocet.photo import align, resample
from twocet.photo.faces import FaceFinder
from twocet.photo.images import read_photo

SETTINGS = Settings(kind="cfee", size=64, master=96)
TINY = (
    "network.size=64", "network.code_dim=4", "network.generator_widths=4,6", "network.trunk_widths=4,6", "batch=2",
    "threads=1", "validate_every=2", "sample_every=2",
)  # fmt: skip


def prepare(out, containers, settings=SETTINGS, splitting=None, **options):
    return prepare_dataset(out, containers, settings, splitting or Splitting(), progress=False, workers=1, **options)


def rows(folder):
    with (folder / "faces.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def counts(folder):
    """(neutral, expressive) rows."""
    found = rows(folder)
    return sum(row["domain"] == "neutral" for row in found), sum(row["domain"] == "expressive" for row in found)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, cfee):
    """The fake CFEE, prepared by the command line from a zip file."""
    folder = tmp_path_factory.mktemp("prepared")
    with zipfile.ZipFile(folder / "cfee.zip", "w") as archive:
        for path in sorted(cfee.rglob("*.*")):
            archive.write(path, path.relative_to(cfee).as_posix())
    words = ["prepare", "cfee", str(folder / "cfee.zip"), "-o", str(folder / "faces"), "--workers", "1"]
    assert cli.main([*words, "--size", "64", "--master", "96"]) == 0
    return folder / "faces"


def test_cfee_becomes_a_dataset_folder(prepared, cfee):
    dataset = open_dataset(prepared)
    assert (dataset.size, dataset.info["template"]) == (64, "eyes-nose-v1")
    assert dataset.info["citation"].startswith("Du, S.")
    assert counts(prepared) == (4, 8)
    assert {row["identity"] for row in dataset.select("test")} == {"122", "185"}
    assert [row["file"] for row in dataset.rows][:3] == [f"faces/122_0{k}.png" for k in (1, 2, 3)]
    # The crop is that of the photo's own landmarks, at both sizes.
    pixels = read_photo(cfee / "02" / "02_130_AB.jpg").pixels
    photo_to_crop = align.align(FaceFinder(threads=1).find(pixels)[0].landmarks)
    for place, size in (("faces", 64), ("masters", 96)):
        assert (read_photo(prepared / place / "130_02.png").pixels == resample.crop(pixels, photo_to_crop, size)).all()
    with Image.open(prepared / "contact-sheet.jpg") as picture:
        assert picture.width > 3 * 128
        assert picture.height > 4 * 128


def test_report_names_what_was_left_out(prepared):
    report = json.loads((prepared / "report.json").read_text())
    assert report["problems"] == {"cfee.zip/04/04_130_AB.jpg": "no face found"}
    assert report["names_not_understood"] == ["cfee.zip/readme.png"]
    assert report["photos"] == {"found": 13, "used": 12, "neutral": 4, "expressive": 8}
    assert report["people_of"]["test"] == ["122", "185"]


def test_cfee_trains_and_makes_the_papers_figures(prepared, tmp_path):
    words = ["train", "--data", str(prepared), "-o", str(tmp_path / "run"), "--steps", "2", "--select", "cycle"]
    assert cli.main([*words, "--recipe", "authors", "--set", *TINY]) == 0
    file = tmp_path / "run" / "model.safetensors"
    assert load_model(file).metadata["data"][0]["name"] == "Compound Facial Expressions of Emotion"
    shown = ["--data", str(prepared), "--model", str(file), "--targets", "2", "--references", "2"]
    for kind, more in (
        ("matrix", shown),
        ("rows", shown),
        ("continuity", [*shown, "--expressions", "class-02"]),
        ("curve", ["--run", str(tmp_path / "run")]),
    ):
        assert cli.main(["figure", kind, "-o", str(tmp_path / f"{kind}.png"), *more]) == 0
        assert read_photo(tmp_path / f"{kind}.png").pixels.std() > 1


def test_rafd_in_the_authors_crop(rafd, tmp_path):
    settings = Settings(kind="rafd", alignment="paper", size=64, master=0)
    result = prepare(tmp_path / "faces", (rafd,), settings)
    dataset = open_dataset(result.folder)
    # Four people, three angles; one photo of four is neutral with a straight gaze.
    assert counts(result.folder) == (12, 36)
    assert (dataset.info["template"], result.people) == ("paper-v1", {"train": 2, "val": 1, "test": 1})
    assert {row["gaze"] for row in dataset.rows if row["domain"] == "neutral"} == {"frontal"}
    assert {row["pose_yaw"] for row in dataset.rows} == {"-45", "0", "45"}
    photo = Image.open(rafd / "Rafd090_23_Caucasian_female_happy_frontal.jpg").crop((30, 90, 651, 711))
    wanted = np.asarray(photo.resize((64, 64), Image.Resampling.LANCZOS)).astype(float)
    made = read_photo(result.folder / "faces" / "23_02_090_frontal.png").pixels
    assert np.abs(made - wanted).mean() < 3
    assert not (result.folder / "masters").exists()


def test_rafd_trains_and_makes_figures(rafd, tmp_path):
    prepare(tmp_path / "faces", (rafd,), Settings(kind="rafd", alignment="paper", size=64, master=0))
    words = ["train", "--data", str(tmp_path / "faces"), "-o", str(tmp_path / "run"), "--steps", "2"]
    assert cli.main([*words, "--set", *TINY]) == 0
    file = tmp_path / "run" / "model.safetensors"
    assert load_model(file).metadata["template"] == "paper-v1"
    words = ["figure", "rows", "--data", str(tmp_path / "faces"), "--model", str(file), "--targets", "3"]
    assert cli.main([*words, "-o", str(tmp_path / "rows.pdf")]) == 0


def test_neutral_faces_can_be_expressive_too(cfee, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "faces")
    prepare(tmp_path / "faces", (cfee,), Settings(kind="cfee", size=64, master=96, neutrals_expressive=True))
    assert counts(tmp_path / "faces") == (4, 12)


def test_it_goes_on_where_it_stopped(cfee, tmp_path, monkeypatch):
    """Interrupted after five photos; the same files come of it, and what was done is not done again."""
    from twocet.data.prepare import crops, dataset

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    prepare(whole, (cfee,))
    done = []

    def five(job):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(job.original.name)
        crops.make_crops(job)

    monkeypatch.setattr(dataset, "make_crops", five)
    with pytest.raises(KeyboardInterrupt):
        prepare(parts, (cfee,))
    assert not (parts / "faces.csv").exists()
    rest = []
    monkeypatch.setattr(dataset, "make_crops", lambda job: (rest.append(job.original.name), crops.make_crops(job)))
    prepare(parts, (cfee,))
    assert len(rest) == 13 - 5
    assert not set(done) & set(rest)
    files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    assert files == {path.relative_to(parts) for path in parts.rglob("*") if path.is_file()}
    assert all((whole / file).read_bytes() == (parts / file).read_bytes() for file in files)


def test_other_settings_and_other_folders_are_refused(prepared, cfee, tmp_path):
    with pytest.raises(UserError, match="was begun with size 64"):
        prepare(prepared, (cfee,), Settings(kind="cfee", size=32, master=96))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="holds other files"):
        prepare(tmp_path / "mine", (cfee,))
    with pytest.raises(UserError, match="master is 32"):
        Settings(kind="cfee", size=64, master=32)


@pytest.fixture
def lopsided(tmp_path, portraits):
    """Two whole people and one, carl, without a neutral photo."""
    for person, photos in zip(("anna", "bert", "carl"), portraits, strict=False):
        if person != "carl":
            save(tmp_path / "set" / "neutral" / f"{person}.png", photos[0])
        save(tmp_path / "set" / "expressive" / "joy" / f"{person}.png", photos[1])
    return tmp_path / "set"


@pytest.mark.parametrize(("choice", "people"), [("keep", 3), ("leave out", 2)])
def test_people_in_one_domain_need_a_decision(lopsided, tmp_path, choice, people):
    settings = Settings(kind="folder", size=64, master=0)
    with pytest.raises(UserError, match=r"1 of 3 people \(such as carl\).*--allow-unpaired"):
        prepare(tmp_path / "faces", (lopsided,), settings)
    assert not (tmp_path / "faces").exists()
    result = prepare(tmp_path / "faces", (lopsided,), Settings(kind="folder", size=64, master=0, unpaired=choice))
    assert sum(result.people.values()) == people
    assert result.report["people_in_one_domain"] == ["carl"]
    assert {row["expression"] for row in rows(result.folder)} == {"neutral", "joy"}


@pytest.mark.parametrize("people", ["names", "none"])
def test_folders_of_classes_beside_neutral_are_expressive(portraits, tmp_path, people):
    for person, photos in zip(("anna", "bert"), portraits, strict=False):
        save(tmp_path / "set" / "neutral" / f"{person}.png", photos[0])
        save(tmp_path / "set" / "happy" / f"{person}.png", photos[1])
    result = prepare(tmp_path / "faces", (tmp_path / "set",), Settings(kind="folder", size=64, master=0, people=people))
    assert sorted((row["expression"], row["domain"]) for row in rows(result.folder)) == [
        ("happy", "expressive"), ("happy", "expressive"), ("neutral", "neutral"), ("neutral", "neutral"),
    ]  # fmt: skip
    assert result.report["names_not_understood"] == []


def test_a_person_whose_only_neutral_photo_shows_no_face_is_left_out_and_named(lopsided, tmp_path):
    save(lopsided / "neutral" / "carl.png", np.zeros((80, 80, 3), np.uint8))
    (lopsided / "expressive" / "joy" / "bert.png").write_bytes(b"damaged")
    result = prepare(tmp_path / "faces", (lopsided,), Settings(kind="folder", size=64, master=0))
    assert result.report["people_left_out_for_a_lost_photo"] == ["bert", "carl"]
    assert {row["identity"] for row in rows(result.folder)} == {"anna"}
    assert "is not a picture" in result.report["problems"]["set/expressive/joy/bert.png"]


def test_copies_are_reported_within_and_between_people(lopsided, portraits, tmp_path):
    save(lopsided / "neutral" / "carl.png", portraits[2][0])
    save(lopsided / "neutral" / "anna_2.png", portraits[0][0])
    save(lopsided / "expressive" / "joy" / "carl_2.jpg", portraits[0][1], quality=60)
    report = prepare(tmp_path / "faces", (lopsided,), Settings(kind="folder", size=64, master=0)).report
    assert report["copies"] == [["set/neutral/anna.png", "set/neutral/anna_2.png"]]
    between = report["copies_between_people"]
    assert ["set/expressive/joy/anna.png", "set/expressive/joy/carl_2.jpg"] in between
    assert all("anna" in one and other.endswith("carl_2.jpg") for one, other in between)  # her calm face is near too


def test_two_workers_make_the_same_crops(lopsided, tmp_path):
    settings = Settings(kind="folder", size=64, master=0, unpaired="leave out")
    prepare(tmp_path / "one", (lopsided,), settings)
    prepare_dataset(tmp_path / "two", (lopsided,), settings, Splitting(), workers=2, progress=False)
    for path in (tmp_path / "one" / "faces").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "faces" / path.name).read_bytes()


def test_without_photos_the_command_says_what_is_missing(tmp_path, capsys):
    assert cli.main(["prepare", "cfee", "-o", str(tmp_path / "faces")]) == 2
    assert "SOURCE is missing" in capsys.readouterr().err
    assert cli.main(["prepare", "cfee", "x", "-o", "y", "--allow-unpaired", "--leave-out-unpaired"]) == 2
    assert "exclude each other" in capsys.readouterr().err
