"""Render a head: geometry, light, opaque pass, hair cards, exposure, sRGB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import camera
from .assets import BROW, HAIR, LASH, TEETH
from .camera import LANDMARK_VERTICES, View
from .colour import linear_to_srgb, srgb_to_linear
from .head import Head
from .light import (
    NUM_KEY,
    SHADOW_BIAS,
    SHADOW_CENTRE,
    SHADOW_EXTENT,
    SHADOW_MAP,
    irradiate,
    seen_through,
    smooth_channel,
    vertex_normals,
)
from .lips import LIP_LINE
from .raster import blend_cards, rasterise
from .shade import shade
from .textures import LASH_TINT

Array = NDArray[Any]

METER_SIZE = 128  # exposure is metered on a picture of this size, so that it does not depend on the size asked for
LIGHT_IN_SKIN = np.array([0.050, 0.036, 0.031], np.float32)  # a floor of light: nothing on a face is quite black
MOUTH_REFLECTANCE = np.array([0.68, 0.59, 0.54], np.float32)  # light goes to and fro inside the mouth, and reddens
MOUTH_FALLOFF = 3.5  # per head unit behind the front teeth: cheeks and teeth stand before what lies deeper
SCATTER_PASSES = (4, 2, 1)  # red light travels farthest in skin


class Render(NamedTuple):
    """One picture with its ground truth. Coordinates are fractions of the picture's side, x right, y down."""

    pixels: NDArray[np.uint8]  # (S, S, 3)
    segmentation: NDArray[np.int8]  # (S, S): material, -1 = background; hair, brows and lashes are not in it
    landmarks: NDArray[np.float32]  # (9, 2), in the order of LANDMARK_VERTICES
    vertices: NDArray[np.float32]  # (n, 2): every vertex of body and parts; two renders of a head give the exact flow


