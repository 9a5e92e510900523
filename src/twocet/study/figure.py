"""The figure of a study: how often each answer was given, and what that comes to with its interval."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twocet.study.analysis import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SCALE = ("#9c3f2f", "#dda08d", "#e3e3e0", "#9bbcdd", "#2f6297")
"""From the lowest to the highest answer; readable with any colour vision, and on a grey print at its ends."""
_INK = "#1c2430"


def draw(summary: Summary) -> Figure | None:
    """One row for each question; None where nothing could be estimated."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    questions = {name: question for name, question in summary["questions"].items() if "agreement" in question}
    if not questions:
        return None
    rating = summary["design"]["task"] == "rating"
    bars = len(summary["methods"]) if rating else len(next(iter(questions.values()))["comparisons"])
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "twocet"}):
        height = len(questions) * (0.9 + 0.42 * max(bars, len(summary["methods"]))) + 0.5
        figure = Figure(figsize=(9.5, height), layout="constrained")
        axes = figure.subplots(len(questions), 2, squeeze=False, width_ratios=(1.5, 1))
        for (left, right), (name, question) in zip(axes, questions.items(), strict=True):
            (_rating_row if rating else _comparison_row)(left, right, name, question, summary["methods"])
        _legends(figure, list(axes[:, 0]))
    return figure


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as ``svg`` or ``pdf``, the same bytes for the same figure."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"CreationDate": None}
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def _legends(figure: Figure, rows: Sequence[Axes]) -> None:
    """One legend above all rows, or one in each where the questions' answers differ."""
    known = [row.get_legend_handles_labels() for row in rows]
    if all(labels == known[0][1] for _, labels in known):
        handles, labels = known[0]
        figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False, handlelength=1)
        return
    for row, (handles, labels) in zip(rows, known, strict=True):
        row.legend(handles, labels, loc="upper left", bbox_to_anchor=(0, -0.3), ncols=len(labels), frameon=False)


def _rating_row(left: Axes, right: Axes, name: str, question: Mapping[str, Any], methods: Sequence[str]) -> None:
    colours = _colours(len(question["options"]))
    _stacked(left, list(methods), [question["shares"][method] for method in methods], question["options"], colours)
    left.set_title(name, loc="left", fontweight="bold")
    means = question["means"] or {
        m: {"value": c["mean"]} for m, c in question["table"].items() if c["mean"] is not None
    }
    _dots(right, means, "mean score, 0 to 5" + (", 95 % interval" if question["means"] else ""))


def _comparison_row(left: Axes, right: Axes, name: str, question: Mapping[str, Any], methods: Sequence[str]) -> None:
    rows = question["comparisons"]
    labels = [f"{row['first']}  |  {row['second']}" for row in rows]
    shares = [[row["first_preferred"], row["not_sure"], row["second_preferred"]] for row in rows]
    _stacked(left, labels, shares, ("first", "not sure", "second"), (_SCALE[4], _SCALE[2], _SCALE[0]))
    left.set_title(name, loc="left", fontweight="bold")
    if question["strengths"]:
        _dots(right, question["strengths"], f"Bradley-Terry strength ({methods[0]} = 0), 95 % interval")
    else:
        right.set_axis_off()


def _stacked(
    axes: Axes, labels: Sequence[str], shares: Sequence[Sequence[float]], options: Sequence[str], colours: Sequence[str]
) -> None:
    """Horizontal bars of 100 % in parts."""
    starts = [0.0] * len(labels)
    for k, (option, colour) in enumerate(zip(options, colours, strict=True)):
        widths = [100 * row[k] for row in shares]
        axes.barh(labels, widths, left=starts, color=colour, label=option, height=0.7)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="% of answers")


def _dots(axes: Axes, values: Mapping[str, Mapping[str, float]], label: str) -> None:
    """Values with their intervals, one line each."""
    for place, value in enumerate(values.values()):
        if "low" in value:
            axes.plot([value["low"], value["high"]], [place, place], color=_INK, linewidth=1.6, solid_capstyle="butt")
        axes.plot(value["value"], place, "o", color=_INK, markersize=6)
    axes.set_yticks(range(len(values)), list(values))
    axes.set(xlabel=label, ylim=(len(values) - 0.5, -0.5))
    axes.grid(axis="x", color="#ddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _colours(number: int) -> list[str]:
    """``number`` colours from the scale's lowest to its highest."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    scale = LinearSegmentedColormap.from_list("answers", _SCALE)
    return [to_hex(scale(k / (number - 1))) for k in range(number)]
