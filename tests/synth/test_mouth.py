from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from twocet.synth import EXPRESSIONS, Head, Identity, random_units, render
from twocet.synth.assets import TEETH, TONGUE
from twocet.synth.light import seen_through
from twocet.synth.lips import LIP_LINE
from twocet.synth.subdivide import subdivision
from twocet.synth.teeth import LOWER_LIP, UPPER_LIP_EDGE

MILLIMETRE = 0.01
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
CUBE_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
GRID_QUADS = np.array([[i, i + 1, i + 5, i + 4] for i in range(11) if i % 4 < 3])


@pytest.fixture(scope="module")
def people(head, other_head):
    return [head, other_head, *(Head(Identity.sample(seed)) for seed in (3, 11))]


def teeth_of(head, units):
    """Upper and lower incisors (n, 3)."""
    teeth = head.shape(units)[head.span["teeth"]]
    parts = head.assets.teeth_map
    return teeth[parts.central & ~parts.on_jaw], teeth[parts.central & parts.on_jaw]


def test_a_cube_is_subdivided_as_catmull_and_clark_do():
    """By hand: a corner has F = (1/3, 1/3, 1/3), R = (2/3, 2/3, 2/3) and valence 3, so 5/9."""
    step = subdivision(CUBE_QUADS, 8)
    finer = step(CUBE)
    assert finer.shape == (8 + 12 + 6, 3)
    np.testing.assert_allclose(finer[:8], CUBE * 5 / 9, atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(finer[8:20]), 1), np.tile([0, 0.75, 0.75], (12, 1)), atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(finer[20:]), 1), np.tile([0, 0, 1], (6, 1)), atol=1e-6)
    assert step.finer.shape == (24, 4)


def test_subdivision_keeps_the_border_and_flat_surfaces():
    step = subdivision(GRID_QUADS, 16)
    flat = np.stack([np.arange(16) % 4, np.arange(16) // 4, np.full(16, 2.0)], 1)
    np.testing.assert_allclose(step(flat)[:16], flat, atol=1e-6)
    rough = np.random.default_rng(0).normal(size=(16, 1))
    border = [i for i in range(16) if i % 4 in (0, 3) or i // 4 in (0, 3)]
    np.testing.assert_allclose(step(rough)[border], rough[border], atol=1e-6)
    assert np.abs(step(rough)[[5, 6, 9, 10]] - rough[[5, 6, 9, 10]]).min() > 1e-3


def test_a_disc_fills_the_share_of_the_hemisphere_that_it_should():
    """r^2 / (r^2 + d^2) for a disc of radius r at distance d before a surface that faces it."""
    turn = np.linspace(0, 2 * math.pi, 256, endpoint=False)
    disc = np.stack([np.cos(turn), np.sin(turn), np.zeros(256)], 1)
    points = np.array([[0, 0, -1.0], [0, 0, -3.0], [0, 0, -0.1]])
    vectors = np.empty_like(points)
    seen_through(points, disc, vectors)
    np.testing.assert_allclose(vectors[:, 2], [1 / 2, 1 / 10, 1 / 1.01], atol=1e-3)


@pytest.mark.parametrize("unit", ["mouthSmileLeft", "mouthUpperUpLeft", "mouthFunnel", "eyeBlinkRight", "browInnerUp"])
def test_only_the_jaw_moves_teeth_and_tongue(head, unit):
    still, moved = head.shape({}), head.shape({unit: 1.0})
    for part in ("teeth", "tongue"):
        np.testing.assert_array_equal(moved[head.span[part]], still[head.span[part]])


def test_upper_teeth_stay_while_the_jaw_drops(head):
    upper, lower = teeth_of(head, {})
    dropped_upper, dropped_lower = teeth_of(head, {"jawOpen": 1.0})
    np.testing.assert_array_equal(dropped_upper, upper)
    assert (dropped_lower - lower)[:, 1].max() < -25 * MILLIMETRE


@pytest.mark.parametrize("drop", [0.3, 0.6, 0.9])
def test_a_dropped_jaw_shows_upper_incisors_and_hides_the_lower_row(people, drop):
    """Of the upper row 2 to 4 mm, as in life; the lower lip reaches the edge of the lower row."""
    for head in people:
        shape = head.shape({"jawOpen": drop})
        upper, lower = teeth_of(head, {"jawOpen": drop})
        shown = shape[list(UPPER_LIP_EDGE), 1].min() - upper[:, 1].min()
        assert 2 * MILLIMETRE < shown < 4.5 * MILLIMETRE
        assert lower[:, 1].max() - shape[LOWER_LIP, 1] < 1 * MILLIMETRE


def test_teeth_and_tongue_never_come_through_the_lips(people):
    size, rng = 192, np.random.default_rng(5)
    for head in people:
        for units in [{}, *EXPRESSIONS.values(), *(random_units(rng) for _ in range(4))]:
            picture = render(head, units, size, "portrait", supersample=1)
            opening = Image.new("L", (size, size))
            line = picture.vertices[list(LIP_LINE)] * size
            ImageDraw.Draw(opening).polygon([tuple(point) for point in line], fill=255)
            outside = np.asarray(opening.filter(ImageFilter.MaxFilter(5))) == 0
            assert not (np.isin(picture.segmentation, (TEETH, TONGUE)) & outside).any()


def test_the_mouth_darkens_with_depth(head):
    """A dropped jaw: teeth at the front are lit, the tongue fades, the throat is nearly black."""
    picture = render(head, {"jawOpen": 0.9}, 256, "portrait")
    level = picture.pixels.mean(2)
    upper = np.isin(picture.segmentation, TEETH)
    tongue = np.nonzero(picture.segmentation == TONGUE)
    near, far = (level[tongue[0][pick], tongue[1][pick]].mean() for pick in (tongue[0].argsort()[-40:], slice(40)))
    assert level[upper].max() > 110 > near > 1.5 * far


def folds(vertices, quads):
    """Angles in degrees between quads that share an edge, their 99th percentile."""
    a, b, c, d = np.moveaxis(vertices[quads], 1, 0)
    normal = np.cross(c - a, d - b)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    step = subdivision(quads, quads.max() + 1)
    first, second = step.edge_quads[step.edge_quads[:, 0] != step.edge_quads[:, 1]].T
    return np.percentile(np.degrees(np.arccos(np.clip((normal[first] * normal[second]).sum(1), -1, 1))), 99)


def test_lips_are_drawn_smooth(head):
    """Folds between the quads of a dropped jaw's lips, which the body's own mesh shows as corners."""
    patch, shape = head.assets.lip_patch, head.shape({"jawOpen": 0.8})
    drawn = np.concatenate([shape[patch.vertices], shape[head.num_coarse :]])
    assert folds(shape[patch.vertices], patch.steps[0].quads) > 45
    assert folds(drawn, patch.steps[-1].finer) < 25
