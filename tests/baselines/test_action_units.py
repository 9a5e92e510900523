"""Action units: of blendshapes, of OpenFace's files, and kept beside the photos."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cartoons import write_dataset

from twocet.compare.baselines.units import BLENDSHAPES_OF, TABLE, UNITS, annotate, read_openface, row_units, units_of
from twocet.data.dataset import open_dataset
from twocet.errors import UserError
from twocet.readers.expression import EXPRESSION_NAMES


def blendshapes(**values):
    return np.array([values.get(name, 0.0) for name in EXPRESSION_NAMES])


def units(**values):
    found = units_of(blendshapes(**values))
    return {unit: pytest.approx(value) for unit, value in zip(UNITS, found.tolist(), strict=True) if value}


def test_there_are_the_units_of_openface():
    assert len(UNITS) == 17
    assert UNITS[0] == "AU01"
    assert UNITS[-1] == "AU45"


def test_mapping():
    assert units(browInnerUp=0.7) == {"AU01": 0.7}
    assert units(mouthSmileLeft=0.8, mouthSmileRight=0.4) == {"AU12": 0.6}
    assert units(eyeSquintLeft=0.6, eyeSquintRight=0.6, cheekSquintLeft=0.2) == {"AU06": 0.6, "AU07": 0.6}
    assert units(cheekSquintLeft=0.4, cheekSquintRight=0.2) == {"AU06": 0.3}
    assert units(jawOpen=0.9, mouthLowerDownLeft=0.2) == {"AU25": 0.9, "AU26": 0.9}
    assert units(mouthLowerDownLeft=0.5, mouthLowerDownRight=0.5) == {"AU25": 0.5}
    assert units(eyeBlinkLeft=1.0) == {"AU45": 0.5}
    assert units(eyeLookUpLeft=1.0) == {}


def test_the_document_says_the_same():
    text = (Path(__file__).parents[2] / "docs" / "baselines.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (AU\d\d) \| [^|]+ \| ([^|]+) \|$", text, flags=re.MULTILINE)
    assert {unit: tuple(names.split(", ")) for unit, names in found} == BLENDSHAPES_OF


def test_several_rows_and_no_face():
    rows = np.stack([blendshapes(mouthShrugLower=0.5), np.full(51, np.nan)])
    found = units_of(rows)
    assert found.shape == (2, 17)
    assert found[0, UNITS.index("AU17")] == 0.5
    assert np.isnan(found[1]).all()


def test_openface_table_is_divided_by_five(data):
    found = read_openface(data / "openface.csv", ["faces/0_3.png"])["faces/0_3.png"]
    assert found[UNITS.index("AU12")] == pytest.approx(1.0)
    assert found.sum() == pytest.approx(2.0)


def test_openface_folder(tmp_path):
    header = "face, confidence, " + ", ".join(f"{unit}_r" for unit in UNITS)
    (tmp_path / "7_1.csv").write_text(f"{header}\n0, 0.98, {', '.join('2.5' for _ in UNITS)}\n1, 0.9, \n")
    assert read_openface(tmp_path, ["faces/7_1.png"])["faces/7_1.png"].tolist() == [0.5] * 17


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,AU01_r\na,1\n", "no column AU02_r"),
        ("file," + ",".join(f"{unit}_r" for unit in UNITS) + "\nb" + ",1" * 17, "no row for"),
    ],
)
def test_unusable_tables(tmp_path, text, message):
    (tmp_path / "units.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_openface(tmp_path / "units.csv", ["a"])


def test_photos_are_read_once_and_an_interrupted_table_is_completed(tmp_path):
    dataset = open_dataset(write_dataset(tmp_path / "faces", identities=6))
    read = []

    def mean_in_all_units(pixels):
        read.append(pixels.mean())
        return np.full(17, np.nan if len(read) == 1 else pixels.mean() / 255)

    annotate(dataset, tmp_path, "", 1, mean_in_all_units)
    assert len(read) == len(dataset.rows) == 24
    assert np.isnan(row_units(dataset.rows[0])).all()
    assert row_units(dataset.rows[5]) == [pytest.approx(read[5] / 255, abs=1e-4)] * 17
    lines = (dataset.path / TABLE).read_text().splitlines(keepends=True)
    (dataset.path / TABLE).write_text("".join(lines[:21]))
    again = open_dataset(dataset.path)
    annotate(again, tmp_path, "", 1, mean_in_all_units)
    assert len(read) == 24 + 4
    assert (dataset.path / TABLE).read_text() == "".join(lines)
