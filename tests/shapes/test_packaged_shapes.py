"""The packaged label-free model."""

from __future__ import annotations

import numpy as np

from twocet.shapes import model as models
from twocet.shapes.photos import POINTS, PhotoShapes


def test_it_is_small_and_knows_faces_of_photos() -> None:
    path = models.find(models.PACKAGED)
    assert path.stat().st_size < 1_000_000
    assert models.is_shape_model(models.PACKAGED)
    model = models.load()
    assert (model.num_points, model.dimensions) == (POINTS, 3)
    assert PhotoShapes(model).code_dim == model.config.code_dim


def test_its_mean_face_is_nearly_at_rest_and_random_codes_move_it() -> None:
    model = models.load()
    rest = model.space.frame.mean[None]
    assert model.movement(rest, model.remove(rest))[0] < 2 * model.still
    moved = model.apply(rest, model.draw_codes(1, 0))
    assert model.movement(rest, moved)[0] > model.still
    assert np.isfinite(moved).all()
