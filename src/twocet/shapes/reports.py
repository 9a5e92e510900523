"""Reports on shape models: neutralising and transfer against truth, beside what needs no learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twocet.errors import check
from twocet.runtime.arrays import Floats
from twocet.runtime.files import json_bytes, write_whole
from twocet.shapes.drawing import Cell, Look, draw
from twocet.shapes.measures import agreement
from twocet.shapes.model import ShapeModel
from twocet.shapes.points import PointSets

RANDOM = "units"
"""Begins the labels of expressions that are random combinations of face units; all others are named ones."""
_SHOWN = 8
"""Expressions on a sheet."""
REFERENCE_OFFSET = 7
"""The reference of a case is of the person so many places further on."""

Indices = NDArray[np.int64]


class Cases(NamedTuple):
    """Rows of a :class:`PointSets` that belong together."""

    expressive: Indices
    """(n,) a person's expressive face."""
    neutral: Indices
    """(n,) the same person's neutral face: the target of a transfer."""
    reference: Indices
    """(n,) another person's face with the expression of that name."""
    reference_neutral: Indices
    """(n,) the neutral face of that person."""
    labels: list[str]
    """(n,) the name."""


def find_cases(sets: PointSets) -> Cases:
    """Every expressive face of a person with a neutral one, where another such person shows the expression too.

    Raises UserError if domains, persons or labels are not known, or there is no such case.
    """
    check(
        sets.neutral is not None and sets.person is not None and sets.label is not None,
        "a report needs to know domain, person and label of every face",
    )
    assert sets.neutral is not None
    assert sets.person is not None
    assert sets.label is not None
    people = list(dict.fromkeys(sets.person))
    at_rest = {sets.person[k]: k for k in np.flatnonzero(sets.neutral)[::-1]}
    shown = {(sets.person[k], sets.label[k]): k for k in np.flatnonzero(~sets.neutral)[::-1]}
    rows = []
    for (person, label), k in shown.items():
        place = people.index(person)
        others = (people[(place + REFERENCE_OFFSET + n) % len(people)] for n in range(len(people)))
        other = next((o for o in others if o != person and o in at_rest and (o, label) in shown), None)
        if person in at_rest and other is not None:
            rows.append((k, at_rest[person], shown[other, label], at_rest[other], label))
    check(bool(rows), "no two people with a neutral face show an expression of the same name")
    face, rest, reference, reference_rest = np.array([row[:4] for row in rows]).T
    return Cases(face, rest, reference, reference_rest, [row[4] for row in rows])


Neutralize = Callable[[Floats], Floats]
Transfer = Callable[[Floats, Floats], Floats]


def report(model: ShapeModel, sets: PointSets) -> dict[str, Any]:
    """Figures of ``model`` and of the baselines, JSON-able.

    By kind of expression (named, random combinations of face units): ``neutralize`` compares the movement that is
    taken out of a face with that from the person's neutral face to it. ``transfer`` compares the movement given to a
    neutral target with that of the target's own face with the expression of that name; ``transfer_as_reference`` with
    the movement of the reference from its own neutral face, for faces whose expressions of one name differ.
    Shapes are compared, without place, size and rotation.
    """
    cases, frame = find_cases(sets), model.space.frame
    known = Faces(frame.place(sets.points)[0], cases)
    delta = known.shapes[cases.reference] - known.shapes[cases.reference_neutral]
    estimated = model.estimate
    methods = {
        "model": known.judge(model.remove, lambda target, other: model.apply(target, model.encode(other))),
        "linear": known.judge(lambda face: face - estimated(face), lambda target, other: target + estimated(other)),
        "delta": known.judge(lambda face: face, lambda target, _: target + delta),
        "copy": known.judge(lambda face: face, lambda target, _: target),
    }
    still = model.is_neutral(sets.domain(True))
    return {
        "people": len(set(cases.neutral.tolist())),
        "methods": methods,
        "neutral_faces_unchanged": {"share": float(still.mean()), "faces": len(still)},
    }


