"""The head asset file: base mesh, morph targets, fitted parts (eyes, teeth, brows, hair) and textures.

The file is made by ``tools/build_synth_assets.py`` from CC0 material; see NOTICE in this folder.
Coordinates are those of the MakeHuman base mesh: decimetres, x to the person's left, y up, z towards the viewer.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .colour import blurred, resized, srgb_to_linear
from .lips import Patch, lip_patch, rounder_jaw_drop
from .raster import rasterise
from .teeth import TeethMap, teeth_map

Array = NDArray[Any]

SKIN, CLOTH, EYE, TEETH, TONGUE, BROW, LASH, HAIR = range(8)  # materials; the first five are opaque
SKIN_UV_LEFT = 0.6  # the skin textures keep the part u >= 0.6 of the body's map: head, neck, inside of the mouth
OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)


class Morph(NamedTuple):
    """Sparse displacement of the base mesh: ``body[vertices] += weight * delta``."""

    vertices: NDArray[np.int64]  # (k,)
    delta: NDArray[np.float32]  # (k, 3)


class Modifier(NamedTuple):
    """A two-sided shape control: weight -1 applies ``low``, +1 applies ``high``."""

    name: str
    low: str
    high: str


@dataclass(frozen=True, eq=False)
class Part:
    """A mesh that follows the body: each vertex is a weighted sum of three body vertices plus an offset."""

    anchors: NDArray[np.int32]  # (v, 3)
    weights: NDArray[np.float32]  # (v, 3)
    offsets: NDArray[np.float32]  # (v, 3)
    triangles: NDArray[np.int32]  # (t, 3)
    uv: NDArray[np.float32]  # (t, 6): u, v of the three corners, v downwards

    def follow(self, body: Array) -> NDArray[np.float32]:
        """Vertices (v, 3) of the part on a ``body`` (n, 3)."""
        fitted: NDArray[np.float32] = (body[self.anchors] * self.weights[:, :, None]).sum(1) + self.offsets
        return fitted


@dataclass(frozen=True, eq=False)
class Assets:
    """Everything that all identities share."""

    arrays: Mapping[str, Array]  # the file as it is: textures are read from here
    base: NDArray[np.float32]  # (n, 3)
    morphs: Mapping[str, Morph]
    triangles: NDArray[np.int32]  # (t, 3) of the body
    uv: NDArray[np.float32]  # (t, 6)
    material: NDArray[np.int32]  # (t,): SKIN or CLOTH
    lip_patch: Patch  # the part of the body that is drawn subdivided
    in_patch: NDArray[np.bool_]  # (t,): triangles that the patch's own take the place of
    neighbour_starts: NDArray[np.int32]  # (n + 1,)
    neighbours: NDArray[np.int32]
    parts: Mapping[str, Part]
    teeth_map: TeethMap
    skins: Mapping[str, NDArray[np.float32]]  # photographs of skin (h, w, 3), linear light
    scalp: Array  # (h, w): where hair grows
    lips: Array  # (h, w)
    skin_position: NDArray[np.float32]  # (h, w, 3): base-mesh point of each skin texel, -99 where unused
    modifiers: tuple[Modifier, ...]
    asymmetries: tuple[str, ...]
    head_shapes: tuple[str, ...]


@functools.cache
def load_assets() -> Assets:
    """The packaged asset file, read once per process."""
    with resources.as_file(resources.files(__package__) / "assets.npz") as path, np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    base = arrays["base"].astype(np.float32)
    morphs = _read_morphs(arrays)
    moved, drop = morphs["face/jawOpen"]
    morphs["face/jawOpen"] = Morph(moved, drop + rounder_jaw_drop(base[moved], drop))
    parts = {name[2:-4]: _read_part(arrays, name[2:-4]) for name in arrays if re.fullmatch(r"p_.*_ref", name)}
    teeth = parts["teeth"]
    triangles, uv, material = _body_surface(arrays)
    patch = lip_patch(base, arrays["body_q"], _skin_uv(arrays["uv"][arrays["body_uvq"]]))
    starts, neighbours = _adjacency(triangles, len(base))
    skins = {str(name): srgb_to_linear(arrays["skins"][i] / 255.0) for i, name in enumerate(arrays["skin_names"])}
    height, width = next(iter(skins.values())).shape[:2]
    shapes = r"head/head-(diamond|invertedtriangular|oval|rectangular|round|square|triangular)$"
    return Assets(
        arrays=arrays,
        base=base,
        morphs=morphs,
        triangles=triangles,
        uv=uv,
        material=material,
        lip_patch=patch,
        in_patch=np.tile(patch.quads, 2),
        neighbour_starts=starts,
        neighbours=neighbours,
        parts=parts,
        teeth_map=teeth_map(teeth.follow(base), teeth.triangles, np.isin(teeth.anchors[:, 0], moved)),
        skins=skins,
        scalp=_scalp_mask(arrays),
        lips=resized(arrays["lipmask"], (width, height), Image.Resampling.BOX).astype(np.float32) / 255,
        skin_position=_skin_positions(base, triangles, uv, material, height, width),
        modifiers=_find_modifiers(morphs),
        asymmetries=tuple(sorted(n for n in morphs if n.startswith("asym/") and len(morphs[n].vertices) > 20)),
        head_shapes=tuple(name for name in morphs if re.match(shapes, name)),
    )


def _read_morphs(arrays: Mapping[str, Array]) -> dict[str, Morph]:
    index, delta = arrays["t_idx"].astype(np.int64), arrays["t_d"].astype(np.float32)
    starts = arrays["t_ptr"]
    return {
        str(name): Morph(index[starts[i] : starts[i + 1]], delta[starts[i] : starts[i + 1]])
        for i, name in enumerate(arrays["t_names"])
    }


def _split_quads(quads: Array) -> Array:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _body_surface(arrays: Mapping[str, Array]) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    triangles = _split_quads(arrays["body_q"]).astype(np.int32)
    corners = arrays["uv"][_split_quads(arrays["body_uvq"])]
    material = np.where((corners[:, :, 0] < SKIN_UV_LEFT).any(1), CLOTH, SKIN).astype(np.int32)
    return triangles, _skin_uv(corners).reshape(-1, 6).astype(np.float32), material


def _skin_uv(corners: Array) -> Array:
    """UV (..., 2) of the body's map as those of the part that the skin textures keep, v downwards."""
    return np.stack([(corners[..., 0] - SKIN_UV_LEFT) / 0.4, 1 - corners[..., 1]], -1)


