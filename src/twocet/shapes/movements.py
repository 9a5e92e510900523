"""How expressive faces have moved from rest, told by two samples of strangers.

An expressive face is a face at rest that has moved: x = n + m, and neither is known. Faces at rest are normal about the
mean of their source. Movements come in kinds, each normal about its own mean: what people do with their faces is a few
things far from each other, and no single cloud. The kinds are found from the expressive faces alone, as it is known
how faces at rest vary ("extreme deconvolution": Bovy, Hogg & Roweis 2011, doi:10.1214/10-AOAS439). The mean of m for a
given x is then a linear (Wiener) estimate for every kind and source, each weighted by its probability.

This is not in the paper, whose discriminator learns the difference of the two samples instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng

from twocet.runtime.arrays import Floats

_ROUNDS, _FIRST_ROUNDS = 15, 20
"""Of expectation and maximisation, and of the k-means before them."""
_PRIOR_FACES, _PRIOR_SHARE = 60, 0.25
"""A kind's covariance is found as if it had so many faces more, whose covariance is this share of all movements'."""
_FACES_PER_KIND = 16
"""There are no more kinds than for so many faces each."""


class Movements(NamedTuple):
    """Kinds of movements (k) and faces at rest by source (s), all in the r numbers of shapes."""

    shares: Floats
    """(k,) of sum 1."""
    means: Floats
    """(k, r)."""
    roots: Floats
    """(k, r, r) covariances are ``root @ root.T``."""
    source_shares: Floats
    """(s,) of sum 1."""
    rests: Floats
    """(s, r) mean faces at rest."""
    rest_roots: Floats
    """(s, r, r) of their covariances, the reader's errors among them."""

    def covariance(self) -> Floats:
        """(r, r) of all movements."""
        return _pooled(self.shares, self.means, _squares(self.roots))

    def estimates(self) -> Estimates:
        """What :class:`Estimates` says, for every kind in every source."""
        moves, rests = _squares(self.roots), _squares(self.rest_roots)
        kinds, sources = len(moves), len(rests)
        seen = np.tile(moves, (sources, 1, 1)) + np.repeat(rests, kinds, axis=0)
        factors = np.linalg.inv(np.linalg.cholesky(seen))
        logs = np.log(np.outer(self.source_shares, self.shares).ravel())
        means = np.tile(self.means, (sources, 1))
        return Estimates(
            logs=logs + np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1),
            centres=means + np.repeat(self.rests, kinds, axis=0),
            whitening=factors,
            means=means,
            filters=np.linalg.solve(seen, np.tile(moves, (sources, 1, 1))).transpose(0, 2, 1),
        )


class Estimates(NamedTuple):
    """One linear estimate for every kind in every source (q of them)."""

    logs: Floats
    """(q,) log densities at the centres, but for a constant."""
    centres: Floats
    """(q, r) mean expressive faces."""
    whitening: Floats
    """(q, r, r) ``whitening @ (x - centre)`` is standard normal."""
    means: Floats
    """(q, r) mean movements."""
    filters: Floats
    """(q, r, r) the estimate is ``mean + filter @ (x - centre)``."""


