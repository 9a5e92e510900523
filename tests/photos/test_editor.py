from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from twocet.edit import blend
from twocet.edit.editor import Editor
from twocet.errors import UserError
from twocet.networks.edit import Edit
from twocet.photo import align, resample
from twocet.photo.images import read_photo
from twocet.photo.marks import COMPOSITE, read_mark
from twocet.runtime.cache import Recent

DOWN = np.array([1.0, 0, 0, 0], np.float32)
"""A code: the stub model moves the mouth down by 0.05 crop sides."""


def mouth(finder, pixels):
    """Height of the middle of the lips in crop sides, measured in the face's own crop."""
    landmarks = finder.find(pixels)[0].landmarks
    return align.apply(align.align(landmarks), landmarks[[13, 14], :2])[:, 1].mean()


def expressive(editor):
    """The same editor for a model that holds every face to be expressive."""
    editor.model.expressive = True
    return editor


def test_the_mouth_moves_by_strength_and_the_rest_stays(editor, portrait, finder):
    results = {strength: editor.transfer(portrait, DOWN, strength) for strength in (-0.5, 0.5, 1.0)}
    before = mouth(finder, portrait)
    moved = {strength: mouth(finder, result.pixels) - before for strength, result in results.items()}
    assert moved[1.0] == pytest.approx(0.05, abs=0.015)
    assert moved[0.5] == pytest.approx(0.025, abs=0.01)
    assert moved[-0.5] < -0.01


