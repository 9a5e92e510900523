"""The packaged bank of mouths: found by shape, lit like the target."""

from __future__ import annotations

import numpy as np
import pytest

import twocet
from twocet.edit import presets as book
from twocet.edit.bank import nearest, pack, packaged_bank, unpack
from twocet.edit.lips import CLOSED, CURVES, Slit, frame_of, opening_of
from twocet.synth import Head, Identity, render


@pytest.fixture(scope="module")
def bank():
    return packaged_bank()


def test_bank_has_small_and_large_openings(bank):
    openings = sorted(mouth.opening for mouth in bank)
    assert openings[0] < 0.06
    assert openings[-1] > 0.35
    assert all(np.isfinite(mouth.light.skin).all() and np.isfinite(mouth.light.white).all() for mouth in bank)


def test_each_mouth_is_nearest_to_its_own_lips(bank):
    assert [nearest(mouth.lips, bank) is mouth for mouth in bank] == [True] * len(bank)


def test_rather_a_mouth_too_open_than_one_with_too_little_inside(bank):
    both = (bank[9], bank[10])
    between = np.mean([frame_of(mouth.lips).enter(mouth.lips) for mouth in both], axis=0)
    assert nearest(between, both).opening == max(mouth.opening for mouth in both)


def test_a_smile_shows_more_teeth_than_a_dropped_jaw_with_the_same_gap(bank):
    def paleness(mouth):
        """How grey the brighter half of what shows is."""
        frame, slit = frame_of(mouth.lips), Slit(frame_of(mouth.lips).enter(mouth.lips))
        height, width = mouth.pixels.shape[:2]
        place = frame.enter(np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1))
        x, y = place[..., 0], place[..., 1]
        inside = mouth.pixels[(np.abs(x) < 0.3) & (y > slit.upper(x)) & (y < slit.lower(x))].mean(axis=-1)
        return (inside > 100).mean()

    jaw = bank[8]
    lifted = frame_of(jaw.lips).enter(jaw.lips)
    across = lifted[0, :, 0]
    lifted[..., 1] += 0.35 * (0.25 - across**2)
    smile = nearest(lifted, bank)
    assert smile.opening == pytest.approx(jaw.opening, rel=0.4)
    assert paleness(smile) > paleness(jaw) + 0.2


def test_packed_mouths_come_back(bank):
    again = unpack(pack(bank[:3]))
    for mouth, other in zip(bank[:3], again, strict=True):
        assert mouth.pixels.shape == other.pixels.shape
        assert np.abs(mouth.pixels.astype(int) - other.pixels).mean() < 2
        assert np.allclose(mouth.lips, other.lips)


def test_preset_opens_a_closed_mouth_with_the_banks_inside():
    editor = twocet.load()
    face = render(Head(Identity.sample(1_000_003)), {}, 512, "portrait", supersample=1).pixels
    code = book.fitting(editor.name, editor.sha256)["scream"].code
    opened = editor.transfer(face, np.asarray(code, np.float32))
    lips = editor.find_faces(opened.pixels)[0].landmarks[:, :2].astype(float)[CURVES]
    assert opening_of(lips) > 10 * CLOSED
    x, y = lips[1:3].reshape(-1, 2).mean(axis=0).round().astype(int)
    depth = opened.pixels[y - 3 : y + 4, x - 3 : x + 4].mean()
    assert depth < 0.5 * np.median(face[y - 60 : y - 40, x - 60 : x - 40])
