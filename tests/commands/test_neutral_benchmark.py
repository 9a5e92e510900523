"""``benchmarks/neutral.py``: what it says of photos made neutral."""

import numpy as np
import pytest

pytest.importorskip("tqdm")


@pytest.fixture(scope="module")
def neutral(load_benchmark):
    return load_benchmark("neutral")


def photo(neutral, name="a.jpg", opening=0.0, opening_after=0.0, smile=0.0, smile_after=0.0, change=0):
    return neutral.Neutralised(name, opening, opening_after, smile, smile_after, change)


def test_open_smiles_are_counted_as_closed_below_the_limit(neutral):
    photos = [
        photo(neutral, "a.jpg", opening=0.1, opening_after=0.0119, smile=0.8, smile_after=0.1),
        photo(neutral, "b.jpg", opening=0.1, opening_after=0.012, smile=0.6, smile_after=0.3),
        photo(neutral, "c.jpg", opening=0.001, opening_after=0.001, smile=0.4, smile_after=0.05),
    ]
    found = neutral.of_smiles(photos)
    assert (found["photos"], found["open"], found["closed"]) == (3, 2, 1)
    assert found["left_open"] == {"b.jpg": 0.012}
    assert found["smile"] == pytest.approx(0.6)
    assert found["smile_after"] == pytest.approx(0.15)
    assert found["faint"] == 2


def test_a_face_that_is_lost_is_not_a_closed_mouth(neutral):
    lost = neutral.of_smiles([photo(neutral, opening=0.1, opening_after=np.nan, smile=0.8, smile_after=np.nan)] * 2)
    assert (lost["open"], lost["closed"], lost["faint"]) == (2, 0, 0)


def test_neutral_photos_are_unchanged_to_the_last_bit_or_named(neutral):
    found = neutral.of_neutral([photo(neutral), photo(neutral, "b.jpg", change=1), photo(neutral, "c.jpg", change=160)])
    assert found == {"photos": 3, "unchanged": 1, "changed": {"b.jpg": 1, "c.jpg": 160}}


def test_open_lips_and_smiles_are_not_neutral(neutral):
    assert not neutral.is_smiling(photo(neutral, opening=0.011, smile=0.3))
    assert neutral.is_smiling(photo(neutral, opening=0.012))
    assert neutral.is_smiling(photo(neutral, smile=0.31))


def test_london_people_who_were_not_trained_on_are_known_by_their_numbers(neutral):
    assert neutral.is_apart(photo(neutral, "021.jpg"))
    assert not neutral.is_apart(photo(neutral, "022.jpg"))
