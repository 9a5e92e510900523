"""What chooses the best checkpoint."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import CONFIG, write_dataset

from twocet.data.dataset import load_faces, open_dataset
from twocet.errors import UserError
from twocet.metrics import kernel_distance
from twocet.model.model import load_model
from twocet.networks.interfaces import Networks
from twocet.photo.scaling import to_pixels
from twocet.readers.expression import NO_FACE, Expression
from twocet.readers.features import ImageFeatures
from twocet.training import checkpoint, selection
from twocet.training.config import Sources
from twocet.training.export import VALIDATION_PAIRS, pair_images
from twocet.training.loop import Run, train
from twocet.training.selection import METRICS, cycle_error, transfer_agreement, transfer_distance


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "faces")


@pytest.fixture(scope="module")
def faces(folder):
    return load_faces(open_dataset(folder), "val", 32, progress=False)


def networks(generator):
    """The encoder reads the photo's mean, twice."""
    return Networks(generator, lambda image: image.mean(dim=(1, 2, 3))[:, None].repeat(1, 2), None)


def test_cycle_error_compares_with_the_expressive_photo(faces):
    """A generator that adds the code's first number and 0.1: twice around adds the code and 0.2."""
    adding = networks(lambda image, code: image + code[:, :1, None, None] + 0.1)
    photos = faces.expressive.float() / 127.5 - 1
    expected = (photos.mean(dim=(1, 2, 3)) + 0.2).abs().mean()
    assert cycle_error(adding, [faces], False) == pytest.approx(float(expected), abs=1e-6)
    assert cycle_error(adding, [faces, faces], False) == pytest.approx(float(expected), abs=1e-6)


class Reader:
    """Reads the mean and the mean square of a picture as the only two moving blendshapes of 51; white has no face."""

    def read(self, pixels):
        if pixels.min() == 255:
            return NO_FACE
        shapes = np.zeros(51)
        shapes[0], shapes[1] = pixels.mean() / 255, np.square(pixels / 255.0).mean()
        return Expression(shapes, np.zeros((478, 2)))


def agreement(generator, faces):
    return transfer_agreement(networks(generator), [faces], False, Reader())


def test_agreement_of_copies_is_zero_and_of_the_wanted_change_is_one(faces):
    assert agreement(lambda image, code: image, faces) == 0
    # All people of this set look the same: then showing the reference is the perfect answer.
    same = faces._replace(
        neutral=faces.neutral[:1].expand(2, -1, -1, -1), expressive=faces.expressive[2:3].expand(6, -1, -1, -1)
    )
    target = same.expressive[:1].float() / 127.5 - 1
    assert agreement(lambda image, code: target.expand(len(image), -1, -1, -1), same) == pytest.approx(1)


def test_transfers_without_a_readable_face_are_left_out(faces):
    assert np.isnan(agreement(lambda image, code: torch.ones_like(image), faces))


class GreyLevels:
    """Features: the picture's mean and its spread."""

    def read(self, pictures):
        pooled = np.stack([pictures.mean(axis=(1, 2, 3)), pictures.std(axis=(1, 2, 3))], axis=1) / 255
        return ImageFeatures(pooled.astype(np.float32), np.ones((len(pictures), 1), np.float32))


def test_distance_of_transfers_from_the_expressive_photos(faces):
    def distance(generator):
        return transfer_distance(networks(generator), [faces], False, GreyLevels())

    # All references are of one batch here: the generator can give them back in their order.
    perfect = distance(lambda image, code: _expressive(faces))
    black = distance(lambda image, code: -torch.ones_like(image))
    assert perfect < 0.01 < black
    photos = GreyLevels().read(np.stack([to_pixels(image) for image in _expressive(faces)])).pooled
    assert black == pytest.approx(kernel_distance(np.zeros_like(photos), photos), rel=1e-4)


def _expressive(faces):
    return pair_images([faces], VALIDATION_PAIRS)[1]


def test_improvement_knows_the_direction_and_refuses_what_is_no_number():
    assert METRICS["gain"].improves(0.2, 0.1)
    assert not METRICS["gain"].improves(0.1, 0.2)
    assert METRICS["cycle"].improves(0.1, 0.2)
    assert not METRICS["cycle"].improves(0.2, 0.1)
    assert METRICS["cycle"].improves(0.2, None)
    assert not METRICS["agreement"].improves(float("nan"), None)
    assert METRICS["kid_mobilenetv2"].improves(-0.01, 0.2)