def fit(
    neutral: Sequence[Floats],
    expressive: Sequence[Floats],
    shares: Sequence[float],
    noise: Floats,
    kinds: int,
    seed: int,
) -> Movements:
    """The movements of faces (n, r) and (m, r) of several sources.

    ``shares``: how much each source counts. ``noise`` (r,): standard deviation of the reader's errors, which faces at
    rest have too. ``kinds``: how many, at most.
    """
    weights = np.array(shares) / sum(shares)
    rests = np.array([faces.mean(axis=0) for faces in neutral])
    at_rest = _resting(neutral, weights) + np.diag(noise**2)
    moved = [faces - rest for faces, rest in zip(expressive, rests, strict=True)]
    apart = [np.cov(faces.T) - np.cov(other.T) for faces, other in zip(expressive, neutral, strict=True)]
    whole = _positive(np.tensordot(weights, apart, axes=1))
    face_weights = [np.full(len(faces), share / len(faces)) for faces, share in zip(moved, weights, strict=True)]
    kinds = max(1, min(kinds, sum(map(len, moved)) // _FACES_PER_KIND))
    found = _begin(moved, face_weights, at_rest, whole, kinds, default_rng(seed))
    for _ in range(_ROUNDS):
        found = _improved(found, moved, face_weights, at_rest, whole)
    kept = found.shares > 0
    return Movements(
        shares=found.shares[kept],
        means=found.means[kept],
        roots=np.array([_root(one) for one in found.covariances[kept]]),
        source_shares=weights,
        rests=rests,
        rest_roots=np.asarray(np.linalg.cholesky(at_rest)),
    )


class _Kinds(NamedTuple):
    shares: Floats
    means: Floats
    covariances: Floats


def _resting(neutral: Sequence[Floats], weights: Floats) -> Floats:
    """(s, r, r) how faces at rest vary. A source with few faces for its r numbers borrows of the others."""
    own = np.array([np.cov(faces.T) for faces in neutral])
    borrowed = np.array([faces.shape[1] / (faces.shape[1] + len(faces)) for faces in neutral])[:, None, None]
    return np.asarray((1 - borrowed) * own + borrowed * np.tensordot(weights, own, axes=1))


def _begin(
    moved: Sequence[Floats], weights: Sequence[Floats], at_rest: Floats, whole: Floats, kinds: int, random: Generator
) -> _Kinds:
    """Kinds about the clusters of the linear estimates."""
    linear = [
        faces.mean(axis=0) + (faces - faces.mean(axis=0)) @ np.linalg.solve(whole + rest, whole)
        for faces, rest in zip(moved, at_rest, strict=True)
    ]
    points, weight = np.concatenate(linear), np.concatenate(weights)
    means = points[random.choice(len(points), kinds, replace=False, p=weight)]
    for _ in range(_FIRST_ROUNDS):
        nearest = np.square(points[:, None] - means).sum(axis=2).argmin(axis=1)
        members = (nearest == np.arange(kinds)[:, None]) * weight
        shares = members.sum(axis=1)
        used = shares > 0
        means[used] = members[used] @ points / shares[used, None]
    return _Kinds(shares, means, np.repeat(whole[None] / 2, kinds, axis=0))


def _improved(
    kinds: _Kinds, moved: Sequence[Floats], weights: Sequence[Floats], at_rest: Floats, whole: Floats
) -> _Kinds:
    """One round of expectation and maximisation."""
    faces = 1 / sum(np.square(weight).sum() for weight in weights)
    sums = [_expected(kinds, *source) for source in zip(moved, weights, at_rest, strict=True)]
    shares, first, second = (sum(part) for part in zip(*sums, strict=True))
    used = shares * faces > 1
    divisor = np.where(used, shares, 1)[:, None]
    means = np.where(used[:, None], first / divisor, kinds.means)
    found = second / divisor[:, :, None] - means[:, :, None] * means[:, None, :]
    count = (shares * faces)[:, None, None]
    covariances = (count * found + _PRIOR_FACES * _PRIOR_SHARE * whole) / (count + _PRIOR_FACES)
    shares = np.where(used, shares, 0)
    return _Kinds(shares / shares.sum(), means, np.where(used[:, None, None], covariances, kinds.covariances))


def _expected(kinds: _Kinds, moved: Floats, weights: Floats, at_rest: Floats) -> tuple[Floats, Floats, Floats]:
    """Sums over a source's faces, by kind: probability (k,), movements (k, r) and their squares (k, r, r)."""
    seen = kinds.covariances + at_rest
    logs = np.stack([_log_density(moved - mean, one) for mean, one in zip(kinds.means, seen, strict=True)], axis=1)
    with np.errstate(divide="ignore"):
        logs += np.log(kinds.shares)
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    chances *= (weights / chances.sum(axis=1))[:, None]
    first, second = np.empty_like(kinds.means), np.empty_like(kinds.covariances)
    for k, (mean, covariance) in enumerate(zip(kinds.means, kinds.covariances, strict=True)):
        taken = np.linalg.solve(seen[k], covariance)
        movement = mean + (moved - mean) @ taken
        first[k] = chances[:, k] @ movement
        second[k] = (movement * chances[:, k, None]).T @ movement
        second[k] += chances[:, k].sum() * (covariance - covariance @ taken)
    return chances.sum(axis=0), first, second


def _log_density(difference: Floats, covariance: Floats) -> Floats:
    factor = np.linalg.cholesky(covariance)
    white = np.linalg.solve(factor, difference.T)
    return np.asarray(-np.log(np.diag(factor)).sum() - np.square(white).sum(axis=0) / 2)


def _pooled(shares: Floats, means: Floats, covariances: Floats) -> Floats:
    middle = shares @ means
    between = (means - middle).T @ ((means - middle) * shares[:, None])
    return np.asarray(np.tensordot(shares, covariances, axes=1) + between)


def _squares(roots: Floats) -> Floats:
    return np.asarray(roots @ roots.transpose(0, 2, 1))


def _root(covariance: Floats) -> Floats:
    variances, axes = np.linalg.eigh(covariance)
    return np.asarray(axes * np.sqrt(np.maximum(variances, 0)))


def _positive(difference: Floats) -> Floats:
    """The part of a difference of covariances that a covariance can be: other directions are no movement."""
    root = _root(difference)
    return np.asarray(root @ root.T)
