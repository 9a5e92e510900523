"""Even strength: the power is found from how faces move, and a model with it moves them in proportion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from twocet.metrics import movement
from twocet.model import strength
from twocet.model.model import Model, new_model
from twocet.model.strength import SCALES, Responses, calibrated, fit_power, measure
from twocet.networks.config import NetworkConfig
from twocet.networks.interfaces import Networks
from twocet.photo.images import Pixels
from twocet.readers.expression import NO_FACE, Expression

CONFIG = NetworkConfig(size=32, code_dim=2, generator_widths=(4, 6), trunk_widths=(4, 6))
ROOT = 0.6
"""The made-up generator below moves by this power of the code's length."""


class Mover(nn.Module):
    """A generator that writes into the first column's brightness how far the face has moved."""

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        moved = image.clone()
        length = code.square().mean(dim=1).sqrt()
        moved[:, :, :, 0] = (length**ROOT * 0.5)[:, None, None]
        return moved


class Teller(nn.Module):
    """An encoder that reads a code with one length for every face."""

    def forward(self, image: Tensor) -> Tensor:
        return image.new_ones(len(image), 2)


class Brightness:
    """Reads the first column as the height of the only landmark that moves."""

    def __init__(self, blind: bool = False) -> None:
        self.blind = blind

    def read(self, pixels: Pixels) -> Expression:
        if self.blind:
            return NO_FACE
        landmarks = np.zeros((478, 2))
        landmarks[0, 1] = pixels[0, 0].mean()
        return Expression(np.zeros(51), landmarks)


def model_of(**metadata: Any) -> Model:
    return new_model(Networks(Mover(), Teller(), nn.Identity()), CONFIG, metadata)


FACES = torch.full((10, 3, 32, 32), -1.0)


def test_power_undoes_the_response() -> None:
    """Movement s ** 0.5 needs the power 2; where it is even already nothing is to be done."""
    scales = np.array(SCALES)
    one = np.ones(1)
    assert fit_power(Responses(scales[None], one)) == 1.0
    # Between the scales the response is taken for straight, so not exactly 2.
    assert fit_power(Responses(scales[None] ** 0.5, one)) == pytest.approx(2.0, abs=0.1)
    assert fit_power(Responses(scales[None] ** 1.6, one)) == pytest.approx(1 / 1.6, abs=0.05)


def test_large_movements_decide() -> None:
    shares = np.stack([np.array(SCALES) ** 0.5, np.array(SCALES)])
    assert fit_power(Responses(shares, np.array((1.0, 20.0)))) == 1.0
    assert fit_power(Responses(shares, np.array((20.0, 1.0)))) > 1.8


def test_measured_movement_and_its_size() -> None:
    shares, sizes = measure(model_of(), FACES[:2], FACES[:2], Brightness())
    np.testing.assert_allclose(shares, np.tile(np.array(SCALES) ** ROOT, (2, 1)), atol=0.02)
    # Grey level 191 at strength 1 and 128 at 0 is the height of one landmark of 478.
    np.testing.assert_allclose(sizes, 63 / 478**0.5)


def test_calibrated_model_moves_in_proportion() -> None:
    even = calibrated(model_of(name="m"), FACES, FACES, Brightness())
    assert even.power == pytest.approx(1 / ROOT, abs=0.06)
    assert even.metadata["name"] == "m"
    code = even.encode(FACES[:1])
    strengths = torch.linspace(0, 1, 5)
    pictures = even.generate(FACES[:1].expand(5, -1, -1, -1), strengths[:, None] * code)
    heights = np.array([[[0.0, float(picture[0, 0, 0])]] for picture in pictures])
    np.testing.assert_allclose(movement(heights), strengths.numpy(), atol=0.03)


def test_power_is_measured_anew() -> None:
    again = calibrated(calibrated(model_of(), FACES, FACES, Brightness()), FACES, FACES, Brightness())
    assert again.power == pytest.approx(1 / ROOT, abs=0.06)


def test_too_few_faces_leave_the_codes_alone() -> None:
    few = strength.FEWEST - 1
    assert calibrated(model_of(code_power=1.5), FACES[:few], FACES[:few], Brightness()).power == 1.0
    assert calibrated(model_of(), FACES, FACES, Brightness(blind=True)).power == 1.0
