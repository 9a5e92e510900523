"""Augmentation: ranges, independence of rows, equality of pairs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from twocet.networks.edit import warp
from twocet.runtime.randomness import generator_at
from twocet.training import augment


def ramp(num: int, size: int = 32) -> Tensor:
    """Images whose value is the horizontal position of the pixel's centre, -1 to 1."""
    return ((torch.arange(size) * 2 + 1) / size - 1).expand(num, 3, size, size).clone()


def test_paper_crops_half_and_flips_half() -> None:
    image = augment.paper(ramp(2000), generator_at(0, 0, "x"))
    slope = (image[:, 0, 16, -8] - image[:, 0, 16, 7]) / (ramp(1)[0, 0, 0, -8] - ramp(1)[0, 0, 0, 7])
    assert (slope < 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    whole = (slope.abs() > 0.9999).float().mean().item()
    assert whole == pytest.approx(0.5, abs=0.08)
    # The narrowest crop has area .8 and aspect .9: width sqrt(.72).
    assert slope.abs().min() > 0.72**0.5 - 1e-3
    assert slope.abs().min() < 0.87


def test_paper_crops_anywhere_in_the_photo() -> None:
    """In the middle of a crop is the place of its middle: anywhere where the crop fits, across and down on its own."""
    size = 32
    across = ramp(2000, size)
    image = torch.stack([across[:, 0], across[:, 0].transpose(1, 2), across[:, 0]], dim=1)
    cropped = augment.paper(image, generator_at(0, 0, "x"))
    middle = cropped[:, :2, 15:17, 15:17].mean(dim=(2, 3))
    steps = (cropped[:, 0, 16, -8] - cropped[:, 0, 16, 7]), (cropped[:, 1, -8, 16] - cropped[:, 1, 7, 16])
    sides = torch.stack(steps, dim=1).abs() / (across[0, 0, 0, -8] - across[0, 0, 0, 7])
    smaller = (sides < 0.97).all(dim=1)
    place = (middle / (1 - sides))[smaller]
    assert len(place) > 400
    assert place.abs().max() < 1.01
    assert place.mean(dim=0).abs().max() < 0.1
    # Uniform in [-1, 1].
    assert place.std(dim=0).tolist() == pytest.approx([3**-0.5] * 2, abs=0.04)
    assert torch.corrcoef(place.T)[0, 1].abs() < 0.15


def test_paper_stays_inside_the_photo() -> None:
    image = augment.paper(ramp(500), generator_at(1, 0, "x"))
    assert image.min() >= ramp(1).min() - 1e-5
    assert image.max() <= ramp(1).max() + 1e-5


def test_the_generator_decides() -> None:
    for function in (augment.paper, augment.encoder_input):
        first = function(ramp(4), generator_at(0, 3, "x"))
        assert torch.equal(first, function(ramp(4), generator_at(0, 3, "x")))
        assert not torch.equal(first, function(ramp(4), generator_at(0, 4, "x")))
        assert not torch.equal(first[0], first[1])


def test_photometric_changes_both_pictures_alike() -> None:
    image, other = augment.photometric([ramp(4), ramp(4)], generator_at(0, 0, "x"))
    assert torch.equal(image, other)
    assert (image - ramp(4)).abs().mean() > 0.05
    assert not torch.equal(image[0], image[1])
    assert image.abs().max() <= 1
    dark, light = augment.photometric([ramp(8) * 0.2 - 0.4, ramp(8) * 0.2 + 0.4], generator_at(0, 0, "x"))
    assert (dark.mean(dim=(1, 2, 3)) < light.mean(dim=(1, 2, 3))).all()


def waves(size: int = 64) -> Tensor:
    """(2, 3, S, S): smooth pictures, without symmetry."""
    x, y = torch.meshgrid((torch.arange(size) + 0.5) / size, (torch.arange(size) + 0.5) / size, indexing="xy")
    picture = torch.stack([torch.sin(5 * x + 2 * y), torch.cos(7 * y - x), torch.sin(4 * x * y)])
    return torch.stack([picture, picture.flip(0)])


def swirl(size: int = 64) -> Tensor:
    """(2, 4, S, S): two smooth flows for each of two pictures, up to 0.06 sides."""
    x, y, _ = waves(size)[0]
    return 0.06 * torch.stack([torch.stack([x, y, y * y, -x]), torch.stack([y, x * y, x, y])])


@pytest.mark.parametrize("change", ["mirrored", "sampled"])
def test_flows_of_changed_pictures_do_to_them_what_was_done_before(change: str) -> None:
    """Moving and then changing a picture is the same as changing and then moving it with the changed flow."""
    which = torch.tensor([True, False])
    affine = torch.tensor([[[0.9, 0.3, 0.05], [-0.3, 0.9, 0.1]], [[1.1, -0.2, 0.0], [0.2, 1.1, -0.1]]])
    if change == "mirrored":
        changed, flows = augment.flip(waves(), which), augment.flip_flow(swirl(), which)
    else:
        changed, flows = augment.resample(waves(), affine), augment.resample_flow(swirl(), affine)
    for there in (slice(0, 2), slice(2, 4)):
        moved = warp(waves(), swirl()[:, there])
        wanted = augment.flip(moved, which) if change == "mirrored" else augment.resample(moved, affine)
        inside = (slice(None), slice(None), slice(16, 48), slice(16, 48))
        assert (warp(changed, flows[:, there]) - wanted)[inside].abs().max() < 0.01
        assert (changed - wanted)[inside].abs().max() > 0.1


@pytest.mark.parametrize("view", [1.0, 0.25])
def test_encoder_input_moves_a_little(view: float) -> None:
    image = torch.full((400, 3, 64, 64), -1.0)
    image[:, :, 31:33, 31:33] = 1
    seen = augment.encoder_input(image, generator_at(0, 0, "x"), view).mean(dim=1)
    brightest = seen.flatten(1).argmax(dim=1)
    row, column = brightest // 64 - 31.5, brightest % 64 - 31.5
    for offset in (row, column):
        assert 1.5 * view < offset.abs().max() <= 0.04 * 64 * view + 1.5
        assert abs(offset.mean()) < 0.4
    assert seen.abs().max() <= 1


@pytest.mark.parametrize("sigma", [0.3, 0.7])
def test_blur_spreads_a_point_by_its_deviation(sigma: float) -> None:
    point = torch.zeros(1, 1, 9, 9)
    point[..., 4, 4] = 1
    blurred = augment.blur(point, torch.tensor([sigma]))[0, 0]
    offsets = torch.arange(9.0) - 4
    assert blurred.sum().item() == pytest.approx(1, abs=1e-6)
    assert (blurred.sum(0) * offsets.square()).sum().item() == pytest.approx(sigma**2, abs=1e-6)
    assert (blurred.sum(1) * offsets.square()).sum().item() == pytest.approx(sigma**2, abs=1e-6)


def test_blur_of_zero_changes_nothing() -> None:
    assert torch.equal(augment.blur(ramp(2), torch.zeros(2)), ramp(2))
