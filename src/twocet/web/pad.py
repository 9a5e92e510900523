"""The pad: a square on which every place is an expression, the middle neutral."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from twocet.edit.editor import Editor
from twocet.edit.stages import Code
from twocet.runtime.arrays import Floats

_REACH = 2.0
"""The edge of a pad without names, in standard deviations of the codes that the encoder finds in photos."""
_RINGS = (0.82, 0.45)
"""Where the names stand: every second one on the inner ring if there are more than fit on one."""
_MOST_ON_ONE_RING = 8
_SHEPARD_POWER = 3.0
_TOUCHING = 1e-6


class Pad:
    """Codes by place (x, y), each in -1..1.

    With presets, their names stand around the middle in the order of their directions, and a place between them is
    their mean, weighted by the inverse distance (Shepard 1968): at a name it is the preset, in the middle neutral.
    Without presets the two axes are the directions in which the codes of photos differ most.
    """

    def __init__(self, editor: Editor, presets: Mapping[str, Code]) -> None:
        self._axes = principal_directions(editor)
        self.places = _around(presets, self._axes)
        """(x, y) of every preset by name."""
        zero = np.zeros((1, editor.model.code_dim))
        self._codes = np.concatenate([zero, *(np.asarray(presets[name], np.float64)[None] for name in self.places)])
        self._points = np.array([(0.0, 0.0), *self.places.values()])

    def code(self, x: float, y: float) -> Code:
        """The code (d,) float32 at a place."""
        if not self.places:
            mixed: Code = np.array([x, y], np.float32) @ self._axes
            return mixed
        distance = np.hypot(*(self._points - (x, y)).T)
        if distance.min() < _TOUCHING:
            exact: Code = self._codes[distance.argmin()].astype(np.float32)
            return exact
        weights = distance**-_SHEPARD_POWER
        mean: Code = (weights @ self._codes / weights.sum()).astype(np.float32)
        return mean


def _around(presets: Mapping[str, Code], axes: Code) -> dict[str, tuple[float, float]]:
    """Places on one or two rings, evenly, in the order of the presets' directions along ``axes`` (2, d)."""
    directions = {name: np.asarray(code, np.float64) @ axes.T for name, code in presets.items()}
    order = sorted(directions, key=lambda name: float(np.arctan2(*directions[name][::-1])))
    rings = _RINGS if len(order) > _MOST_ON_ONE_RING else _RINGS[:1]
    places = {}
    for number, name in enumerate(order):
        angle = 2 * np.pi * number / len(order)
        radius = rings[number % len(rings)]
        places[name] = (round(float(radius * np.cos(angle)), 2), round(float(radius * np.sin(angle)), 2))
    return places


def principal_directions(editor: Editor) -> Code:
    """(2, d) codes at the right and the upper edge of a pad without names.

    The two principal directions of the codes that the encoder found in photos; two fixed random codes if the model
    does not say what it found.
    """
    covariance = editor.model.metadata.get("code_covariance")
    if covariance is None or editor.model.code_dim < 2:
        return editor.draw_codes(2, seed=0)
    variances, directions = np.linalg.eigh(np.asarray(covariance, np.float64))
    reach: Floats = _REACH * np.sqrt(np.maximum(variances[-1:-3:-1], 0))
    # An eigenvector may point either way: the largest number of a direction is made positive.
    chosen = directions[:, -1:-3:-1].T
    signs = np.sign(chosen[np.arange(2), np.abs(chosen).argmax(axis=1)])
    reaching: Code = (chosen * (signs * reach)[:, None]).astype(np.float32)
    return reaching
