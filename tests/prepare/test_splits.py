"""Splits: whole people, by the paper's lists, by a seed, by name."""

from __future__ import annotations

import pytest

from twocet.data.prepare.originals import SETS
from twocet.data.prepare.splits import Splitting, split_people
from twocet.errors import UserError

CFEE = SETS["cfee"]
PEOPLE = [f"{number}" for number in range(107, 400)]


def named(split_of, split):
    return [identity for identity in split_of if split_of[identity] == split]


def test_the_papers_eight_and_sixteen_people():
    eight = {"122", "174", "185", "224", "272", "188", "187", "265"}
    split_of = split_people(PEOPLE, Splitting(val_share=0), CFEE)
    assert set(named(split_of, "test")) == eight
    assert named(split_of, "val") == []
    sixteen = set(named(split_people(PEOPLE, Splitting(rule="paper-16"), CFEE), "test"))
    assert len(sixteen) == 16
    assert eight < sixteen


def test_rafd_test_people_are_found_whatever_their_zeros():
    people = [f"{number:02d}" for number in range(1, 68)]
    split_of = split_people(people, Splitting(val_share=0), SETS["rafd"])
    assert set(named(split_of, "test")) == {"12", "15", "21", "57", "67", "43"}
    assert len(named(split_of, "train")) == 61


def test_validation_people_are_drawn_from_the_others_by_the_seed():
    first = split_people(PEOPLE, Splitting(), CFEE)
    assert len(named(first, "val")) == round(0.05 * (len(PEOPLE) - 8))
    assert first == split_people(PEOPLE, Splitting(), CFEE)
    assert first != split_people(PEOPLE, Splitting(seed=1), CFEE)


def test_random_draws_both():
    split_of = split_people(PEOPLE, Splitting(rule="random", test_share=0.1, val_share=0.2), CFEE)
    assert (len(named(split_of, "test")), len(named(split_of, "val"))) == (29, 53)
    # Even a small set gets somebody.
    assert set(split_people(["a", "b", "c", "d"], Splitting(), SETS["folder"]).values()) == {"train", "val", "test"}


def test_tenth_takes_every_tenth_name():
    people = [f"{number:03d}" for number in range(1, 26)]
    assert named(split_people(people, Splitting(), SETS["london"]), "val") == ["010", "020"]


def test_people_can_be_named():
    people = [f"{number:03d}" for number in range(1, 26)]
    split_of = split_people(people, Splitting(test_ids=("3", "004"), val_ids=("5",)), SETS["london"])
    assert (named(split_of, "test"), named(split_of, "val")) == (["003", "004"], ["005"])
    with pytest.raises(UserError, match="nobody called 99"):
        split_people(people, Splitting(test_ids=("99",)), SETS["london"])
    with pytest.raises(UserError, match="003 cannot be in two splits"):
        split_people(people, Splitting(test_ids=("3",), val_ids=("3",)), SETS["london"])


def test_impossible_splits_are_refused():
    with pytest.raises(UserError, match="no list 'paper-16'"):
        split_people(PEOPLE, Splitting(rule="paper-16"), SETS["rafd"])
    with pytest.raises(UserError, match="none of the paper's test people"):
        split_people(["1", "2"], Splitting(), CFEE)
    with pytest.raises(UserError, match="test-share is"):
        Splitting(test_share=0.9)
