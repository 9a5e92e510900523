"""Weights and learning rates as functions of the step, so that resuming needs no state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from twocet.runtime.configuration import Number, Weight, check_fields


@dataclass(frozen=True)
class Schedule:
    """A weight that rises from 0 to ``start`` until step ``rise``, then moves to ``stop`` until step ``end``.

    Both parts are linear; from ``end`` on the weight is ``stop``. This is the authors' rule "rise,end,start,stop".
    """

    rise: Number = 0
    """Step at which ``start`` is reached, coming from 0; 0 begins at ``start``."""
    end: Number = 0
    """Step at which ``stop`` is reached, coming from ``start``."""
    start: Weight = 1.0
    """The weight at step ``rise``."""
    stop: Weight = 1.0
    """The weight from step ``end`` on."""

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, step: int) -> float:
        """The weight at ``step`` >= 0."""
        if step < self.rise:
            return self.start * step / self.rise
        if step < self.end:
            return self.start + (self.stop - self.start) * (step - self.rise) / (self.end - self.rise)
        return self.stop


def constant(weight: float) -> Schedule:
    """A weight that does not change."""
    return Schedule(start=weight, stop=weight)


Decay = Literal["none", "linear", "cosine", "last_third"]


def learning_rate_factor(step: int, steps: int | None, warm_up: int, decay: Decay) -> float:
    """Factor on the learning rate: linear rise over ``warm_up`` steps, then down to 0 at ``steps``.

    ``linear`` and ``cosine`` fall all the way, ``last_third`` falls linearly over the last third alone. ``steps`` is
    None while the length of the run is not known yet: no decay.
    """
    rise = min(1.0, (step + 1) / (warm_up + 1))
    if decay == "none" or steps is None or step < warm_up:
        return rise
    left = 1 - (step - warm_up) / max(1, steps - warm_up)
    if decay == "last_third":
        return min(1.0, max(0.0, 3 * left))
    return max(0.0, left) if decay == "linear" else (1 - math.cos(math.pi * max(0.0, left))) / 2
