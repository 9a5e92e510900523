"""Lids of the person's own skin, on a rendered person."""

from __future__ import annotations

import numpy as np
import pytest

import twocet
from twocet.edit.eyes import EYES, lids_of, share_open
from twocet.photo import align
from twocet.synth import Head, Identity, render

STRENGTHS = (0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def editor():
    return twocet.load()


@pytest.fixture(scope="module")
def target():
    return render(Head(Identity.sample(1_000_003)), {}, 512, "portrait", supersample=1).pixels


@pytest.fixture(scope="module")
def landmarks(editor, target):
    """(478, 2) photo pixels."""
    return editor.find_faces(target)[0].landmarks[:, :2].astype(float)


@pytest.fixture(scope="module")
def points(landmarks):
    return align.apply(align.align(landmarks), landmarks)


@pytest.fixture(scope="module")
def blinks(editor, target):
    return [editor.transfer(target, editor.preset("blink"), strength).pixels for strength in STRENGTHS]


def lowered(points, eye, share):
    """The same face, its upper lid lowered by a share of the eye's height."""
    moved = points.copy()
    inner = list(eye.upper[1:-1])
    moved[inner] += share * (points[list(eye.lower[1:-1])] - points[inner])
    return moved


@pytest.mark.parametrize("eye", EYES)
def test_lids_that_are_not_told_to_move_lie_still(eye, points):
    lids = lids_of(eye, points, points)
    assert not lids.upper.way.any()
    assert not lids.lower.way.any()


@pytest.mark.parametrize("eye", EYES)
def test_closed_lids_meet_all_along(eye, points):
    lids = lids_of(eye, points, lowered(points, eye, 0.95))
    assert np.allclose(lids.upper.goes[:, 1], lids.lower.goes[:, 1], atol=1e-9)
    assert (lids.upper.way[1:-1, 1] > -2 * lids.lower.way[1:-1, 1]).all()


@pytest.mark.parametrize("eye", EYES)
def test_what_the_whole_eye_does_moves_no_lid(eye, points):
    lids = lids_of(eye, points, points + np.array((0.0, 0.01)))
    assert np.abs(lids.upper.way).max() < 1e-9


def test_closed_eyes_are_left_alone(points):
    assert lids_of(EYES[0], lowered(points, EYES[0], 0.9), points) is None


def test_almost_closed_is_closed_and_more_is_more():
    told = np.linspace(0, 2, 50)
    shares = [share_open(value) for value in told]
    assert share_open(0.1) == 0
    assert share_open(1.0) == 1
    assert (np.diff(shares) >= 0).all()
    assert max(shares) < 1.5


def test_a_blink_covers_the_iris_step_by_step_with_skin(target, landmarks, blinks):
    for eye in EYES:
        x, y = landmarks[eye.iris]
        radius = np.hypot(*(landmarks[eye.iris + 1] - landmarks[eye.iris]))
        part = (
            slice(int(y - radius / 2), int(y + radius / 2) + 1),
            slice(int(x - radius / 2), int(x + radius / 2) + 1),
        )
        lid = target[int(y - 2.2 * radius), int(x)].astype(float)
        away = [np.abs(picture[part].astype(float) - lid).mean() for picture in (target, *blinks)]
        assert (np.diff(away) < 0.5).all()
        assert away[-1] < 0.5 * away[0]


def test_eyes_that_are_kept_do_not_close(editor, target, landmarks, blinks):
    kept = editor.transfer(target, editor.preset("blink"), regions=("eyes",)).pixels
    for eye in EYES:
        x, y = landmarks[eye.iris].astype(int)
        assert np.array_equal(kept[y - 3 : y + 4, x - 3 : x + 4], target[y - 3 : y + 4, x - 3 : x + 4])
        assert not np.array_equal(blinks[-1][y - 3 : y + 4, x - 3 : x + 4], target[y - 3 : y + 4, x - 3 : x + 4])


def test_a_surprised_eye_keeps_its_own_pupil(editor, target, landmarks):
    surprised = editor.transfer(target, editor.preset("surprise")).pixels.astype(int)
    for eye in EYES:
        x, y = landmarks[eye.iris].astype(int)
        pupil = (slice(y, y + 3), slice(x - 2, x + 3))
        assert np.abs(surprised[pupil] - target[pupil]).max() <= 12
