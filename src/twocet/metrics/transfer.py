"""Measures of single transfers: a target, a reference, an output and, on synthetic data, the true picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twocet.metrics.intervals import Estimate, bootstrap_ratio
from twocet.runtime.arrays import Floats

Pixels = NDArray[np.uint8]

FACE_BOX = (0.10, 0.12, 0.90, 1.00)
"""Left, top, right and bottom edge of the face in an aligned crop (``eyes-nose-v1``), as fractions of its side.

Eyebrows to chin and cheek to cheek, jaw drop included; most hair and background is outside.
"""

SAME_PERSON_DISTANCE = 0.6
"""Two dlib face descriptors nearer than this belong to one person (the threshold that dlib publishes)."""


def face_box(pixels: Pixels) -> Pixels:
    """The face part of aligned crops.

    Args:
        pixels: (..., S, S, 3) aligned crops.

    Returns:
        The view of them inside :data:`FACE_BOX`, edges rounded to whole pixels.
    """
    side = pixels.shape[-2]
    left, top, right, bottom = (round(fraction * side) for fraction in FACE_BOX)
    return pixels[..., top:bottom, left:right, :]


def pixel_error(pixels: Pixels, truth: Pixels) -> Floats:
    """Mean absolute difference of each pair of pictures.

    Args:
        pixels: (N, h, w, 3) uint8.
        truth: (N, h, w, 3) uint8.

    Returns:
        (N,) in [0, 1], where 1 is the difference of black and white.
    """
    difference = np.abs(pixels.astype(np.int16) - truth.astype(np.int16))
    return np.asarray(difference.mean(axis=(-3, -2, -1), dtype=np.float64) / 255)


def gain(output_error: Floats, copy_error: Floats) -> float:
    """1 - sum |output - truth| / sum |neutral - truth| over the set: 0 for copying the target, 1 for the truth itself.

    Args:
        output_error: (N,) pixel error of each output.
        copy_error: (N,) pixel error that copying the neutral target would have.
    """
    return float(1 - output_error.sum() / copy_error.sum())


def gain_estimate(output_error: Floats, copy_error: Floats, people: NDArray[np.int64]) -> Estimate:
    """:func:`gain` with its interval over the people of the cases, all (N,)."""
    value, low, high = bootstrap_ratio(output_error, copy_error, people)
    return Estimate(1 - value, 1 - high, 1 - low)


def expression_agreement(change: Floats, wanted: Floats) -> Floats:
    """Pearson correlation of the change that was made with the change that was wanted.

    Args:
        change: (..., B) blendshapes of the output minus those of the neutral target.
        wanted: (..., B) blendshapes of the reference minus those of the neutral reference.

    Returns:
        (...) in [-1, 1]; 0 where either side does not vary (a copied target agrees with nothing).
    """
    centred = change - change.mean(axis=-1, keepdims=True)
    centred_wanted = wanted - wanted.mean(axis=-1, keepdims=True)
    product = (centred * centred_wanted).sum(axis=-1)
    scale = np.sqrt((centred**2).sum(axis=-1) * (centred_wanted**2).sum(axis=-1))
    return np.asarray(np.divide(product, scale, out=np.zeros_like(product), where=scale > 1e-12))


def blendshape_error(blendshapes: Floats, wanted: Floats) -> Floats:
    """Mean absolute difference over the blendshapes: (..., B) and (..., B) to (...)."""
    return np.asarray(np.abs(blendshapes - wanted).mean(axis=-1), dtype=np.float64)


def identity_distance(descriptor: Floats, other: Floats) -> Floats:
    """Euclidean distance of face descriptors: (..., D) and (..., D) to (...)."""
    return np.asarray(np.linalg.norm(descriptor - other, axis=-1), dtype=np.float64)


def identity_kept(distance: Floats) -> float:
    """Share of distances below the same-person threshold."""
    return float((distance < SAME_PERSON_DISTANCE).mean())


def movement(points: Floats) -> Floats:
    """How far each picture of a series has gone from the first to the last one.

    The landmarks' displacement from the first picture is projected on the displacement of the last one, so that
    jitter of the landmarks across the movement does not count as movement.

    Args:
        points: (K, P, 2) landmarks of K pictures.

    Returns:
        (K,): 0 for the first picture and 1 for the last; all 0 if the last shows no movement or a landmark is NaN.
    """
    displacement = (points - points[0]).reshape(len(points), -1)
    last = displacement[-1]
    length = float(last @ last)
    moves = length > 0 and bool(np.isfinite(displacement).all())
    return np.asarray(displacement @ last / length if moves else np.zeros(len(points)), dtype=np.float64)


def linearity(strength: Floats, response: Floats) -> float:
    """R squared of the straight line fitted to a response by least squares; 0 if nothing responds.

    Args:
        strength: (K,) settings.
        response: (K,) what was measured at each.
    """
    total = float(((response - response.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    slope, offset = np.polyfit(strength, response, 1)
    return 1 - float(((response - slope * strength - offset) ** 2).sum()) / total


def monotonicity(response: Floats) -> float:
    """Share of the steps of a series (K,) that go up."""
    return float((np.diff(response) > 0).mean())


def mean_pairwise_distance(features: Floats) -> float:
    """Diversity of a set: mean over its pairs of the mean absolute difference of their features.

    Args:
        features: (N, D) with N >= 2.
    """
    first, second = np.triu_indices(len(features), k=1)
    return float(np.abs(features[first] - features[second]).mean())