class Faces(NamedTuple):
    """Shapes of which the truth is known."""

    shapes: Floats
    cases: Cases

    def judge(self, neutralize: Neutralize, transfer: Transfer) -> dict[str, Any]:
        """Figures of one method by kind and by label."""
        cases = self.cases
        face, rest, reference, reference_rest = (self.shapes[rows] for rows in cases[:4])
        moved = transfer(rest, reference) - rest
        compared = {
            "neutralize": (face - neutralize(face), face - rest),
            "transfer": (moved, face - rest),
            "transfer_as_reference": (moved, reference - reference_rest),
        }
        return {
            name: {kind: agreement(made[rows], true[rows])._asdict() for kind, rows in kinds(cases.labels).items()}
            for name, (made, true) in compared.items()
        }


METHODS = {
    "model": "the model",
    "linear": "linear estimate",
    "delta": "delta transfer, true neutral faces",
    "copy": "copying",
}
"""Names of the rows."""
_TABLES = {
    "neutralize": "Neutralising",
    "transfer": "Transfer, against the target's own face with the expression",
    "transfer_as_reference": "Transfer, against the movement of the reference",
}


def to_markdown(result: dict[str, Any]) -> str:
    """A report as a page of tables."""
    still = result["neutral_faces_unchanged"]
    lines = [f"# Evaluation of {result['model']}", "", f"{result['people']} people of {result['data']}.", ""]
    lines += ["Explained share of the squared movement / the same of lengths / cosine.", ""]
    for key, title in _TABLES.items():
        groups = list(result["methods"]["model"][key])
        lines += [f"## {title}", "", f"| | {' | '.join(METHODS.values())} | cases |", "|---" * 6 + "|"]
        for group in groups:
            figures = [result["methods"][method][key][group] for method in METHODS]
            row = [f"{f['explained']:.2f} / {f['explained_norm']:.2f} / {f['cosine']:.2f}" for f in figures]
            lines.append(f"| {group} | {' | '.join(row)} | {figures[0]['cases']} |")
        lines.append("")
    lines.append(f"Neutral faces that stay as they are: {still['share']:.0%} of {still['faces']}.")
    return "\n".join([*lines, "", f"Made by `{result['command']}`.", ""])


def write(folder: Path, result: dict[str, Any], model: ShapeModel, sets: PointSets, look: Look) -> list[Path]:
    """Write report.json, report.md and sheet.png; return their paths."""
    files = {"report.json": json_bytes(result, indent=2), "report.md": to_markdown(result).encode()}
    written = [write_whole(folder / name, content) for name, content in files.items()]
    return [*written, sheet(folder / "sheet.png", model, sets, look)]


def sheet(path: Path, model: ShapeModel, sets: PointSets, look: Look) -> Path:
    """A picture of the first case of every expression: face, made neutral, true; reference, transfer, true."""
    cases = find_cases(sets)
    rows = [cases.labels.index(label) for label in dict.fromkeys(cases.labels)][:_SHOWN]
    frame = model.space.frame
    cells = []
    for k in rows:
        face, rest, reference = (sets.points[[getattr(cases, name)[k]]] for name in Cases._fields[:3])
        given = model.apply(rest, model.encode(reference))
        titles = (cases.labels[k], "made neutral", "its own neutral face", "reference", "transferred", "own expression")
        faces = (face, model.neutralize(face), rest, reference, given, face)
        cells += [Cell(frame.place(one)[0][0], title) for one, title in zip(faces, titles, strict=True)]
    return draw(path, cells, look)


def kinds(labels: Sequence[str]) -> dict[str, Indices]:
    """Rows of named and of random expressions, then of every single name."""
    random = np.array([label.startswith(RANDOM) for label in labels])
    groups = {"named": np.flatnonzero(~random), "random": np.flatnonzero(random)}
    groups |= {name: np.flatnonzero(np.array(labels) == name) for name in sorted(set(labels))}
    return {name: rows for name, rows in groups.items() if len(rows)}
