"""The skin texture of an identity: a blend of photographed skins, then painted detail."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .assets import Assets
from .colour import blurred, resized, srgb_to_linear, value_noise
from .identity import Identity

Array = NDArray[Any]


class SkinMap(NamedTuple):
    """Where each texel lies on the base mesh (height y, depth z, distance from the middle), and the lips."""

    side: Array
    y: Array
    z: Array
    lips: Array


def skin_texture(assets: Assets, identity: Identity) -> NDArray[np.float32]:
    """(h, w, 4): linear RGB albedo, and shine (0 matt .. 1 lips)."""
    rng = np.random.default_rng([77, identity.seed])
    # The order of the draws is part of the data format, as in identity.py.
    photograph = _blended_photographs(assets, identity, second_share=rng.uniform(0, 1))
    height, width = 2 * photograph.shape[0], 2 * photograph.shape[1]
    planes = [resized(photograph[:, :, c], (width, height), Image.Resampling.BICUBIC) for c in range(3)]
    place, scalp = _skin_map(assets, width, height)
    albedo = _toned(np.stack(planes, 2), place, identity)
    albedo = _grained(albedo, rng)
    albedo = _blushed(albedo, place, identity.blush)
    if identity.freckles:
        albedo = _freckled(albedo, place, identity.freckles, rng)
    albedo = _with_moles(albedo, rng)
    albedo = _with_lips(albedo, place, identity)
    if identity.stubble:
        albedo = _with_stubble(albedo, place, identity, rng)
    albedo = _with_painted_scalp(albedo, scalp, identity, rng)
    return np.ascontiguousarray(np.dstack([np.clip(albedo, 0.002, 0.95), _shine(place)]).astype(np.float32))


def _blended_photographs(assets: Assets, identity: Identity, second_share: float) -> Array:
    """Geometric mean of the skin photographs, weighted by how near the identity is to each in age, origin and sex."""
    stages = {
        "young": max(0.0, 1 - max(0, identity.age - 0.5) / 0.22),
        "middleage": max(0.0, 1 - abs(identity.age - 0.72) / 0.22),
        "old": min(1.0, max(0.0, (identity.age - 0.72) / 0.2)),
    }
    total: Any = 0
    weights = 0.0
    for name, texture in assets.skins.items():
        stage, origin, sex = name.rstrip("2").split("_")
        weight = stages[stage] * identity.origin[origin] * (identity.male if sex == "male" else 1 - identity.male)
        if name.endswith("2"):  # the young caucasian skins exist twice
            weight *= second_share
        elif stage == "young" and origin == "caucasian":
            weight *= 1 - second_share
        weight = weight**1.7  # fewer photographs in the mix keep more of their detail
        if weight > 1e-4:
            total = total + weight * np.log(texture + 0.004)
            weights += weight
    blend: Array = np.exp(total / weights) - 0.004
    return blend


def _skin_map(assets: Assets, width: int, height: int) -> tuple[SkinMap, Array]:
    def enlarged(plane: Array) -> Array:
        return resized(plane.astype(np.float32), (width, height), Image.Resampling.BILINEAR)

    x, y, z = (enlarged(assets.skin_position[:, :, axis]) for axis in range(3))
    return SkinMap(np.abs(x), y, z, enlarged(assets.lips)), enlarged(assets.scalp)


def _toned(albedo: Array, place: SkinMap, identity: Identity) -> Array:
    face = (place.z > 0.7) & (place.y > 6.2)
    mean = albedo[face].mean(0)
    albedo = np.clip(mean * (np.maximum(albedo, 1e-4) / mean) ** identity.skin_contrast, 0, 1)
    albedo = albedo * np.array(identity.skin_gain, np.float32)
    grey = albedo.mean(2, keepdims=True)
    toned: Array = grey + (albedo - grey) * (1 - 0.25 * identity.origin["african"])
    return toned


def _grained(albedo: Array, rng: np.random.Generator) -> Array:
    height, width = albedo.shape[:2]
    blotches = value_noise(rng, height, width, 42) * 0.025 + value_noise(rng, height, width, 14) * 0.015
    pores = value_noise(rng, height, width, 2.2) * 0.022
    return albedo * np.exp(blotches[:, :, None] * np.array([0.6, 1.0, 1.0], np.float32) + pores[:, :, None])


def _blushed(albedo: Array, place: SkinMap, blush: float) -> Array:
    cheeks = np.exp(-(((place.side - 0.42) / 0.2) ** 2) - ((place.y - 6.98) / 0.2) ** 2) * (place.z > 0.6)
    nose = np.exp(-((place.side / 0.14) ** 2) - ((place.y - 6.98) / 0.12) ** 2)
    rosy = cheeks + 0.8 * nose * (place.z > 1.2)
    return albedo * np.exp(rosy[:, :, None] * blush * np.array([0.05, -0.20, -0.16], np.float32))


def _freckled(albedo: Array, place: SkinMap, freckles: float, rng: np.random.Generator) -> Array:
    height, width = albedo.shape[:2]
    where = np.exp(-((place.side / 0.6) ** 2) - ((place.y - 7.05) / 0.3) ** 2)
    spots = np.clip(value_noise(rng, height, width, 3.2) - 1.35, 0, 1) * where * (place.z > 0.5)
    return albedo * np.exp(-spots[:, :, None] * freckles * np.array([0.35, 0.6, 0.7], np.float32))


def _with_moles(albedo: Array, rng: np.random.Generator) -> Array:
    height, width = albedo.shape[:2]
    for _ in range(int(rng.integers(0, 5))):
        row = rng.integers(int(0.3 * height), int(0.62 * height))
        column = rng.integers(int(0.4 * width), width)
        distance = (np.arange(height)[:, None] - row) ** 2 + (np.arange(width)[None] - column) ** 2
        spot = np.exp(-distance / rng.uniform(1.5, 5))[:, :, None]
        albedo = albedo * (1 - 0.55 * spot * np.array([0.8, 1, 1], np.float32))
    return albedo


def _with_lips(albedo: Array, place: SkinMap, identity: Identity) -> Array:
    depth, hue_shift = identity.lip_colour
    colour = np.array([0.06, -0.42, -0.30 + hue_shift], np.float32)
    return albedo * np.exp(place.lips[:, :, None] * depth * colour)


def _with_stubble(albedo: Array, place: SkinMap, identity: Identity, rng: np.random.Generator) -> Array:
    height, width = albedo.shape[:2]
    side, y, z, lips = place
    below_mouth = np.clip((6.80 - y + 0.10 * np.clip((side - 0.35) / 0.3, 0, 1) * 3.2) / 0.12, 0, 1)
    above_throat = np.clip((y - 6.12) / 0.15, 0, 1)
    before_ears = np.clip(1 - (side - 0.72) / 0.2, 0, 1)
    off_lips = 1 - np.clip(lips * 1.6, 0, 1)
    beard = (z > 0.45) * below_mouth * above_throat * before_ears * off_lips
    moustache = (z > 1.2) * np.exp(-(((y - 6.845) / 0.05) ** 2)) * np.clip(1 - (side - 0.26) / 0.08, 0, 1) * off_lips
    beard = np.maximum(beard, moustache)
    beard = blurred(beard.astype(np.float32), 30) * (1 - np.clip(lips * 1.3, 0, 1))
    fine, coarse = value_noise(rng, height, width, 1.6), value_noise(rng, height, width, 7)
    grain = np.clip(0.85 + 0.16 * fine + 0.10 * coarse, 0, 1.5)
    cover = np.clip(beard * grain * identity.stubble * 0.75, 0, 0.9)[:, :, None]
    colour = np.minimum(srgb_to_linear(np.array(identity.hair_colour)), 0.2) * 0.6 + 0.01
    return albedo * (1 - cover) + colour.astype(np.float32) * cover


def _with_painted_scalp(albedo: Array, scalp: Array, identity: Identity, rng: np.random.Generator) -> Array:
    """Hair colour under the hair cards, so that gaps between them do not show bare skin; shaved heads get a shadow."""
    height, width = albedo.shape[:2]
    strength = 0.85 if identity.hair != "none" else 0.45 * (1 - identity.grey)
    cover = np.clip(scalp * 1.2, 0, 1)[:, :, None] * strength
    colour = srgb_to_linear(np.array(identity.hair_colour) ** 0.8) * 0.7
    strands = (0.8 + 0.3 * value_noise(rng, height, width, 1.8))[:, :, None]
    return albedo * (1 - cover) + np.clip(colour * strands, 0.003, 1).astype(np.float32) * cover


def _shine(place: SkinMap) -> Array:
    nose = np.exp(-((place.side / 0.16) ** 2) - ((place.y - 7.0) / 0.25) ** 2) * (place.z > 1.1)
    forehead = np.exp(-((place.side / 0.4) ** 2) - ((place.y - 7.75) / 0.15) ** 2)
    return np.clip(place.lips * 0.9 + nose * 0.5 + forehead * 0.3, 0, 1)