def test_outside_the_face_mask_the_photo_is_bit_identical(editor, portrait, finder):
    result = editor.transfer(portrait, DOWN)
    assert result.pixels.shape == portrait.shape
    landmarks = finder.find(portrait)[0].landmarks
    photo_to_crop = align.align(landmarks)
    mask = blend.face_mask(align.apply(photo_to_crop, landmarks[:, :2]), 128)
    y, x = np.mgrid[: portrait.shape[0], : portrait.shape[1]] + 0.5
    place = align.apply(photo_to_crop, np.stack([x, y], axis=-1)) * 128
    cell = np.clip(np.floor(place), 1, 126).astype(int)
    near = np.stack([mask[cell[..., 1] + i, cell[..., 0] + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    outside = near.max(axis=0) == 0
    assert 0.3 < outside.mean() < 0.95
    assert np.array_equal(result.pixels[outside], portrait[outside])
    assert (result.pixels != portrait).any()


def test_strength_zero_of_a_neutral_face_is_the_photo_itself(editor, portrait):
    result = editor.transfer(portrait, DOWN, 0)
    assert np.array_equal(result.pixels, portrait)
    assert (editor.transfer(portrait, DOWN, 1).crop != result.crop).any()
    assert not result.code.any()


def test_an_expressive_face_passes_through_neutral(editor, portrait, finder):
    neutral = expressive(editor).neutralize(portrait)
    assert not np.array_equal(neutral.pixels, portrait)
    before = resample.crop(portrait, align.align(finder.find(portrait)[0].landmarks), 128)
    assert (neutral.crop != before).any()
    assert np.array_equal(editor.transfer(portrait, DOWN, 0).pixels, neutral.pixels)
    # From the neutral photo, for a model that holds every face to be neutral, the second pass is the same.
    editor.model.expressive = False
    from_neutral = editor.transfer(neutral.pixels, DOWN)
    editor.model.expressive = True
    two_passes = editor.transfer(portrait, DOWN)
    # But for landmarks, which one reads in the neutral photo and the other knows.
    assert np.abs(two_passes.pixels.astype(int) - from_neutral.pixels).mean() < 0.2


def test_neutralizing_a_neutral_face_says_so(editor, portrait):
    result = editor.neutralize(portrait)
    assert np.array_equal(result.pixels, portrait)
    assert result.notes == ("The face is neutral already: nothing was changed.",)
    assert expressive(editor).neutralize(portrait[:, ::-1]).notes == ()


def test_a_reference_photo_is_encoded_and_scaled(stub, finder, portrait, portrait_file):
    editor = Editor(stub, finder=finder, mouth="painted")
    code = editor.encode(portrait_file)
    assert code.shape == (4,)
    assert code.dtype == np.float32
    result = editor.transfer(portrait, portrait_file, 0.5)
    assert result.code == pytest.approx(0.5 * code)
    assert np.array_equal(result.pixels, editor.transfer(portrait, torch.from_numpy(code), 0.5).pixels)


def test_paths_pil_images_and_arrays_are_the_same(editor, portrait, portrait_file):
    results = [editor.transfer(t, DOWN).pixels for t in (portrait_file, str(portrait_file), portrait)]
    results.append(editor.transfer(Image.fromarray(portrait), DOWN).pixels)
    assert all(np.array_equal(result, results[0]) for result in results)


def test_a_new_strength_costs_one_edit_and_a_changed_photo_is_noticed(editor, stub, portrait):
    expressive(editor).transfer(portrait, DOWN, 0.2)
    assert stub.calls.edit == 3  # neutral, at this strength, and whole: where its landmarks lie
    editor.transfer(portrait.copy(), DOWN, 0.9)
    assert stub.calls.edit == 4
    changed = portrait.copy()
    changed[:, :, 0] //= 2
    editor.transfer(changed, DOWN, 0.9)
    assert stub.calls.edit == 7
    assert stub.calls.encode == 0


def test_results_do_not_share_their_pixels(editor, portrait):
    first = editor.transfer(portrait, DOWN, 0)
    first.pixels[:] = 0
    assert np.array_equal(editor.transfer(portrait, DOWN, 0).pixels, portrait)


def test_two_faces(editor, two_faces):
    largest = editor.transfer(two_faces, DOWN)
    assert largest.notes == ("the target has 2 faces: the largest was used (face=2 takes the second).",)
    changed = (largest.pixels != two_faces).any(axis=(0, 2))
    assert changed[:512].any()
    assert not changed[512:].any()
    other = editor.transfer(two_faces, DOWN, face=2)
    changed = (other.pixels != two_faces).any(axis=(0, 2))
    assert not changed[:512].any()
    assert changed[512:].any()
    with pytest.raises(UserError, match="give face=1 to 2"):
        editor.transfer(two_faces, DOWN, face=3)


def test_aligned_photos_are_taken_whole(editor, stub, portrait, finder):
    crop = resample.crop(portrait, align.align(finder.find(portrait)[0].landmarks), 128)
    result = Editor(stub, finder=None).transfer(crop, DOWN, aligned=True)
    assert result.pixels.shape == (128, 128, 3)
    assert mouth(finder, result.pixels) - mouth(finder, crop) == pytest.approx(0.05, abs=0.02)
    assert np.abs(result.pixels.astype(int) - result.crop).mean() < 1
    with pytest.raises(UserError, match="an aligned face crop is square"):
        editor.transfer(crop[:100], DOWN, aligned=True)


def test_a_small_face_is_noted(editor, portrait):
    canvas = np.full((400, 400, 3), 120, np.uint8)
    canvas[100:164, 100:164] = portrait[::8, ::8]
    (note,) = editor.transfer(canvas, DOWN).notes
    assert "the face is small" in note


def test_no_face(editor, portrait):
    wall = np.full((200, 200, 3), 128, np.uint8)
    with pytest.raises(UserError, match="No face found in the target"):
        editor.transfer(wall, DOWN)
    with pytest.raises(UserError, match="No face found in the reference"):
        editor.transfer(portrait, wall)


@pytest.mark.parametrize("code", [np.zeros(5), np.zeros(0), np.array([np.nan, 0, 0, 0])])
def test_codes_of_another_model_are_refused(editor, portrait, code):
    with pytest.raises(UserError, match="A code of this model has 4 finite numbers"):
        editor.transfer(portrait, code)


def test_a_strength_that_is_no_number_is_refused(editor, portrait):
    with pytest.raises(UserError, match="is not a number"):
        editor.transfer(portrait, DOWN, float("nan"))


def test_samples_follow_the_seed_and_the_spread_of_the_models_codes(editor, portrait):
    first = editor.sample(portrait, 3, seed=5)
    again = editor.sample(portrait, 3, seed=5)
    other = editor.sample(portrait, 3, seed=6)
    assert [r.code.tolist() for r in first] == [r.code.tolist() for r in again]
    assert all(a.code.tolist() != b.code.tolist() for a, b in zip(first, other, strict=True))
    drawn = editor.draw_codes(4000, seed=0)
    assert drawn.std(axis=0) == pytest.approx([0.5, 0.1, 0.0, 2.0], rel=0.05)
    with pytest.raises(UserError, match="ask for 1 or more"):
        editor.sample(portrait, 0)


def test_continuum_has_equal_steps_with_both_ends(editor, portrait):
    series = editor.continuum(portrait, DOWN, steps=5, start=-0.2, stop=1.0)
    assert [r.strength for r in series] == pytest.approx([-0.2, 0.1, 0.4, 0.7, 1.0])
    assert [r.code[0] for r in series] == pytest.approx([-0.2, 0.1, 0.4, 0.7, 1.0])
    with pytest.raises(UserError, match="ask for 2 or more"):
        editor.continuum(portrait, DOWN, steps=1)


def test_saving_marks_the_picture_unless_told_not_to(editor, portrait, tmp_path):
    result = editor.transfer(portrait, DOWN, 0.7)
    mark = read_mark(result.save(tmp_path / "a.png"))
    assert (mark.digital_source_type, mark.model, mark.model_sha256, mark.strength) == (
        COMPOSITE,
        "stub",
        "0" * 64,
        0.7,
    )
    assert np.array_equal(read_photo(tmp_path / "a.png").pixels, result.marked())
    assert read_mark(result.save(tmp_path / "b.png", mark=False)) is None
    assert np.array_equal(read_photo(tmp_path / "b.png").pixels, result.pixels)
    assert np.array_equal(read_photo(result.save(tmp_path / "c.png", mark=False, crop=True)).pixels, result.crop)


def test_opacity_of_the_target_is_kept(editor, portrait, tmp_path):
    alpha = np.full(portrait.shape[:2], 200, np.uint8)
    result = editor.transfer(np.dstack([portrait, alpha]), DOWN)
    assert np.array_equal(read_photo(result.save(tmp_path / "a.png")).alpha, alpha)


def test_a_face_that_would_hardly_change_is_neutral_already(editor, portrait, monkeypatch):
    def faint(level):
        def edit(image, code, strength=1.0):
            # The paint covers the whole crop, and differs from it by ``level`` grey levels.
            return Edit(torch.zeros(1, 2, 128, 128), torch.ones(1, 1, 128, 128), image + level / 127.5)

        monkeypatch.setattr(editor.model, "edit", edit)
        editor._targets = Recent(1)
        return editor.neutralize(portrait)

    assert np.array_equal(faint(0.4).pixels, portrait)
    assert "neutral already" in faint(0.4).notes[0]
    assert not faint(0.6).notes


def test_large_values_are_kept_alone():
    kept = Recent(3, len, 10)
    for key in ("a" * 4, "b" * 4, "c" * 4):
        kept.get(key, lambda key=key: key)
    made = []
    kept.get("b" * 4, lambda: made.append("b"))
    kept.get("a" * 4, lambda: made.append("a") or "")
    assert made == ["a"]
    kept.get("d", lambda: "d" * 50)
    assert kept.get("d", lambda: made.append("d")) == "d" * 50
    kept.get("c" * 4, lambda: made.append("c") or "")
    assert made == ["a", "c"]