def test_best_checkpoint_is_the_one_of_the_lowest_error(folder, tmp_path, monkeypatch):
    values = iter([0.5, 0.2, 0.9, 0.3])
    metric = SimpleNamespace(measure=lambda *_: next(values), improves=METRICS["cycle"].improves, needs_pairs=False)
    monkeypatch.setitem(selection.METRICS, "cycle", metric)
    config = dataclasses.replace(CONFIG, steps=8, validate_every=2, select="cycle")
    run = Run(tmp_path / "run", config, Sources(data=(str(folder),), mix=(1.0,)), progress=False)
    train(run)
    best = checkpoint.read(tmp_path / "run" / "checkpoints" / "best.pt")["progress"]
    assert (best["step"], best["best"]) == (4, 0.2)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    found = [(line["step"], line["validation_cycle"]) for line in lines if "validation_cycle" in line]
    assert found == [(2, 0.5), (4, 0.2), (6, 0.9), (8, 0.3)]
    model, last = (load_model(tmp_path / "run" / name) for name in ("model.safetensors", "last.safetensors"))
    assert model.metadata["training"]["rounds"] == 4
    assert model.metadata["training"]["selected"] == {"metric": "cycle", "value": 0.2}
    assert last.metadata["training"]["rounds"] == 8
    assert last.metadata["training"]["selected"] == {}
    weights = checkpoint.read(tmp_path / "run" / "checkpoints" / "best.pt")["parts"]["average_generator"]
    assert all(torch.equal(model.generator.state_dict()[name], value.half().float()) for name, value in weights.items())
    for name, value in run.state.average.generator.state_dict().items():
        assert torch.equal(last.generator.state_dict()[name], value.half().float())


def test_a_run_whose_last_round_is_the_best_leaves_one_model(folder, tmp_path, monkeypatch):
    values = iter([0.5, 0.2])
    metric = SimpleNamespace(measure=lambda *_: next(values), improves=METRICS["cycle"].improves, needs_pairs=False)
    monkeypatch.setitem(selection.METRICS, "cycle", metric)
    config = dataclasses.replace(CONFIG, steps=4, validate_every=2, select="cycle")
    run = Run(tmp_path / "run", config, Sources(data=(str(folder),), mix=(1.0,)), progress=False)
    (tmp_path / "run" / "last.safetensors").write_bytes(b"of an earlier interruption")
    train(run)
    assert load_model(tmp_path / "run" / "model.safetensors").metadata["training"]["rounds"] == 4
    assert not (tmp_path / "run" / "last.safetensors").exists()


def test_the_error_of_the_cycle_needs_no_pairs(folder, tmp_path):
    """Validation people with expressive photos only are enough for it, and not for the gain."""
    lines = (folder / "faces.csv").read_text().splitlines()
    only = tmp_path / "faces"
    only.mkdir()
    (only / "faces").symlink_to(folder / "faces")
    (only / "dataset.json").write_bytes((folder / "dataset.json").read_bytes())
    kept = [line for line in lines if not ("val" in line and "neutral" in line)]
    (only / "faces.csv").write_text("\n".join(kept) + "\n")
    for select, count in (("cycle", 1), ("gain", 0)):
        config = dataclasses.replace(CONFIG, select=select)
        run = Run(tmp_path / select, config, Sources(data=(str(only),), mix=(1.0,)), progress=False)
        assert len(run.judged) == count


def test_the_model_remembers_the_alignment_of_its_data_and_data_of_one_run_agree(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "faces").symlink_to(folder / "faces")
    (other / "faces.csv").write_bytes((folder / "faces.csv").read_bytes())
    info = json.loads((folder / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps(info | {"template": "paper-v1"}))
    config = dataclasses.replace(CONFIG, steps=1)
    run = Run(tmp_path / "run", config, Sources(data=(str(other),), mix=(1.0,)), progress=False)
    train(run)
    assert load_model(tmp_path / "run" / "model.safetensors").metadata["template"] == "paper-v1"
    with pytest.raises(UserError, match=r"must be aligned alike .*eyes-nose-v1.*paper-v1"):
        Run(tmp_path / "two", config, Sources(data=(str(folder), str(other)), mix=(1.0, 1.0)), progress=False)
