"""Who sees what: lists of trials from a Latin square, attention checks, and the rules by which raters are excluded.

A *condition* is what is compared: one method in a rating task, two methods side by side in a comparison. A *cell* is a
pair in a condition. A *list* is what one rater sees, in as many *rounds* as wanted: in each round every pair once, over
all rounds no cell twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

Task = Literal["rating", "comparison"]


class Cell(NamedTuple):
    """One trial before it has pictures."""

    pair: int
    condition: int
    swapped: bool
    """Whether the condition's second method stands at the left; False in a rating task."""


Rounds = list[list[Cell]]
"""What one rater sees."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When a rater's answers are not used. Fixed when the study is made."""

    min_answered: float = 0.8
    """The least share of the trials that was answered."""
    max_failed_checks: int = 2
    """The most attention checks of which an answer was not the one asked for."""
    max_same_answer: float = 0.9
    """The largest share of all answers that may be the same one."""
    min_median_ms: int = 1000
    """The least median time from the pictures to the last answer of a trial."""


def conditions_of(task: Task, methods: int) -> list[tuple[int, ...]]:
    """Each method alone, or every two of them."""
    return list(combinations(range(methods), 1 if task == "rating" else 2))


def blocks_of(targets: Sequence[str]) -> list[list[int]]:
    """Divide pairs into as few blocks as possible, about equal ones, in which no person is a target twice.

    Args:
        targets: The target's person of every pair.

    Returns:
        The pairs' numbers; in each block they keep their order.
    """
    of_person: dict[str, list[int]] = {}
    for number, person in enumerate(targets):
        of_person.setdefault(person, []).append(number)
    blocks: list[list[int]] = [[] for _ in range(max(map(len, of_person.values())))]
    for pairs in sorted(of_person.values(), key=len, reverse=True):
        for number, block in zip(pairs, sorted(blocks, key=len)[: len(pairs)], strict=True):
            block.append(number)
    return [sorted(block) for block in blocks]


def latin_lists(blocks: Sequence[Sequence[int]], conditions: int, rounds: int, *, sides: bool) -> list[Rounds]:
    """The lists of a study: for each block a Latin square of rounds by conditions, begun at each condition once.

    Within a round the conditions are equally frequent (to within one), each pair comes once; over all rounds no cell
    comes twice; over the lists of a block each cell comes equally often in each round.

    Args:
        blocks: From :func:`blocks_of`.
        conditions: How many there are.
        rounds: At most as many as conditions; with as many, a rater sees every cell of the block.
        sides: Whether two methods stand side by side: every list comes again with the sides swapped, and in each half
            of the cells are swapped.
    """
    return [
        [
            [
                Cell(pair, (place + begin + turn) % conditions, sides and (place // conditions + turn + flip) % 2 == 1)
                for place, pair in enumerate(block)
            ]
            for turn in range(rounds)
        ]
        for block in blocks
        for begin in range(conditions)
        for flip in range(2 if sides else 1)
    ]


def check_answers(count: int, options: Sequence[int], seed: int) -> list[list[int]]:
    """What the attention checks ask for: ``count`` answers to each question, every option about equally often.

    Args:
        count: Checks.
        options: How many options each question has; they are numbered from 1.
        seed: Of the draws.
    """
    rng = np.random.default_rng([seed, 1])
    columns = []
    for number in options:
        turns = -(-count // number)
        columns.append(np.concatenate([rng.permutation(number) + 1 for _ in range(turns)])[:count].tolist())
    return [list(row) for row in zip(*columns, strict=True)]


def most_repeats(lists: Sequence[Rounds], targets: Sequence[str]) -> int:
    """How often a rater sees one target person in one condition, at most; 1 in every sound design."""
    seen = [Counter((targets[cell.pair], cell.condition) for part in rounds for cell in part) for rounds in lists]
    return max(times for counter in seen for times in counter.values())
