from __future__ import annotations

import numpy as np
import pytest
import torch

from twocet.edit.blend import FACE_OVAL, apply_edit, face_mask, mean_change, unlit
from twocet.networks.edit import Edit, render
from twocet.photo import align
from twocet.photo.scaling import to_image, to_pixels

SIZE = 64


def edit_of(dx=0.0, dy=0.0, mask=0.0, colour=0.0, size=SIZE):
    flow = torch.tensor([dx, dy]).reshape(1, 2, 1, 1).expand(1, 2, size, size)
    return unlit(Edit(flow.clone(), torch.full((1, 1, size, size), mask), torch.full((1, 3, size, size), colour)))


def turned(side, degrees, centre):
    """photo_to_crop of a square crop of ``side`` photo pixels, turned, about ``centre``."""
    angle = np.deg2rad(degrees)
    linear = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))]) / side
    return np.column_stack([linear, 0.5 - linear @ centre])


def disc(radius, size=SIZE):
    """alpha: 1 within ``radius`` crop sides of the middle, 0 elsewhere."""
    ticks = (np.arange(size) + 0.5) / size - 0.5
    return (np.hypot(ticks, ticks[:, None]) < radius).astype(np.float32)


def face_landmarks():
    """478 points; the outline an ellipse, chin and nose base where a face has them."""
    points = np.full((478, 2), 0.5)
    angles = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[list(FACE_OVAL)] = np.column_stack([0.5 + 0.3 * np.sin(angles), 0.45 - 0.35 * np.cos(angles)])
    points[2] = (0.5, 0.54)
    return points


@pytest.fixture
def photo():
    return np.random.default_rng(1).integers(0, 256, (150, 200, 3), np.uint8)


