"""The textures of an identity besides skin: eyes, teeth, tongue, hair cards; and its clothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .assets import Assets
from .colour import srgb_to_linear
from .identity import Identity
from .skin import skin_texture

Array = NDArray[Any]


class Textures(NamedTuple):
    """Linear light; every map is (h, w, 4) float32."""

    skin: NDArray[np.float32]
    eye: NDArray[np.float32]
    teeth: NDArray[np.float32]
    tongue: NDArray[np.float32]
    brow: NDArray[np.float32]
    lash: NDArray[np.float32]
    hair: NDArray[np.float32] | None
    brow_tint: NDArray[np.float32]  # (3,)
    hair_tint: NDArray[np.float32]  # (3,)
    cloth: NDArray[np.float32]  # (8,): cloth RGB, neckline height and slope, RGB of the skin above the neckline


LASH_TINT = np.array([0.006, 0.005, 0.005], np.float32)


def make_textures(assets: Assets, identity: Identity) -> Textures:
    """All textures of an identity."""
    hair_tint = srgb_to_linear(np.array(identity.hair_colour) ** 0.8) * 1.15
    hair_tint = hair_tint * min(1.0, 0.19 / hair_tint.max())  # blond cards burn out above this
    skin = skin_texture(assets, identity)
    arrays = assets.arrays
    return Textures(
        skin=skin,
        eye=_eye(arrays["eyes"][list(arrays["eye_names"]).index(identity.eye_colour)]),
        teeth=_teeth(arrays["tex_teeth"]),
        tongue=_tinted(arrays["tex_tongue"], (0.75, 0.55, 0.55)),
        brow=_card(arrays[f"tex_brow{identity.brow:02d}"], 0.3),
        lash=_card(arrays["tex_lash"], 0.2),
        hair=None if identity.hair == "none" else _card(arrays["tex_hair_" + identity.hair], 0.95),
        brow_tint=(np.minimum(hair_tint * 0.55, 0.13) + 0.004).astype(np.float32),
        hair_tint=hair_tint.astype(np.float32),
        cloth=_cloth(assets, identity, skin),
    )


def _eye(stored: Array) -> NDArray[np.float32]:
    """The shipped irises are too saturated and too bright: pull both down where the colour is strong."""
    rgba = stored / 255.0
    colour = srgb_to_linear(rgba[:, :, :3])
    grey = colour.mean(2, keepdims=True)
    saturation = 1 - colour.min(2, keepdims=True) / (colour.max(2, keepdims=True) + 1e-4)
    colour = (grey + (colour - grey) * 0.6) * (0.78 - 0.30 * np.clip(saturation * 1.6 - 0.25, 0, 1))
    return np.dstack([colour, rgba[:, :, 3:]]).astype(np.float32)


def _teeth(stored: Array) -> NDArray[np.float32]:
    """The shipped teeth are paper-white and the gums wine-red: ivory, and the pink of pale mucosa."""
    rgba = stored / 255.0
    colour = srgb_to_linear(rgba[:, :, :3])
    gum = np.clip((1 - colour.min(2, keepdims=True) / (colour.max(2, keepdims=True) + 1e-4) - 0.3) / 0.3, 0, 1)
    pink = (0.4 * colour.max(2, keepdims=True) + 0.6 * colour) * np.array([1.9, 1.15, 1.10], np.float32)
    ivory = np.minimum(colour * np.array([1.24, 1.14, 0.97], np.float32), 0.8)
    return np.dstack([ivory + (pink - ivory) * gum, rgba[:, :, 3:]]).astype(np.float32)


def _tinted(stored: Array, tint: tuple[float, float, float]) -> NDArray[np.float32]:
    rgba = stored / 255.0
    return np.dstack([srgb_to_linear(rgba[:, :, :3]) * np.array(tint, np.float32), rgba[:, :, 3:]]).astype(np.float32)


def _card(stored: Array, contrast: float) -> NDArray[np.float32]:
    """A hair card without its colour: strand brightness with mean 1 over the covered part, and coverage."""
    rgba = stored / 255.0
    brightness, coverage = srgb_to_linear(rgba[:, :, :3]).mean(2) + 1e-4, rgba[:, :, 3]
    mean = (brightness * coverage).sum() / (coverage.sum() + 1e-6)
    brightness = np.clip(brightness / mean, 0.05, 4) ** contrast
    brightness /= (brightness * coverage).sum() / (coverage.sum() + 1e-6)
    return np.ascontiguousarray(np.dstack([brightness, brightness, brightness, coverage]).astype(np.float32))


def _cloth(assets: Assets, identity: Identity, skin: Array) -> NDArray[np.float32]:
    x, y, z = np.moveaxis(assets.skin_position, 2, 0)
    neck = (y < 6.36) & (y > 6.1) & (z > 0.3) & (np.abs(x) < 0.5)
    half = skin[::2, ::2]  # the skin texture has twice the resolution of the position map
    neck_colour = half[neck][:, :3].mean(0)
    return np.array([*identity.cloth, *identity.neckline, *neck_colour], np.float32)
