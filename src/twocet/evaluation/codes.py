"""What the encoder's codes of the expressive photos are like (CodeChart, CodeDistance, CodeSilhouetteScore)."""

from __future__ import annotations

from typing import Any

import numpy as np

from twocet import metrics
from twocet.evaluation.maker import Maker
from twocet.evaluation.people import People, thinned
from twocet.runtime.arrays import Floats

NEAREST = 5
"""Pairs of labels that are listed as the nearest and the farthest ones."""


def measure_codes(maker: Maker, people: People, *, most: int) -> dict[str, Any]:
    """Spread of the codes, silhouette by label and distances of the labels' mean codes; the model must have codes."""
    chosen = thinned(len(people.expressive), most)
    codes = maker.encode(people.expressive[chosen])
    labels = [people.labels[k] for k in chosen]
    result: dict[str, Any] = {"images": len(codes), "all": metrics.code_statistics(codes)._asdict()}
    names, means = metrics.class_means(codes, labels)
    if len(names) < 2:
        return result
    own = np.array(labels)
    scores = metrics.silhouettes(codes, labels)
    distances = metrics.distances(means)
    people_numbers = people.expressive_people[chosen]
    groups = {name: metrics.code_statistics(codes[own == name]) for name in names}
    return {
        **result,
        "mean_of_expressions": metrics.mean_statistics(list(groups.values()))._asdict(),
        "by_expression": {name: statistics._asdict() for name, statistics in groups.items()},
        "silhouette": metrics.bootstrap_mean(scores, people_numbers),
        "silhouette_by_expression": {name: float(scores[own == name].mean()) for name in names},
        "mean_code_distances": {
            "expressions": names,
            "matrix": distances.round(6).tolist(),
            **_extremes(names, distances),
        },
    }


def _extremes(names: list[str], distances: Floats) -> dict[str, list[dict[str, Any]]]:
    first, second = np.triu_indices(len(names), k=1)
    order = np.argsort(distances[first, second])
    pairs = [
        {
            "expressions": [names[first[k]], names[second[k]]],
            "distance": round(float(distances[first[k], second[k]]), 6),
        }
        for k in order
    ]
    return {"nearest": pairs[:NEAREST], "farthest": pairs[::-1][:NEAREST]}
