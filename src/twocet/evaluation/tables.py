"""A summary as tables of texts, for Markdown and HTML alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from twocet.evaluation.realism import distance_names
from twocet.evaluation.summary import Summary
from twocet.evaluation.transfers import GAIN_STRENGTHS, SAMPLES
from twocet.metrics import Estimate


class Table(NamedTuple):
    """One table of a report."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def text(value: Estimate | float | None) -> str:
    """A figure, with its interval if it has one."""
    if value is None:
        return ""
    if not isinstance(value, Estimate):
        return f"{value:.3f}"
    if not math.isfinite(value.low):
        return f"{value.value:.3f}"
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def introduction(summary: Summary) -> str:
    """What was measured, in one paragraph."""
    kind = "the true pictures are known" if summary["ground_truth"] else "no true pictures: no gain"
    return (
        f"{summary['cases']} transfers on {summary['data']['name']}, split {summary['split']}: {summary['identities']} "
        f"people, each given expressions of another one, {len(summary['expressions'])} different ones in all ({kind}). "
        "In brackets: 95 % interval over people."
    )


def tables(summary: Summary) -> list[Table]:
    """All tables of a report, the headline first."""
    found = [
        headline(summary),
        _aed(summary),
        _by_expression(summary),
        _strengths(summary),
        *_realism(summary),
        *_codes(summary),
    ]
    return [table for table in found if table.rows]


def headline(summary: Summary) -> Table:
    """The figures that sum up a model."""
    rows: list[tuple[str, Any, str]] = []
    for name, title in (("named", "named expressions"), ("random", "random face units"), ("all", "all")):
        if name in summary.get("gain", {}):
            rows.append((f"gain, {title}", summary["gain"][name], "copying the target 0, truth 1"))
    rows += [*_transfer_rows(summary), *_response_rows(summary)]
    shown = [(title, text(value), comparison) for title, value, comparison in rows if value is not None]
    return Table("Headline", "", ("measure", "value", "for comparison"), [*shown, *_realism_headline(summary)])


def _transfer_rows(summary: Summary) -> list[tuple[str, Any, str]]:
    truth = "truth" if summary["ground_truth"] else "own photo"
    agreement, error = summary["agreement"]["all"], summary["blendshape_error"]["all"]
    own_agreement, copy_error = summary["agreement_of_truth"]["all"], summary["blendshape_error_of_copy"]["all"]
    own_distance = summary["identity_distance_of_truth"]
    return [
        ("expression agreement", agreement, _compare("copying 0", truth, own_agreement)),
        ("blendshape error", error, _compare("", "copying", copy_error)),
        ("identity kept", summary["identity_kept"], "share nearer than 0.6"),
        ("identity recognized", summary["identity_recognised"], f"chance {1 / summary['identities']:.3f}"),
        ("identity distance", summary["identity_distance"], _compare("", truth, own_distance)),
        ("faces found in outputs", summary["faces_found"], ""),
        ("gain with the own photo as reference", summary["own_reference_gain"], "easier than a transfer"),
    ]


def _response_rows(summary: Summary) -> list[tuple[str, Any, str]]:
    shapes, perceptual = "diversity", "diversity_perceptual_mobilenetv2"
    of_photos = {name: _compare("", "own photos", summary.get(f"{name}_of_truth")) for name in (shapes, perceptual)}
    return [
        ("strength: linearity (R²)", summary["strength_linearity"], "perfect 1"),
        ("strength: monotonicity", summary["strength_monotonicity"], "perfect 1, no response 0"),
        (f"diversity of {SAMPLES} samples, blendshapes", summary.get(shapes), of_photos[shapes]),
        (f"diversity of {SAMPLES} samples, perceptual (MobileNetV2)", summary.get(perceptual), of_photos[perceptual]),
        ("cycle error", summary.get("cycle_error"), "black against white is 1"),
    ]


def _compare(first: str, name: str, value: Estimate | None) -> str:
    known = f"{name} {value.value:.3f}" if value is not None else ""
    return ", ".join(filter(None, (first, known)))


def _realism_headline(summary: Summary) -> list[tuple[str, str, str]]:
    rows = []
    for name, title in _SETS.items():
        measured = summary["realism"]["sets"].get(name, {})
        for distance in distance_names(summary["realism"]["backbone"]):
            if distance in measured:
                rows.append((f"{distance}, {title}", text(measured[distance]), "smaller is nearer to the photos"))
    return rows


_SETS = {"a_n": "made neutral", "b_e_z": "random expressions", "b_e_r": "expressions of references"}


