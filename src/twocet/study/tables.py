"""A summary as tables of texts, for Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from twocet.study.analysis import Summary


class Table(NamedTuple):
    """One table of the report."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


_READINGS = {
    "cell": "without |z| > 3 of question and method",
    "question": "without |z| > 3 of question",
    "picture": "without |z| > 3 of picture",
}


def introduction(summary: Summary) -> list[str]:
    """What was asked, of whom, and what does not hold, in sentences."""
    design, raters = summary["design"], summary["raters"]
    gone = [f"{raters['withdrew']} withdrew"] if raters["withdrew"] else []
    gone += [f"{raters['gave_no_answer']} gave no answer"] if raters["gave_no_answer"] else []
    gone += [f"{raters['excluded']} excluded by the rules fixed beforehand"]
    lines = [
        f"Study {summary['study_id']}, design {design['name']}: {design['pairs']} pairs with {design['target_people']} "
        f"target people, methods {', '.join(summary['methods'])}, {design['trials']} trials for each rater, "
        f"{design['checks']} of them attention checks.",
        f"{raters['began']} raters began: {', '.join(gone)}; the answers of {raters['kept']} are used "
        f"({summary['answers']:,} answers).",
    ]
    if not summary["design_unchanged"]:
        lines.append("Note: design.json was changed after the study was made: its rules may not be those fixed then.")
    if summary["damaged_lines"]:
        lines.append(f"Note: {summary['damaged_lines']} damaged lines were passed over.")
    lines += [f"Note: {few}." for few in dict.fromkeys(q["few"] for q in summary["questions"].values() if "few" in q)]
    return lines + _refusals(summary)


def _refusals(summary: Summary) -> list[str]:
    """What could not be estimated, one line for each reason."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, question in summary["questions"].items():
        for what, why in question["refused"].items():
            found.setdefault(why, {}).setdefault(name, []).append(what)
    lines = []
    for why, where in found.items():
        missing = "; ".join(f"{name}: {', '.join(whats)}" for name, whats in where.items())
        lines.append(f"Not estimated ({missing}): {why}.")
    return lines


def tables(summary: Summary) -> list[Table]:
    """All tables of the report, the paper's first."""
    rating = summary["design"]["task"] == "rating"
    found = [
        *(_rating_tables(summary) if rating else [_comparisons(summary)]),
        _strengths(summary), _agreement(summary), _exclusions(summary),
    ]  # fmt: skip
    return [table for table in found if table.rows]


def _rating_tables(summary: Summary) -> list[Table]:
    return [_paper(summary), _means(summary), _differences(summary), _odds(summary)]


def _paper(summary: Summary) -> Table:
    questions = _answered(summary)
    rows = []
    for method in summary["methods"]:
        cells = [_mean_sd(question["table"][method]) for question in questions.values()]
        rows.append([method, "all scores", *cells])
        for reading, title in _READINGS.items():
            cells = [_mean_sd(question["rule"][reading][method]) for question in questions.values()]
            rows.append(["", title, *cells])
    note = (
        "Mean (standard deviation) of scores from 0 to 5, the layout of the paper's Table 2. The paper removes scores "
        "with |z| > 3 “for each question”, which may be read in three ways; in square brackets: how many are removed. "
        "Where the mean is near 5 the rule can only remove low scores, and so raises the mean: it is shown to compare, "
        "not to be relied on."
    )
    return Table("Scores", note, ("method", "scores", *questions), rows)


def _means(summary: Summary) -> Table:
    questions = {name: q for name, q in _answered(summary).items() if q["means"]}
    rows = [[m, *(_text(q["means"][m], 2) for q in questions.values())] for m in _methods(summary, questions)]
    return Table("Means", "With 95 % intervals crossed over raters and targets.", ("method", *questions), rows)


