"""From parameters to geometry: the body of an identity, and face units on top of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assets import Assets
from .expressions import FACE_UNITS
from .identity import Identity

Array = NDArray[Any]

# Amplitude of weight 1 by the beginning of the unit's name. As shipped (1.0), these units are weaker than in life.
_UNIT_AMPLITUDE = {
    "browInnerUp": 2.1,
    "browOuterUp": 1.35,
    "browDown": 1.5,
    "mouthFrown": 1.6,
    "noseSneer": 1.35,
    "mouthUpperUp": 1.3,
    "mouthLowerDown": 1.3,
    "eyeWide": 1.35,
    "mouthStretch": 1.4,
    "mouthDimple": 1.2,
    "mouthPress": 1.1,
    "mouthShrugLower": 1.3,
}
UNIT_GAIN: Mapping[str, float] = {
    unit: next((gain for stem, gain in _UNIT_AMPLITUDE.items() if unit.startswith(stem)), 1.0) for unit in FACE_UNITS
}


def add_morph(assets: Assets, vertices: Array, name: str, weight: float) -> None:
    """Add ``weight`` times a morph to ``vertices`` in place. Names without a morph have no effect on the head."""
    if weight and name in assets.morphs:
        moved, delta = assets.morphs[name]
        vertices[moved] += delta * np.float32(weight)


def add_units(assets: Assets, vertices: Array, units: Mapping[str, float]) -> None:
    """Add face units to ``vertices`` in place: exactly linear in their weights.

    Raises ValueError when a unit is not one of FACE_UNITS.
    """
    for unit, weight in units.items():
        if unit not in UNIT_GAIN:
            raise ValueError(f"{unit!r} is not a face unit; the units are: {', '.join(FACE_UNITS)}")
        add_morph(assets, vertices, "face/" + unit, weight * UNIT_GAIN[unit])


def body_shape(assets: Assets, identity: Identity) -> NDArray[np.float32]:
    """The identity's vertices (n, 3) at rest."""
    vertices: NDArray[np.float32] = assets.base.copy()
    _add_age_and_build(assets, vertices, identity)
    for modifier in assets.modifiers:
        weight = identity.modifiers.get(modifier.name, 0)
        add_morph(assets, vertices, modifier.high if weight > 0 else modifier.low, abs(weight))
    for name, weight in [*identity.head_shape.items(), *identity.asymmetry.items()]:
        add_morph(assets, vertices, name, weight)
    return vertices


def _add_age_and_build(assets: Assets, vertices: Array, identity: Identity) -> None:
    """MakeHuman's macro targets: products of sex, age, origin, muscle and weight."""
    age = identity.age
    ages = {
        "child": max(0.0, (0.5 - age) / 0.3125),
        "young": 1 - abs(age - 0.5) / (0.3125 if age < 0.5 else 0.5),
        "old": max(0.0, (age - 0.5) / 0.5),
    }
    sexes = {"female": 1 - identity.male, "male": identity.male}
    for sex, sex_weight in sexes.items():
        for stage, age_weight in ages.items():
            if sex_weight * age_weight <= 0:
                continue
            for origin, weight in identity.origin.items():
                add_morph(assets, vertices, f"macro/{origin}-{sex}-{stage}", sex_weight * age_weight * weight)
            for muscle, muscle_weight in _three_levels(identity.muscle, "muscle").items():
                for fat, fat_weight in _three_levels(identity.weight, "weight").items():
                    weight = sex_weight * age_weight * muscle_weight * fat_weight
                    add_morph(assets, vertices, f"macro/universal-{sex}-{stage}-{muscle}-{fat}", weight)


def _three_levels(value: float, quantity: str) -> dict[str, float]:
    return {
        "min" + quantity: max(0, 1 - 2 * value),
        "average" + quantity: 1 - abs(2 * value - 1),
        "max" + quantity: max(0, 2 * value - 1),
    }
