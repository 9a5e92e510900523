"""Who a synthetic person is: every sampled parameter of head, skin, hair, light and clothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assets import Assets, load_assets

Array = NDArray[Any]
Triple = tuple[float, float, float]

BENCHMARK_START = 1_000_000
"""Identities from here on are for benchmarks alone: no model may be trained on them."""

ORIGINS = ("african", "asian", "caucasian")  # the three poles of the morph space; people are mixtures of them

# Standard deviation of each shape modifier by the beginning of its name; the first match counts, 0 means never used.
MODIFIER_SPREAD = (
    ("head/head-scale", 0.18),
    ("head/head-trans", 0),
    ("head/head-age", 0.25),
    ("head/head-fat", 0.28),
    ("head/head-angle", 0.3),
    ("head/head-back", 0.2),
    ("neck/neck-trans", 0),
    ("neck/measure", 0),
    ("neck/", 0.3),
    ("ears/", 0.22),
    ("eyes/", 0.27),
    ("nose/nose-trans", 0.25),
    ("nose/", 0.30),
    ("mouth/mouth-trans", 0.2),
    ("mouth/mouth-laugh", 0.3),
    ("mouth/mouth-angles", 0.15),
    ("mouth/", 0.30),
    ("cheek/", 0.34),
    ("chin/chin-jaw-drop", 0.2),
    ("chin/", 0.32),
    ("forehead/", 0.3),
    ("eyebrows/eyebrows-angle", 0.22),
    ("eyebrows/", 0.3),
)
HAIR_COLOURS: Mapping[str, Triple] = {  # sRGB
    "black": (0.045, 0.038, 0.036),
    "darkbrown": (0.10, 0.065, 0.045),
    "brown": (0.20, 0.125, 0.075),
    "lightbrown": (0.33, 0.22, 0.13),
    "blond": (0.55, 0.42, 0.26),
    "red": (0.36, 0.14, 0.06),
}
HAIR_COLOUR_ODDS = {
    "caucasian": [0.12, 0.25, 0.25, 0.15, 0.15, 0.08],
    "asian": [0.7, 0.25, 0.05, 0, 0, 0],
    "african": [0.8, 0.18, 0.02, 0, 0, 0],
}
GREY_HAIR = (0.47, 0.46, 0.45)
EYE_COLOURS = {
    "caucasian": ["blue", "bluegreen", "brown", "brownlight", "deepblue", "green", "grey", "ice", "lightblue"],
    "asian": ["brown", "brownlight"],
    "african": ["brown"],
}
HAIR_STYLES_MALE = (["short01", "short02", "short04", "short04", "none"], [0.25, 0.25, 0.2, 0.2, 0.1])
HAIR_STYLES_FEMALE = (
    ["bob01", "bob02", "long01", "ponytail01", "Braid01", "short01"],
    [0.2, 0.2, 0.2, 0.18, 0.14, 0.08],
)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One synthetic person, drawn by :meth:`sample`. The same seed gives the same person for ever.

    Values are rounded when drawn, so that the written record (:meth:`to_json`) is exactly what was rendered.
    """

    seed: int
    origin: Mapping[str, float]  # weights of ORIGINS, sum 1
    male: float  # 0 female .. 1 male
    age: float  # 0.5 = 25 years, 1 = 90 years
    weight: float
    muscle: float
    modifiers: Mapping[str, float]  # [-1, 1]
    head_shape: Mapping[str, float]
    asymmetry: Mapping[str, float]
    hair: str  # "none" or a style
    hair_colour: tuple[float, ...]  # sRGB
    grey: float
    brow: int
    brow_slope: float
    brow_raise: float
    brow_density: float
    eye_colour: str
    skin_gain: tuple[float, ...]
    skin_contrast: float
    freckles: float
    blush: float
    lip_colour: tuple[float, ...]  # depth, hue shift
    stubble: float
    gloss: float
    key_light: tuple[float, ...]  # azimuth, elevation in degrees
    key_gain: float
    sky_gain: float
    temperature: float
    background: tuple[float, ...]  # sRGB
    cloth: tuple[float, ...]  # linear RGB
    neckline: tuple[float, ...]  # height, slope
    pose: tuple[float, ...]  # pitch, yaw, roll of the bust in degrees
    gaze: tuple[float, ...]  # to the person's left, up; in face-unit weight

    @classmethod
    def sample(cls, seed: int) -> Identity:
        """The person with number ``seed`` (any integer >= 0; from BENCHMARK_START on: benchmarks only)."""
        assets, rng = load_assets(), np.random.default_rng([20240, seed])
        # The order of the draws is part of the data format: changing it changes every person.
        origin = rng.dirichlet([0.35] * 3)
        male = float(np.clip(rng.choice([0.1, 0.9]) + rng.normal(0, 0.1), 0, 1))
        body = _sample_body(assets, rng)
        hair = _sample_hair(rng, origin, male > 0.5, body["age"])
        looks = _sample_looks(rng, origin, male > 0.5)
        return cls(
            seed=int(seed),
            origin=_rounded_origin(origin),
            male=round(male, 4),
            **body,
            **hair,
            **looks,
            **_sample_scene(rng),
        )

    def to_json(self) -> dict[str, Any]:
        """All parameters as plain JSON values."""
        return asdict(self)


def _rounded(values: Any, digits: int) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in values)


def _rounded_origin(origin: Array) -> dict[str, float]:
    return dict(zip(ORIGINS, map(float, origin.round(4)), strict=True))


