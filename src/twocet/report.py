"""The benchmark's result: one summary (JSON), the same as Markdown, and a sheet of the worst, middle and best cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from twocet import metrics
from twocet.benchmark import GAIN_STRENGTHS, SAMPLES, SERIES_STRENGTHS, Benchmark, Cases, Responses
from twocet.images import Pixels
from twocet.metrics import Estimate, Floats

Summary = dict[str, Any]
SHEET_ROWS = 4
"""Cases in each of the sheet's three parts."""


def summarise(
    benchmark: Benchmark, cases: Cases, responses: Responses, errors_by_strength: dict[float, Floats]
) -> Summary:
    """All figures, each as value, low and high (95 % bootstrap over identities).

    Args:
        benchmark: The faces.
        cases: Measured at strength 1.
        responses: Measured on the same model.
        errors_by_strength: (I, E) pixel errors of the outputs at other strengths.
    """
    named = benchmark.is_named
    groups = {"named": named, "random": ~named, "all": np.ones_like(named)}
    groups = {name: chosen for name, chosen in groups.items() if chosen.any()}

    def gains(errors: Floats) -> dict[str, Estimate]:
        return {
            name: _estimate(metrics.gain, errors[:, chosen], cases.copy_error[:, chosen])
            for name, chosen in groups.items()
        }

    def means(values: Floats) -> dict[str, Estimate]:
        return {name: _estimate(_mean, values[:, chosen]) for name, chosen in groups.items()}

    return {
        "identities": len(benchmark.identities),
        "expressions": list(benchmark.expressions),
        "cases": int(cases.output_error.size),
        "face_box": list(metrics.FACE_BOX),
        "gain": gains(cases.output_error),
        "gain_by_expression": {
            name: _estimate(metrics.gain, cases.output_error[:, [e]], cases.copy_error[:, [e]])
            for e, name in enumerate(benchmark.expressions)
        },
        "gain_by_strength": {f"{strength:g}": gains(errors) for strength, errors in errors_by_strength.items()},
        "identity_kept": _estimate(metrics.identity_kept, cases.distance),
        "identity_recognised": _estimate(_mean, cases.recognised),
        "identity_distance": _estimate(_mean, cases.distance),
        "identity_distance_of_truth": _estimate(_mean, responses.true_distance),
        "faces_found": float(cases.face_found.mean()),
        "agreement": means(cases.agreement),
        "agreement_of_truth": means(cases.true_agreement),
        "blendshape_error": means(cases.blendshape_error),
        "blendshape_error_of_copy": means(cases.copy_blendshape_error),
        "strength_linearity": _estimate(_mean, responses.linearity),
        "strength_monotonicity": _estimate(_mean, responses.monotonicity),
        "strength_response": dict(
            zip((f"{s:g}" for s in SERIES_STRENGTHS), responses.movement.mean(axis=0).tolist(), strict=True)
        ),
        "diversity": _estimate(_mean, responses.diversity),
        "diversity_of_truth": _estimate(_mean, responses.true_diversity),
    }


def _mean(values: Floats) -> float:
    return float(values.mean())


def _estimate(statistic: Callable[..., float], *columns: Floats) -> Estimate:
    """The statistic of (I, ...) values with its interval over the identities."""
    identities = np.broadcast_to(np.arange(len(columns[0])).reshape(-1, *[1] * (columns[0].ndim - 1)), columns[0].shape)
    return metrics.bootstrap(statistic, [column.ravel() for column in columns], identities.ravel())


def to_json(summary: Summary) -> str:
    """The summary as JSON; every estimate is an object of value, low and high."""

    def plain(value: Any) -> Any:
        if isinstance(value, Estimate):
            return {name: round(number, 6) for name, number in value._asdict().items()}
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        return value

    return json.dumps(plain(summary), indent=2, ensure_ascii=False) + "\n"


def to_markdown(summary: Summary) -> str:
    """The summary as a page of tables."""
    lines = [
        f"# Evaluation of {summary['model']['name']}",
        "",
        f"{summary['cases']} transfers: {summary['identities']} people, each given "
        f"{len(summary['expressions'])} expressions of another person, on {summary['data']['name']}. "
        "In brackets: 95 % bootstrap interval over people.",
        "",
        "| measure | value | for comparison |",
        "|---|---|---|",
        *(f"| {what} | {value} | {comparison} |" for what, value, comparison in _headlines(summary)),
        "",
        "## Gain by expression",
        "",
        "| expression | gain |",
        "|---|---|",
        *(f"| {name} | {_text(gain)} |" for name, gain in summary["gain_by_expression"].items()),
        "",
        "## Strength",
        "",
        f"Movement of the landmarks at each strength, as a share of the movement at 1, and gain of all cases at "
        f"{', '.join(f'{strength:g}' for strength in GAIN_STRENGTHS)} (the truth is that of strength 1).",
        "",
        "| strength | movement | gain |",
        "|---|---|---|",
        *_strength_rows(summary),
        "",
        "The cases on `sheet.png`: target, reference, output, truth; worst, middle and best by gain.",
        "",
    ]
    return "\n".join(lines)


