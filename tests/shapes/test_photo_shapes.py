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
from twocet.shapes.photos import POINTS, SIZE, PhotoShapes

DOWN = torch.tensor([[1.0, 0.0]])


class Falling:
    """Codes move all points down by a tenth; faces whose nose (landmark 4) lies below the middle are expressive."""

    num_points, dimensions, metadata, config = (
        POINTS,
        3,
        {"codes": [[0.5, 0.0], [0.6, 0.1]]},
        SimpleNamespace(code_dim=2),
    )

    def remove(self, points: np.ndarray) -> np.ndarray:
        return points - [0, 0.1, 0] if points[0, 4, 1] > 0.5 else points

    def apply(self, points: np.ndarray, code: np.ndarray) -> np.ndarray:
        return points + np.array([0, 0.1 * code[0, 0], 0]) if code.any() else self.remove(points)

    def is_neutral(self, points: np.ndarray) -> np.ndarray:
        return points[:, 4, 1] <= 0.5

    def encode(self, points: np.ndarray) -> np.ndarray:
        return np.array([[points[0, 4, 1] - 0.5, 0]], np.float32)


def shapes(shift: float = 0.0) -> PhotoShapes:
    """Landmarks spread over the middle of the crop, or NaN, wherever one looks."""
    places = np.random.default_rng(0).uniform(0.3, 0.7, (478, 2)) + np.array([0, shift])
    places[4] = (0.5, 0.5 + shift)
    model: Any = Falling()
    return PhotoShapes(model, lambda _: np.column_stack([places, np.zeros(478)]) * SIZE)


IMAGE = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_pixels_go_where_landmarks_go() -> None:
    edit = shapes().edit(IMAGE, DOWN)
    assert edit.flow[0, 1, SIZE // 2, SIZE // 2] == pytest.approx(-0.1, abs=1e-3)
    assert edit.flow[0, 0].abs().max() < 1e-6
    assert edit.flow[0, :, 0].abs().max() < 0.01
    assert not edit.mask.any()


def test_half_the_strength_is_half_the_way() -> None:
    whole, half = (shapes().edit(IMAGE, DOWN, strength).flow[0, 1, SIZE // 2, SIZE // 2] for strength in (1.0, 0.5))
    assert float(half) == pytest.approx(float(whole) / 2, abs=2e-3)


def test_the_zero_code_takes_a_face_to_rest() -> None:
    assert shapes(0.05).edit(IMAGE, 0 * DOWN).flow[0, 1, SIZE // 2, SIZE // 2] == pytest.approx(0.1, abs=1e-3)
    assert not shapes().edit(IMAGE, 0 * DOWN).flow.any()


def test_it_says_where_landmarks_go() -> None:
    model, own = shapes(0.05), np.zeros(2, np.float32)
    assert isinstance(model, Mover)
    assert not model.at_rest(IMAGE, own)
    assert np.abs(model.from_rest(IMAGE, own) - [0, 0.1]).max() < 1e-6
    assert np.abs(model.given(IMAGE, DOWN[0].numpy()) - [0, 0.1]).max() < 1e-6
    assert model.given(IMAGE, DOWN[0].numpy()).shape == (478, 2)


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