def test_mask_is_one_on_the_face_and_exactly_zero_at_the_border():
    mask = face_mask(face_landmarks(), SIZE)
    assert mask.shape == (SIZE, SIZE)
    assert mask.dtype == np.float32
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert (border == 0).all()
    assert mask[SIZE // 2, SIZE // 2] == 1
    assert mask[int(0.72 * SIZE), SIZE // 2] == 1
    assert mask[SIZE // 2, int(0.05 * SIZE)] == 0
    assert mask[int(0.95 * SIZE), int(0.2 * SIZE)] == 0


def test_mask_reaches_below_the_chin_but_not_as_far_above_the_forehead():
    mask = face_mask(face_landmarks(), 200)
    column = mask[:, 100]
    assert column[int(0.88 * 200)] == 1
    assert 0 < column[int(0.045 * 200)] < 1


def test_mask_falls_off_smoothly():
    mask = face_mask(face_landmarks(), 200)
    steps = np.abs(np.diff(mask, axis=1)).max()
    assert 0.01 < steps < 0.12


def test_zero_edit_is_bit_identical(photo):
    result = apply_edit(photo, turned(90, 20, (100, 75)), edit_of(), np.ones((SIZE, SIZE), np.float32))
    assert np.array_equal(result, photo)
    assert result is not photo


def test_no_alpha_is_bit_identical(photo):
    edit = edit_of(dx=0.1, mask=0.7, colour=0.3)
    assert np.array_equal(apply_edit(photo, turned(90, 20, (100, 75)), edit, disc(0)), photo)


@pytest.mark.parametrize("degrees", [0, 30, -90])
def test_pixels_outside_alpha_are_bit_identical(photo, degrees):
    photo_to_crop = turned(100, degrees, (100, 75))
    result = apply_edit(photo, photo_to_crop, edit_of(dx=0.1, mask=0.7, colour=0.3), disc(0.2))
    y, x = np.mgrid[:150, :200] + 0.5
    radius = np.hypot(x - 100, y - 75)
    assert np.array_equal(result[radius > 100 * 0.2 + 3], photo[radius > 100 * 0.2 + 3])
    assert (result[radius < 15] != photo[radius < 15]).any(axis=-1).mean() > 0.95


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_a_flow_moves_pixels_by_its_length_along_the_turned_axis(photo, degrees):
    # 0.05 sides of a crop 100 photo pixels wide: 5 photo pixels, along the crop's own x axis.
    result = apply_edit(photo, turned(100, degrees, (100, 75)), edit_of(dx=0.05), disc(0.3))
    shift_x, shift_y = {0: (5, 0), 90: (0, -5), 180: (-5, 0), -90: (0, 5)}[degrees]
    inner = (slice(60, 90), slice(85, 115))
    moved = photo[60 + shift_y : 90 + shift_y, 85 + shift_x : 115 + shift_x]
    assert np.abs(result[inner].astype(int) - moved).max() <= 1


def test_a_flow_under_an_oblique_turn_is_right_on_a_ramp():
    y, x = np.mgrid[:200, :200] + 0.5
    ramp = np.stack([x, y, 0 * x], axis=-1).round().astype(np.uint8)
    photo_to_crop = turned(100, 30, (100, 100))
    result = apply_edit(ramp, photo_to_crop, edit_of(dy=0.1), disc(0.4))
    shift = np.linalg.inv(photo_to_crop[:, :2]) @ (0, 0.1)
    assert np.hypot(*shift) == pytest.approx(10)
    change = (result[80:120, 80:120].astype(float) - ramp[80:120, 80:120]).mean(axis=(0, 1))
    assert change[:2] == pytest.approx(shift, abs=0.3)


def test_alpha_scales_the_shift_instead_of_mixing_two_pictures(photo):
    half = np.full((SIZE, SIZE), 0.5, np.float32)
    result = apply_edit(photo, turned(100, 0, (100, 75)), edit_of(dx=0.04), half)
    assert np.abs(result[60:90, 85:115].astype(int) - photo[60:90, 87:117]).max() <= 1


def test_mask_mixes_in_the_colour(photo):
    photo[:] = photo // 4 + np.array((180, 100, 60), np.uint8)
    result = apply_edit(photo, turned(100, 15, (100, 75)), edit_of(mask=0.25, colour=1.0), disc(0.3))
    wanted = 0.75 * photo[65:85, 90:110] + 0.25 * 255
    assert np.abs(result[65:85, 90:110] - wanted).max() <= 0.51


def test_light_multiplies_the_photos_own_pixels(photo):
    photo[:] = photo // 4 + np.array((120, 80, 40), np.uint8)
    change = edit_of()._replace(light=torch.full((1, 1, SIZE, SIZE), 0.2))
    result = apply_edit(photo, turned(100, 15, (100, 75)), change, disc(0.3))
    assert np.abs(result[65:85, 90:110] - np.exp(0.2) * photo[65:85, 90:110]).max() <= 0.51
    assert np.array_equal(result[:20], photo[:20])


def test_no_tint_is_painted_that_faces_do_not_have():
    skin = np.full((150, 200, 3), (220, 170, 140), np.uint8)
    skin[::2] = (200, 110, 100)
    edit = edit_of(mask=0.6)
    edit.colour[:] = torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
    result = apply_edit(skin, turned(100, 15, (100, 75)), edit, disc(0.3))[65:85, 90:110].astype(float)
    assert (result != skin[65:85, 90:110]).any()
    assert (result[..., 1:].mean(axis=-1) - result[..., 0]).max() <= 1


def test_a_black_and_white_photo_stays_black_and_white(photo):
    photo[:] = photo[..., :1]
    edit = edit_of(mask=0.6)
    edit.colour[:] = torch.tensor([0.5, -1.0, -1.0]).view(1, 3, 1, 1)
    result = apply_edit(photo, turned(100, 15, (100, 75)), edit, disc(0.3))
    assert (result != photo).any()
    assert np.ptp(result, axis=-1).max() == 0


def test_on_the_crop_itself_it_equals_render():
    generator = torch.Generator().manual_seed(0)
    pixels = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3)).astype(np.float32)
    smooth = torch.nn.functional.avg_pool2d(torch.from_numpy(pixels).permute(2, 0, 1)[None], 9, 1, 4)
    pixels = smooth[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
    coarse = torch.randn(1, 2, 6, 6, generator=generator) * 0.03
    flow = torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic")
    edit = Edit(flow, torch.full((1, 1, SIZE, SIZE), 0.4), torch.full((1, 3, SIZE, SIZE), -0.3))
    applied = apply_edit(pixels, align.square_to_crop(SIZE, SIZE), unlit(edit), np.ones((SIZE, SIZE), np.float32))
    rendered = to_pixels(render(to_image(pixels), edit))
    inner = (slice(6, -6), slice(6, -6))
    # Bicubic against bilinear sampling of a smooth picture.
    assert np.abs(applied[inner].astype(int) - rendered[inner]).max() <= 2


def test_strips_of_a_large_photo_join_without_a_seam(photo, monkeypatch):
    arguments = (photo, turned(100, 30, (100, 75)), edit_of(dx=0.03, dy=-0.04, mask=0.3), disc(0.4))
    whole = apply_edit(*arguments)
    monkeypatch.setattr("twocet.edit.blend._STRIP_PIXELS", 1000)
    assert np.abs(apply_edit(*arguments).astype(int) - whole).max() <= 1


def test_a_face_partly_outside_the_photo(photo):
    result = apply_edit(photo, turned(100, 10, (0, 75)), edit_of(dx=-0.1, mask=0.2), disc(0.4))
    assert result.shape == photo.shape
    assert (result != photo).any()
    beside = apply_edit(photo, turned(100, 10, (-300, 75)), edit_of(dx=-0.1, mask=0.2), disc(0.4))
    assert np.array_equal(beside, photo)


def test_mean_change_is_in_grey_levels_and_knows_the_face_alone():
    image, alpha = torch.zeros(1, 3, SIZE, SIZE), np.zeros((SIZE, SIZE), np.float32)
    alpha[:, :16], alpha[:, 16:32] = 1.0, 0.5
    other = image.clone()
    other[..., :16] += 2 / 127.5
    other[..., 32:] += 1
    assert mean_change(image, other, alpha) == pytest.approx(2 * 2 / 3, rel=1e-5)
    assert mean_change(image, image, alpha) == 0
