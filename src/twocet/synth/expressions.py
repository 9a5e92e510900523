"""Expressions as weights of the 52 ARKit face units: named ones, and random combinations.

Sides are the person's own: ``mouthSmileLeft`` lifts the corner that is on the right of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

Units = dict[str, float]
"""Face-unit name -> weight in [0, 1]; a unit that is not named has weight 0."""

_FACE_UNITS = """
    browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight
    eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft
    eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward
    jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel
    mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft
    mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight tongueOut
"""
FACE_UNITS: tuple[str, ...] = tuple(_FACE_UNITS.split())


class Expression(NamedTuple):
    """One drawn expression: its label (for reports only), how strong it was drawn, and the exact weights."""

    name: str
    strength: float
    units: Units


def units_from_text(text: str) -> Units:
    """``"jawOpen 0.1, eyeWide* 0.5"`` as weights; ``stem*`` stands for the stem's Left and Right unit.

    The order of the text is kept: draws follow it.
    """
    units: Units = {}
    for entry in filter(None, text.split(", ")):
        name, weight = entry.split()
        stem = name.removesuffix("*")
        for unit in (name,) if stem == name else (stem + "Left", stem + "Right"):
            units[unit] = float(weight)
    return units


# The order of the expressions, and of the units in each, is part of the data format: random draws follow it.
EXPRESSIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "happy": units_from_text(
            "mouthSmile* 0.72, cheekSquint* 0.75, mouthUpperUp* 0.55, mouthLowerDown* 0.3, jawOpen 0.09, "
            "mouthStretch* 0.3, eyeSquint* 0.25"
        ),
        "sad": units_from_text(
            "browInnerUp 0.85, mouthFrown* 0.8, mouthShrugLower 0.45, eyeLookDown* 0.25, mouthPress* 0.2, "
            "browDown* 0.15, eyeBlink* 0.18"
        ),
        "angry": units_from_text(
            "browDown* 0.95, eyeSquint* 0.35, eyeWide* 0.25, noseSneer* 0.35, mouthPress* 0.6, "
            "jawForward 0.25, mouthFrown* 0.25, mouthRollLower 0.2"
        ),
        "fear": units_from_text(
            "browInnerUp 0.85, browOuterUp* 0.4, browDown* 0.3, eyeWide* 0.9, mouthStretch* 0.9, "
            "jawOpen 0.24, mouthLowerDown* 0.5"
        ),
        "disgust": units_from_text(
            "noseSneer* 1.0, browDown* 0.5, mouthUpperUp* 0.75, cheekSquint* 0.5, eyeSquint* 0.5, "
            "mouthFrown* 0.4, mouthShrugLower 0.3"
        ),
        "surprise": units_from_text(
            "browInnerUp 1.0, browOuterUp* 0.8, eyeWide* 0.9, jawOpen 0.62, mouthFunnel 0.15, mouthRollLower 0.25"
        ),
        "wink": units_from_text(
            "eyeBlinkLeft 1.0, cheekSquintLeft 0.8, mouthSmileLeft 0.6, mouthSmileRight 0.2, browDownLeft 0.25"
        ),
        "contempt": units_from_text(
            "mouthSmileRight 0.5, mouthDimpleRight 0.8, mouthPressLeft 0.3, mouthPressRight 0.4, "
            "browOuterUpRight 0.45, eyeSquintLeft 0.3, eyeSquintRight 0.3, mouthUpperUpRight 0.25"
        ),
        "blink": units_from_text("eyeBlink* 1.0"),
        "laugh": units_from_text(
            "mouthSmile* 0.95, cheekSquint* 0.9, jawOpen 0.42, mouthUpperUp* 0.5, mouthLowerDown* 0.35, "
            "eyeSquint* 0.55, browInnerUp 0.15"
        ),
        "pucker": units_from_text("mouthPucker 0.95, browInnerUp 0.25"),
        "scream": units_from_text(
            "jawOpen 0.85, mouthStretch* 0.5, mouthUpperUp* 0.4, mouthLowerDown* 0.5, eyeSquint* 0.7, "
            "browDown* 0.7, noseSneer* 0.4"
        ),
    }
)

_UPPER_FACE = (
    units_from_text("browDown* 1.0"),
    units_from_text("browInnerUp 1.0"),
    units_from_text("browOuterUp* 1.0, browInnerUp 0.6"),
    units_from_text("eyeWide* 1.0"),
    units_from_text("eyeSquint* 1.0"),
    units_from_text("cheekSquint* 1.0"),
    units_from_text("eyeBlink* 0.6"),
    units_from_text(""),
)
_LOWER_FACE = (
    units_from_text("mouthSmile* 1.0"),
    units_from_text("mouthFrown* 1.0"),
    units_from_text("jawOpen 0.8"),
    units_from_text("mouthPucker 1.0"),
    units_from_text("mouthFunnel 1.0"),
    units_from_text("mouthStretch* 1.0"),
    units_from_text("mouthUpperUp* 1.0"),
    units_from_text("mouthLowerDown* 1.0"),
    units_from_text("noseSneer* 1.0"),
    units_from_text("mouthShrugLower 1.0"),
    units_from_text("mouthPress* 1.0"),
    units_from_text("cheekPuff 1.0"),
    units_from_text("jawLeft 0.7"),
    units_from_text("jawRight 0.7"),
    units_from_text("mouthLeft 0.8"),
    units_from_text("mouthRight 0.8"),
    units_from_text("mouthDimple* 1.0"),
    units_from_text("mouthRollLower 0.8, mouthRollUpper 0.8"),
)
_EXCLUSIVE = (  # the second of a pair goes when both were drawn: they pull the same skin in opposite directions
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("mouthPucker", "mouthStretchLeft"),
    ("mouthFunnel", "mouthSmileLeft"),
    ("eyeWideLeft", "eyeBlinkLeft"),
    ("eyeWideRight", "eyeBlinkRight"),
)
_ONE_WAY = ("jaw", "mouthLeft", "mouthRight")  # their Left and Right are directions, not halves of the face


def random_units(rng: np.random.Generator) -> Units:
    """One group of the upper face (or none) and one or two of the lower face, a quarter of them one-sided."""
    upper = _UPPER_FACE[rng.integers(len(_UPPER_FACE))]
    num_lower = int(rng.integers(1, 3))
    lower = [_LOWER_FACE[i] for i in rng.choice(len(_LOWER_FACE), size=num_lower, replace=False)]
    units: Units = {}
    for group in [upper, *lower]:
        strength = rng.uniform(0.35, 1.0)
        side = rng.choice(["", "Left", "Right"], p=[0.75, 0.125, 0.125])
        for unit, weight in group.items():
            has_side = unit.endswith(("Left", "Right")) and not unit.startswith(_ONE_WAY)
            if side and has_side and not unit.endswith(side):
                continue
            units[unit] = min(1.0, units.get(unit, 0) + float(weight * strength))
    for kept, dropped in _EXCLUSIVE:
        if units.get(kept) and units.get(dropped):
            units.pop(dropped)
    return {unit: round(weight, 3) for unit, weight in units.items()}


def sample_expression(rng: np.random.Generator) -> Expression:
    """A training expression: half of them named ones at varied strength with jittered units, half random units."""
    if rng.random() >= 0.5:
        return Expression("units", 1.0, random_units(rng))
    name = list(EXPRESSIONS)[rng.integers(len(EXPRESSIONS))]
    strength = rng.uniform(0.35, 1.15)
    jittered = {u: float(np.clip(w * strength * rng.uniform(0.8, 1.2), 0, 1)) for u, w in EXPRESSIONS[name].items()}
    return Expression(name, strength, jittered)


def shared_expressions(rng: np.random.Generator, num: int) -> list[Expression]:
    """``num`` expressions for a benchmark, where all identities show the same: the named ones first, then random."""
    drawn = []
    for name, weights in list(EXPRESSIONS.items())[:num]:
        strength = rng.uniform(0.6, 1.0)
        drawn.append(Expression(name, strength, {unit: weight * strength for unit, weight in weights.items()}))
    return drawn + [Expression(f"units{i}", 1.0, random_units(rng)) for i in range(num - len(drawn))]
