"""The layout of the paper's Table 1 and 3, with gain, identity and agreement: JSON and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twocet.compare.comparison.measure import Measured, Summary
from twocet.evaluation.summary import cores_of

Number = float | None
Row = dict[str, Any]

NOTE = """\
N: expressive photos made neutral, against the neutral photos. E: neutral photos given others' expressions, against the
expressive photos. Distances and scores (per batch of 50, the paper's form) are of the features of the network in their
names; only Inception's distance is an FID. Gain: 0 is copying the target, 1 is the true picture; on a rendered
benchmark, named expressions and random face units apart. Identity: distance of face descriptors (0.6: same person).
Agreement: correlation of blendshape changes, of named expressions on a benchmark. In brackets: 95 % intervals over
people. An en dash: the model or the data do not allow it."""
MEANS = "Rows marked as means: mean values, and mean bounds, over the seeds whose rows follow."


def rows(measured: Sequence[Measured]) -> list[Row]:
    """One row for each model, then one for the photos themselves; seeds of a model together, below their mean."""
    families: dict[str, list[Row]] = {}
    for model in measured:
        families.setdefault(model.entry.family or model.entry.title, []).append(_row(model))
    made = []
    for name, seeds in families.items():
        mean = [{**{key: _mean([row[key] for row in seeds]) for key in seeds[0]}, "model": f"{name}, mean"}]
        made += [*(mean if len(seeds) > 1 else []), *seeds]
    realism = measured[0].photos["realism"]
    scores = f"is_per_batch_{realism['backbone']}"
    photos = {
        "model": "real photos",
        f"{scores} N": _at(realism, "photos", "a_n", scores, "mean"),
        f"{scores} E": _at(realism, "photos", "b_e", scores, "mean"),
    }
    return [*made, {**dict.fromkeys(made[0]), **photos}]


def _row(model: Measured) -> Row:
    photos, realism = model.photos, model.photos["realism"]
    backbone = realism["backbone"]
    frechet, kernel = f"{'fid' if backbone == 'inception' else 'fd'}_{backbone}", f"kid_{backbone}"
    scores = f"is_per_batch_{backbone}"
    truth = model.benchmark or (photos if "gain" in photos else {})
    single = model.benchmark or photos
    return {
        "model": model.entry.title,
        f"{frechet} N": _at(realism, "sets", "a_n", frechet),
        f"{frechet} E": _at(realism, "sets", "b_e_r", frechet),
        f"{kernel} N": _at(realism, "sets", "a_n", kernel),
        f"{kernel} E": _at(realism, "sets", "b_e_r", kernel),
        f"{scores} N": _at(realism, "sets", "a_n", scores, "mean"),
        f"{scores} E": _at(realism, "sets", "b_e_r", scores, "mean"),
        "gain, named": _at(truth, "gain", "named"),
        "gain, random": _at(truth, "gain", "random"),
        "identity distance": single.get("identity_distance"),
        "identity kept": single.get("identity_kept"),
        "agreement": _at(single, "agreement", "named") or _at(single, "agreement", "all"),
        "rounds": model.training.get("rounds"),
        "minutes": model.training.get("minutes"),
    }


def _mean(values: Sequence[Any]) -> Any:
    """Of numbers or of estimates' values and bounds; None unless all are known."""
    if all(isinstance(value, Mapping) for value in values):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    return sum(values) / len(values) if all(isinstance(value, (int, float)) for value in values) else None


def _at(summary: Mapping[str, Any], *path: str) -> Any:
    """What is there, or None."""
    value: Any = summary
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def summary(title: str, measured: Sequence[Measured], command: str, data: Mapping[str, str | None]) -> Summary:
    """The table as JSON, with what it was made by."""
    made_by = {key: measured[0].photos["made_by"][key] for key in ("version", "commit", "machine")}
    return {"title": title, "data": dict(data), "rows": rows(measured), "made_by": {**made_by, "command": command}}


def to_markdown(result: Summary) -> str:
    """The table as a page."""
    columns = list(result["rows"][0])
    lines = [f"| {' | '.join(_text(name, row[name]) for name in columns)} |" for row in result["rows"]]
    made = result["made_by"]
    machine = f"{made['machine']['system']} with {cores_of(made['machine'])}"
    data = ", ".join(f"{name} {value}" for name, value in result["data"].items() if value)
    origin = (
        f"Made by `{made['command']}`, version {made['version']}, commit {made['commit'] or 'unknown'}, on {machine}."
    )
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    note = f"{NOTE}\n{MEANS}" if any(row["model"].endswith(", mean") for row in result["rows"]) else NOTE
    return "\n".join([f"# {result['title']}", "", f"On {data}.", "", *head, *lines, "", note, "", origin, ""])


_FORMATS: dict[str, Callable[[float], str]] = {
    "rounds": lambda value: f"{value:,.0f}",
    "minutes": lambda value: f"{value:.1f}",
}


def _text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        known = value["low"] is not None
        return _number(value["value"]) + (f" ({_number(value['low'])} to {_number(value['high'])})" if known else "")
    return _FORMATS.get(name, _number)(value)


def _number(value: Number) -> str:
    return "–" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
