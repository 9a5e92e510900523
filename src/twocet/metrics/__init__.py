"""Measures, as pure functions of arrays.

Nothing here reads files or knows networks: pictures, descriptors, features and blendshapes are made elsewhere.
"""

from twocet.metrics.codes import CodeStatistics, class_means, code_statistics, distances, mean_statistics, silhouettes
from twocet.metrics.distributions import (
    PAPER_BATCH,
    Scores,
    area_under_curve,
    batch_inception_score,
    frechet_distance,
    inception_score,
    kernel_distance,
    kernel_distance_estimate,
    polynomial_kernel,
)
from twocet.metrics.intervals import Estimate, bootstrap, bootstrap_mean, bootstrap_ratio
from twocet.metrics.perceptual import mean_pairwise_perceptual_distance
from twocet.metrics.transfer import (
    FACE_BOX,
    SAME_PERSON_DISTANCE,
    Pixels,
    blendshape_error,
    expression_agreement,
    face_box,
    gain,
    gain_estimate,
    identity_distance,
    identity_kept,
    linearity,
    mean_pairwise_distance,
    monotonicity,
    movement,
    pixel_error,
)

__all__ = [
    "FACE_BOX",
    "PAPER_BATCH",
    "SAME_PERSON_DISTANCE",
    "CodeStatistics",
    "Estimate",
    "Pixels",
    "Scores",
    "area_under_curve",
    "batch_inception_score",
    "blendshape_error",
    "bootstrap",
    "bootstrap_mean",
    "bootstrap_ratio",
    "class_means",
    "code_statistics",
    "distances",
    "expression_agreement",
    "face_box",
    "frechet_distance",
    "gain",
    "gain_estimate",
    "identity_distance",
    "identity_kept",
    "inception_score",
    "kernel_distance",
    "kernel_distance_estimate",
    "linearity",
    "mean_pairwise_distance",
    "mean_pairwise_perceptual_distance",
    "mean_statistics",
    "monotonicity",
    "movement",
    "pixel_error",
    "polynomial_kernel",
    "silhouettes",
]
