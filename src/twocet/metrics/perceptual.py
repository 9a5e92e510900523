"""How different pictures look to a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twocet.runtime.arrays import Floats


def mean_pairwise_perceptual_distance(stages: Sequence[Floats]) -> float:
    """Diversity of pictures: mean over their pairs of a perceptual distance in a network's feature maps.

    The distance of a pair is that of LPIPS without trained weights (Zhang et al. 2018, eq. 1): every position's
    features are scaled to length 1; squared differences are summed over channels and averaged over positions, then over
    the stages.

    Args:
        stages: Feature maps (N, C, h, w), N >= 2, one array for each stage of the network.

    Returns:
        0 for equal pictures, at most 4.
    """
    first, second = np.triu_indices(len(stages[0]), k=1)
    total = 0.0
    for maps in stages:
        unit = _unit(np.asarray(maps, dtype=np.float64)).reshape(len(maps), -1)
        squares = (unit**2).sum(axis=1)
        squared = squares[first] + squares[second] - 2 * (unit @ unit.T)[first, second]
        total += float(squared.mean()) / (maps.shape[2] * maps.shape[3])
    return max(total / len(stages), 0.0)


def _unit(maps: Floats) -> Floats:
    length = np.sqrt((maps**2).sum(axis=1, keepdims=True))
    return np.asarray(np.divide(maps, length, out=np.zeros_like(maps), where=length > 1e-10))
