"""Which photos are neutral, found in the faces."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from fakes import save
from PIL import Image

from twocet import cli
from twocet.data.prepare import neutral
from twocet.errors import UserError
from twocet.photo.align import TEMPLATE, TEMPLATE_LANDMARKS
from twocet.photo.faces import BLENDSHAPE_NAMES

SMILE, SCREAM = (BLENDSHAPE_NAMES.index(name) for name in ("mouthSmileLeft", "jawOpen"))
POINTS = 30


def faces(people, shown, seed=0):
    """Readings (n, 52) and shapes (n, POINTS, 3): everybody with the expressions 0 (none) to ``shown``.

    The reader sees the first two of them, and hardly the third.
    """
    random = np.random.default_rng(seed)
    movements = random.normal(0, 0.05, (shown + 1, POINTS, 3))
    movements[0] = 0
    owner, label = np.repeat(np.arange(people), shown + 1), np.tile(np.arange(shown + 1), people)
    shapes = random.normal(0, 0.1, (people, POINTS, 3))[owner] + movements[label]
    shapes += random.normal(0, 0.005, shapes.shape)
    readings = np.abs(random.normal(0, 0.03, (len(owner), len(BLENDSHAPE_NAMES))))
    readings[label == 1, SMILE] += 0.6
    readings[label == 2, SCREAM] += 0.6
    readings[label == 3, SCREAM] += 0.2
    return readings, shapes, [f"p{who}" for who in owner], label == 0


def test_faces_at_rest_are_found_where_people_are_known():
    readings, shapes, people, rest = faces(30, 2)
    np.testing.assert_array_equal(neutral.doubts(readings, shapes, people) < 0, rest)


def test_landmarks_tell_what_the_reader_hardly_sees():
    readings, shapes, people, rest = faces(60, 3)
    taken = neutral.doubts(readings, shapes, people) < 0
    assert rest[taken].mean() > 0.9
    assert taken[rest].mean() > 0.9


def test_of_strangers_a_tenth_is_taken():
    readings, shapes, _, rest = faces(60, 2)
    taken = neutral.doubts(readings, shapes, None) < 0
    assert 18 <= taken.sum() <= 19
    assert rest[taken].mean() > 0.9


def test_a_person_with_one_photo_is_compared_with_all():
    readings, shapes, people, rest = faces(30, 2)
    people[0], people[1], people[2] = "alone", "smiling", "screaming"
    found = neutral.doubts(readings, shapes, people)
    assert np.isfinite(found).all()
    assert (found[3:] < 0).tolist() == rest[3:].tolist()


def test_landmarks_are_laid_on_the_template():
    landmarks = np.random.default_rng(0).normal(0, 1, (478, 3))
    landmarks[list(TEMPLATE_LANDMARKS), :2] = TEMPLATE
    turned = 200 * np.column_stack([-landmarks[:, 1], landmarks[:, 0], landmarks[:, 2]]) + 40
    made = neutral.placed(turned)
    np.testing.assert_allclose(made[:, :2], landmarks[:, :2], atol=1e-9)
    np.testing.assert_allclose(made[:, 2], landmarks[:, 2] - landmarks[:, 2].mean(), atol=1e-9)


def test_too_few_photos_are_refused():
    readings, shapes, people, _ = faces(6, 2)
    with pytest.raises(UserError, match="among 20 or more, not 18"):
        neutral.doubts(readings, shapes, people)


def test_a_folder_in_any_order_becomes_a_dataset(tmp_path, portraits, capsys, monkeypatch):
    """The second photo of everybody is taken for neutral; names of folders say something else."""
    photos = tmp_path / "photos"
    for person, shown in zip(("ann", "ben", "cy", "di"), portraits, strict=True):
        for k, pixels in enumerate(shown):
            save(photos / ("neutral" if k == 0 else "trip") / f"{person}_{k}.jpg", pixels, quality=95)

    def second(readings, shapes, people):
        assert readings.shape == (12, 52)
        assert shapes.shape == (12, 478, 3)
        assert people == sorted(people)
        return np.where(np.arange(12) % 3 == 1, -1.0, np.arange(12) + 1.0)

    monkeypatch.setattr("twocet.data.prepare.neutral.doubts", second)
    words = ["prepare", "folder", str(photos), "-o", str(tmp_path / "faces"), "--neutral", "auto", "--workers", "1"]
    assert cli.main([*words, "--size", "32", "--master", "0", "--split", "random", "--test-share", "0.25"]) == 0
    said = capsys.readouterr().out
    assert "4 photos taken for neutral by their faces (named so: precision 0.00, recall 0.00): look at" in said
    with (tmp_path / "faces" / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["domain"] for row in rows] == ["neutral", "expressive", "expressive"] * 4
    assert {row["expression"] for row in rows} == {"neutral", "trip"}
    assert json.loads((tmp_path / "faces" / "report.json").read_text())["neutral_found"]["taken"] == 4
    with Image.open(tmp_path / "faces" / "neutral-sheet.jpg") as sheet:
        assert sheet.width > 10 * 128


def test_photos_in_no_folder_have_no_expression_named(tmp_path, portraits, monkeypatch):
    for k, shown in enumerate(portraits):
        save(tmp_path / "all" / f"p{k}_a.jpg", shown[0], quality=95)
    monkeypatch.setattr("twocet.data.prepare.neutral.doubts", lambda *_: np.array([-1.0, 1.0, -1.0, 1.0]))
    words = ["prepare", "folder", str(tmp_path / "all"), "-o", str(tmp_path / "faces"), "--people", "none"]
    assert cli.main([*words, "--neutral", "auto", "--workers", "1", "--size", "32", "--master", "0"]) == 0
    with (tmp_path / "faces" / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["domain"] for row in rows) == ["expressive", "expressive", "neutral", "neutral"]
