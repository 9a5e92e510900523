"""Faces of twelve points: people differ in width, length and the height of their eyes, expressions move the mouth."""

from __future__ import annotations

import numpy as np

from twocet.shapes.config import ShapeConfig
from twocet.shapes.points import PointSets

EYES, NOSE = [(-3, 4), (-1.5, 4), (1.5, 4), (3, 4)], [(0, 3), (0, 1)]
LIPS, JAW = [(-1.5, -2), (0, -1.5), (1.5, -2), (0, -2.5)], [(-3, -1), (3, -1)]
FACE = np.array([*EYES, *NOSE, *LIPS, *JAW], np.float64)
MOUTH = np.isin(np.arange(12), (6, 7, 8, 9))
SMILE = np.where(MOUTH[:, None], [[0.0, 1.0]], 0.0) * np.where(np.abs(FACE[:, :1]) > 1, 1.0, -0.3)
OPEN = np.zeros((12, 2))
OPEN[9, 1] = -1.5
CONFIG = ShapeConfig(
    steps=400, batch=64, components=12, code_dim=4, width=48, depth=2, noise=0.005, lr=2e-3, log_every=100
)


def people(num: int, seed: int, dimensions: int = 2) -> np.ndarray:
    """(num, 12, d) faces at rest."""
    draws = np.random.default_rng(seed).normal(1, 0.1, (num, 2))
    faces = FACE * draws[:, None, :]
    faces[:, :4, 1] += np.random.default_rng(seed + 1).normal(0, 0.3, (num, 1))
    depth = np.broadcast_to(np.array([0, 0, 0, 0, 1, 2, 0.5, 0.7, 0.5, 0.5, -2, -2])[None, :, None], (num, 12, 1))
    return faces if dimensions == 2 else np.concatenate([faces, depth], axis=2)


def expressions(num: int, seed: int) -> np.ndarray:
    """(num, 12, 2) movements: a smile and an opened mouth, each from none to full."""
    smile, opened = np.random.default_rng(seed).uniform(0, 1, (2, num, 1, 1))
    return smile * SMILE + opened * OPEN


def placed(faces: np.ndarray, seed: int) -> np.ndarray:
    """The same faces anywhere, of any size, turned in the plane."""
    random = np.random.default_rng(seed)
    angle, size = random.uniform(-0.3, 0.3, len(faces)), random.uniform(5, 20, (len(faces), 1, 1))
    turn = np.tile(np.eye(faces.shape[2]), (len(faces), 1, 1))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 0, 1], turn[:, 1, 0] = -np.sin(angle), np.sin(angle)
    return size * faces @ turn.transpose(0, 2, 1) + random.normal(0, 50, (len(faces), 1, faces.shape[2]))


def unpaired(num: int = 120) -> PointSets:
    """Neutral faces of some people, expressive ones of others."""
    moved = people(num, 50) + expressions(num, 51)
    faces = np.concatenate([placed(people(num, 40), 41), placed(moved, 52)])
    return PointSets(points=faces, neutral=np.arange(2 * num) < num)


def known(num: int = 20) -> PointSets:
    """Everybody at rest and with the same three expressions, by name: ``smile``, ``open`` and ``units0``."""
    rest = people(num, 90)
    shown = {"neutral": 0 * SMILE, "smile": SMILE, "open": OPEN, "units0": 0.5 * SMILE + OPEN}
    return PointSets(
        points=np.concatenate([placed(rest + movement, 91 + k) for k, movement in enumerate(shown.values())]),
        neutral=np.arange(4 * num) < num,
        person=[f"p{k}" for k in range(num)] * 4,
        label=[name for name in shown for _ in range(num)],
    )
