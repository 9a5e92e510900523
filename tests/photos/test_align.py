from __future__ import annotations

import numpy as np
import pytest
from similarities import similarity

from twocet.data.dataset import TEMPLATES
from twocet.photo import align


def test_template_has_the_numbers_of_its_definition():
    wanted = [(0.27463, 0.30535), (0.41537, 0.31465), (0.58463, 0.31465), (0.72537, 0.30535), (0.5, 0.53785)]
    assert np.allclose(align.TEMPLATE, wanted, atol=1e-9)


@pytest.mark.parametrize("degrees", [0, 17, 90, -160])
def test_fit_recovers_a_similarity(degrees):
    photo_to_crop = similarity(0.003, degrees, (0.4, -0.2))
    points = align.apply(align.invert(photo_to_crop), align.TEMPLATE)
    assert np.allclose(align.fit_similarity(points), photo_to_crop, atol=1e-12)


def test_fit_is_least_squares_in_the_crop():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 2)) * 100

    def error(matrix):
        return np.square(align.apply(matrix, points) - align.TEMPLATE).sum()

    best = align.fit_similarity(points)
    for _ in range(50):
        assert error(best + similarity(1e-5, rng.uniform(0, 360), rng.normal(size=2) * 1e-4)) > error(best)


def test_fit_never_mirrors():
    mirrored = align.TEMPLATE * (-1, 1)
    assert np.linalg.det(align.fit_similarity(mirrored)[:, :2]) > 0


def test_coincident_points_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        align.fit_similarity(np.ones((5, 2)))


def test_invert():
    matrix = similarity(0.01, 33, (0.1, 0.9))
    points = np.array([(3.0, 4.0), (-100.0, 20.0)])
    assert np.allclose(align.apply(align.invert(matrix), align.apply(matrix, points)), points)


def jaw(left, right):
    """478 landmarks of which only the jaw's ends count."""
    landmarks = np.zeros((478, 3))
    landmarks[127, :2], landmarks[356, :2] = left, right
    return landmarks


def test_jaw_square_has_the_authors_size_and_place():
    """Ends 100 apart: a side of 190 about a point 5 below their middle."""
    corners = align.apply(align.invert(align.jaw_square(jaw((250, 300), (350, 304)), 600, 700)), [(0, 0), (1, 1)])
    assert np.allclose(corners, [(300 - 95, 307 - 95), (300 + 95, 307 + 95)])


@pytest.mark.parametrize(
    ("width", "height", "wanted"),
    [(600, 380, [(205, 190), (395, 380)]), (390, 700, [(200, 212), (390, 402)]), (150, 700, [(0, 232), (150, 382)])],
)
def test_jaw_square_is_moved_into_the_photo_or_shrunk(width, height, wanted):
    crop_to_photo = align.invert(align.jaw_square(jaw((250, 300), (350, 304)), width, height))
    assert np.allclose(align.apply(crop_to_photo, [(0, 0), (1, 1)]), wanted)


def test_templates_are_known_by_name():
    landmarks = np.random.default_rng(0).uniform(100, 300, (478, 3))
    assert (align.align_to("paper-v1", landmarks, (400, 500)) == align.jaw_square(landmarks, 400, 500)).all()
    assert (align.align_to("eyes-nose-v1", landmarks, (400, 500)) == align.align(landmarks)).all()
    assert set(TEMPLATES) == {align.TEMPLATE_NAME, align.PAPER_TEMPLATE_NAME}
