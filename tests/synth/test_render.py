from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twocet.photo.align import TEMPLATE, apply, fit_similarity
from twocet.synth import EXPRESSIONS, FACE_UNITS, Head, Identity, render
from twocet.synth.assets import CLOTH, SKIN, TEETH
from twocet.synth.camera import LANDMARK_VERTICES

LANDMARKS = list(LANDMARK_VERTICES)
SMILE = {unit: 0.8 * weight for unit, weight in EXPRESSIONS["happy"].items()}
WRINKLES = EXPRESSIONS["disgust"] | {"browInnerUp": 1.0, "eyeWideLeft": 0.5, "jawOpen": 0.3}


def point(picture, landmark):
    return picture.landmarks[LANDMARKS.index(landmark)]


@pytest.mark.parametrize(
    ("seed", "units", "view", "stored"),
    [(0, SMILE, "aligned", "smile.png"), (1_000_003, WRINKLES, "portrait", "wrinkles.png")],
)
def test_picture_is_the_stored_one(seed, units, view, stored):
    """Bit-equal on one machine; the tolerance is for processors whose fused arithmetic rounds otherwise."""
    pixels = render(Head(Identity.sample(seed)), units, view=view).pixels
    with Image.open(Path(__file__).parent / stored) as expected:
        difference = np.abs(pixels.astype(int) - np.asarray(expected))
    assert (difference > 0).mean() < 0.002
    assert (difference > 2).mean() < 0.0002


def test_same_seed_gives_the_same_pixels(head):
    again = Head(Identity.sample(0))
    assert np.array_equal(render(head, SMILE).pixels, render(again, SMILE).pixels)


def test_identities_differ(head, other_head):
    difference = np.abs(render(head, {}).pixels.astype(int) - render(other_head, {}).pixels)
    assert difference.mean() > 10
    assert Identity.sample(0) != Identity.sample(1)


@pytest.mark.parametrize("unit", FACE_UNITS)
def test_geometry_is_linear_in_strength(head, unit):
    neutral, half, full = (head.shape({unit: weight}) for weight in (0.0, 0.5, 1.0))
    assert np.abs(full - neutral).max() > 0.01
    np.testing.assert_allclose(full - neutral, 2 * (half - neutral), atol=5e-6)


def test_geometry_adds_over_units(head):
    neutral = head.shape({})
    apart = sum(head.shape({unit: 0.7}) - neutral for unit in ("jawOpen", "browInnerUp", "mouthSmileLeft"))
    together = head.shape({"jawOpen": 0.7, "browInnerUp": 0.7, "mouthSmileLeft": 0.7}) - neutral
    np.testing.assert_allclose(together, apart, atol=5e-6)


def test_unknown_unit_is_refused(head):
    with pytest.raises(ValueError, match="'smile' is not a face unit"):
        render(head, {"smile": 1.0})


@pytest.mark.parametrize("size", [64, 128])
def test_neutral_landmarks_lie_on_the_template(head, other_head, size):
    for someone in (head, other_head):
        aligned = render(someone, {}, size).landmarks[:5]
        assert np.abs(aligned - TEMPLATE).max() < 0.03  # faces differ; the fit is least squares
        portrait = render(someone, {}, size, "portrait").landmarks[:5]
        np.testing.assert_allclose(aligned, apply(fit_similarity(portrait), portrait), atol=1e-6)
        np.testing.assert_allclose(fit_similarity(aligned), [[1, 0, 0], [0, 1, 0]], atol=1e-5)


def test_expression_does_not_move_the_crop(head):
    """The back of the head stays where it is while the mouth opens."""
    neutral, open_mouth = render(head, {}), render(head, {"jawOpen": 1.0})
    back = np.argsort(head.assets.base[:, 2])[:200]
    np.testing.assert_array_equal(open_mouth.vertices[back], neutral.vertices[back])
    assert (point(open_mouth, 152) - point(neutral, 152))[1] > 0.03


def test_sides_are_those_of_the_person(head):
    """The person's left eye is on the right of the picture."""
    neutral, wink = render(head, {}), render(head, {"eyeBlinkLeft": 1.0})
    lids = np.linalg.norm(wink.vertices - neutral.vertices, axis=1)[: head.num_body].argsort()[-20:]
    assert neutral.vertices[lids, 0].min() > 0.5
    changed = np.abs(wink.pixels.astype(int) - neutral.pixels).sum(2) > 30
    assert changed[:, 64:].sum() > 50
    assert changed[:, :60].sum() == 0


def test_smile_widens_the_mouth_and_shows_teeth(head):
    neutral, smile = render(head, {}), render(head, EXPRESSIONS["laugh"])
    assert point(smile, 291)[0] - point(smile, 61)[0] > point(neutral, 291)[0] - point(neutral, 61)[0] + 0.02
    assert (neutral.segmentation == TEETH).sum() < 20 < 100 < (smile.segmentation == TEETH).sum()


def test_segmentation_matches_the_landmarks(head):
    portrait = render(head, {}, 96, "portrait")
    column, row = (portrait.landmarks[LANDMARKS.index(4)] * 96).astype(int)
    assert portrait.segmentation[row, column] == SKIN
    assert portrait.segmentation[0, 0] == portrait.segmentation[0, -1] == -1
    assert (portrait.segmentation == CLOTH).any()
    assert portrait.pixels.shape == (96, 96, 3)


def test_light_does_not_depend_on_the_size(other_head):
    large = render(other_head, {}, 128).pixels.reshape(64, 2, 64, 2, 3).mean((1, 3))
    small = render(Head(Identity.sample(1_000_003)), {}, 64).pixels
    assert np.abs(large - small).mean() < 2


def test_pose_turns_the_head(head):
    ahead, turned = (render(head, {}, pose=(0.0, yaw, 0.0)) for yaw in (0.0, 10.0))
    assert abs(point(turned, 4)[0] - point(ahead, 4)[0]) > 0.02
    assert abs(point(turned, 4)[1] - point(ahead, 4)[1]) < 0.01


def test_record_of_an_identity_is_what_was_rendered():
    record = Identity.sample(7).to_json()
    assert Identity(**record) == Identity.sample(7)
    assert record["age"] == round(record["age"], 4)
    assert sum(record["origin"].values()) == pytest.approx(1, abs=2e-4)
