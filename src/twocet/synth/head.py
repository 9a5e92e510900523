"""A head ready to be rendered: geometry, textures and light of one identity."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .assets import BROW, EYE, HAIR, LASH, SKIN, TEETH, TONGUE, Assets, alpha_at, load_assets
from .identity import Identity
from .light import make_lights
from .morphs import add_units, body_shape
from .teeth import Dentition
from .textures import make_textures

Array = NDArray[Any]

NECK_PIVOT = np.array([0, 0.5, 0.9])  # below and behind the eyes, with the sign that moves it to the origin
BROW_HEIGHT = 7.475  # of an average brow on the base mesh


class Head:
    """Everything about one identity that does not depend on the expression. Making one takes a few hundred ms."""

    def __init__(self, identity: Identity) -> None:
        self.assets: Assets = load_assets()
        self.identity = identity
        self.rest = body_shape(self.assets, identity)
        self._place()
        self.dentition = self._dentition()
        self.textures = make_textures(self.assets, identity)
        self._assemble()
        self._describe_vertices()
        self.lights = make_lights(identity)
        self.exposures: dict[str, float] = {}  # by view; filled by the renderer

    def _place(self) -> None:
        """Origin between the eyes; part of the difference in head size is removed."""
        base, rest = self.assets.base, self.rest
        self.origin = self.assets.parts["eye"].follow(rest).mean(0)
        from_chin = np.abs(base[:, 1] - 6.36) + np.abs(base[:, 0]) + np.abs(base[:, 2] - 1.35) * 0.5
        chin = rest[np.argsort(from_chin)[:6]].mean(0)
        self.scale = float((0.92 / (self.origin[1] - chin[1])) ** 0.75)

    def _assemble(self) -> None:
        """One mesh of the body and its parts: ``triangles`` (t, 3), ``uv`` (t, 6), ``material`` (t,).

        Vertices: those of the body, those of the parts, ``num_coarse`` in all, then those that subdivided lips add.
        """
        assets, identity, patch = self.assets, self.identity, self.assets.lip_patch
        self.brow_name = f"brow{identity.brow:02d}"
        self.hair_name = None if identity.hair == "none" else "hair_" + identity.hair
        materials = {"eye": EYE, self.brow_name: BROW, "lash": LASH}
        if self.hair_name:
            materials[self.hair_name] = HAIR
        materials |= {"teeth": TEETH, "tongue": TONGUE}  # last: lamps do not light them
        rest = ~assets.in_patch
        triangles, uv, material = ([each[rest]] for each in (assets.triangles, assets.uv, assets.material))
        self.num_body = self.num_coarse = len(assets.base)
        self.span: dict[str, slice] = {}
        for name, kind in materials.items():
            part = assets.parts[name]
            self.span[name] = slice(self.num_coarse, self.num_coarse + len(part.anchors))
            triangles.append(part.triangles + self.num_coarse)
            uv.append(part.uv)
            material.append(np.full(len(part.triangles), kind, np.int32))
            self.num_coarse += len(part.anchors)
        self.num_vertices = self.num_coarse + patch.num_new
        lips, lips_uv = patch.triangles(self.num_coarse)
        self.triangles = np.ascontiguousarray(np.concatenate([*triangles, lips]))
        self.uv = np.ascontiguousarray(np.concatenate([*uv, lips_uv]))
        self.material = np.concatenate([*material, np.full(len(lips), SKIN, np.int32)])
        self.opaque = np.ascontiguousarray(np.nonzero(self.material <= TONGUE)[0])
        self.brow_lift = self._brow_lift()

    def _describe_vertices(self) -> None:
        """What the renderer asks of every vertex, and which triangles cast shadows."""
        self.base = np.zeros((self.num_vertices, 3), np.float32)
        self.base[: self.num_body] = self.assets.base
        self.refine_lips(self.base)
        self.in_mouth = np.zeros(self.num_coarse, np.float32)  # 0 outside .. 1
        self.in_mouth[: self.num_body] = self.assets.lip_patch.in_mouth
        self.in_mouth[self.span["teeth"]] = self.in_mouth[self.span["tongue"]] = 1
        self.light_wrap = np.zeros(self.num_vertices, np.float32)
        self.light_wrap[: self.num_body] = 0.12
        self.opacity = np.ones(self.num_vertices, np.float32)
        if self.hair_name:
            self.light_wrap[self.span[self.hair_name]] = 0.5
            self.opacity[self.span[self.hair_name]] = self._hair_opacity()
        self.occluders = np.concatenate([self.assets.triangles, self.triangles[self._dense_hair()]])

    def _dentition(self) -> Dentition:
        """Teeth and tongue. Women and the young show more of the upper teeth (Vig and Brundo 1978)."""
        teeth, tongue = self.assets.parts["teeth"], self.assets.parts["tongue"]
        show = 0.040 - 0.012 * self.identity.male - 0.020 * max(0.0, self.identity.age - 0.5)
        lips = self.assets.lip_patch.drawn(self.rest)
        return Dentition(self.assets.teeth_map, teeth.follow(self.rest), tongue.follow(self.rest), lips, show)

    def _hair_opacity(self) -> Array:
        """0 where hair would hang over the face, 1 outside an ellipse around it, soft in between."""
        hair = (self.assets.parts[str(self.hair_name)].follow(self.rest) - self.origin) * self.scale
        below = np.where(hair[:, 1] > -0.30, 0.66, 1.2)
        distance = (hair[:, 0] / 0.70) ** 2 + ((hair[:, 1] + 0.30) / below) ** 2
        return np.where(hair[:, 2] > -0.45, np.clip((distance - 0.85) / 0.35, 0, 1), 1)

    def _dense_hair(self) -> Array:
        """Hair triangles solid enough to cast a shadow."""
        if self.textures.hair is None:
            return np.zeros(len(self.triangles), bool)
        alpha = alpha_at(self.textures.hair[:, :, 3], self.uv.reshape(-1, 3, 2).mean(1))
        dense: Array = (self.material == HAIR) & (alpha > 0.55) & (self.opacity[self.triangles].min(1) > 0.5)
        return dense

    def _brow_lift(self) -> NDArray[np.float32]:
        """Upward shift of each brow vertex which gives the brow the identity's slope and height."""
        part = self.assets.parts[self.brow_name]
        brow = part.follow(self.assets.base)
        hair = alpha_at(self.textures.brow[:, :, 3], part.uv.reshape(-1, 3, 2))
        weight = np.zeros(len(brow))
        np.add.at(weight, part.triangles.ravel(), hair.ravel() + 1e-3)
        side = np.abs(brow[:, 0])
        mean_side = (weight * side).sum() / weight.sum()
        mean_height = (weight * brow[:, 1]).sum() / weight.sum()
        slope = (weight * (side - mean_side) * (brow[:, 1] - mean_height)).sum()
        slope /= (weight * (side - mean_side) ** 2).sum()
        tilt = (self.identity.brow_slope - slope) * (side - mean_side) * 0.9
        lift: NDArray[np.float32] = (tilt + self.identity.brow_raise + (BROW_HEIGHT - mean_height) * 0.5).astype(
            np.float32
        )
        return lift

    def all_units(self, units: Mapping[str, float]) -> dict[str, float]:
        """``units`` with the identity's resting gaze added."""
        left, up = self.identity.gaze
        gaze = {
            "eyeLookOutLeft": left,
            "eyeLookInRight": left,
            "eyeLookInLeft": -left,
            "eyeLookOutRight": -left,
            "eyeLookUpLeft": up,
            "eyeLookUpRight": up,
            "eyeLookDownLeft": -up,
            "eyeLookDownRight": -up,
        }
        total = dict(units)
        for unit, weight in gaze.items():
            if weight > 0:
                total[unit] = total.get(unit, 0) + weight
        return total

    def shape(self, units: Mapping[str, float]) -> NDArray[np.float32]:
        """Vertices (n, 3) in base-mesh units, before placing: exactly linear in the weights of ``units``."""
        body = self.rest.copy()
        add_units(self.assets, body, self.all_units(units))
        vertices = np.empty((self.num_vertices, 3), np.float32)
        vertices[: self.num_body] = body
        for name, span in self.span.items():
            if name not in ("teeth", "tongue"):
                vertices[span] = self.assets.parts[name].follow(body)
        vertices[self.span[self.brow_name], 1] += self.brow_lift
        vertices[self.span["teeth"]], vertices[self.span["tongue"]] = self.dentition.moved(units)
        self.refine_lips(vertices)
        return vertices

    def refine_lips(self, values: Array) -> None:
        """Fill in, in place, the rows of ``values`` that subdivision adds; those of the lips are smoothed."""
        patch = self.assets.lip_patch
        fine = patch.refine(values)
        values[patch.vertices] = fine[: len(patch.vertices)]
        values[self.num_coarse :] = fine[len(patch.vertices) :]

    def posed(self, units: Mapping[str, float], pose: tuple[float, float, float]) -> NDArray[np.float32]:
        """Vertices (n, 3) in head units: eyes at the origin, turned by the identity's own pose plus ``pose``."""
        centred = (self.shape(units) - self.origin) * self.scale
        turn = _rotation(np.array(self.identity.pose) + np.array(pose))
        turned = (centred + NECK_PIVOT) @ turn.T.astype(np.float32)
        return np.ascontiguousarray((turned - NECK_PIVOT).astype(np.float32))

    @functools.cached_property
    def neutral(self) -> NDArray[np.float32]:
        """Posed vertices of the neutral face; the aligned crop is fitted to them."""
        return self.posed({}, (0.0, 0.0, 0.0))


def _rotation(degrees: Array) -> Array:
    """Pitch, then yaw, then roll."""
    (cp, cy, cr), (sp, sy, sr) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn: Array = roll @ yaw @ pitch
    return turn
