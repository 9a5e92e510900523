"""Who is for training, who for validation, who for testing: always whole people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from twocet.data.prepare.originals import LabSet, Original
from twocet.errors import UserError

SplitRule = Literal["paper", "paper-16", "tenth", "random"]


@dataclass(frozen=True, kw_only=True)
class Splitting:
    """How people are divided."""

    rule: SplitRule | None = None
    """paper and paper-16: the test people of the paper's lists, validation people drawn; tenth: every tenth person in
    the order of the names is for validation, nobody for testing; random: both drawn. None: the set's own custom."""
    test_ids: tuple[str, ...] = ()
    """People for testing, in place of the rule's."""
    val_ids: tuple[str, ...] = ()
    """People for validation, in place of the rule's."""
    test_share: float = 0.05
    """Share of the people that the rule random draws for testing."""
    val_share: float = 0.05
    """Share of the other people drawn for validation; 0: nobody, as in the paper."""
    seed: int = 0
    """Draws the people."""

    def __post_init__(self) -> None:
        for name in ("test_share", "val_share"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise UserError(f"{name.replace('_', '-')} is {getattr(self, name)}: give a share from 0 to 0.5")


def split_people(identities: Sequence[str], splitting: Splitting, lab_set: LabSet) -> dict[str, str]:
    """The split of every identity (given in the order of the names). Raises UserError."""
    rule = splitting.rule or lab_set.split
    if rule == "tenth" and not (splitting.test_ids or splitting.val_ids):
        return {identity: "val" if k % 10 == 9 else "train" for k, identity in enumerate(identities)}
    test = _test_people(identities, splitting, lab_set, rule)
    rest = [identity for identity in identities if identity not in test]
    if splitting.val_ids:
        val = _named(identities, splitting.val_ids)
        if val & test:
            raise UserError(f"{', '.join(sorted(val & test))} cannot be in two splits: name each person once")
    else:
        val = _drawn(rest, splitting.val_share, [splitting.seed, 1])
    return {i: "test" if i in test else "val" if i in val else "train" for i in identities}


def _test_people(identities: Sequence[str], splitting: Splitting, lab_set: LabSet, rule: str) -> set[str]:
    if splitting.test_ids:
        return _named(identities, splitting.test_ids)
    if rule == "random":
        return _drawn(identities, splitting.test_share, [splitting.seed, 2])
    if rule == "tenth":
        return set()
    listed = lab_set.test_ids + (lab_set.more_test_ids if rule == "paper-16" else ())
    if not listed or (rule == "paper-16" and not lab_set.more_test_ids):
        raise UserError(f"the paper has no list {rule!r} for {lab_set.name or 'this set'}: use --split random")
    found = {identity for identity in identities if identity.lstrip("0") in listed}
    if not found:
        raise UserError("none of the paper's test people is there: check the photos, or use --split random")
    return found


def _named(identities: Sequence[str], wanted: Sequence[str]) -> set[str]:
    """The identities that ``wanted`` names, whatever their leading zeros."""
    by_number = {identity.lstrip("0"): identity for identity in identities}
    unknown = [name for name in wanted if name.lstrip("0") not in by_number]
    if unknown:
        raise UserError(f"there is nobody called {', '.join(unknown)}: people are called like {identities[0]}")
    return {by_number[name.lstrip("0")] for name in wanted}


def _drawn(identities: Sequence[str], share: float, seed: Sequence[int]) -> set[str]:
    """A share of the identities, at least one of them unless the share is 0."""
    count = max(1, round(share * len(identities))) if share and len(identities) > 1 else 0
    order = np.random.default_rng(seed).permutation(len(identities))
    return {identities[k] for k in order[:count]}


def unpaired(originals: Collection[Original]) -> list[str]:
    """The people with photos in one domain only, in the order of the names."""
    neutral, expressive = (
        {original.identity for original in originals if original.domain == domain}
        for domain in ("neutral", "expressive")
    )
    return sorted(neutral ^ expressive)
