"""The figures of single transfers, each as value, low and high, and the summary as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twocet import metrics
from twocet.evaluation.people import Cases, Ints, People, named
from twocet.evaluation.transfers import SERIES_STRENGTHS, Diversity, Transfers
from twocet.metrics import Estimate
from twocet.runtime.arrays import Floats

Summary = dict[str, Any]


def cores_of(machine: Mapping[str, Any]) -> str:
    """How many processor cores made the figures, in words."""
    return "1 core" if machine["cores"] == 1 else f"{machine['cores']} cores"


def summarise_transfers(people: People, cases: Cases, transfers: Transfers) -> Summary:
    """Identity and expression of all cases, by kind of expression where they are rendered, and by expression."""
    given = np.array([people.labels[k] for k in cases.references])
    groups = _groups(people, given)

    def means(values: Floats) -> dict[str, Estimate | None]:
        return {name: mean_of(cases.people[chosen], values[chosen]) for name, chosen in groups.items()}

    def by_expression(values: Floats) -> dict[str, Estimate | None]:
        shown = {label: given == label for label in people.expressions if (given == label).any()}
        return {label: mean_of(cases.people[chosen], values[chosen]) for label, chosen in shown.items()}

    to_truth = {"aed_to_truth": transfers.truth_aed, "aed_to_truth_of_copy": transfers.copy_truth_aed}
    return {
        "identities": len(people.names),
        "expressions": list(people.expressions),
        "cases": len(given),
        "identity_kept": mean_of(cases.people, (transfers.distance < metrics.SAME_PERSON_DISTANCE).astype(np.float64)),
        "identity_recognised": mean_of(cases.people, transfers.recognised),
        "identity_distance": mean_of(cases.people, transfers.distance),
        "identity_distance_of_truth": mean_of(cases.people, transfers.own_distance),
        "identity_distance_by_expression": by_expression(transfers.distance),
        "faces_found": float(transfers.face_found.mean()),
        "agreement": means(transfers.agreement),
        "agreement_of_truth": means(transfers.own_agreement),
        "agreement_by_expression": by_expression(transfers.agreement),
        "blendshape_error": means(transfers.blendshape_error),
        "blendshape_error_of_copy": means(transfers.copy_blendshape_error),
        "aed_to_reference": means(transfers.aed),
        "aed_to_reference_of_copy": means(transfers.copy_aed),
        "aed_to_reference_of_truth": means(transfers.own_aed),
        **{name: means(values) for name, values in to_truth.items() if people.has_truth},
    }


def summarise_gain(
    people: People, cases: Cases, transfers: Transfers, errors_by_strength: Mapping[float, Floats]
) -> Summary:
    """Gain of all cases at strength 1, by expression, and at other strengths; on a benchmark alone."""
    given = np.array([people.labels[k] for k in cases.references])
    groups = _groups(people, given)

    def gains(errors: Floats, chosen: NDArray[np.bool_]) -> Estimate | None:
        known = chosen & np.isfinite(transfers.copy_error)
        if not known.any():
            return None
        return metrics.gain_estimate(errors[known], transfers.copy_error[known], cases.people[known])

    return {
        "face_box": list(metrics.FACE_BOX),
        "gain": {name: gains(transfers.output_error, chosen) for name, chosen in groups.items()},
        "gain_by_expression": {
            label: gains(transfers.output_error, given == label)
            for label in people.expressions
            if (given == label).any()
        },
        "gain_by_strength": {
            f"{strength:g}": {name: gains(errors, chosen) for name, chosen in groups.items()}
            for strength, errors in errors_by_strength.items()
        },
    }


def summarise_series(owners: Ints, movement: Floats) -> Summary:
    """How the landmarks follow the strength: (P, K) movements of people (P,)."""
    strengths = np.array(SERIES_STRENGTHS)
    linearity = np.array([metrics.linearity(strengths, response) for response in movement])
    monotonicity = np.array([metrics.monotonicity(response) for response in movement])
    return {
        "strength_linearity": mean_of(owners, linearity),
        "strength_monotonicity": mean_of(owners, monotonicity),
        "strength_response": {
            f"{strength:g}": mean_of(owners, movement[:, k]) for k, strength in enumerate(SERIES_STRENGTHS)
        },
    }


def summarise_diversity(diversity: Diversity) -> Summary:
    """Of random expressions, and of the people's own photos for comparison."""
    owners = diversity.people
    return {
        "diversity": mean_of(owners, diversity.blendshapes),
        "diversity_of_truth": mean_of(owners, diversity.own_blendshapes),
        "diversity_perceptual_mobilenetv2": mean_of(owners, diversity.perceptual),
        "diversity_perceptual_mobilenetv2_of_truth": mean_of(owners, diversity.own_perceptual),
    }


def mean_of(owners: Ints, values: Floats) -> Estimate | None:
    """The mean of people's (C,) values with its interval, without those that are NaN; None if none is left."""
    known = np.isfinite(values)
    return metrics.bootstrap_mean(values[known], owners[known]) if known.any() else None


def _groups(people: People, given: NDArray[np.str_]) -> dict[str, NDArray[np.bool_]]:
    """The cases with named expressions, those with random face units, and all; all alone where labels are of people."""
    groups = {"all": np.ones(len(given), np.bool_)}
    if people.has_truth:
        is_named = named(tuple(given))
        groups = {"named": is_named, "random": ~is_named, **groups}
    return {name: chosen for name, chosen in groups.items() if chosen.any()}


def to_json(summary: Summary) -> str:
    """The summary as JSON; every estimate is an object of value, low and high, what is no number is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, Estimate):
            return plain(value._asdict())
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(inner) for inner in value]
        if isinstance(value, float):
            return round(value, 6) if math.isfinite(value) else None
        return value

    return json.dumps(plain(summary), indent=2, ensure_ascii=False) + "\n"
