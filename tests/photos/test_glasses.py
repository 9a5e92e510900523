"""Glasses are found and do not bend: on a rendered person with glasses drawn on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

import twocet
from twocet.edit.glasses import glasses_on
from twocet.photo import align
from twocet.synth import Head, Identity, render


@pytest.fixture(scope="module")
def editor():
    return twocet.load()


@pytest.fixture(scope="module")
def bare():
    return render(Head(Identity.sample(1_000_003)), {}, 512, "portrait", supersample=1).pixels


@pytest.fixture(scope="module")
def landmarks(editor, bare):
    return editor.find_faces(bare)[0].landmarks[:, :2].astype(float)


@pytest.fixture(scope="module")
def wearing(bare, landmarks):
    """With round lenses and a bridge, dark lines of 3 pixels."""
    picture = Image.fromarray(bare)
    draw = ImageDraw.Draw(picture)
    inner = []
    for corners, side in (((33, 133), 1), ((362, 263), -1)):
        x, y = landmarks[list(corners)].mean(axis=0)
        radius = 0.75 * np.hypot(*(landmarks[corners[0]] - landmarks[corners[1]]))
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=(40, 30, 30), width=3)
        inner.append((x + side * radius, y))
    draw.line(inner, fill=(40, 30, 30), width=3)
    return np.asarray(picture)


def region(pixels, landmarks):
    photo_to_crop = align.align(landmarks)
    return glasses_on(pixels, photo_to_crop, align.apply(photo_to_crop, landmarks), 128)


def test_a_bare_face_has_no_glasses(bare, landmarks):
    assert region(bare, landmarks) is None


def test_glasses_are_found_about_the_eyes_and_not_about_the_mouth(wearing, landmarks):
    found = region(wearing, landmarks)[0, 0].numpy()
    places = (128 * align.apply(align.align(landmarks), landmarks)).astype(int)
    assert min(found[places[k, 1], places[k, 0]] for k in (33, 133, 168, 362, 263, 105, 334)) > 0.95
    assert max(found[places[k, 1], places[k, 0]] for k in (13, 152, 61, 291)) < 0.01


def test_frames_keep_their_place_when_brows_rise(editor, bare, wearing, landmarks):
    surprise = editor.preset("surprise")
    (x, y), (left, right) = landmarks[105], landmarks[[133, 362]]
    bridge = np.s_[int(left[1]) - 6 : int(left[1]) + 7, int((left + right)[0] / 2) - 5 : int((left + right)[0] / 2) + 6]
    brow = np.s_[int(y) - 4 : int(y) + 5, int(x) - 8 : int(x) + 9]

    def change(pixels, part):
        return np.abs(editor.transfer(pixels, surprise).pixels[part].astype(float) - pixels[part]).mean()

    assert change(wearing, bridge) < 4
    assert change(wearing, brow) < 0.5 * change(bare, brow)
