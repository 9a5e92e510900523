"""The pictures of a report: a sample of everybody, growing strengths, and the worst, middle and best cases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twocet.evaluation.maker import Maker
from twocet.evaluation.people import NOBODY, Cases, Ints, People
from twocet.evaluation.transfers import Transfers, make_cases
from twocet.photo.images import Pixels
from twocet.photo.sheets import Cell, sheet
from twocet.runtime.arrays import Floats

CASES = 4
"""Cases of each kind."""
SAMPLE_PEOPLE, SAMPLE_CASES = 4, 8
STRIP_PEOPLE = 4
STRIP_STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


class Row(NamedTuple):
    """Pictures beside each other."""

    title: str
    cells: list[Cell]


class Gallery(NamedTuple):
    """Rows of labelled pictures."""

    samples: list[Row]
    """For each person shown one row of references, one of outputs and, on a benchmark, one of true pictures."""
    strips: list[Row]
    """Target, reference, and outputs at ``STRIP_STRENGTHS``."""
    cases: dict[str, list[Row]]
    """``worst``, ``middle`` and ``best``: target, reference, output and, if there is one, the own photo."""


def case_scores(people: People, transfers: Transfers) -> tuple[str, Floats]:
    """By what cases are called good: gain where the truth is known, otherwise agreement."""
    if people.has_truth:
        return "gain", 1 - transfers.output_error / transfers.copy_error
    return "agreement", transfers.agreement


def show(maker: Maker, people: People, cases: Cases, transfers: Transfers) -> Gallery:
    """Make the pictures again that are shown."""
    name, scores = case_scores(people, transfers)
    order = np.argsort(scores, kind="stable")
    middle = max(len(order) // 2 - CASES // 2, 0)
    parts = {"worst": order[:CASES], "middle": order[middle : middle + CASES], "best": order[::-1][:CASES]}
    return Gallery(
        _samples(maker, people, cases),
        _strips(maker, people, cases),
        {title: _rows(maker, people, cases.take(part), name, scores[part]) for title, part in parts.items()},
    )


def case_sheet(gallery: Gallery) -> Pixels:
    """Worst, middle and best cases in one picture, side by side."""
    blocks = [
        [[Cell(cell.pixels, f"{kind}: {row.title}" if k == 0 else cell.label) for k, cell in enumerate(row.cells)]
         for row in rows]
        for kind, rows in gallery.cases.items()
    ]  # fmt: skip
    side = max(gallery.cases["worst"][0].cells[0].pixels.shape[0], 160)
    return sheet([[cell for row in line for cell in row] for line in zip(*blocks, strict=True)], side=side)


def _rows(maker: Maker, people: People, cases: Cases, name: str, scores: Floats) -> list[Row]:
    made = make_cases(maker, people, cases)
    rows = []
    for k, output in enumerate(made):
        cells = [
            Cell(people.neutral[cases.targets[k]], "target"),
            Cell(people.expressive[cases.references[k]], "reference"),
            Cell(output, "output", made=True),
        ]
        if cases.own[k] != NOBODY:
            cells.append(Cell(people.expressive[cases.own[k]], "truth" if people.has_truth else "own photo"))
        rows.append(Row(f"{people.labels[cases.references[k]]} {name} {scores[k]:.2f}".strip(), cells))
    return rows


def _samples(maker: Maker, people: People, cases: Cases) -> list[Row]:
    rows = []
    for person in _spread(np.unique(cases.people), SAMPLE_PEOPLE):
        own = np.flatnonzero(cases.people == person)
        chosen = cases.take(_spread(own, SAMPLE_CASES))
        target = Cell(people.neutral[chosen.targets[0]], "target")
        references = [Cell(people.expressive[k], people.labels[k]) for k in chosen.references]
        outputs = [Cell(pixels, made=True) for pixels in make_cases(maker, people, chosen)]
        rows += [Row("references", [target, *references]), Row("outputs", [target, *outputs])]
        if people.has_truth:
            rows.append(Row("truth", [target, *(Cell(people.expressive[k]) for k in chosen.own)]))
    return rows


def _strips(maker: Maker, people: People, cases: Cases) -> list[Row]:
    chosen = cases.take(_spread(cases.spots, STRIP_PEOPLE))
    series = [make_cases(maker, people, chosen, strength) for strength in STRIP_STRENGTHS]
    return [
        Row(
            people.labels[chosen.references[k]],
            [
                Cell(people.neutral[chosen.targets[k]], "target"),
                Cell(people.expressive[chosen.references[k]], "reference"),
                *(
                    Cell(made[k], f"{strength:g}", made=True)
                    for strength, made in zip(STRIP_STRENGTHS, series, strict=True)
                ),
            ],
        )
        for k in range(len(chosen.targets))
    ]


def _spread(values: Ints, most: int) -> Ints:
    """Up to ``most`` of the values, evenly spaced."""
    return values if len(values) <= most else values[np.arange(most) * len(values) // most]