def _differences(summary: Summary) -> Table:
    rows = [
        [name, f"{d['first']} − {d['second']}", _text(d["estimate"], 2), _p(d["p"]), _p(d["p_holm"])]
        for name, question in _answered(summary).items()
        for d in question["differences"]
    ]
    note = "Of means, with 95 % intervals crossed over raters and targets; p of no difference, and adjusted by Holm."
    return Table("Differences", note, ("question", "methods", "difference", "p", "p (Holm)"), rows)


def _odds(summary: Summary) -> Table:
    rows = [
        [name, f"{method} to {summary['methods'][0]}", _text(value, 2)]
        for name, question in _answered(summary).items()
        for method, value in question["odds_ratios"].items()
    ]
    note = (
        "Odds of a higher answer (proportional-odds model): no distance between answers is assumed. 1: no difference."
    )
    return Table("Ordinal model", note, ("question", "methods", "odds ratio"), rows)


def _comparisons(summary: Summary) -> Table:
    rows = [
        [
            name, f"{c['first']} or {c['second']}", str(c["n"]),
            *(_percent(c[key]) for key in ("first_preferred", "not_sure", "second_preferred")), _text(c["share"], 3),
        ]
        for name, question in _answered(summary).items()
        for c in question["comparisons"]
    ]  # fmt: skip
    note = "Preferred: share of the first with half of “not sure”, its 95 % interval crossed over raters and targets."
    header = ("question", "methods", "answers", "first", "not sure", "second", "first preferred")
    return Table("Comparisons", note, header, rows)


def _strengths(summary: Summary) -> Table:
    questions = {name: q for name, q in _answered(summary).items() if q["strengths"]}
    rows = (
        [[m, *(_text(q["strengths"][m], 2) for q in questions.values())] for m in summary["methods"]]
        if questions
        else []
    )
    sides = [question["left"] for question in questions.values()]
    if any(sides):
        rows.append(["left side", *(_text(side, 2) for side in sides)])
    note = (
        f"Bradley-Terry: log-odds of being preferred to {summary['methods'][0]}, with 95 % intervals crossed over "
        "raters and targets; ties and “not sure” are half a preference for each."
    )
    if summary["design"]["task"] == "rating":
        note += " A rater prefers the method that they gave the higher answer for the same pair."
    return Table("Strengths", note, ("method", *questions), rows)


def _agreement(summary: Summary) -> Table:
    rows = [[name, _text(q["agreement"], 3)] for name, q in _answered(summary).items() if q["agreement"]]
    note = (
        "Krippendorff's alpha for ordinal answers, with a 95 % interval over pictures: 1 is perfect agreement, 0 is "
        "chance. It is low wherever nearly all answers are alike, even where raters agree."
    )
    return Table("Agreement", note, ("question", "alpha"), rows)


def _exclusions(summary: Summary) -> Table:
    rows = [[reason, str(number)] for reason, number in summary["raters"]["by_reason"].items()]
    note = "A rater may be excluded for several reasons. Who, and all that the rules look at, is in report.json."
    return Table("Exclusions", note, ("reason", "raters"), rows)


def _answered(summary: Summary) -> dict[str, Any]:
    return {name: question for name, question in summary["questions"].items() if "agreement" in question}


def _methods(summary: Summary, questions: Mapping[str, Any]) -> list[str]:
    """The methods; none where there are no questions to show them for."""
    return list(summary["methods"]) if questions else []


def _mean_sd(cell: Mapping[str, Any]) -> str:
    if cell["mean"] is None:
        return "–"
    spread = f" ({cell['sd']:.2f})" if cell["sd"] is not None else ""
    removed = f" [{cell['removed']}]" if "removed" in cell else ""
    return f"{cell['mean']:.2f}{spread}{removed}"


def _text(value: Mapping[str, float] | None, digits: int) -> str:
    if value is None:
        return "–"
    number, low, high = (f"{value[name]:.{digits}f}".replace("-", "−") for name in ("value", "low", "high"))
    return f"{number} ({low} to {high})" if value["low"] < value["high"] else number


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
