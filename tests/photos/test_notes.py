"""What cannot be done well is said, and refused if strict."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from twocet.commands.demo import example_pairs
from twocet.edit.editor import Editor
from twocet.edit.notes import eyes_closed, head_pose, looks_drawn, notes_on_strength
from twocet.errors import UserError
from twocet.photo.images import read_photo
from twocet.synth import Head, Identity, render

CODE = np.array([1.0, 0, 0, 0], np.float32)


@pytest.fixture(scope="module")
def head():
    return Head(Identity.sample(1_000_003))


def turned(head, pitch=0.0, yaw=0.0, units=None):
    return render(head, units or {}, 512, "portrait", 1, (pitch, yaw, 0.0)).pixels


@pytest.mark.parametrize(("pitch", "yaw"), [(0, 0), (0, -40), (0, 30), (-30, 0), (25, 0), (20, -30)])
def test_the_turn_of_the_head_is_read(finder, head, pitch, yaw):
    found = head_pose(finder.find(turned(head, pitch, yaw))[0].landmarks)
    assert found.yaw == pytest.approx(yaw, abs=8)
    assert found.pitch == pytest.approx(pitch, abs=10)


def test_the_turn_of_the_head_is_the_same_in_a_turned_photo(finder, head):
    landmarks = finder.find(turned(head, 20, 30))[0].landmarks.astype(float)
    rolled = np.column_stack([landmarks[:, 1], 512 - landmarks[:, 0], landmarks[:, 2]])
    assert head_pose(rolled) == pytest.approx(head_pose(landmarks))


def test_a_face_from_the_front_has_no_notes(editor):
    for pair in example_pairs():
        for file in (pair.target, pair.reference):
            assert editor.transfer(read_photo(file), CODE).notes == (), file.name


def test_a_face_from_the_side_or_from_below_is_noted(editor, head):
    (note,) = editor.transfer(turned(head, yaw=40), CODE).notes
    assert note.startswith("the target: the face is seen from the side (")
    assert 30 < int(note.partition("(")[2].split()[0]) < 50
    (note,) = editor.transfer(turned(head, pitch=-35), CODE).notes
    assert note.startswith("the target: the face is seen from below (")


def test_a_face_at_the_border_is_noted(editor, portrait, finder):
    left, _, right, _ = finder.find(portrait)[0].box
    cut = np.ascontiguousarray(portrait[:, int(left + 0.1 * (right - left)) :])
    (note,) = editor.transfer(cut, CODE).notes
    assert "cut off by the border" in note


def test_closed_eyes_are_noted_of_a_target_alone(editor, finder, head, portrait):
    asleep = turned(head, units={"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})
    assert eyes_closed(finder.find(asleep)[0].landmarks)
    laughing = turned(head, units={"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 1.0})
    assert not eyes_closed(finder.find(laughing)[0].landmarks)
    assert any("the eyes are closed" in note for note in editor.transfer(asleep, CODE).notes)
    assert editor.transfer(portrait, asleep).notes == ()


def drawing(portrait):
    """Even areas with dark lines between them."""
    flat = Image.fromarray(portrait).filter(ImageFilter.ModeFilter(9)).filter(ImageFilter.ModeFilter(9))
    return np.asarray(flat.quantize(8, dither=Image.Dither.NONE).convert("RGB"))


def test_a_drawing_is_noted_and_a_bad_photo_is_not(editor, portrait, tmp_path):
    assert any("a drawing" in note for note in editor.transfer(drawing(portrait), CODE).notes)
    photo = Image.fromarray(portrait)
    photo.resize((128, 128)).save(tmp_path / "bad.jpg", quality=20)
    poor = [
        np.asarray(photo.filter(ImageFilter.GaussianBlur(4))),
        portrait // 6,
        np.clip(portrait.astype(int) * 2, 0, 255).astype(np.uint8),
        np.asarray(Image.open(tmp_path / "bad.jpg").resize((512, 512), Image.Resampling.BICUBIC)),
    ]
    for pixels in poor:
        assert not any("a drawing" in note for note in editor.transfer(pixels, CODE).notes)


def test_an_empty_or_overexposed_picture_is_no_drawing():
    assert not looks_drawn(np.full((128, 128, 3), 255, np.uint8))
    face = Image.new("RGB", (128, 128), (230, 180, 150))
    ImageDraw.Draw(face).ellipse((50, 50, 60, 60), fill=(20, 20, 20))
    assert looks_drawn(np.asarray(face))


def test_strengths_beyond_two_are_noted(editor, portrait):
    assert notes_on_strength(2.0) == notes_on_strength(-2.0) == ()
    assert editor.transfer(portrait, CODE, 2.5).notes == ("The strength 2.5 is beyond 2: it distorts faces.",)


@pytest.mark.parametrize("case", ["side", "strength", "faces", "reference"])
def test_strict_refuses_what_would_be_noted(stub, finder, head, portrait, two_faces, case):
    cases = {
        "side": (turned(head, yaw=40), CODE, 1.0),
        "strength": (portrait, CODE, -3.0),
        "faces": (two_faces, CODE, 1.0),
        "reference": (portrait, two_faces, 1.0),
    }
    target, reference, strength = cases[case]
    (note,) = Editor(stub, finder=finder).transfer(target, reference, strength).notes
    strict = Editor(stub, finder=finder, strict=True)
    with pytest.raises(UserError) as refusal:
        strict.transfer(target, reference, strength)
    assert str(refusal.value).startswith(note)
    assert strict.transfer(portrait, CODE).notes == ()
    # Nothing is done badly there.
    assert "neutral already" in strict.neutralize(portrait).notes[0]
