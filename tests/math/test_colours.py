from __future__ import annotations

import numpy as np
import pytest
import torch

from twocet.networks.colours import LUMA, natural_colours, tone_of, toned


def pixel(*levels):
    return torch.tensor(levels, dtype=torch.float32).view(1, 3, 1, 1) / 127.5 - 1


def levels(image):
    return ((image.flatten() + 1) * 127.5).tolist()


GREY = pixel(128, 128, 128)


@pytest.mark.parametrize(
    "usual", [(224, 172, 140), (90, 56, 44), (200, 110, 100), (40, 12, 12), (235, 228, 220), (0, 0, 0), (255, 255, 255)]
)
def test_skin_lips_teeth_and_dark_mouths_stay(usual):
    assert levels(natural_colours(pixel(*usual), GREY)) == pytest.approx(usual, abs=1e-3)


def test_teal_and_blue_become_grey_and_purest_red_a_dark_red():
    assert levels(natural_colours(pixel(60, 160, 160), GREY)) == pytest.approx([130.1] * 3, abs=0.1)
    red, green, blue = levels(natural_colours(pixel(90, 90, 210), GREY))
    assert (red + green) / 2 == pytest.approx(blue, abs=0.1)
    red, green, blue = levels(natural_colours(pixel(255, 0, 0), GREY))
    assert green == pytest.approx(blue, abs=0.1)
    # A twentieth of 255 and nine tenths of the brightness of 76.2.
    assert red - green == pytest.approx(81.4, abs=0.1)


def test_on_skin_the_greys_that_are_left_are_warm():
    red, green, blue = levels(natural_colours(pixel(60, 160, 160), pixel(224, 172, 140)))
    brightness = 0.299 * red + 0.587 * green + 0.114 * blue
    assert red - (green + blue) / 2 >= 0.07 * brightness - 0.1
    assert (red + green) / 2 - blue >= 0.06 * brightness - 0.1
    assert green - (red + blue) / 2 <= 0.01 * brightness + 0.1


def test_brightness_stays():
    painted, shown = torch.rand(2, 2, 3, 9, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1
    luma = torch.tensor(LUMA).view(1, 3, 1, 1)
    changed = natural_colours(painted, shown)
    assert (changed - painted).abs().max() > 0.3
    assert torch.allclose((changed * luma).sum(1), (painted * luma).sum(1), atol=1e-5)


def test_what_the_photo_has_itself_stays():
    painted = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert torch.equal(natural_colours(painted, painted), painted)
    iris = pixel(70, 120, 170)
    assert levels(natural_colours(pixel(80, 120, 160), iris)) == pytest.approx([80, 120, 160], abs=1e-3)


def test_a_small_change_of_colour_has_no_jump():
    """At the edge of the natural colours, too."""
    steps = torch.linspace(100, 160, 601)
    image = torch.stack([torch.full_like(steps, 130), steps, steps], dim=0).view(1, 3, 1, -1) / 127.5 - 1
    shown = natural_colours(image, torch.zeros_like(image))
    assert (shown.diff(dim=-1).abs().max() * 127.5) < 0.11


def scene():
    """(64, 64, 3) of many colours."""
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def sepia(pixels, strength=30):
    """The same brightness, in browns."""
    grey = pixels @ np.array(LUMA)
    return (
        (grey[..., None] + strength * np.sin(np.pi * grey / 255)[..., None] * (0.756, -0.144, -1.244))
        .round()
        .astype(np.uint8)
    )


def test_a_photo_in_colours_has_no_tone():
    assert tone_of(scene()) is None


@pytest.mark.parametrize("strength", [0, 30])
def test_paint_takes_on_the_tone_of_a_grey_or_sepia_photo(strength):
    photo = sepia(scene(), strength)
    tone = tone_of(photo)
    assert tone is not None
    painted = torch.from_numpy(scene()).permute(2, 0, 1)[None] / 127.5 - 1
    got = (toned(painted, tone)[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(got - photo.astype(float)).max() < 4
    if strength == 0:
        assert np.ptp(got, axis=-1).max() < 1e-2


def test_one_colour_everywhere_is_a_tone_and_no_error():
    tone = tone_of(np.full((8, 8, 3), (120, 100, 80), np.uint8))
    assert tone is not None
    grey = toned(torch.zeros(1, 3, 2, 2), tone)
    assert torch.isfinite(grey).all()