def _adjacency(triangles: Array, num_vertices: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    starts = np.searchsorted(edges[:, 0], np.arange(num_vertices + 1)).astype(np.int32)
    return starts, edges[:, 1].astype(np.int32)


def alpha_at(alpha: Array, corners: Array) -> Array:
    """Nearest texel of a square ``alpha`` map at uv ``corners`` (..., 2)."""
    size = alpha.shape[0]
    column = np.clip((corners[..., 0] * size).astype(int), 0, size - 1)
    row = np.clip((corners[..., 1] * size).astype(int), 0, size - 1)
    texels: Array = alpha[row, column]
    return texels


def _read_part(arrays: Mapping[str, Array], name: str) -> Part:
    triangles = _split_quads(arrays[f"p_{name}_q"])
    corners = arrays[f"p_{name}_uv"][_split_quads(arrays[f"p_{name}_uvq"])]
    corners[:, :, 1] = 1 - corners[:, :, 1]
    first, second, third = triangles.T
    keep = (first != second) & (second != third) & (first != third)
    if name == "eye":  # drop the transparent cornea shell, which would hide the iris in an opaque pass
        keep &= alpha_at(arrays["eyes"][0][:, :, 3], corners.mean(1)) > 128
    return Part(
        arrays[f"p_{name}_ref"],
        arrays[f"p_{name}_w"],
        arrays[f"p_{name}_off"],
        triangles[keep].astype(np.int32),
        corners[keep].reshape(-1, 6).astype(np.float32),
    )


def _scalp_mask(arrays: Mapping[str, Array]) -> Array:
    """Painted hair on one of the skin photographs (dark texels of the head's part of the map) marks the scalp."""
    painted = arrays["skins"][list(arrays["skin_names"]).index("young_african_female")].astype(np.float32).mean(2)
    mask = np.clip((62 - painted) / 30, 0, 1)
    mask[:, 180:] *= 0
    return blurred(mask, 4)


def _skin_positions(
    base: Array, triangles: Array, uv: Array, material: Array, height: int, width: int
) -> NDArray[np.float32]:
    """Base-mesh coordinates of every skin texel: the body rasterised into its own texture map."""
    is_skin = material == SKIN
    flat = np.zeros((is_skin.sum() * 3, 3), np.float32)
    flat[:, 0] = uv[is_skin].reshape(-1, 2)[:, 0] * width
    flat[:, 1] = uv[is_skin].reshape(-1, 2)[:, 1] * height
    flat[:, 2] = 1
    corners = np.arange(len(flat), dtype=np.int32).reshape(-1, 3)
    nearness, weights = np.zeros((height, width), np.float32), np.zeros((height, width, 2), np.float32)
    hit = np.full((height, width), -1, np.int32)
    rasterise(flat, corners, np.zeros(len(corners), np.bool_), nearness, hit, weights)
    covered = hit >= 0
    face = triangles[is_skin][hit[covered]]
    w1, w2 = weights[covered, 0][:, None], weights[covered, 1][:, None]
    positions = np.full((height, width, 3), -99, np.float32)
    positions[covered] = base[face[:, 0]] * (1 - w1 - w2) + base[face[:, 1]] * w1 + base[face[:, 2]] * w2
    return positions


def _find_modifiers(morphs: Mapping[str, Morph]) -> tuple[Modifier, ...]:
    found = []
    for name in morphs:
        if name.startswith(("macro/", "face/", "asym/")):
            continue
        for low, high in OPPOSITES:
            stem = name.removesuffix(high)
            if stem != name and stem.endswith("-") and stem + low in morphs:
                found.append(Modifier(stem[:-1], stem + low, name))
    return tuple(found)
