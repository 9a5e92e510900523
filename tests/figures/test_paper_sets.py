"""The picture sets of the paper's Table 1: how many, of whom, with which codes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch

from twocet.data import Faces

_PATH = Path(__file__).parents[2] / "benchmarks" / "paper_sets.py"
_SPEC = importlib.util.spec_from_file_location("paper_sets", _PATH)
SETS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(SETS)


class Adder:
    """The code of a picture is its last digit in grey levels; giving it to a face adds so many grey levels."""

    size, code_dim = 32, 1

    def encode(self, image):
        return torch.remainder(((image.mean(dim=(1, 2, 3)) + 1) * 127.5).round(), 10)[:, None]

    def generate(self, image, code):
        return image + code[:, :, None, None] / 127.5


def plain(levels):
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32)


# Eight neutral faces at 10, 20, ..., 80; class k of 25 shows k % 10 on each of them: the paper's test set.
NEUTRAL = [10 * person for person in range(1, 9)]
EXPRESSIVE = [(level + k % 10, f"class-{k:02d}") for level in NEUTRAL for k in range(2, 27)]
FACES = Faces(
    plain(NEUTRAL),
    plain([level for level, _ in EXPRESSIVE]),
    [{"expression": "neutral"}] * 8,
    [{"expression": name} for _, name in EXPRESSIVE],
    [],
)


def levels(pictures):
    return [int(picture[0, 0, 0]) for picture in pictures]


def test_the_papers_numbers_for_eight_people():
    assert len(SETS.neutralised(Adder(), FACES)) == 200
    assert len(SETS.sampled(Adder(), FACES, 1.0, 0)) == 200
    assert len(SETS.transferred(Adder(), FACES, 0)) == 600


def test_neutralised_are_the_expressive_photos_with_the_zero_code():
    assert levels(SETS.neutralised(Adder(), FACES)) == [level for level, _ in EXPRESSIVE]


def test_sampled_codes_have_the_range():
    found = np.array(levels(SETS.sampled(Adder(), FACES, 8.0, 0))) - np.repeat(NEUTRAL, 25)
    assert found.min() == -4
    assert found.max() == 4


def test_every_target_gets_three_references_of_every_expression():
    found = np.array(levels(SETS.transferred(Adder(), FACES, 0))).reshape(8, 25, 3)
    wanted = np.array(NEUTRAL)[:, None, None] + (np.arange(2, 27) % 10)[None, :, None]
    assert (found == wanted).all()
