"""Parts of the face that stay as they are."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from twocet.commands.options import Keep
from twocet.edit.editor import Editor
from twocet.edit.regions import REGIONS, edited_share, parse_regions
from twocet.errors import UserError
from twocet.networks.edit import Edit
from twocet.photo import align

OUTLINES = {
    "mouth": [[61, 40, 0, 270, 291, 321, 17, 91]],
    "eyes": [[33, 159, 133, 145], [362, 386, 263, 374]],
    "brows": [[70, 105, 107, 52], [300, 334, 336, 282]],
    "gaze": [[33, 159, 133, 145], [362, 386, 263, 374]],
}
"""Landmarks well within each region."""


@pytest.fixture
def moving(stub, finder, monkeypatch):
    """An editor whose every edit moves and paints the whole face."""

    def edit(image, code, strength=1.0):
        amount = strength * float(code.abs().sum())
        shift, paint = torch.full((1, 2, 128, 128), 0.03 * amount), torch.full((1, 1, 128, 128), min(amount, 0.5))
        return Edit(shift, paint, torch.full((1, 3, 128, 128), -0.8))

    monkeypatch.setattr(stub, "edit", edit)
    return Editor(stub, finder=finder)


CODE = np.array([1.0, 0, 0, 0], np.float32)


def within(region, landmarks, shape):
    """(H, W) bool: the photo's pixels in a region."""
    mask = Image.new("1", shape[1::-1])
    for outline in OUTLINES[region]:
        ImageDraw.Draw(mask).polygon([tuple(point) for point in landmarks[outline, :2].tolist()], fill=1)
    return np.asarray(mask)


@pytest.mark.parametrize("region", REGIONS)
def test_a_kept_region_is_bit_identical_and_the_rest_of_the_face_changes(moving, finder, portrait, region):
    landmarks = finder.find(portrait)[0].landmarks
    kept = moving.transfer(portrait, CODE, regions=[region]).pixels
    whole = moving.transfer(portrait, CODE).pixels
    inside = within(region, landmarks, portrait.shape)
    assert inside.sum() > 100
    assert (kept[inside] == portrait[inside]).all()
    assert (whole[inside] != portrait[inside]).any(axis=-1).mean() > 0.9
    for other in {"mouth", "brows"} - {region}:
        elsewhere = within(other, landmarks, portrait.shape)
        assert (kept[elsewhere] != portrait[elsewhere]).any(axis=-1).mean() > 0.7, other


def test_regions_are_kept_together_and_by_the_small_picture_too(moving, finder, portrait):
    landmarks = finder.find(portrait)[0].landmarks
    kept = moving.transfer(portrait, CODE, regions=["gaze", "mouth"])
    for region in ("gaze", "mouth"):
        inside = within(region, landmarks, portrait.shape)
        assert (kept.pixels[inside] == portrait[inside]).all()
    small = moving.transfer_crop(portrait, CODE, regions=["gaze", "mouth"]).astype(int)
    assert np.abs(small - kept.crop).mean() < 3
    assert np.abs(small - moving.transfer_crop(portrait, CODE)).mean() > 2 * np.abs(small - kept.crop).mean()


def test_an_expression_stays_where_the_target_is_kept(moving, finder, portrait, monkeypatch):
    """The target's own mouth, and not that of its neutral face."""

    def edit(image, code, strength=1.0):
        return Edit(torch.full((1, 2, 128, 128), 0.03), torch.zeros(1, 1, 128, 128), image)

    monkeypatch.setattr(moving.model, "edit", edit)
    neutral = moving.neutralize(portrait, regions=["mouth"]).pixels
    inside = within("mouth", finder.find(portrait)[0].landmarks, portrait.shape)
    assert (neutral[inside] == portrait[inside]).all()
    assert (neutral != portrait).any()


@pytest.mark.parametrize("region", REGIONS)
def test_borders_are_smooth(finder, portrait, region):
    landmarks = finder.find(portrait)[0].landmarks
    share = edited_share(align.apply(align.align(landmarks), landmarks[:, :2]), 256, [region])
    assert share.dtype == np.float32
    assert share.min() == 0
    assert share.max() == 1
    steps = max(np.abs(np.diff(share, axis=axis)).max() for axis in (0, 1))
    assert steps < 0.35 if region == "gaze" else steps < 0.2
    assert share[[0, -1]].min() == share[:, [0, -1]].min() == 1


def test_names_of_regions(editor, portrait):
    assert parse_regions(["eyes", "mouth", "eyes"]) == ("mouth", "eyes")
    with pytest.raises(UserError, match="no region 'nose' of the face: choose from mouth, eyes, brows, gaze"):
        editor.transfer(portrait, CODE, regions=["nose"])
    with pytest.raises(UserError, match="aligned crop takes no regions"):
        editor.transfer(portrait, CODE, aligned=True, regions=["mouth"])


def test_the_command_line_offers_every_region():
    names = typing.get_args(typing.get_args(typing.get_args(typing.get_args(Keep)[0])[0])[0])
    assert names == REGIONS
