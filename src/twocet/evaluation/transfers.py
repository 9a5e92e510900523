"""Single transfers, measured: against the reference, the target, and where it is known the true picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from twocet import metrics
from twocet.evaluation.maker import Maker, blocks
from twocet.evaluation.people import NOBODY, Cases, Ints, People
from twocet.evaluation.readers import Readers
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

SERIES_STRENGTHS = tuple(k / 10 for k in range(11))
GAIN_STRENGTHS = (0.5, 0.75, 1.0, 1.25, 1.5)
SAMPLES = 8
"""Random expressions of one person whose diversity is measured."""
_GROUPS = 8
"""People whose series are made before they are measured and forgotten."""


class Transfers(NamedTuple):
    """One value per case, (C,) each."""

    output_error: Floats
    """Pixel error to the target's person's own photo with the label; NaN where there is none, here and below."""
    copy_error: Floats
    """The same of the target."""
    distance: Floats
    """Descriptor distance of output and target."""
    recognised: Floats
    """1 where the output is nearer to its own target than to any other person's neutral photo."""
    own_distance: Floats
    """Descriptor distance of the own photo and the target, at the spots alone."""
    agreement: Floats
    """An output in which no face is found counts as one that has not changed, here and below."""
    own_agreement: Floats
    """Agreement of the own photo with the reference: on a benchmark, what a perfect model would score."""
    blendshape_error: Floats
    copy_blendshape_error: Floats
    aed: Floats
    """Average expression distance of output and reference: mean absolute difference of the blendshapes themselves."""
    copy_aed: Floats
    """The same of the target and the reference."""
    own_aed: Floats
    """The same of the own photo and the reference."""
    truth_aed: Floats
    """The same of the output and the own photo."""
    copy_truth_aed: Floats
    """The same of the target and the own photo."""
    face_found: Floats
    """1 where a face is found in the output."""


class Outputs(NamedTuple):
    """What is read in outputs, (C, ...) each."""

    error: Floats
    blendshapes: Floats
    descriptors: Floats


class Diversity(NamedTuple):
    """One value per person, (P,) each."""

    people: Ints
    blendshapes: Floats
    """Mean pairwise blendshape difference of random expressions."""
    perceptual: Floats
    """Mean pairwise perceptual distance of random expressions."""
    own_blendshapes: Floats
    """The same of the person's own photos; NaN for people with too few."""
    own_perceptual: Floats


def measure_transfers(maker: Maker, people: People, cases: Cases, readers: Readers) -> Transfers:
    """Make and measure every case."""
    neutral = _first_neutral_shapes(people, readers)
    shown = _shapes_of(people, np.concatenate([cases.references, cases.own]), readers)
    given, own = shown[cases.references], shown[cases.own]
    target_shapes = neutral[cases.people]
    sender = people.expressive_people[cases.references]
    # A person without a neutral photo counts as one whose neutral face has no blendshape at all.
    wanted = np.nan_to_num(given - np.nan_to_num(neutral[sender]))
    has_own = cases.own != NOBODY
    own_change = np.nan_to_num(own - target_shapes)
    outputs = _read_outputs(maker, people, cases, readers)
    found = np.asarray(np.isfinite(outputs.blendshapes).all(axis=1))
    made = np.where(found[:, None], outputs.blendshapes, target_shapes)
    change = np.nan_to_num(made - target_shapes)
    known = np.unique(cases.people)
    faces = readers.identities(people.neutral[[people.first_neutral[int(person)] for person in known]])
    place = np.searchsorted(known, cases.people)
    # Row by row: all differences at once would take gigabytes.
    distances = np.stack([metrics.identity_distance(row, faces) for row in outputs.descriptors])
    return Transfers(
        output_error=outputs.error,
        copy_error=_own_errors(people, cases, people.neutral[cases.targets]),
        distance=distances[np.arange(len(place)), place],
        recognised=(distances.argmin(axis=1) == place).astype(np.float64),
        own_distance=_own_distances(people, cases, readers, faces[place]),
        agreement=metrics.expression_agreement(change, wanted),
        own_agreement=np.where(has_own, metrics.expression_agreement(own_change, wanted), np.nan),
        blendshape_error=metrics.blendshape_error(change, wanted),
        copy_blendshape_error=metrics.blendshape_error(np.zeros_like(wanted), wanted),
        aed=metrics.blendshape_error(made, given),
        copy_aed=metrics.blendshape_error(target_shapes, given),
        own_aed=metrics.blendshape_error(own, given),
        truth_aed=metrics.blendshape_error(made, own),
        copy_truth_aed=metrics.blendshape_error(target_shapes, own),
        face_found=found.astype(np.float64),
    )


def make_cases(maker: Maker, people: People, cases: Cases, strength: float = 1.0) -> Pixels:
    """The outputs of cases, (C, S, S, 3)."""
    labels = [people.labels[k] for k in cases.references]
    return maker.transfer(people.neutral[cases.targets], people.expressive[cases.references], labels, strength)


def errors_at(maker: Maker, people: People, cases: Cases, strength: float) -> Floats:
    """(C,) pixel errors of the outputs at a strength."""
    parts = [
        _own_errors(people, cases.take(np.arange(rows.start, rows.stop)), made)
        for rows, made in _stream(maker, people, cases, strength, f"strength {strength:g}")
    ]
    return np.concatenate(parts)


