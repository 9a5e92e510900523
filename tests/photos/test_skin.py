"""Skin outside eyes and mouth keeps its own pixels; paint on it becomes light."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import twocet
from twocet.edit.skin import EYES, blurred, lit
from twocet.networks.edit import Edit
from twocet.photo import align, resample
from twocet.photo.scaling import to_image
from twocet.synth import Head, Identity, render

SIZE = 128


@pytest.fixture(scope="module")
def face():
    """A crop (1, 3, 128, 128) and its landmarks in crop sides."""
    pixels = render(Head(Identity.sample(1_000_003)), {}, 512, "portrait", supersample=1).pixels
    landmarks = twocet.load().find_faces(pixels)[0].landmarks[:, :2].astype(float)
    photo_to_crop = align.align(landmarks)
    return to_image(resample.crop(pixels, photo_to_crop, SIZE)), align.apply(photo_to_crop, landmarks)


def edit_of(flow=0.0, mask=0.0, colour=0.0):
    return Edit(*(torch.full((1, count, SIZE, SIZE), value) for count, value in ((2, flow), (1, mask), (3, colour))))


def at(field, points):
    """``field`` (1, 1, S, S) at a point in crop sides."""
    x, y = (SIZE * points).astype(int)
    return float(field[0, 0, y, x])


CHEEK, OTHER_CHEEK = 50, 280


def test_an_edit_of_nothing_changes_nothing(face):
    change = lit(edit_of(), *face)
    assert float(change.flow.abs().max()) == float(change.light.abs().max()) == float(change.mask.max()) == 0


def test_paint_on_a_cheek_becomes_as_much_light_and_no_colour(face):
    image, points = face
    brighter = ((image + 1) * np.exp(0.1) - 1).clamp(max=1)
    change = lit(Edit(edit_of().flow, torch.ones(1, 1, SIZE, SIZE), brighter), image, points)
    assert at(change.mask, points[CHEEK]) == 0
    assert at(change.light, points[CHEEK]) == pytest.approx(0.1, abs=0.02)


def test_paint_of_another_tint_and_the_same_brightness_is_no_light(face):
    image, points = face
    tinted = image + torch.tensor([0.2, -0.1019, 0.0]).view(1, 3, 1, 1)
    change = lit(Edit(edit_of().flow, torch.full((1, 1, SIZE, SIZE), 0.5), tinted), image, points)
    assert abs(at(change.light, points[OTHER_CHEEK])) < 0.005


def test_light_is_limited(face):
    change = lit(edit_of(mask=1.0, colour=-1.0), *face)
    assert float(change.light.abs().max()) < 0.21


def test_eyes_keep_their_paint_where_nothing_else_moves_their_lids(face):
    image, points = face
    assert float(lit(edit_of(mask=0.5), image, points).mask.max()) == 0
    change = lit(edit_of(mask=0.5), image, points, painted_eyes=True)
    for outline in EYES:
        middle = points[list(outline)].mean(axis=0)
        assert at(change.mask, middle) > 0.49
        assert abs(at(change.light, middle)) < 0.01


def test_movement_of_the_forehead_loses_its_ripples_and_keeps_its_way(face):
    image, points = face
    rows = torch.arange(SIZE).view(1, 1, SIZE, 1)
    ripples = 0.01 * torch.sin(rows * 2 * torch.pi / 6)
    change = lit(edit_of(flow=0.02)._replace(flow=0.02 + ripples.expand(1, 2, SIZE, SIZE)), image, points)
    x, y = (SIZE * points[151]).astype(int)
    forehead = change.flow[0, 0, y - 6 : y, x]
    assert float((forehead - 0.02).abs().max()) < 0.002


def test_a_blurred_constant_is_itself_and_a_step_is_halved_at_its_place():
    step = (torch.arange(64) >= 32).float().view(1, 1, 1, 64).expand(1, 2, 64, 64)
    soft = blurred(step, 3 / 64)
    assert torch.allclose(blurred(torch.ones(1, 1, 64, 64), 0.05), torch.ones(1, 1, 64, 64))
    assert float(soft[0, 1, 5, 31:33].mean()) == pytest.approx(0.5, abs=1e-4)
    assert float(soft[0, 0, 5, 35]) == pytest.approx(0.5 + 0.5 * 0.757, abs=0.01)


def test_edits_smaller_than_the_crop_are_taken_at_its_size():
    points = np.random.default_rng(0).uniform(0.2, 0.8, (478, 2))
    image = torch.zeros(1, 3, 64, 64)
    small = Edit(torch.zeros(1, 2, 32, 32), torch.full((1, 1, 32, 32), 0.5), torch.ones(1, 3, 32, 32))
    assert all(field.shape[-2:] == (64, 64) for field in lit(small, image, points))
