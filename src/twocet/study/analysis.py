"""From joined answers to a summary: everything that the report says, JSON-able."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from twocet.metrics import Estimate
from twocet.study import statistics
from twocet.study.exclusions import Rater, judge
from twocet.study.folder import design_hash
from twocet.study.responses import Answers, Row
from twocet.study.statistics import CannotEstimateError, Clusters, Floats, Ints

Summary = dict[str, Any]
_FEW = 10
_T = TypeVar("_T")
READINGS = ("cell", "question", "picture")
"""What "for each question" may mean in the paper's rule: the scores of a question and a method, all scores of a
question, or the scores of one picture."""


class _Columns(NamedTuple):
    """The answers to one question, N of them, as numbers."""

    responses: Ints
    """From 1; in a comparison 1 where the condition's first method was chosen, 3 where the second was."""
    conditions: Ints
    pairs: Ints
    clusters: Clusters
    left: Floats
    """1 where the condition's first method stood at the left, -1 where at the right, 0 in a rating task."""

    @property
    def items(self) -> Ints:
        """What was judged: a pair in a condition."""
        number: int = self.conditions.max() + 1
        return self.pairs * number + self.conditions


def summarize(answers: Answers, design: Mapping[str, Any]) -> Summary:
    """Exclude raters by the design's rules and estimate everything that the answers of the others allow."""
    raters = judge(answers.rows, design)
    kept = {rater.rater_id for rater in raters if not rater.reasons}
    used = [row for row in answers.rows if row["rater_id"] in kept and not row["is_check"]]
    questions = {
        question["name"]: _question(question, [row for row in used if row["question"] == question["name"]], design)
        for question in design["questions"]
    }
    return {
        "study_id": design["study_id"],
        "design": {
            name: design[name] for name in ("name", "task", "pairs", "target_people", "trials", "checks", "rules")
        },
        "methods": [method["name"] for method in design["methods"]],
        "design_unchanged": design_hash(dict(design)) == design["study_id"],
        "raters": _raters(answers, raters),
        "answers": len(used),
        "damaged_lines": answers.damaged,
        "questions": questions,
    }


def _raters(answers: Answers, raters: Sequence[Rater]) -> dict[str, Any]:
    excluded = [rater for rater in raters if rater.reasons]
    by_reason = Counter(reason for rater in excluded for reason in rater.reasons)
    return {
        "began": answers.began,
        "withdrew": answers.withdrawn,
        "gave_no_answer": answers.began - answers.withdrawn - len(raters),
        "answered": len(raters),
        "excluded": len(excluded),
        "kept": len(raters) - len(excluded),
        "by_reason": dict(by_reason.most_common()),
        "each": [rater._asdict() for rater in raters],
    }


def _question(question: Mapping[str, Any], rows: Sequence[Row], design: Mapping[str, Any]) -> Summary:
    summary: Summary = {"text": question["text"], "options": question["options"], "answers": len(rows), "refused": {}}
    if not rows:
        return {**summary, "refused": {"everything": "no answers are left"}}
    columns = _columns(rows, design)
    if min(len(np.unique(cluster)) for cluster in columns.clusters) < _FEW:
        summary["few"] = f"fewer than {_FEW} raters or targets: intervals are rough, and tend to be too narrow"
    if design["task"] == "rating":
        return summary | _rating(question, columns, design, summary["refused"])
    return summary | _comparison(columns, design, summary["refused"])


def _columns(rows: Sequence[Row], design: Mapping[str, Any]) -> _Columns:
    conditions = {tuple(condition): k for k, condition in enumerate(design["conditions"])}
    swapped = np.array([row["side"] == "right" for row in rows])
    responses = np.array([row["response"] for row in rows])
    return _Columns(
        np.where(swapped, 4 - responses, responses),
        np.array([conditions[tuple(filter(None, (row["method"], row["other_method"])))] for row in rows]),
        _numbers([row["pair"] for row in rows]),
        Clusters(_numbers([row["rater_id"] for row in rows]), _numbers([row["target_id"] for row in rows])),
        np.where(swapped, -1.0, 1.0) if design["task"] == "comparison" else np.zeros(len(rows)),
    )


def _numbers(names: Sequence[str]) -> Ints:
    return np.unique(names, return_inverse=True)[1]


def _rating(
    question: Mapping[str, Any], columns: _Columns, design: Mapping[str, Any], refused: dict[str, str]
) -> Summary:
    methods = [method["name"] for method in design["methods"]]
    scores = np.array(question["scores"])[columns.responses - 1]
    number, own = len(methods), columns.conditions
    options = len(question["options"])
    given = (own, number, columns.clusters)
    means = _tried(refused, "intervals of means", lambda: statistics.means(scores, *given))
    compared = _tried(refused, "differences", lambda: statistics.differences(scores, *given))
    odds = _tried(refused, "odds ratios", lambda: statistics.ordinal(columns.responses, *given))
    return {
        "table": {name: _cell(scores, own == k) for k, name in enumerate(methods)},
        "rule": {name: _rule(scores, columns, reading, methods) for name, reading in _groups(columns).items()},
        "shares": {
            name: statistics.shares(columns.responses[own == k], options) for k, name in enumerate(methods)
        },
        "means": _named(methods, means),
        "differences": [
            {
                "first": methods[d.first], "second": methods[d.second], "estimate": _interval(d.estimate),
                "p": d.p, "p_holm": d.p_holm,
            }
            for d in compared or []
        ],
        "odds_ratios": _named(methods[1:], [Estimate(*np.exp(e)) for e in odds] if odds else None),
        **_strengths(refused, lambda: _preferences(columns, methods), methods),
        "agreement": _agreement(refused, columns, options),
    }  # fmt: skip


