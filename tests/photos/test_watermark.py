"""The watermark on one rendered portrait; ``benchmarks/marks.py`` measures it on many photos."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from twocet.photo import align
from twocet.photo.watermark.carriers import COARSE, FINE, LAYERS, oval
from twocet.photo.watermark.code import (
    Symbol,
    amplitudes_of,
    decoded,
    is_message,
    message_of,
    model_in,
    symbols_of,
)
from twocet.photo.watermark.embed import face_luma, watermarked
from twocet.photo.watermark.find import find_watermark

SHA256 = "c0ffee" + "0" * 58


@pytest.fixture(scope="module")
def place(portrait, finder):
    return align.align(finder.find(portrait)[0].landmarks)


@pytest.fixture(scope="module")
def marked(portrait, place):
    return watermarked(portrait, [place], SHA256)


def found_in(pixels, finder):
    """The message in the largest face, looked for as a stranger would."""
    found = find_watermark(pixels, align.align(finder.find(pixels)[0].landmarks))
    return found and found.message


def resized(pixels, width):
    return np.array(Image.fromarray(pixels).resize((width, width), Image.Resampling.BICUBIC))


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def test_a_message_says_which_model_and_checks_itself():
    # CRC-16/CCITT of 11 C0 FF EE, worked out bit by bit.
    crc = 0xFFFF
    for byte in bytes.fromhex("11c0ffee"):
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    message = message_of(SHA256)
    assert message == bytes.fromhex("11c0ffee") + crc.to_bytes(2, "big")
    assert model_in(message) == "c0ffee"
    assert model_in(message_of(None)) is None
    assert is_message(message)
    assert not any(is_message(bytes(b ^ (1 << k if i == j else 0) for j, b in enumerate(message)))
                   for i in range(6) for k in range(8))  # fmt: skip


def test_symbols_are_read_back_from_noise():
    assert symbols_of(b"\x05\x85") == [Symbol(5, 1), Symbol(5, -1)]
    message = message_of(SHA256)
    scores = 6 * amplitudes_of(message) + np.random.default_rng(0).normal(size=(6, 128)).astype(np.float32)
    assert decoded(scores)[0] == message
    assert decoded(scores)[1] == pytest.approx(6, abs=1)


@pytest.mark.parametrize("layer", LAYERS)
def test_carriers_are_the_same_for_ever_and_nearly_orthogonal(layer):
    first = {"fine": [1, 1, -1, -1, -1, -1, -1, 1], "coarse": [-1, 1, 1, 1, 1, 1, 1, 1]}
    assert np.sign(layer.carriers[0, :8]).tolist() == first[layer.name]
    products = layer.carriers[:100] @ layer.carriers[:100].T
    assert np.diagonal(products) == pytest.approx(1, abs=1e-5)
    assert np.abs(products - np.eye(100)).max() < 5 / np.sqrt(layer.carriers.shape[1])


@pytest.mark.parametrize("layer", LAYERS)
def test_patterns_stay_in_the_oval_and_in_their_band_and_have_a_transpose(layer):
    rng = np.random.default_rng(1)
    coefficients = rng.normal(size=layer.carriers.shape[1]).astype(np.float32)
    view = rng.normal(size=(128, 128)).astype(np.float32)
    pattern = layer.pattern(coefficients)
    assert not pattern[oval() == 0].any()
    assert np.sum(pattern * view) == pytest.approx(coefficients @ layer.coefficients(view), rel=1e-3)
    radius = np.hypot(np.fft.fftfreq(128, 1 / 128)[:, None], np.fft.rfftfreq(128, 1 / 128))
    power = np.abs(np.fft.rfft2(pattern)) ** 2
    assert power[(radius > layer.low - 3) & (radius < layer.high + 3)].sum() > 0.99 * power.sum()


def test_the_mark_is_found_with_its_message(marked, finder):
    assert found_in(marked, finder) == message_of(SHA256)


def test_an_unmarked_photo_has_none(portrait, finder):
    assert found_in(portrait, finder) is None


def test_no_pixel_outside_the_oval_changes_and_none_inside_by_much(portrait, marked, place):
    changed = np.abs(marked.astype(int) - portrait).max(axis=2)
    rows, columns = np.nonzero(changed)
    spots = align.apply(place, np.column_stack([columns, rows]) + 0.5)
    # One pixel of the crop at 128 is what interpolation may add.
    assert np.hypot((spots[:, 0] - 0.5) / 0.408, (spots[:, 1] - 0.52) / 0.468).max() <= 1
    inside = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert np.sqrt((changed[inside] ** 2).mean()) < 2.55  # 40 dB
    assert changed.max() < 20


@pytest.mark.parametrize(
    ("name", "attack"),
    [
        ("JPEG 75", lambda p: jpeg(p, 75)),
        ("JPEG 50", lambda p: jpeg(p, 50)),
        ("half", lambda p: resized(p, 256)),
        ("crop", lambda p: p[20:490, 30:500]),
        ("turned", lambda p: np.array(Image.fromarray(p).rotate(2, Image.Resampling.BICUBIC))),
        ("brighter", lambda p: np.clip(p * 1.2, 0, 255).astype(np.uint8)),
        ("darker", lambda p: (p * 0.8).astype(np.uint8)),
        ("enlarged", lambda p: resized(p, 700)),
        ("all three", lambda p: jpeg(resized(p[20:490, 30:500], 235), 75)),
    ],
)
def test_the_mark_outlives(name, attack, marked, finder):
    assert found_in(np.ascontiguousarray(attack(marked)), finder) == message_of(SHA256)


def test_a_photo_marked_twice_carries_the_later_message_and_no_more_noise(portrait, marked, place, finder):
    again = watermarked(marked, [place], "abcdef" + "0" * 58)
    assert found_in(again, finder) == message_of("abcdef" + "0" * 58)
    same = watermarked(watermarked(marked, [place], SHA256), [place], SHA256)
    once, thrice = (np.sqrt(((p.astype(float) - portrait) ** 2).mean()) for p in (marked, same))
    assert thrice < 1.25 * once


def test_a_small_face_gets_coarse_patterns_a_large_one_fine_ones(two_faces, finder):
    places = [align.align(face.landmarks) for face in finder.find(two_faces)]
    pixels = watermarked(two_faces, places, SHA256)
    for place, layer in zip(places, (FINE, COARSE), strict=True):
        scores, _ = layer.scores(layer.view(face_luma(pixels, place))[0])
        assert decoded(scores)[0] == message_of(SHA256)


def test_without_faces_nothing_is_done(portrait):
    assert watermarked(portrait, [], SHA256) is portrait


def test_faces_at_the_border_and_outside_do_no_harm(portrait, place):
    beside = place - [[0, 0, 3.0], [0, 0, 0]]
    assert (watermarked(portrait, [beside], SHA256) == portrait).all()
    cut = np.ascontiguousarray(portrait[:, 256:])
    moved = place @ np.array([[1, 0, 256], [0, 1, 0], [0, 0, 1.0]])
    assert watermarked(cut, [moved], SHA256).shape == cut.shape
