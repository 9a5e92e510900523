"""A shape model as a model of photos, told where the landmarks are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from twocet.edit.crops import CropEditor
from twocet.edit.shape import Mover
from twocet.errors import UserError
from twocet.model.interface import Encodes, ExpressionModel, Neutralizes, Samples
from twocet.shapes.photos import POINTS, SIZE, PhotoShapes, standing

DOWN = torch.tensor([[1.0, 0.0]])
MIDDLE = (np.arange(POINTS) < 100)[:, None]
"""Landmarks that move; the others lie about them."""


class Falling:
    """Codes move the middle down by a tenth; faces whose nose (landmark 4) lies below the middle are expressive."""

    num_points, dimensions, metadata, config = (
        POINTS,
        3,
        {"codes": [[0.5, 0.0], [0.6, 0.1]]},
        SimpleNamespace(code_dim=2),
    )

    def remove(self, points: np.ndarray) -> np.ndarray:
        return points - MIDDLE * [0, 0.1, 0] if points[0, 4, 1] > 0.5 else points

    def apply(self, points: np.ndarray, code: np.ndarray) -> np.ndarray:
        return points + MIDDLE * [0, 0.1 * code[0, 0], 0] if code.any() else self.remove(points)

    def is_neutral(self, points: np.ndarray) -> np.ndarray:
        return points[:, 4, 1] <= 0.5

    def encode(self, points: np.ndarray) -> np.ndarray:
        return np.array([[points[0, 4, 1] - 0.5, 0]], np.float32)


def shapes(shift: float = 0.0) -> PhotoShapes:
    """Landmarks about the middle of the crop, the nose in it and so much lower, wherever one looks."""
    away = np.random.default_rng(0).uniform(-0.2, 0.2, (478, 2))
    places = 0.5 + away * np.maximum(1, 0.17 / np.linalg.norm(away, axis=1, keepdims=True))
    places[:100] = np.random.default_rng(1).uniform(0.45, 0.55, (100, 2))
    places[4] = 0.5
    places[:100, 1] += shift
    model: Any = Falling()
    return PhotoShapes(model, lambda _: np.column_stack([places, np.zeros(478)]) * SIZE)


IMAGE = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_pixels_go_where_landmarks_go() -> None:
    edit = shapes().edit(IMAGE, DOWN)
    assert edit.flow[0, 1, int(0.6 * SIZE), SIZE // 2] == pytest.approx(-0.1, abs=0.01)
    assert edit.flow[0, 0].abs().max() < 1e-3
    assert edit.flow[0, :, 0].abs().max() < 0.01
    assert not edit.mask.any()


def test_half_the_strength_is_half_the_way() -> None:
    half = shapes().edit(IMAGE, DOWN, 0.5).flow[0, 1, int(0.55 * SIZE), SIZE // 2]
    assert half == pytest.approx(-0.05, abs=0.005)


def test_the_zero_code_takes_a_face_to_rest() -> None:
    assert shapes(0.05).edit(IMAGE, 0 * DOWN).flow[0, 1, SIZE // 2, SIZE // 2] == pytest.approx(0.1, abs=0.02)
    assert not shapes().edit(IMAGE, 0 * DOWN).flow.any()


def test_it_says_where_landmarks_go() -> None:
    model, own = shapes(0.05), np.zeros(2, np.float32)
    assert isinstance(model, Mover)
    assert not model.at_rest(IMAGE, own)
    for moved in (model.from_rest(IMAGE, own), model.given(IMAGE, DOWN[0].numpy())):
        assert moved.shape == (478, 2)
        assert np.abs(moved[:POINTS] - MIDDLE * [0, 0.1]).max() < 1e-3


def test_what_moves_the_whole_face_is_taken_off() -> None:
    places = np.random.default_rng(0).uniform(size=(300, 2))
    jaw = np.where(places[:, 1:] > 0.75, [[0.0, 0.1]], 0.0)
    turned = places @ np.array([[0.99, 0.02], [-0.02, 0.99]]) - places + [0.03, -0.02]
    assert np.abs(standing(jaw + turned, places) - jaw).max() < 2e-3
    assert np.isnan(standing(np.full((300, 2), np.nan), places)).all()


def test_where_no_face_is_found_nothing_moves() -> None:
    falling: Any = Falling()
    model = PhotoShapes(falling, lambda _: np.full((478, 3), np.nan))
    assert not model.edit(IMAGE, DOWN).flow.any()
    assert not model.encode(IMAGE).any()
    assert model.at_rest(IMAGE, np.zeros(2, np.float32))
    assert torch.allclose(CropEditor(model).transfer(IMAGE, IMAGE), IMAGE, atol=0.01)


def test_other_points_are_refused() -> None:
    model: Any = SimpleNamespace(num_points=12, dimensions=2)
    with pytest.raises(UserError, match="468 points in 3 dimensions"):
        PhotoShapes(model)


def test_crops_are_transferred_neutralized_sampled_and_encoded() -> None:
    editor = CropEditor(shapes())
    for ability in (ExpressionModel, Neutralizes, Samples, Encodes):
        assert isinstance(editor, ability)
    assert editor.sample(IMAGE, torch.Generator().manual_seed(0)).shape == IMAGE.shape


def test_small_crops_are_worked_on_at_the_size_of_the_model_and_come_back_small() -> None:
    small = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    editor = CropEditor(shapes(), 64)
    assert editor.size == 64
    assert "template" not in editor.metadata
    made = editor.neutralize(small)
    assert made.shape == small.shape
    assert float((made - small).abs().mean()) < 0.02
    large = CropEditor(shapes()).transfer(IMAGE, IMAGE)
    assert editor.transfer(IMAGE, IMAGE).equal(large)
