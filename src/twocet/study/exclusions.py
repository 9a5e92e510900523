"""Which raters are excluded, and why: the rules that the design fixed before anybody took part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from twocet.errors import UserError
from twocet.study.design import Rules
from twocet.study.responses import Row


class Rater(NamedTuple):
    """What the rules look at."""

    rater_id: str
    answered: float
    """Share of the trials."""
    failed_checks: int
    same_answer: float
    """Share of all answers that is the most frequent one; checks do not count."""
    median_ms: float
    """Of the times from the pictures to the last answer of a trial; checks do not count."""
    reasons: tuple[str, ...]
    """Why the rater is excluded; none if they are not."""


def judge(rows: Sequence[Row], design: Mapping[str, Any]) -> list[Rater]:
    """Apply a design's rules to every rater who answered. Raises UserError for rules that there are not."""
    try:
        rules = Rules(**design["rules"])
    except TypeError as error:
        raise UserError(f"the rules of design.json cannot be used ({error})") from None
    by_rater: dict[str, list[Row]] = {}
    for row in rows:
        by_rater.setdefault(row["rater_id"], []).append(row)
    return [_judged(rater, own, design["trials"], rules) for rater, own in sorted(by_rater.items())]


def _judged(rater_id: str, rows: Sequence[Row], trials: int, rules: Rules) -> Rater:
    last: dict[int, int] = {}
    failed = set()
    for row in rows:
        if row["check_passed"] == 0:
            failed.add(row["trial_index"])
        if not row["is_check"]:
            last[row["trial_index"]] = max(last.get(row["trial_index"], 0), row["rt_ms"])
    answers = Counter(row["response"] for row in rows if not row["is_check"])
    answered = len({row["trial_index"] for row in rows}) / trials
    same = max(answers.values(), default=0) / max(1, answers.total())
    typical = median(last.values()) if last else 0
    broken = {
        f"answered less than {100 * rules.min_answered:g} % of the trials": answered < rules.min_answered,
        f"failed more than {rules.max_failed_checks} attention checks": len(failed) > rules.max_failed_checks,
        f"gave one answer in more than {100 * rules.max_same_answer:g} % of all": same > rules.max_same_answer,
        f"took less than {rules.min_median_ms / 1000:g} s for the median trial": typical < rules.min_median_ms,
    }
    reasons = tuple(reason for reason, holds in broken.items() if holds)
    return Rater(rater_id, answered, len(failed), same, typical, reasons)
