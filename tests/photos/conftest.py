"""A synthetic portrait, a face finder and a model small enough to be understood by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from twocet import cli
from twocet.edit.editor import Editor
from twocet.networks.edit import Edit
from twocet.photo.faces import FaceFinder
from twocet.photo.images import Photo, write_photo
from twocet.synth import Head, Identity, render

SIZE = 128


@pytest.fixture(scope="session")
def rendered():
    """Portrait of a synthetic person before a background, 512 pixels, with exact landmarks."""
    return render(Head(Identity.sample(1_000_003)), {}, 512, "portrait", supersample=1)


@pytest.fixture(scope="session")
def portrait(rendered):
    return rendered.pixels


@pytest.fixture(scope="session")
def finder():
    return FaceFinder(threads=1)


@pytest.fixture(scope="session")
def noise():
    """(90, 120, 3) pixels in which every place differs from its neighbours."""
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


@pytest.fixture
def portrait_file(tmp_path, portrait):
    return write_photo(tmp_path / "portrait.png", Photo(pixels=portrait))


@pytest.fixture
def two_faces(portrait):
    """A large face on the left and a smaller one on the right."""
    small = portrait[::2, ::2]
    canvas = np.full((512, 768, 3), 90, np.uint8)
    canvas[:, :512] = portrait
    canvas[128:384, 512:] = small
    return canvas


def bump(centre_x, centre_y, radius):
    """(1, 1, S, S): 1 at the centre, exactly 0 from ``radius`` on; lengths in crop sides."""
    ticks = (torch.arange(SIZE) + 0.5) / SIZE
    squared = ((ticks - centre_x) ** 2 + (ticks[:, None] - centre_y) ** 2) / radius**2
    return (1 - squared).clamp(min=0)[None, None] ** 2


class StubModel:
    """Moves the mouth down by 0.05 sides for every unit of code[0]; removes an expression by a shift to the right.

    Every face is neutral, unless ``expressive``. The code of a picture is its mean colour and 0: constants, whatever
    the face looks like.
    """

    size = SIZE
    code_dim = 4

    def __init__(self):
        self.expressive = False
        self.metadata = {}
        self.device = torch.device("cpu")
        self.calls = SimpleNamespace(encode=0, edit=0)

    def sample_codes(self, num, generator):
        return torch.randn(num, 4, generator=generator) * torch.tensor([0.5, 0.1, 0.0, 2.0])

    def encode(self, image):
        self.calls.encode += 1
        return torch.cat([image.mean(dim=(2, 3)), torch.zeros(len(image), 1)], dim=1)

    def edit(self, image, code, strength=1.0):
        self.calls.edit += 1
        code = strength * code
        mouth = bump(0.5, 0.68, 0.2)
        down = -0.05 * float(code[0, 0]) * mouth
        right = -0.02 * mouth if self.expressive and not code.any() else torch.zeros_like(mouth)
        return Edit(torch.cat([right, down], dim=1), torch.zeros_like(mouth), torch.zeros(1, 3, SIZE, SIZE))


@pytest.fixture
def stub():
    return StubModel()


@pytest.fixture
def run(monkeypatch, stub, finder):
    """Runs the command line with the stub model in place of the packaged one."""

    def load(*_, strict=False, strip_private=False, **__):
        return Editor(stub, name="stub", sha256="0" * 64, finder=finder, strict=strict, strip_private=strip_private)

    monkeypatch.setattr("twocet.edit.editor.load", load)
    return lambda *words: cli.main([str(word) for word in words])


@pytest.fixture
def editor(stub, finder):
    return Editor(stub, name="stub", sha256="0" * 64, finder=finder)