def _sample_body(assets: Assets, rng: np.random.Generator) -> dict[str, Any]:
    age = round(float(rng.choice([rng.uniform(0.42, 0.6), rng.uniform(0.5, 0.9)], p=[0.65, 0.35])), 4)
    weight, muscle = (round(float(np.clip(rng.normal(0.5, 0.17), 0.1, 0.95)), 4) for _ in range(2))
    modifiers = _sample_modifiers(assets, rng)
    head_shape = {str(rng.choice(assets.head_shapes)): round(float(rng.uniform(0, 0.5)), 3)}
    asymmetric = rng.choice(assets.asymmetries, size=5, replace=False)
    return {
        "age": age,
        "weight": weight,
        "muscle": muscle,
        "modifiers": modifiers,
        "head_shape": head_shape,
        "asymmetry": {str(name): round(float(rng.uniform(0, 0.35)), 3) for name in asymmetric},
    }


def _sample_modifiers(assets: Assets, rng: np.random.Generator) -> dict[str, float]:
    weights = {}
    for modifier in assets.modifiers:
        spread = next((s for start, s in MODIFIER_SPREAD if modifier.name.startswith(start)), 0)
        if not spread or "/r-" in modifier.name:  # the right side follows the left, below
            continue
        weight = float(np.clip(rng.normal(0, spread), -1, 1))
        weights[modifier.name] = round(weight, 3)
        if "/l-" in modifier.name:
            mirrored = float(np.clip(weight + rng.normal(0, 0.08), -1, 1))
            weights[modifier.name.replace("/l-", "/r-")] = round(mirrored, 3)
    return weights


def _sample_hair(rng: np.random.Generator, origin: Array, male: bool, age: float) -> dict[str, Any]:
    old = max(0.0, (age - 0.62) / 0.3)
    styles, odds = HAIR_STYLES_MALE if male else HAIR_STYLES_FEMALE
    weights = np.array(odds)
    if ORIGINS[int(np.argmax(origin))] == "african":
        styles, weights = [*styles, "afro01"], np.append(weights * 0.7, 0.3)
    hair = str(rng.choice(styles, p=weights / weights.sum()))
    by_origin = [np.array(HAIR_COLOUR_ODDS[name]) * weight for name, weight in _rounded_origin(origin).items()]
    colour_odds = by_origin[0] + by_origin[1] + by_origin[2]
    colour_odds = colour_odds / colour_odds.sum()
    colour = np.array(HAIR_COLOURS[str(rng.choice(list(HAIR_COLOURS), p=colour_odds))])
    colour = colour * np.exp(rng.normal(0, 0.15, 3) * np.array([1, 0.5, 0.5]))
    grey = float(np.clip(rng.normal(old, 0.2), 0, 1)) if old > 0.1 else 0.0
    return {
        "hair": hair,
        "hair_colour": _rounded(colour * (1 - grey) + np.array(GREY_HAIR) * grey, 4),
        "grey": round(grey, 3),
    }


def _sample_looks(rng: np.random.Generator, origin: Array, male: bool) -> dict[str, Any]:
    return {
        "brow": int(rng.integers(1, 13)),
        "brow_slope": round(float(rng.normal(-0.02, 0.09)), 4),
        "brow_raise": round(float(rng.normal(0.025, 0.02)), 4),
        "brow_density": round(float(rng.uniform(1.0, 1.8) if male else rng.uniform(0.8, 1.4)), 3),
        "eye_colour": str(rng.choice(EYE_COLOURS[ORIGINS[int(rng.choice(3, p=origin))]])),
        "skin_gain": _rounded(np.exp(rng.normal(0, 0.10) + rng.normal(0, 0.03, 3)), 4),
        "skin_contrast": round(float(rng.uniform(0.8, 1.25)), 3),
        "freckles": round(float(rng.uniform(0.3, 1) if rng.random() < 0.2 and origin[2] > 0.4 else 0), 3),
        "blush": round(float(rng.uniform(0, 1)), 3),
        "lip_colour": _rounded((rng.uniform(0, 0.5 if male else 1.0), rng.normal(0, 0.1)), 3),
        "stubble": _sample_stubble(rng) if male else 0.0,
        "gloss": round(float(rng.uniform(0.5, 1.3)), 3),
    }


def _sample_stubble(rng: np.random.Generator) -> float:
    return round(float(rng.choice([0, rng.uniform(0.2, 0.6), rng.uniform(0.6, 1.0)], p=[0.45, 0.3, 0.25])), 3)


def _sample_scene(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "key_light": _rounded((rng.normal(0, 32), rng.uniform(15, 50)), 2),
        "key_gain": round(float(rng.uniform(0.7, 1.25)), 3),
        "sky_gain": round(float(rng.uniform(0.75, 1.25)), 3),
        "temperature": round(float(rng.normal(0, 0.05)), 4),
        "background": _rounded(_sample_background(rng), 3),
        "cloth": _rounded(_sample_cloth(rng), 3),
        "neckline": _rounded((rng.uniform(5.6, 6.0), rng.uniform(0.1, 0.5)), 3),
        "pose": _rounded(rng.normal(0, [1.5, 1.8, 0.8]), 2),
        "gaze": _rounded(rng.normal(0, [0.03, 0.03]), 3),
    }


def _sample_background(rng: np.random.Generator) -> Any:
    grey = rng.choice([0.25, 0.5, 0.75, 0.88])
    return np.clip(grey + rng.normal(0, 0.05) + rng.normal(0, 0.03, 3), 0.08, 0.95)


def _sample_cloth(rng: np.random.Generator) -> Any:
    brightness = rng.choice([0.03, 0.1, 0.3, 0.7])
    return np.clip(brightness * np.exp(rng.normal(0, 0.3) + rng.normal(0, 0.25, 3)), 0.01, 0.8)