def _aed(summary: Summary) -> Table:
    keys = {
        "output, to the reference": "aed_to_reference",
        "copy, to the reference": "aed_to_reference_of_copy",
        "own photo, to the reference": "aed_to_reference_of_truth",
        "output, to the truth": "aed_to_truth",
        "copy, to the truth": "aed_to_truth_of_copy",
    }
    kinds = tuple(summary["aed_to_reference"])
    rows = [(name, *(text(summary[key][kind]) for kind in kinds)) for name, key in keys.items() if key in summary]
    note = (
        "Average expression distance: mean absolute difference of the 51 blendshapes, smaller is nearer. Copy: the "
        "target in place of the output. Own photo: the target's person with the same expression."
    )
    return Table("AED", note, ("", *kinds), [row for row in rows if any(row[1:])])


def _by_expression(summary: Summary) -> Table:
    kernel, frechet = distance_names(summary["realism"]["backbone"])
    realism = summary["realism"].get("by_expression", {})
    columns = {
        "gain": summary.get("gain_by_expression", {}),
        "agreement": summary["agreement_by_expression"],
        "identity distance": summary["identity_distance_by_expression"],
        kernel: {label: values.get(kernel) for label, values in realism.items()},
        frechet: {label: values.get(frechet) for label, values in realism.items()},
    }
    columns = {name: values for name, values in columns.items() if any(value is not None for value in values.values())}
    rows = [
        (label or "(no label)", *(text(values.get(label)) for values in columns.values()))
        for label in summary["expressions"]
        if any(values.get(label) is not None for values in columns.values())
    ]
    note = "Distances of few pictures are large by themselves: compare the same sets of two models alone."
    return Table("By expression", note, ("expression", *columns), rows)


def _strengths(summary: Summary) -> Table:
    response, gains = summary["strength_response"], summary.get("gain_by_strength", {})
    keys = sorted({*response, *gains}, key=float)
    note = "Movement of the landmarks as a share of the movement at strength 1."
    if gains:
        note += f" Gain at {', '.join(f'{s:g}' for s in GAIN_STRENGTHS)}; the truth is that of strength 1."
    rows = [(key, text(response.get(key)), text(gains[key]["all"] if key in gains else None)) for key in keys]
    return Table("Strength", note, ("strength", "movement", "gain"), rows)


def _realism(summary: Summary) -> list[Table]:
    realism = summary["realism"]
    backbone = realism["backbone"]
    standard, batch = f"is_{backbone}", f"is_per_batch_{backbone}"
    named = {f"photos, {name}": values for name, values in realism["photos"].items()} | {
        f"made, {name}": values for name, values in realism["sets"].items()
    }
    kernel, frechet = distance_names(backbone)
    rows = [
        (
            name,
            str(values["pictures"]),
            text(values.get(kernel)),
            text(values.get(frechet)),
            text(values[standard]),
            f"{values[batch]['mean']:.2f} ± {values[batch]['std']:.2f}",
        )
        for name, values in named.items()
    ]
    note = (
        "The paper's sets: a_n, every expressive photo made neutral; b_e_z, neutral photos with random expressions; "
        "b_e_r, neutral photos with three references of every expression. The last column is the paper's inception "
        "score, of batches of 50."
    )
    return [Table("Paper protocol", note, ("set", "pictures", kernel, frechet, standard, batch), rows)]


def _codes(summary: Summary) -> list[Table]:
    codes = summary.get("codes")
    if not codes:
        return []
    spread = [("all", codes["all"], codes.get("silhouette"))]
    if "mean_of_expressions" in codes:
        spread.append(("mean of the expressions", codes["mean_of_expressions"], None))
    spread += [
        (label, values, codes["silhouette_by_expression"][label])
        for label, values in codes.get("by_expression", {}).items()
    ]
    rows = [
        (label or "(no label)", f"{s['std_between']:.3f}", f"{s['std_inside']:.3f}", f"{s['mean']:.3f}", text(value))
        for label, s, value in spread
    ]
    header = ("expression", "std between images", "std inside a code", "mean", "silhouette")
    found = [Table("Codes", "Of the expressive photos, read by the model's encoder.", header, rows)]
    distances = codes.get("mean_code_distances", {})
    pairs = [
        (kind, " – ".join(pair["expressions"]), f"{pair['distance']:.3f}")
        for kind in ("nearest", "farthest")
        for pair in distances.get(kind, [])
    ]
    note = "Euclidean distances of the expressions' mean codes; all of them are in report.json."
    return [*found, Table("Mean codes", note, ("", "expressions", "distance"), pairs)]
