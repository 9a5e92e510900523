"""What the file names of the sets say, the authors' fixed crops, and reading from folders and zip files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from fakes import save

from twocet.data.prepare.originals import (
    PhotoFile,
    decode,
    frame_cfd,
    frame_rafd,
    parse_cfd,
    parse_cfee,
    parse_folder,
    parse_london,
    parse_rafd,
    photos_in,
    read_originals,
)
from twocet.errors import UserError
from twocet.photo import align


def said(parse, member, container="set"):
    """(identity, expression, domain, name) or None."""
    found = parse(PhotoFile(Path("/neutral/somewhere") / container, member))
    return found and (found.identity, found.expression, found.domain, found.name)


@pytest.mark.parametrize(
    ("member", "wanted"),
    [
        ("01_122_AM.jpg", ("122", "neutral", "neutral", "122_01")),
        ("a/b/26_365_AM_2.JPG", ("365", "class-26", "expressive", "365_26")),
        ("2_9.jpg", ("9", "class-02", "expressive", "9_02")),
        ("122_AM.jpg", None),
        ("notes.jpg", None),
    ],
)
def test_cfee_names(member, wanted):
    assert said(parse_cfee, member) == wanted


@pytest.mark.parametrize(
    ("member", "wanted"),
    [
        ("Rafd090_01_Caucasian_female_neutral_frontal.jpg", ("01", "neutral", "neutral", "01_01_090_frontal")),
        ("Rafd045_67_Moroccan_male_neutral_frontal.jpg", ("67", "neutral", "neutral", "67_01_045_frontal")),
        # The paper's rule: neutral with averted gaze counts as expressive.
        ("Rafd090_01_Caucasian_female_neutral_left.jpg", ("01", "neutral", "expressive", "01_01_090_left")),
        ("x/Rafd135_12_Kid_male_contemptuous_right.jpg", ("12", "contemptuous", "expressive", "12_09_135_right")),
        ("Rafd180_01_Caucasian_female_happy_left.jpg", None),
        ("Rafd000_01_Caucasian_female_happy_left.jpg", None),
    ],
)
def test_rafd_names_and_angles(member, wanted):
    assert said(parse_rafd, member) == wanted


def test_rafd_keeps_yaw_and_gaze():
    found = parse_rafd(PhotoFile(Path("x"), "Rafd045_01_Caucasian_female_happy_left.jpg"))
    assert (found.pose_yaw, found.gaze) == ("-45", "left")


def test_the_full_rafd_gives_the_papers_counts():
    """67 people x 3 angles x 8 expressions x 3 gazes = 4824: 201 neutral, 4623 expressive."""
    names = (
        f"Rafd{angle}_{number:02d}_Caucasian_male_{expression}_{gaze}.jpg"
        for number in range(1, 68)
        for angle in ("000", "045", "090", "135", "180")
        for expression in ["neutral", "happy", "sad", "angry", "surprised", "disgusted", "fearful", "contemptuous"]
        for gaze in ("left", "frontal", "right")
    )
    found = [original for name in names if (original := parse_rafd(PhotoFile(Path("x"), name)))]
    assert sum(original.domain == "neutral" for original in found) == 201
    assert sum(original.domain == "expressive" for original in found) == 4623
    assert len({original.name for original in found}) == 4824


@pytest.mark.parametrize(
    ("member", "wanted"),
    [
        ("CFD-WM-001-014-N.jpg", ("WM-001", "neutral", "neutral", "CFD-WM-001-014-N")),
        ("CFD/CFD-BF-001/CFD-BF-001-003-HO.jpg", ("BF-001", "happy-open", "expressive", "CFD-BF-001-003-HO")),
        ("CFD-BF-001-003-X.jpg", None),
    ],
)
def test_cfd_names(member, wanted):
    assert said(parse_cfd, member) == wanted


@pytest.mark.parametrize(
    ("container", "member", "wanted"),
    [
        ("neutral", "001.jpg", ("001", "neutral", "neutral", "001-neutral")),
        ("neutral_front.zip", "neutral_front/001_03.jpg", ("001", "neutral", "neutral", "001-neutral")),
        ("smiling_front.zip", "001_08.jpg", ("001", "smile", "expressive", "001-expressive")),
        ("london", "smiling/001.jpg", ("001", "smile", "expressive", "001-expressive")),
        ("london", "001.jpg", None),
        ("london", "neutral/notes.jpg", None),
    ],
)
def test_london_names(container, member, wanted):
    assert said(parse_london, member, container) == wanted


@pytest.mark.parametrize(
    ("member", "wanted"),
    [
        ("neutral/anna_01.jpg", ("anna", "neutral", "neutral", "anna_01-neutral")),
        ("expressive/anna_01.jpg", ("anna", "expressive", "expressive", "anna_01-expressive")),
        ("b_e/joy/anna.jpg", ("anna", "joy", "expressive", "anna-joy-expressive")),
        ("a_n/anna.jpg", ("anna", "neutral", "neutral", "anna-neutral")),
        ("other/anna.jpg", None),
    ],
)
def test_names_in_plain_folders(member, wanted):
    assert said(parse_folder, member) == wanted


def test_fixed_crops_are_the_authors():
    corners = [(0, 0), (1, 1)]
    assert np.allclose(align.apply(align.invert(frame_rafd(681, 1024)), corners), [(30, 90), (651, 711)])
    # Without the upper 2 % of 1000 rows 980 are left; the square is in their middle.
    assert np.allclose(align.apply(align.invert(frame_cfd(1400, 1000)), corners), [(210, 20), (1190, 1000)])
    assert np.allclose(align.apply(align.invert(frame_cfd(400, 1000)), corners), [(0, 310), (400, 710)])


def test_zip_files_and_folders_hold_the_same_photos(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    folder = tmp_path / "set"
    save(folder / "b" / "two.png", pixels)
    save(folder / "one.png", pixels)
    save(folder / ".hidden" / "no.png", pixels)
    (folder / "text.txt").write_text("no")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())
        archive.write(folder / "one.png", "__MACOSX/one.png")
    for container in (folder, tmp_path / "set.zip"):
        photos = photos_in(container)
        assert [photo.member for photo in photos] == ["b/two.png", "one.png"]
        assert (decode(photos[0].content(), "two") == pixels).all()


def test_what_is_no_set_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        photos_in(tmp_path / "nothing")
    (tmp_path / "file.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="is not a zip file"):
        photos_in(tmp_path / "file.jpg")
    with pytest.raises(UserError, match=r"file\.jpg is not a picture"):
        decode(b"x", "file.jpg")
    save(tmp_path / "set" / "unknown.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UserError, match=r"no photo is called CC_ID_\*.jpg: 1 pictures"):
        read_originals("cfee", (tmp_path / "set",))


def test_two_photos_of_one_name_are_refused(tmp_path):
    for name in ("a/01_122_A.png", "b/01_122_B.png"):
        save(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UserError, match="would both be 122_01"):
        read_originals("cfee", (tmp_path,))
