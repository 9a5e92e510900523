"""``benchmarks/pair_sheets.py`` and ``benchmarks/judged.py``: the fixed pairs, and what a viewer says of them."""

import numpy as np
import pytest

from twocet.errors import UserError
from twocet.photo.sheets import Cell

pytest.importorskip("tqdm")


@pytest.fixture(scope="module")
def pair_sheets(load_benchmark):
    return load_benchmark("pair_sheets")


@pytest.fixture(scope="module")
def judged(load_benchmark):
    return load_benchmark("judged")


class StandIn:
    """A viewer who needs no photos and no networks."""

    data, editor = None, None

    def photo(self, name):
        return np.zeros((4, 4, 3), np.uint8)

    def cells(self, pixels, label, *, made):
        return Cell(pixels, f"face {label}", made), Cell(pixels, f"mouth {label}", made)

    def transferred(self, target, reference, strength=1.0):
        return self.cells(self.photo(target), f"{target} {reference} {strength:g}", made=True)


def test_thirty_pairs_of_different_people_begin_with_those_not_trained_on(pair_sheets, load_benchmark):
    targets, references = zip(*pair_sheets.PAIRS, strict=True)
    assert len(set(targets)) == len(set(references)) == 30
    assert all(target[-7:] != reference[-7:] for target, reference in pair_sheets.PAIRS)
    assert targets[:10] == tuple(f"london/neutral/{name}.jpg" for name in load_benchmark("portraits").APART)


def test_a_row_shows_faces_and_then_mouths(pair_sheets):
    row = next(pair_sheets.pair_rows(StandIn()))
    target, reference = pair_sheets.PAIRS[0]
    assert [cell.label.split()[0] for cell in row] == ["face"] * 3 + ["mouth"] * 3
    assert row[2].label == f"face {target} {reference} 1"
    assert [cell.made for cell in row] == [False, False, True] * 2
    strengths = next(pair_sheets.strength_rows(StandIn()))
    assert [cell.label.split()[-1] for cell in strengths[1:3]] == ["0.5", "1.5"]


@pytest.fixture
def table(pair_sheets, tmp_path):
    pair_sheets.write_table(tmp_path / "judged.csv", ["pairs", "neutral"], [])
    return tmp_path / "judged.csv"


def test_the_table_has_a_line_for_everything_shown(table):
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "kind,number,target,given,publish,reason"
    assert lines[1] == "pairs,1,london/neutral/001.jpg,london/smiling/104.jpg,,"
    assert len(lines) == 1 + 30 + 10


def test_filled_tables_are_counted_with_the_reasons_against(judged, table):
    text = table.read_text(encoding="utf-8")
    text = text.replace("104.jpg,,", "104.jpg,yes,").replace("130.jpg,,", "130.jpg,no,grey teeth")
    table.write_text(text.replace("smiling/061.jpg,,", "smiling/061.jpg, No ,beard"), encoding="utf-8")
    judgements = judged.read_table(table)
    assert judged.counts(judgements) == {"pairs": (1, 3)}
    shown = judged.markdown({"before": judgements})
    assert "| before | 1 of 3 |" in shown
    assert "- pairs 2: grey teeth\n- pairs 3: beard" in shown


def test_an_answer_that_is_neither_yes_nor_no_is_named(judged, table):
    table.write_text(table.read_text(encoding="utf-8").replace("104.jpg,,", "104.jpg,perhaps,"), encoding="utf-8")
    with pytest.raises(UserError, match="pairs 1: publish is yes or no, not 'perhaps'"):
        judged.read_table(table)