def measure_series(maker: Maker, people: People, spots: Cases, readers: Readers) -> Floats:
    """(P, K) share of the full movement of the landmarks at each of ``SERIES_STRENGTHS``, for one case each."""
    movement = []
    for rows in blocks(len(spots.targets), _GROUPS, title="strengths"):
        part = spots.take(np.arange(rows.start, rows.stop))
        series = np.stack([make_cases(maker, people, part, strength) for strength in SERIES_STRENGTHS], axis=1)
        landmarks = readers.expressions(_flat(series)).landmarks / series.shape[-2]
        movement += [metrics.movement(points) for points in landmarks.reshape(*series.shape[:2], -1, 2)]
    return np.stack(movement)


def measure_diversity(maker: Maker, people: People, readers: Readers, seed: int) -> Diversity:
    """How varied random expressions are, ``SAMPLES`` of every person; the model must be able to sample."""
    generator = torch.Generator().manual_seed(seed)
    owners = np.array(sorted(people.first_neutral))
    targets = np.array([people.first_neutral[int(person)] for person in owners])
    parts = []
    for rows in blocks(len(targets), _GROUPS, title="random expressions"):
        made = maker.sample(people.neutral[targets[rows].repeat(SAMPLES)], generator)
        parts.append(_variety(made.reshape(-1, SAMPLES, *made.shape[1:]), readers))
    shapes, perceptual = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Diversity(owners, shapes, perceptual, *_own_variety(people, owners, readers))


def _own_variety(people: People, owners: Ints, readers: Readers) -> tuple[Floats, Floats]:
    """The same of the people's own photos: as many of each as of the one who has most, but at most ``SAMPLES``."""
    photos = [np.flatnonzero(people.expressive_people == person) for person in owners]
    count = min(max(map(len, photos)), SAMPLES)
    varied = np.full((2, len(owners)), np.nan)
    full = [k for k, own in enumerate(photos) if len(own) >= count]
    if count > 1:
        for rows in blocks(len(full), _GROUPS, title="own expressions"):
            groups = people.expressive[np.stack([photos[k][:count] for k in full[rows]])]
            varied[:, full[rows]] = _variety(groups, readers)
    return varied[0], varied[1]


def _variety(groups: Pixels, readers: Readers) -> tuple[Floats, Floats]:
    """Groups (G, K, S, S, 3) to mean pairwise differences of blendshapes and perceptual distances, (G,) each."""
    shapes = np.nan_to_num(readers.expressions(_flat(groups)).blendshapes).reshape(*groups.shape[:2], -1)
    return np.array([metrics.mean_pairwise_distance(own) for own in shapes]), readers.diversity(groups)


def _flat(groups: Pixels) -> Pixels:
    return groups.reshape(-1, *groups.shape[2:])


def _read_outputs(maker: Maker, people: People, cases: Cases, readers: Readers) -> Outputs:
    parts = []
    for rows, made in _stream(maker, people, cases, 1.0, "transfers"):
        errors = _own_errors(people, cases.take(np.arange(rows.start, rows.stop)), made)
        parts.append(Outputs(errors, readers.expressions(made).blendshapes, readers.identities(made)))
    return Outputs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _stream(maker: Maker, people: People, cases: Cases, strength: float, title: str) -> Iterator[tuple[slice, Pixels]]:
    for rows in blocks(len(cases.targets), title=title):
        yield rows, make_cases(maker, people, cases.take(np.arange(rows.start, rows.stop)), strength)


def _own_errors(people: People, cases: Cases, pictures: Pixels) -> Floats:
    """Pixel errors over the face box of pictures (C, S, S, 3), to the own photos."""
    truth = metrics.face_box(people.expressive[cases.own])
    errors = metrics.pixel_error(metrics.face_box(pictures), truth)
    return np.where(cases.own != NOBODY, errors, np.nan)


def _own_distances(people: People, cases: Cases, readers: Readers, faces: Floats) -> Floats:
    spots = cases.spots[cases.own[cases.spots] != NOBODY]
    distances = np.full(len(cases.own), np.nan)
    if len(spots):
        described = readers.identities(people.expressive[cases.own[spots]])
        distances[spots] = metrics.identity_distance(described, faces[spots])
    return distances


def _first_neutral_shapes(people: People, readers: Readers) -> Floats:
    """(P, 51) blendshapes of every person's first neutral photo; NaN where there is none."""
    shapes = np.full((len(people.names), 51), np.nan)
    photos = people.first_neutral
    shapes[list(photos)] = readers.expressions(people.neutral[list(photos.values())]).blendshapes
    return shapes


def _shapes_of(people: People, photos: Ints, readers: Readers) -> Floats:
    """(M + 1, 51) blendshapes of expressive photos; NaN for those not asked for, and for ``NOBODY``, the last row."""
    chosen = np.unique(photos[photos != NOBODY])
    shapes = np.full((len(people.expressive) + 1, 51), np.nan)
    for rows in blocks(len(chosen), title="references"):
        shapes[chosen[rows]] = readers.expressions(people.expressive[chosen[rows]]).blendshapes
    return shapes