def _groups(columns: _Columns) -> dict[str, Ints]:
    """Whose scores the paper's rule compares, in each of ``READINGS``."""
    groups = (columns.conditions, np.zeros_like(columns.conditions), columns.items)
    return dict(zip(READINGS, groups, strict=True))


def _rule(scores: Floats, columns: _Columns, groups: Ints, methods: Sequence[str]) -> dict[str, Any]:
    """The table without the scores that the paper's rule removes, and how many these are."""
    far = statistics.outliers(scores, groups)
    return {
        name: {
            **_cell(scores, (columns.conditions == k) & ~far),
            "removed": int((far & (columns.conditions == k)).sum()),
        }
        for k, name in enumerate(methods)
    }


def _cell(scores: Floats, chosen: Any) -> dict[str, Any]:
    own = scores[chosen]
    known = len(own) > 1
    return {
        "n": len(own),
        "mean": float(own.mean()) if len(own) else None,
        "sd": float(own.std(ddof=1)) if known else None,
    }


def _preferences(columns: _Columns, methods: Sequence[str]) -> statistics.Strengths:
    """Ratings as comparisons: two methods' answers of one rater to one pair, the higher one preferred."""
    raters, targets = columns.clusters
    given: dict[tuple[int, int], dict[int, int]] = {}
    target_of = dict(zip(columns.pairs.tolist(), targets.tolist(), strict=True))
    for rater, pair, method, response in zip(raters, columns.pairs, columns.conditions, columns.responses, strict=True):
        given.setdefault((int(rater), int(pair)), {})[int(method)] = int(response)
    found = [
        (i, j, (np.sign(answers[i] - answers[j]) + 1) / 2, rater, target_of[pair])
        for (rater, pair), answers in given.items()
        for i in answers
        for j in answers
        if i < j
    ]
    if not found:
        raise CannotEstimateError("no rater saw two methods on one pair (a study with one round)")
    first, second, preferred, by, at = (np.array(column) for column in zip(*found, strict=True))
    return statistics.bradley_terry(first, second, preferred, None, len(methods), Clusters(by, at))


def _comparison(columns: _Columns, design: Mapping[str, Any], refused: dict[str, str]) -> Summary:
    methods = [method["name"] for method in design["methods"]]
    conditions = design["conditions"]
    preferred = (3 - columns.responses) / 2
    number = len(conditions)
    chosen = _tried(
        refused,
        "intervals of preferences",
        lambda: statistics.means(preferred, columns.conditions, number, columns.clusters),
    )
    table = []
    for k, (first, second) in enumerate(conditions):
        own = columns.responses[columns.conditions == k]
        a, unsure, b = statistics.shares(own, 3)
        share = _interval(chosen[k]) if chosen else None
        table.append(
            {"first": first, "second": second, "n": len(own), "first_preferred": a, "not_sure": unsure,
             "second_preferred": b, "share": share}
        )  # fmt: skip
    first, second = (np.array([methods.index(c[k]) for c in conditions])[columns.conditions] for k in (0, 1))

    def fitted() -> statistics.Strengths:
        return statistics.bradley_terry(first, second, preferred, columns.left, len(methods), columns.clusters)

    return {
        "comparisons": table,
        **_strengths(refused, fitted, methods),
        "agreement": _agreement(refused, columns, 3),
    }


def _strengths(refused: dict[str, str], fit: Callable[[], statistics.Strengths], methods: Sequence[str]) -> Summary:
    found = _tried(refused, "Bradley-Terry strengths", fit) if len(methods) > 1 else None
    zero = Estimate(0.0, 0.0, 0.0)
    return {
        "strengths": _named(methods, [zero, *found.methods] if found else None),
        "left": _interval(found.left) if found and found.left else None,
    }


def _agreement(refused: dict[str, str], columns: _Columns, options: int) -> dict[str, float] | None:
    found = _tried(refused, "agreement", lambda: statistics.agreement(columns.responses, columns.items, options))
    return _interval(found) if found else None


def _tried(refused: dict[str, str], name: str, estimate: Callable[[], _T]) -> _T | None:
    """An estimate, or None with the reason kept."""
    try:
        return estimate()
    except CannotEstimateError as error:
        refused[name] = str(error)
        return None


def _named(names: Sequence[str], estimates: Sequence[Estimate] | None) -> dict[str, Any]:
    return {name: _interval(e) for name, e in zip(names, estimates, strict=True)} if estimates else {}


def _interval(estimate: Estimate) -> dict[str, float]:
    return {name: float(value) for name, value in estimate._asdict().items()}