def render(
    head: Head,
    units: Mapping[str, float],
    size: int = 128,
    view: View = "aligned",
    supersample: int = 3,
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Render:
    """Picture of ``head`` with face-unit weights ``units``.

    ``view`` is "aligned" (the crop of template eyes-nose-v1, fitted to the head's neutral face), "paper" (the square
    about its jaw that the paper's authors cropped) or "portrait" (whole head with background). ``pose`` turns the head
    by pitch, yaw and roll in degrees beyond its own pose; it does not move the crop. Each pixel is the mean of
    ``supersample`` squared samples. Equal arguments give equal pixels.

    Raises ValueError for a name in ``units`` that is not a face unit.
    """
    if view not in head.exposures:
        head.exposures[view] = _metered_exposure(_trace(head, {}, METER_SIZE, view, 1, (0.0, 0.0, 0.0), None)[0])
    exposure = head.exposures[view]
    canvas, hit, screen = _trace(head, units, size, view, supersample, pose, exposure)
    material = np.where(hit >= 0, head.material[head.opaque][hit], -1)
    middle = slice(supersample // 2, None, supersample)
    vertices = screen[: head.num_coarse, :2] / np.float32(size * supersample)
    return Render(
        pixels=_developed(canvas, exposure),
        segmentation=material[middle, middle].astype(np.int8),
        landmarks=vertices[list(LANDMARK_VERTICES.values())],
        vertices=vertices,
    )


def _trace(
    head: Head,
    units: Mapping[str, float],
    size: int,
    view: View,
    supersample: int,
    pose: tuple[float, float, float],
    exposure: float | None,
) -> tuple[Array, Array, Array]:
    """Linear light (size, size, 3), and at the sampled resolution: opaque triangle of each pixel, screen vertices."""
    vertices = head.posed(units, pose)
    normals = _normals(head, vertices)
    irradiance, key_visible = _lit(head, vertices, normals)
    side = size * supersample
    screen = camera.project(vertices, side)
    if view == "aligned":
        camera.align(screen, head.neutral, side)
    elif view == "paper":
        camera.frame_jaw(screen, head.neutral, side)
    nearness = np.zeros((side, side), np.float32)
    hit = np.full((side, side), -1, np.int32)
    weights = np.empty((side, side, 2), np.float32)
    opaque = head.opaque
    triangles, uv, material = head.triangles[opaque], head.uv[opaque], head.material[opaque]
    rasterise(screen, triangles, material != TEETH, nearness, hit, weights)
    canvas = _background(head, side, exposure)
    textures, lights = head.textures, head.lights
    shade(
        *(hit, weights, triangles, uv, material, vertices, normals, irradiance, key_visible, head.base),
        *(textures.skin, textures.cloth, textures.eye, textures.teeth, textures.tongue, camera.POSITION),
        *(lights.key, lights.key_colour, lights.fill, lights.fill_colour),
        np.float32(head.identity.gloss),
        _wrinkle_strength(head.all_units(units), head.identity.age),
        canvas,
    )
    _blend_hair(head, screen, irradiance, nearness, canvas)
    return canvas.reshape(size, supersample, size, supersample, 3).mean((1, 3)), hit, screen


def _normals(head: Head, vertices: Array) -> NDArray[np.float32]:
    normals = np.empty_like(vertices)
    vertex_normals(vertices, head.triangles, normals)
    if head.hair_name:
        # Cards face any way: turn them outwards, and half towards a round scalp, so that hair is lit as one volume.
        span = head.span[head.hair_name]
        outward = vertices[span] - np.array([0, 0.1, -0.9], np.float32)
        normals[span] *= np.where((normals[span] * outward).sum(1, keepdims=True) < 0, -1, 1)
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        normals[span] = 0.5 * normals[span] + 0.5 * outward
        normals[span] /= np.linalg.norm(normals[span], axis=1, keepdims=True) + 1e-6
    return normals


def _lit(head: Head, vertices: Array, normals: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Irradiance (n, 3) of every vertex, and the share of the key light that it sees (n,)."""
    light = np.zeros((head.num_vertices, 4), np.float32)
    irradiance, key_visible = light[:, :3], light[:, 3]
    depth = np.empty((SHADOW_MAP, SHADOW_MAP), np.float32)
    seen = slice(head.span["teeth"].start)
    irradiate(
        *(vertices[seen], normals[seen], head.occluders, head.lights.directions, head.lights.radiance, NUM_KEY),
        *(head.light_wrap, irradiance[seen], key_visible[seen], depth),
        *(SHADOW_CENTRE, SHADOW_EXTENT, SHADOW_BIAS),
    )
    irradiance[seen] += LIGHT_IN_SKIN
    _light_mouth(head, vertices, normals, light)
    # Eyes lie in deep shadow of the coarse shadow maps; in life they catch light that scatters around them.
    irradiance[head.span["eye"]] = irradiance[head.span["eye"]] * 1.1 + 0.05
    for channel, passes in enumerate(SCATTER_PASSES):
        smooth_channel(irradiance, head.assets.neighbour_starts, head.assets.neighbours, channel, passes, 0.55)
    head.refine_lips(light)
    return np.ascontiguousarray(irradiance), np.ascontiguousarray(key_visible)


def _light_mouth(head: Head, vertices: Array, normals: Array, light: Array) -> None:
    """Light inside the mouth, in place: what falls on the lips, as far as it comes in between them.

    ``light`` (n, 4): irradiance, share of the key light.
    """
    inside = np.nonzero(head.in_mouth)[0]
    outside = head.assets.lip_patch.vertices
    outside = outside[(head.in_mouth[outside] == 0) & (normals[outside, 2] > 0.3)]
    on_lips = light[outside].mean(0)
    vectors = np.empty((len(inside), 3), np.float32)
    seen_through(vertices[inside], np.ascontiguousarray(vertices[list(LIP_LINE[::-2])]), vectors)
    facing = np.maximum((vectors * normals[inside]).sum(1), 0)
    anyhow = np.sqrt((vectors**2).sum(1))
    behind = np.maximum(vertices[head.span["teeth"], 2].max() - vertices[inside, 2], 0)
    share = ((0.75 * facing + 0.20 * anyhow) * np.exp(-MOUTH_FALLOFF * behind))[:, None]
    lit = np.empty((len(inside), 4), np.float32)
    lit[:, :3] = on_lips[:3] * share / (1 - MOUTH_REFLECTANCE * (1 - share))
    lit[:, 3] = on_lips[3] * np.minimum(1.6 * anyhow, 1)
    light[inside] += head.in_mouth[inside, None] * (lit - light[inside])


def _background(head: Head, side: int, exposure: float | None) -> NDArray[np.float32]:
    """A plain wall, brighter on the key light's side. It is not exposed with the face: its colour is the identity's."""
    row, column = np.mgrid[0:side, 0:side].astype(np.float32) / side
    wall = srgb_to_linear(np.array(head.identity.background)) / ((exposure or 1.0) * 1.12)
    falloff = 1.12 - 0.35 * ((column - 0.5 - 0.1 * head.lights.key[0]) ** 2 + (row - 0.4) ** 2)
    background: NDArray[np.float32] = (wall[None, None] * falloff[:, :, None]).astype(np.float32)
    return background


def _wrinkle_strength(units: Mapping[str, float], age: float) -> NDArray[np.float32]:
    """[forehead, glabella, nose bridge, crow's feet, nasolabial fold]: by face units, and deeper with age."""

    def strongest(*stems: str) -> float:
        names = [name for stem in stems for name in (stem, stem + "Left", stem + "Right")]
        return min(1.0, max(units.get(name, 0) for name in names))

    depth = 0.45 + 1.1 * max(0.0, age - 0.45)
    smile, sneer = strongest("mouthSmile"), strongest("noseSneer")
    eyes = max(strongest("cheekSquint"), strongest("eyeSquint") * 0.7, smile * 0.5)
    cheeks = max(smile, strongest("mouthUpperUp") * 0.8, sneer * 0.7)
    return np.array(
        [
            strongest("browInnerUp", "browOuterUp") * depth * 1.3,
            strongest("browDown") * depth * 1.4,
            sneer * depth * 1.4,
            eyes * depth * 1.4,
            cheeks * depth * 1.2 + 0.25 * max(0, age - 0.6),
        ],
        np.float32,
    )


def _blend_hair(head: Head, screen: Array, irradiance: Array, nearness: Array, canvas: Array) -> None:
    textures = head.textures
    depth = screen[head.triangles, 2].mean(1)
    for material, texture, tint, density, bias in (
        (BROW, textures.brow, textures.brow_tint, head.identity.brow_density, 0.022),
        (LASH, textures.lash, LASH_TINT, 0.8, 0.003),
        (HAIR, textures.hair, textures.hair_tint, 1.15, 0.0),
    ):
        if texture is None:
            continue
        cards = np.nonzero(head.material == material)[0]
        far_to_near = cards[np.argsort(depth[cards])].astype(np.int32)
        blend_cards(
            *(screen, head.triangles, head.uv, head.opacity, far_to_near, irradiance, texture, tint),
            *(np.float32(density), nearness, np.float32(bias), canvas),
        )


def _metered_exposure(canvas: Array) -> float:
    """Exposure from the neutral face's middle; dark skin stays darker than light skin (power 0.6, not 0)."""
    top, bottom, left, right = (int(share * METER_SIZE) for share in (0.35, 0.7, 0.35, 0.65))
    mean = canvas[top:bottom, left:right].mean()
    exposure: float = 0.27 * (mean / 0.27) ** 0.6 / mean
    return exposure


def _developed(canvas: Array, exposure: float) -> NDArray[np.uint8]:
    """Linear light to sRGB bytes, with a soft shoulder so that highlights do not clip."""
    light = canvas * exposure
    light = light * (1 + light / 4.0) / (1 + light * 0.55) * 1.22
    developed: NDArray[np.uint8] = (np.clip(linear_to_srgb(light), 0, 1) * 255 + 0.5).astype(np.uint8)
    return developed
