"""Mouths of real pixels: on rendered people, whose expressions are exact."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import twocet
from twocet.edit.inside import choose_inside, mouth_source
from twocet.edit.light import Light, light_ratio, softened
from twocet.edit.lips import CLOSED, CURVES, LOWER_INNER, UPPER_INNER, Slit, frame_of, gap_of, opening_of
from twocet.edit.shape import at_strength, closed, with_gap
from twocet.edit.warp import thin_plate
from twocet.synth import Head, Identity, render

SMILE = {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "mouthUpperUpLeft": 0.6, "mouthUpperUpRight": 0.6,
         "mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5, "jawOpen": 0.1}  # fmt: skip
CLOSED_SMILE = {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7}


def person(number, units):
    return render(Head(Identity.sample(number)), units, 512, "portrait", supersample=1).pixels


@pytest.fixture(scope="module")
def editor():
    return twocet.load()


@pytest.fixture(scope="module")
def target():
    return person(1_000_003, {})


@pytest.fixture(scope="module")
def smile():
    return person(1_000_010, SMILE)


def lips_of(editor, pixels):
    """(4, 11, 2) as found in a picture."""
    return editor.find_faces(pixels)[0].landmarks[:, :2].astype(float)[CURVES]


def between(pixels, lips, shrink=0.8):
    """(k, 3) the pixels between the lips, nearer to their middle line than to the lips."""
    frame = frame_of(lips)
    slit = Slit(frame.enter(lips))
    height, width = pixels.shape[:2]
    place = frame.enter(np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1))
    x, y = place[..., 0], place[..., 1]
    middle, half = (slit.upper(x) + slit.lower(x)) / 2, shrink * (slit.lower(x) - slit.upper(x)) / 2
    return pixels[(np.abs(x) < 0.3) & (np.abs(y - middle) < half)].astype(float)


def test_an_open_smile_opens_a_closed_mouth(editor, target, smile):
    made = editor.transfer(target, smile)
    assert opening_of(lips_of(editor, target)) < CLOSED
    wanted = opening_of(lips_of(editor, smile))
    assert wanted > 0.05
    assert opening_of(lips_of(editor, made.pixels)) == pytest.approx(wanted, rel=0.35)


def test_the_inside_is_the_references(editor, target, smile):
    made = between(editor.transfer(target, smile).pixels, lips_of(editor, editor.transfer(target, smile).pixels))
    painted = twocet.load(mouth="painted").transfer(target, smile).pixels
    given = between(smile, lips_of(editor, smile))
    assert np.abs(np.diff(made.mean(axis=1))).mean() == pytest.approx(
        np.abs(np.diff(given.mean(axis=1))).mean(), rel=0.5
    )
    assert not np.array_equal(painted, editor.transfer(target, smile).pixels)


def test_a_closed_reference_shows_no_teeth(editor, target):
    made = editor.transfer(target, person(1_000_010, CLOSED_SMILE))
    assert opening_of(lips_of(editor, made.pixels)) < 0.02


def test_strength_zero_of_a_neutral_photo_is_the_photo(editor, target, smile):
    assert np.array_equal(editor.transfer(target, smile, 0.0).pixels, target)


def test_a_mouth_opens_evenly_and_ever_more(editor, target, smile):
    openings = [opening_of(lips_of(editor, r.pixels)) for r in editor.continuum(target, smile, steps=7)]
    assert np.diff(openings).min() > -0.004
    assert openings[-1] > 0.05


def test_beyond_full_strength_lips_part_no_further_than_the_teeth_reach(editor, target, smile):
    full, more = (editor.transfer(target, smile, strength) for strength in (1.0, 1.6))
    lips = [lips_of(editor, result.pixels) for result in (full, more)]
    assert opening_of(lips[1]) < 1.35 * opening_of(lips[0])
    lowest = [
        np.quantile(between(r.pixels, lip, 0.9).mean(axis=1), 0.1) for r, lip in zip((full, more), lips, strict=True)
    ]
    assert lowest[1] > 0.7 * lowest[0]


def test_a_darker_photo_gets_a_darker_mouth(editor, target, smile):
    light, dark = (editor.transfer(photo, smile).pixels for photo in (target, target // 2))
    lips = lips_of(editor, light)
    assert between(dark, lips).mean() / between(light, lips).mean() == pytest.approx(0.5, abs=0.1)


def test_an_open_smile_is_closed(editor, smile):
    neutral = editor.neutralize(smile).pixels
    assert opening_of(lips_of(editor, neutral)) < 0.02


@pytest.mark.parametrize("number", [900_066, 900_071])
def test_closed_lips_that_landmarks_read_as_parted_are_closed(editor, number):
    """Thick lips, and a highlight on the lower one."""
    thick = person(number, {})
    assert opening_of(lips_of(editor, thick)) > CLOSED
    assert mouth_source(thick, editor.find_faces(thick)[0].landmarks[:, :2].astype(float)).opening < 0.001
    assert np.array_equal(editor.neutralize(thick).pixels, thick)


def test_lips_that_part_a_little_are_seen_to_part(editor):
    parted = person(1_000_003, {"jawOpen": 0.05})
    landmarks = editor.find_faces(parted)[0].landmarks[:, :2].astype(float)
    assert CLOSED < opening_of(landmarks[CURVES]) < 0.06
    assert mouth_source(parted, landmarks).opening > 2 * CLOSED
    # Where nothing has a colour, the landmarks are believed.
    grey = np.repeat(parted.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    assert mouth_source(grey, landmarks).opening > CLOSED


def test_the_own_mouth_goes_before_the_references(editor, smile):
    other = person(1_000_004, SMILE)
    own, given = (mouth_source(p, editor.find_faces(p)[0].landmarks[:, :2].astype(float)) for p in (smile, other))
    assert choose_inside(own.light, 0.05, (None, own), given).source is own
    assert choose_inside(own.light, 0.05, (given, own), None).source is given
    assert choose_inside(own.light, 0.05, (None, own._replace(lips=closed_lips(own.lips))), given).source is given
    assert choose_inside(own.light, 5 * own.opening, (None, own), given).source is given
    assert choose_inside(own.light, 0.05, (None,), None) is None


def test_teeth_as_small_as_the_blocks_of_a_jpeg_file_are_not_taken_from_another_person(editor, smile):
    small = np.asarray(Image.fromarray(smile).resize((256, 256)))
    mouth = mouth_source(small, editor.find_faces(small)[0].landmarks[:, :2].astype(float))
    assert choose_inside(mouth.light, 0.05, (None,), mouth) is None
    assert choose_inside(mouth.light, 0.05, (mouth,), None).source is mouth


def closed_lips(lips):
    flat = lips.copy()
    flat[LOWER_INNER] = flat[UPPER_INNER]
    return flat


def test_a_further_photo_of_the_person_gives_the_mouth(editor, target, smile):
    plain = editor.transfer(target, smile).pixels
    further = editor.transfer(target, smile, mouth_from=person(1_000_003, SMILE))
    assert not np.array_equal(further.pixels, plain)
    assert further.notes == ()
    noted = editor.transfer(target, smile, mouth_from=target)
    assert noted.notes == ("the photo for the mouth shows no open mouth.",)


def face(points=()):
    """(478, 2) a schematic face: a mouth 2 wide whose lips are 0.2 thick, and what ``points`` says."""
    landmarks = np.zeros((478, 2))
    across = np.linspace(-1, 1, 11)
    bulge = 0.2 * (1 - across**2)
    for border, height in enumerate((-bulge, 0 * across, 0 * across, bulge)):
        landmarks[CURVES[border]] = np.stack([across, height], axis=-1)
    return landmarks


def test_a_gap_opens_lips_of_the_same_thickness():
    gap = np.zeros((11, 2))
    gap[1:-1, 1] = 0.1
    opened = with_gap(face(), gap)
    assert gap_of(opened[CURVES]) == pytest.approx(gap)
    lips, before = opened[CURVES], face()[CURVES]
    assert lips[1] - lips[0] == pytest.approx(before[1] - before[0])
    assert lips[3] - lips[2] == pytest.approx(before[3] - before[2])
    assert closed(opened) == pytest.approx(face(), abs=0.08)
    assert opening_of(closed(opened)[CURVES]) == pytest.approx(0)


def test_lips_never_cross():
    gap = np.zeros((11, 2))
    gap[1:-1, 1] = 0.1
    full = with_gap(face(), gap)
    for strength in (-1.0, -0.2, 0.0, 0.4, 1.3):
        heights = gap_of(at_strength(face(), full, strength)[CURVES])[1:-1, 1]
        assert heights == pytest.approx(max(strength, 0) * 0.1)


def test_a_thin_plate_meets_its_values_and_keeps_affine_maps():
    random = np.random.default_rng(0)
    points, at = random.uniform(-1, 1, (20, 2)), random.uniform(-1, 1, (50, 2))
    values = random.normal(size=(20, 2))
    assert thin_plate(points, values, points) == pytest.approx(values, abs=1e-9)
    affine = np.array([(0.3, -0.2), (0.1, 0.9)])
    assert thin_plate(points, points @ affine + 0.4, at) == pytest.approx(at @ affine + 0.4, abs=1e-9)


def test_light_is_told_by_whites_more_than_by_skin():
    nothing = np.full(3, np.nan)
    usual = Light(np.array([178.0, 141, 127]), np.array([176.0, 166, 164]), nothing)
    half = Light(usual.skin / 2, usual.white / 2, nothing)
    assert light_ratio(half, usual) == pytest.approx(np.full(3, 0.5), abs=0.06)
    assert light_ratio(usual._replace(skin=usual.skin / 2), usual) == pytest.approx(np.ones(3))
    without = usual._replace(white=nothing)
    assert light_ratio(without._replace(skin=usual.skin / 2), without) == pytest.approx(np.full(3, 0.57), abs=0.03)
    bluish = usual._replace(skin=usual.skin * (0.8, 1, 1.2), white=usual.white * (0.8, 1, 1.2))
    assert light_ratio(bluish, usual) == pytest.approx((0.84, 1, 1.15), abs=0.02)


def test_teeth_stay_within_what_the_whites_allow():
    target = Light(np.array([250.0, 230, 220]), np.array([160.0, 160, 160]), np.full(3, np.nan))
    reference = Light(np.array([90.0, 70, 60]), np.array([150.0, 150, 150]), np.array([220.0, 215, 210]))
    teeth = light_ratio(target, reference) * reference.teeth
    assert teeth.mean() <= 1.2 * 160 + 1e-6


def test_teeth_are_never_greener_than_red_nor_a_white_bar():
    target = Light(np.array([250.0, 240, 235]), np.array([240.0, 245, 250]), np.full(3, np.nan))
    reference = Light(np.array([170.0, 130, 120]), np.array([160.0, 155, 150]), np.array([230.0, 230, 230]))
    teeth = light_ratio(target, reference) * reference.teeth
    assert 200 < teeth.mean() <= 225
    assert teeth[1] <= 0.981 * teeth[0]
    assert teeth[2] <= 0.961 * teeth[0]


def test_highlights_end_softly():
    ramp = np.linspace(0, 600, 601)[:, None].repeat(3, axis=1)
    soft = softened(ramp)
    assert np.array_equal(soft[:190], ramp[:190])
    assert np.diff(soft[:, 0]).min() >= 0
    assert soft.max() < 250
