"""Shading of the opaque surfaces: albedo by material, expression wrinkles, diffuse and specular light."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .assets import CLOTH, EYE, SKIN, TEETH
from .raster import sample_texture

Array = NDArray[Any]


@njit(cache=True, fastmath=True)
def wrinkles(x: float, y: float, side: float, strength: Array) -> tuple[float, float, float]:
    """Crease darkness and normal tilt (x, y) at a point of the base mesh's face; ``side`` is the absolute x.

    ``strength`` is [forehead, glabella, nose bridge, crow's feet, nasolabial fold]. Each wrinkle is a mask around its
    place times a profile across the fold; places are in base-mesh units.
    """
    crease = 0.0
    tilt_x = 0.0
    tilt_y = 0.0
    outward = 1.0 if x > 0 else -1.0
    if strength[0] > 0 and y > 7.52 and y < 8.05:
        mask = math.exp(-(((y - 7.77) / 0.14) ** 2)) * math.exp(-((side / 0.42) ** 4)) * strength[0]
        phase = (y - 7.56 + 0.035 * math.cos(x * 5.0) + 0.012 * math.sin(x * 17.0 + 2.0)) * (2 * math.pi / 0.095)
        wave = math.sin(phase)
        crease += mask * max(0.0, wave) ** 3 * 0.30
        tilt_y += mask * math.cos(phase) * 0.35
    if strength[1] > 0 and side < 0.2 and y > 7.33 and y < 7.75:
        mask = math.exp(-(((y - 7.50) / 0.10) ** 2)) * strength[1]
        line = math.exp(-(((side - 0.062 - 0.05 * (y - 7.5)) / 0.016) ** 2))
        crease += mask * line * 0.38
        tilt_x += outward * mask * line * 0.5
    if strength[2] > 0 and side < 0.22 and y > 7.15 and y < 7.42:
        mask = math.exp(-(((y - 7.27) / 0.07) ** 2)) * math.exp(-(((side - 0.07) / 0.07) ** 2)) * strength[2]
        phase = (y + side * 0.8) * (2 * math.pi / 0.055)
        wave = math.sin(phase)
        crease += mask * max(0.0, wave) ** 2 * 0.22
        tilt_y += mask * math.cos(phase) * 0.3
    if strength[3] > 0 and side > 0.42 and side < 0.8 and y > 7.05 and y < 7.5:
        dx = side - 0.44
        dy = y - 7.26
        radius = math.sqrt(dx * dx + dy * dy)
        angle = math.atan2(dy, dx)
        mask = math.exp(-(((radius - 0.11) / 0.06) ** 2)) * math.exp(-((angle / 0.75) ** 4)) * strength[3]
        wave = math.sin(angle * 9.0 + 0.7)
        crease += mask * max(0.0, wave) ** 2 * 0.26
    if strength[4] > 0 and side > 0.12 and y > 6.55 and y < 7.05:
        middle = 0.185 + 0.50 * (7.0 - y) * 0.62
        mask = math.exp(-(((y - 6.84) / 0.14) ** 2)) * strength[4]
        line = math.exp(-(((side - middle) / 0.026) ** 2))
        crease += mask * line * 0.30
        tilt_x += outward * mask * line * 0.35
    return crease, tilt_x, tilt_y


@njit(cache=True, fastmath=True)
def lip_creases(x: float, y: float) -> float:
    """Sideways tilt of the lips' surface, -1 .. 1: irregular fine furrows from the inner to the outer border."""
    place = x * 130.0 + 0.5 * math.sin(y * 70.0 + x * 23.0)
    left = math.floor(place)
    first, second = math.sin(left * 12.9898) * 43758.5453, math.sin((left + 1.0) * 12.9898) * 43758.5453
    first, second = first - math.floor(first), second - math.floor(second)
    share = place - left
    return 2.0 * (first + (second - first) * share * share * (3.0 - 2.0 * share)) - 1.0


@njit(cache=True, fastmath=True)
def dress(x: float, y: float, z: float, cloth: Array, out: Array) -> bool:
    """Albedo of the torso into ``out``: woven cloth with a hem below the neckline, skin above it (then True)."""
    neckline = cloth[3] + cloth[4] * abs(x) - 0.30 * (z - 0.3)
    if y > neckline:
        out[0] = cloth[5]
        out[1] = cloth[6]
        out[2] = cloth[7]
        return True
    weave = 0.93 + 0.07 * math.sin(x * 150.0) * math.sin(y * 150.0)
    below = neckline - y
    if below < 0.055:
        weave *= 0.80 + 0.3 * math.sin(below / 0.055 * math.pi)
    for k in range(3):
        out[k] = cloth[k] * weave
    return False


@njit(cache=True, fastmath=True)
def highlight(
    nx: float, ny: float, nz: float, vx: float, vy: float, vz: float, lamp: Array, roughness: float
) -> tuple[float, float]:
    """Blinn-Phong: (cosine to the half vector) ** roughness, and the cosine to the lamp."""
    hx, hy, hz = lamp[0] + vx, lamp[1] + vy, lamp[2] + vz
    length = math.sqrt(hx * hx + hy * hy + hz * hz)
    half = max(0.0, (nx * hx + ny * hy + nz * hz) / length)
    facing = max(0.0, nx * lamp[0] + ny * lamp[1] + nz * lamp[2])
    return half**roughness, facing


@njit(cache=True, fastmath=True)
def shade(
    hit: Array,
    weights: Array,
    triangles: Array,
    uv: Array,
    material: Array,
    vertices: Array,
    normals: Array,
    irradiance: Array,
    key_visible: Array,
    base: Array,
    skin: Array,
    cloth: Array,
    eye: Array,
    teeth: Array,
    tongue: Array,
    camera: Array,
    key: Array,
    key_colour: Array,
    fill: Array,
    fill_colour: Array,
    gloss: float,
    wrinkle_strength: Array,
    canvas: Array,
) -> None:
    """Linear light of every pixel that shows an opaque triangle, into ``canvas`` (h, w, 3); others are left alone."""
    height, width = hit.shape
    albedo = np.zeros(4, np.float32)
    light = np.zeros(3, np.float32)
    for row in range(height):
        for column in range(width):
            t = hit[row, column]
            if t < 0:
                continue
            w1, w2 = weights[row, column, 0], weights[row, column, 1]
            w0 = 1 - w1 - w2
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            kind = material[t]
            u = w0 * uv[t, 0] + w1 * uv[t, 2] + w2 * uv[t, 4]
            v = w0 * uv[t, 1] + w1 * uv[t, 3] + w2 * uv[t, 5]
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            nx /= length
            ny /= length
            nz /= length
            px = w0 * vertices[a, 0] + w1 * vertices[b, 0] + w2 * vertices[c, 0]
            py = w0 * vertices[a, 1] + w1 * vertices[b, 1] + w2 * vertices[c, 1]
            pz = w0 * vertices[a, 2] + w1 * vertices[b, 2] + w2 * vertices[c, 2]
            for k in range(3):
                light[k] = w0 * irradiance[a, k] + w1 * irradiance[b, k] + w2 * irradiance[c, k]
            key_seen = w0 * key_visible[a] + w1 * key_visible[b] + w2 * key_visible[c]
            # Skin below; eyes are wet and sharp (f0 = reflectance when seen straight on), cloth has no highlight.
            specular = gloss
            roughness = 22.0
            f0 = 0.028
            if kind == SKIN:
                sample_texture(skin, u, v, albedo)
                bx = w0 * base[a, 0] + w1 * base[b, 0] + w2 * base[c, 0]
                by = w0 * base[a, 1] + w1 * base[b, 1] + w2 * base[c, 1]
                bz = w0 * base[a, 2] + w1 * base[b, 2] + w2 * base[c, 2]
                crease = 0.0
                tilt_x = 0.0
                tilt_y = 0.0
                if bz > 0.9:
                    crease, tilt_x, tilt_y = wrinkles(bx, by, abs(bx), wrinkle_strength)
                if albedo[3] > 0.45 and by < 6.8:
                    furrow = lip_creases(bx, by) * min(1.0, (albedo[3] - 0.45) * 4.0)
                    crease += 0.08 * max(0.0, furrow)
                    tilt_x += 0.30 * furrow
                shadow = 1.0 - min(0.6, crease)
                albedo[0] *= shadow**0.8
                albedo[1] *= shadow
                albedo[2] *= shadow
                nx += tilt_x * 0.5
                ny += tilt_y * 0.5
                length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
                nx /= length
                ny /= length
                nz /= length
                specular = gloss * (0.75 + 0.6 * albedo[3])
                roughness = 16.0 + 34.0 * albedo[3]
            elif kind == CLOTH:
                bx = w0 * base[a, 0] + w1 * base[b, 0] + w2 * base[c, 0]
                by = w0 * base[a, 1] + w1 * base[b, 1] + w2 * base[c, 1]
                bz = w0 * base[a, 2] + w1 * base[b, 2] + w2 * base[c, 2]
                bare = dress(bx, by, bz, cloth, albedo)
                specular = gloss * 0.6 if bare else 0.0
            elif kind == EYE:
                sample_texture(eye, u, v, albedo)
                specular = 1.0
                roughness = 260.0
                f0 = 0.06
            elif kind == TEETH:
                sample_texture(teeth, u, v, albedo)
                specular = 0.7
                roughness = 60.0
                f0 = 0.045
            else:
                sample_texture(tongue, u, v, albedo)
                specular = 0.8
                roughness = 30.0
            vx, vy, vz = camera[0] - px, camera[1] - py, camera[2] - pz
            length = math.sqrt(vx * vx + vy * vy + vz * vz)
            vx /= length
            vy /= length
            vz /= length
            facing = max(0.02, nx * vx + ny * vy + nz * vz)
            from_key = 0.0
            from_fill = 0.0
            if specular > 0:
                fresnel = f0 + (1 - f0) * (1 - facing) ** 5 * 0.35
                peak, cosine = highlight(nx, ny, nz, vx, vy, vz, key, roughness)
                from_key = specular * fresnel * (roughness + 2) / 8.0 * peak * cosine * key_seen
                peak, cosine = highlight(nx, ny, nz, vx, vy, vz, fill, roughness)
                from_fill = specular * fresnel * (roughness + 2) / 8.0 * peak * cosine
            # The fill casts no shadow map of its own: dark places are assumed not to see it.
            occlusion = min(1.0, (light[0] + light[1] + light[2]) * 0.9)
            for k in range(3):
                canvas[row, column, k] = (
                    albedo[k] * light[k] + from_key * key_colour[k] + from_fill * fill_colour[k] * occlusion
                )