def _headlines(summary: Summary) -> list[tuple[str, str, str]]:
    rows = []
    for name, title in (("named", "named expressions"), ("random", "random face units"), ("all", "all")):
        if name in summary["gain"]:
            rows.append((f"gain, {title}", _text(summary["gain"][name]), "copying the target 0, truth 1"))
    truth, copy = summary["agreement_of_truth"]["all"].value, summary["blendshape_error_of_copy"]["all"].value
    true_distance, true_diversity = summary["identity_distance_of_truth"].value, summary["diversity_of_truth"].value
    return [
        *rows,
        ("expression agreement", _text(summary["agreement"]["all"]), f"copying 0, truth {truth:.3f}"),
        ("blendshape error", _text(summary["blendshape_error"]["all"]), f"copying {copy:.3f}"),
        ("identity kept", _text(summary["identity_kept"]), "share nearer than 0.6"),
        ("identity recognised", _text(summary["identity_recognised"]), f"chance {1 / summary['identities']:.3f}"),
        ("identity distance", _text(summary["identity_distance"]), f"truth {true_distance:.3f}"),
        ("faces found in outputs", f"{summary['faces_found']:.3f}", ""),
        ("strength: linearity (R²)", _text(summary["strength_linearity"]), "perfect 1"),
        ("strength: monotonicity", _text(summary["strength_monotonicity"]), "perfect 1, no response 0"),
        (f"diversity of {SAMPLES} samples", _text(summary["diversity"]), f"true expressions {true_diversity:.3f}"),
    ]


def _strength_rows(summary: Summary) -> list[str]:
    strengths = sorted({float(s) for s in (*summary["strength_response"], *summary["gain_by_strength"])})
    rows = []
    for strength in strengths:
        key = f"{strength:g}"
        moved, gains = summary["strength_response"].get(key), summary["gain_by_strength"].get(key)
        rows.append(
            f"| {key} | {'' if moved is None else f'{moved:.3f}'} | {'' if gains is None else _text(gains['all'])} |"
        )
    return rows


def _text(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def sheet(benchmark: Benchmark, outputs: Pixels, cases: Cases) -> Image.Image:
    """A picture of the worst, middle and best cases by gain, three blocks of rows side by side.

    Each row shows target, reference, output and truth with the expression's name and the case's gain.
    """
    gains = 1 - cases.output_error / cases.copy_error
    order = np.argsort(gains, axis=None)
    middle = len(order) // 2 - SHEET_ROWS // 2
    parts = [order[:SHEET_ROWS], order[middle : middle + SHEET_ROWS], order[::-1][:SHEET_ROWS]]
    blocks = [_block(title, part, benchmark, outputs, gains) for title, part in zip(_PARTS, parts, strict=True)]
    return Image.fromarray(np.concatenate(blocks, axis=1))


_PARTS = ("worst", "middle", "best")
_CAPTION = 16


def _block(title: str, part: NDArray[np.intp], benchmark: Benchmark, outputs: Pixels, gains: Floats) -> Pixels:
    rows = []
    for i, e in zip(*np.unravel_index(part, gains.shape), strict=True):
        reference = benchmark.expressive[benchmark.references[i], e]
        row = np.concatenate([benchmark.neutral[i], reference, outputs[i, e], benchmark.expressive[i, e]], axis=1)
        caption = Image.new("RGB", (row.shape[1], _CAPTION), "white")
        text = f"{title}: {benchmark.expressions[e]}, gain {gains[i, e]:.2f}  (target, reference, output, truth)"
        ImageDraw.Draw(caption).text((4, 2), text, fill="black")
        rows += [np.asarray(caption), row]
    return np.pad(np.concatenate(rows), ((4, 4), (4, 4), (0, 0)), constant_values=255)


def write_report(folder: Path, summary: Summary, pictures: Image.Image) -> list[Path]:
    """Write report.json, report.md and sheet.png into a folder, which is made if needed; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "report.json", folder / "report.md", folder / "sheet.png"]
    files[0].write_text(to_json(summary), encoding="utf-8")
    files[1].write_text(to_markdown(summary), encoding="utf-8")
    pictures.save(files[2])
    return files
