"""Where an expressive face's landmarks would lie at rest, estimated from two samples of strangers.

An expressive face is the face at rest, moved: x_e = x_n + m. Nobody's x_n and x_e are both known. But if the people of
both samples are alike, and how people move does not depend on where their landmarks lie, then variances add up,
C_e = C_n + C_m, and the best linear estimate of a movement (the Wiener filter) needs the samples' statistics alone:

    E[m | x_e] = (mean_e - mean_n) + C_m (C_m + C_n)^-1 (x_e - mean_e)

C_m is the part of C_e - C_n that a covariance can be: directions in which faces at rest differ more are no movement.
This is not in the paper, whose discriminator learns the difference of the two samples instead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twocet.errors import check
from twocet.runtime.arrays import Floats

FEWEST = 16
"""Faces that a sample must have."""
STILL = 0.004
"""Movements up to this many sides of the crop, half a pixel of 128, are taken for errors of the estimate."""
NOISE = 3e-6
"""Variance of the reader's errors along each coordinate: a fifth of a pixel of a 128-px crop, squared, in sides."""


class Rest(NamedTuple):
    """The estimate of movements, linear in the landmarks."""

    expressive: Floats
    """(L, 2), or (p,) of faces of any p numbers: mean of the expressive sample."""
    offset: Floats
    """(L, 2) or (p,) mean movement: the expressive mean minus the neutral one."""
    filter: Floats
    """(2L, 2L) or (p, p) takes what a face differs from the mean to how it moved differently from the mean."""

    def movement(self, landmarks: Floats) -> Floats:
        """How far these faces (N, L, 2) or (N, p) are from where they would lie at rest, in the unit of the samples."""
        difference = (landmarks - self.expressive).reshape(len(landmarks), -1)
        return np.asarray(self.offset + (difference @ self.filter.T).reshape(landmarks.shape))


def fit(neutral: Floats, expressive: Floats) -> Rest:
    """The estimate from two samples of landmarks (N, L, 2) and (M, L, 2) of aligned faces, in sides of the crop.

    Faces count once more as in a mirror. Raises UserError if a sample is too small.
    """
    smaller = min(len(neutral), len(expressive))
    check(smaller >= FEWEST, f"a set of {smaller} faces is too small for the recipe unpaired: give {FEWEST} or more")
    partner = counterparts(neutral.mean(axis=0))
    samples = [with_mirrored(sample, partner).reshape(2 * len(sample), -1) for sample in (neutral, expressive)]
    fitted, shape = estimate(samples[0], samples[1], np.full(neutral[0].size, NOISE)), neutral.shape[1:]
    return Rest(fitted.expressive.reshape(shape), fitted.offset.reshape(shape), fitted.filter)


def estimate(neutral: Floats, expressive: Floats, noise: Floats) -> Rest:
    """The estimate from two samples of faces (N, p) and (M, p). ``noise`` (p,): variance of the errors of reading."""
    at_rest, movement = np.cov(neutral.T), movement_covariance(neutral, expressive)
    rest, mean = (sample.mean(axis=0) for sample in (neutral, expressive))
    seen = movement + at_rest + np.diag(noise)
    # Both are symmetric: the transpose of seen^-1 movement is movement seen^-1.
    return Rest(mean, mean - rest, np.linalg.solve(seen, movement).T)


def movement_covariance(neutral: Floats, expressive: Floats) -> Floats:
    """(p, p) C_m of two samples of faces (N, p) and (M, p)."""
    variances, axes = np.linalg.eigh(np.cov(expressive.T) - np.cov(neutral.T))
    return np.asarray((axes * np.maximum(variances, 0)) @ axes.T)


def quietened(movement: Floats) -> Floats:
    """Movements (..., 2) without their first ``STILL`` sides: shorter ones are none, longer ones end so much earlier.

    Half a pixel hardly shows in a landmark, but moves every edge of the photo around it.
    """
    length = np.linalg.norm(movement, axis=-1, keepdims=True)
    return np.asarray(movement * np.maximum(0, 1 - STILL / np.maximum(length, STILL)))


def counterparts(face: Floats) -> NDArray[np.int64]:
    """(L,) which landmark of a mean face (L, 2) in [0, 1] lies where each one's mirror image does."""
    distances = np.linalg.norm(face[None] - mirrored(face)[:, None], axis=-1)
    return np.asarray(distances.argmin(axis=1))


def mirrored(landmarks: Floats) -> Floats:
    """Landmarks (..., 2) in [0, 1] in a mirrored photo."""
    return np.stack([1 - landmarks[..., 0], landmarks[..., 1]], axis=-1)


def with_mirrored(sample: Floats, partner: NDArray[np.int64]) -> Floats:
    """(2N, L, 2): the faces (N, L, 2), and their mirror images, whose landmark k is that of ``partner[k]``."""
    return np.concatenate([sample, mirrored(sample[:, partner])])
