"""Light: directional lamps, shadow maps and the irradiance of every vertex."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .identity import Identity
from .raster import rasterise_depth

Array = NDArray[Any]

NUM_KEY = 5  # directions that together make the soft key light; they come first in Lights.directions
NUM_SKY = 22
SHADOW_MAP = 112  # pixels of one shadow map's side
SHADOW_CENTRE = (0.0, -0.1, -0.4)
SHADOW_EXTENT = 1.75  # half side of the shadow maps, in head units
SHADOW_BIAS = 0.022


class Lights(NamedTuple):
    """The lamps of one identity. Directions point from the face to the lamp; radiance is linear RGB."""

    key: NDArray[np.float32]  # (3,)
    key_colour: NDArray[np.float32]  # (3,)
    fill: NDArray[np.float32]  # (3,)
    fill_colour: NDArray[np.float32]  # (3,)
    directions: NDArray[np.float32]  # (n, 3), the first NUM_KEY are the key light
    radiance: NDArray[np.float32]  # (n, 3)


def make_lights(identity: Identity) -> Lights:
    """A soft key light, a weak fill from the other side, and a sky of NUM_SKY directions on a Fibonacci spiral."""
    azimuth, elevation = np.radians(identity.key_light)
    key = np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )
    warmth = np.array([1 + identity.temperature, 1, 1 - identity.temperature])
    key_colour = (np.array([1.0, 0.965, 0.92]) * warmth * 1.55 * identity.key_gain).astype(np.float32)
    towards_fill = np.array([-key[0] * 0.9 - 0.2 * np.sign(key[0] + 1e-6), 0.15, 0.85])
    fill = (towards_fill / np.linalg.norm(towards_fill)).astype(np.float32)
    fill_colour = (np.array([0.9, 0.97, 1.05]) * 0.35 * identity.sky_gain).astype(np.float32)

    directions, radiance = [], []
    for k in range(NUM_KEY):
        on_ring = np.array([math.cos(k * 2 * math.pi / 4), math.sin(k * 2 * math.pi / 4), 0]) * 0.16
        jittered = key + (on_ring if k < NUM_KEY - 1 else np.zeros(3))
        directions.append(jittered / np.linalg.norm(jittered))
        radiance.append(key_colour / NUM_KEY)
    for i in range(NUM_SKY):
        height = 1 - 2 * (i + 0.5) / NUM_SKY
        turn = i * math.pi * (3 - 5**0.5)
        radius = math.sqrt(1 - height * height)
        direction = np.array([radius * math.cos(turn), height, radius * math.sin(turn)])
        if direction[2] < -0.75:  # straight from behind the head: nothing of it reaches the picture
            continue
        brightness = 0.55 + 0.45 * max(0, direction[1]) + 0.35 * max(0, direction[2]) - 0.30 * max(0, -direction[1])
        colour = np.array([0.95, 0.985, 1.03]) if direction[1] > -0.2 else np.array([1.05, 0.97, 0.90])
        directions.append(direction)
        sky = colour * brightness * 4 / NUM_SKY * 0.60 * identity.sky_gain
        radiance.append(sky + np.maximum(0, direction @ fill) ** 2 * fill_colour * 0.2)
    return Lights(
        key.astype(np.float32),
        key_colour,
        fill,
        fill_colour,
        np.array(directions, np.float32),
        np.array(radiance, np.float32),
    )


@njit(cache=True, fastmath=True)
def vertex_normals(vertices: Array, triangles: Array, normals: Array) -> None:
    """Unit normals, weighted by the area of the triangles around each vertex, into ``normals``."""
    normals[:] = 0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    for i in range(normals.shape[0]):
        length = math.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        normals[i, 0] /= length
        normals[i, 1] /= length
        normals[i, 2] /= length


@njit(cache=True, fastmath=True)
def irradiate(
    vertices: Array,
    normals: Array,
    occluders: Array,
    directions: Array,
    radiance: Array,
    num_key: int,
    wrap: Array,
    irradiance: Array,
    key_visible: Array,
    depth: Array,
    centre: tuple[float, float, float],
    extent: float,
    bias: float,
) -> None:
    """Light that reaches each vertex, (n, 3), into ``irradiance``; share of the key light seen into ``key_visible``.

    ``wrap`` lets light creep past the horizon of a surface: a cheap stand-in for scattering in skin and hair.
    ``depth`` is the scratch shadow map; ``bias`` pushes the looked-up point off the surface so that it does not shade
    itself.
    """
    n = vertices.shape[0]
    size = depth.shape[0]
    x = np.empty(n, np.float32)
    y = np.empty(n, np.float32)
    z = np.empty(n, np.float32)
    irradiance[:] = 0
    key_visible[:] = 0
    for d in range(directions.shape[0]):
        lx, ly, lz = directions[d, 0], directions[d, 1], directions[d, 2]
        # (u, v, light) is an orthonormal frame; u is built from whichever axis is not nearly parallel to the light.
        if abs(ly) < 0.9:
            ux, uy, uz = lz, 0.0, -lx
        else:
            ux, uy, uz = 0.0, -lz, ly
        length = math.sqrt(ux * ux + uy * uy + uz * uz)
        ux /= length
        uy /= length
        uz /= length
        vx, vy, vz = ly * uz - lz * uy, lz * ux - lx * uz, lx * uy - ly * ux
        scale = size / (2 * extent)
        for i in range(n):
            px, py, pz = vertices[i, 0] - centre[0], vertices[i, 1] - centre[1], vertices[i, 2] - centre[2]
            x[i] = (px * ux + py * uy + pz * uz) * scale + size * 0.5
            y[i] = (px * vx + py * vy + pz * vz) * scale + size * 0.5
            z[i] = px * lx + py * ly + pz * lz
        depth[:] = -1e9
        rasterise_depth(x, y, z, occluders, depth)
        for i in range(n):
            facing = normals[i, 0] * lx + normals[i, 1] * ly + normals[i, 2] * lz
            facing = (facing + wrap[i]) / (1 + wrap[i])
            if facing <= 0:
                continue
            ox = x[i] + scale * bias * (normals[i, 0] * ux + normals[i, 1] * uy + normals[i, 2] * uz)
            oy = y[i] + scale * bias * (normals[i, 0] * vx + normals[i, 1] * vy + normals[i, 2] * vz)
            oz = z[i] + bias * (normals[i, 0] * lx + normals[i, 1] * ly + normals[i, 2] * lz) + bias
            fx, fy = ox - 0.5, oy - 0.5
            x0, y0 = math.floor(fx), math.floor(fy)
            tx, ty = fx - x0, fy - y0
            visible = 0.0
            for j in range(2):
                for k in range(2):
                    column, row = x0 + k, y0 + j
                    weight = (tx if k else 1 - tx) * (ty if j else 1 - ty)
                    outside = column < 0 or row < 0 or column >= size or row >= size
                    if outside or depth[row, column] <= oz:
                        visible += weight
            if d < num_key:
                key_visible[i] += visible / num_key
            share = facing * visible
            irradiance[i, 0] += share * radiance[d, 0]
            irradiance[i, 1] += share * radiance[d, 1]
            irradiance[i, 2] += share * radiance[d, 2]


@njit(cache=True, fastmath=True)
def smooth_channel(values: Array, starts: Array, neighbours: Array, channel: int, times: int, amount: float) -> None:
    """Diffuse one channel of ``values`` (n, channels) over the mesh: light that scatters inside the skin.

    Vertex i's neighbours are ``neighbours[starts[i]:starts[i + 1]]``.
    """
    num = starts.shape[0] - 1
    diffused = np.empty(num, np.float32)
    for _ in range(times):
        for i in range(num):
            total = 0.0
            count = starts[i + 1] - starts[i]
            if count == 0:
                diffused[i] = values[i, channel]
                continue
            for j in range(starts[i], starts[i + 1]):
                total += values[neighbours[j], channel]
            diffused[i] = (1 - amount) * values[i, channel] + amount * total / count
        for i in range(num):
            values[i, channel] = diffused[i]


@njit(cache=True, fastmath=True)
def seen_through(points: Array, opening: Array, vectors: Array) -> None:
    """Vector form factor of an ``opening`` (m, 3) from each of ``points`` (n, 3), into ``vectors`` (n, 3).

    Its product with a normal is the share of a uniform hemisphere of light that reaches a surface there through the
    opening (Lambert 1760; clipping at the horizon is left out). The opening is a closed line, clockwise as seen from
    the points.
    """
    num = opening.shape[0]
    for i in range(points.shape[0]):
        vectors[i] = 0
        for j in range(num):
            k = (j + 1) % num
            ax, ay, az = opening[j, 0] - points[i, 0], opening[j, 1] - points[i, 1], opening[j, 2] - points[i, 2]
            bx, by, bz = opening[k, 0] - points[i, 0], opening[k, 1] - points[i, 1], opening[k, 2] - points[i, 2]
            cx, cy, cz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            across = math.sqrt(cx * cx + cy * cy + cz * cz) + 1e-12
            weight = math.atan2(across, ax * bx + ay * by + az * bz) / across / (2 * math.pi)
            vectors[i, 0] += cx * weight
            vectors[i, 1] += cy * weight
            vectors[i, 2] += cz * weight
