"""Photos moved by landmarks: dots on plain ground, and what lies between the lips."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from twocet.networks.edit import warp
from twocet.pairs import morph

SIDE = 64
EYES_MOUTH = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75], [0.5, 0.5]])
LIFTED = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [0, -0.125]])
"""The last landmark is an eighth of the crop above its place."""


def test_a_face_that_stays_shows_its_own_pixels():
    assert np.abs(morph.flow(EYES_MOUTH, EYES_MOUTH, SIDE)).max() < 1e-12


def test_the_flow_leads_from_where_a_landmark_is_wanted_to_where_it_is():
    flow = morph.flow(EYES_MOUTH + LIFTED, EYES_MOUTH, SIDE)
    # Pixels meet at the middle of the crop: half a pixel away in each direction, of a triangle of 16 pixels.
    assert flow[1, 31:33, 31:33] == pytest.approx(-0.125 * (1 - 0.5 / 16), abs=0.004)
    assert np.abs(flow[0]).max() < 1e-12
    assert np.abs(flow[:, 0]).max() < 1e-12
    assert np.abs(flow[:, :, -1]).max() < 1e-12
    # Between a landmark that moves and one that does not: half of it.
    assert flow[1, 24, 24] == pytest.approx(-0.125 / 2, abs=0.006)


def test_flows_of_several_photos_are_those_of_each():
    shown = np.stack([EYES_MOUTH + LIFTED, EYES_MOUTH + 0.02])
    both = morph.flow(shown, EYES_MOUTH, SIDE)
    assert both.shape == (2, 2, SIDE, SIDE)
    for k in range(2):
        assert both[k] == pytest.approx(morph.flow(shown[k], EYES_MOUTH, SIDE))


def face(opening):
    """478 landmarks: the inner lips are an ellipse about (0.5, 0.7), a quarter wide, ``opening`` high; others above."""
    points = np.random.default_rng(0).uniform(0.05, 0.4, size=(478, 2))
    angles = np.pi - np.arange(20) / 20 * 2 * np.pi
    points[list(morph.INNER_LIPS)] = np.stack(
        [0.5 + 0.125 * np.cos(angles), 0.7 - opening / 2 * np.sin(angles)], axis=1
    )
    return points


@pytest.mark.parametrize("size", [64, 128])
def test_the_inside_of_the_mouth_has_the_area_of_its_polygon(size):
    corners = face(0.2)[list(morph.INNER_LIPS)]
    x, y = corners.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    mask = morph.inside_mouth(face(0.2), size)
    assert mask.shape == (1, size, size)
    assert float(mask.mean()) == pytest.approx(area, rel=0.05)
    rows, columns = (index.double() + 0.5 for index in torch.meshgrid(*[torch.arange(size)] * 2, indexing="ij"))
    assert float((mask[0] * rows).sum() / mask.sum()) / size == pytest.approx(0.7, abs=0.003)
    assert float((mask[0] * columns).sum() / mask.sum()) / size == pytest.approx(0.5, abs=0.003)


def test_an_opened_mouth_shows_what_the_other_mouth_holds():
    """A grey face opens its mouth as a white one does: white between the lips, grey everywhere else."""
    grey, white = (torch.full((1, 3, SIDE, SIDE), value, dtype=torch.uint8) for value in (90, 240))
    shut, wide = face(0.01)[None], face(0.2)[None]
    flow = morph.flows(shut, wide, SIDE)
    made = morph.moved_with_mouths(grey, flow, white, torch.zeros_like(flow), wide)
    inside = morph.inside_mouth(wide[0], SIDE)[0]
    assert (made[0, :, inside == 1] == 240).all()
    assert (made[0, :, inside == 0] == 90).all()
    assert (inside == 1).sum() > 60


def test_a_lent_mouth_is_moved_to_its_place():
    """The lender's mouth holds a dot in its middle and lies lower than where it is wanted."""
    grey, lender = (torch.full((1, 3, SIDE, SIDE), 90, dtype=torch.uint8) for _ in range(2))
    wide, low = face(0.2)[None], face(0.2)[None]
    low[:, list(morph.INNER_LIPS), 1] += 0.125
    middle = round((0.7 + 0.125) * SIDE)
    lender[:, :, middle - 2 : middle + 2, 30:34] = 250
    flows = morph.flows(np.stack([face(0.01)[None], low], axis=1), wide, SIDE)
    made = morph.moved_with_mouths(grey, flows[:, 0], lender, flows[:, 1], wide)
    place = round(0.7 * SIDE)
    assert made[0, :, place - 1 : place + 1, 31:33].min() > 200
    assert made[0, :, middle - 1 : middle + 1].max() < 100


def test_there_and_back_is_where_it_began():
    flow = morph.flows((EYES_MOUTH + LIFTED)[None], EYES_MOUTH[None], SIDE)
    both = morph.there_and_back(flow, 32)
    assert both.shape == (1, 4, 32, 32)
    assert both.dtype == torch.float16
    there, back = both.float().split(2, dim=1)
    assert there == pytest.approx(torch.nn.functional.avg_pool2d(flow, 2).numpy(), abs=1e-4)
    # Where pixel p of the way back comes from, the way there comes from p: within a twentieth of a pixel.
    assert float((back + warp(there, back)).abs().max()) < 0.05 / 32
    assert float(there.abs().max()) > 0.1
