"""The paper's method learns on points, and a run goes on to the bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import toy

from twocet.errors import UserError
from twocet.shapes import model as models
from twocet.shapes.config import ShapeConfig
from twocet.shapes.points import PointSets
from twocet.shapes.recipe import learning_rate, sampled_codes, weights_at
from twocet.shapes.reports import report
from twocet.shapes.training import Run, Source, train

SHORT = dataclasses.replace(toy.CONFIG, steps=12, checkpoint_every=5, log_every=2)


def start(folder: Path, config: ShapeConfig = SHORT) -> Run:
    return Run(folder, config, [Source(name="toy", sets=toy.unpaired(30))])


def test_strangers_teach_to_neutralise_and_to_transfer(run: Run) -> None:
    methods = report(run.model(), toy.known())["methods"]
    assert methods["model"]["neutralize"]["named"]["explained"] > 0.8
    assert methods["model"]["transfer"]["named"]["cosine"] > 0.8
    assert methods["copy"]["transfer"]["named"]["explained"] == 0


def test_a_run_that_goes_on_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, part = start(tmp_path / "whole"), start(tmp_path / "part")
    assert train(whole, progress=False)
    assert not train(part, lambda step, _: step == 7, progress=False)
    again = start(tmp_path / "part")
    again.resume()
    assert again.step == 7
    assert train(again, progress=False)
    assert (tmp_path / "whole/model.safetensors").read_bytes() == (tmp_path / "part/model.safetensors").read_bytes()


def test_global_random_numbers_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(start(tmp_path, dataclasses.replace(SHORT, steps=1)), progress=False)
    assert (torch.rand(2) == expected).all()


def test_other_settings_do_not_go_on(tmp_path: Path) -> None:
    train(start(tmp_path), progress=False)
    other = start(tmp_path, dataclasses.replace(SHORT, cycle=1.0))
    with pytest.raises(UserError, match="begun with other settings"):
        other.resume()


def test_every_parameter_learns(tmp_path: Path) -> None:
    run = start(tmp_path)
    before = {name: [p.clone() for p in network.parameters()] for name, network in run.state.networks.named().items()}
    train(run, progress=False)
    for name, network in run.state.networks.named().items():
        assert all((p != old).any() for p, old in zip(network.parameters(), before[name], strict=True)), name


def test_too_few_faces_are_refused() -> None:
    with pytest.raises(UserError, match="has 15 neutral faces"):
        Source(name="few", sets=toy.unpaired(15))


def test_faces_of_unknown_domain_are_refused() -> None:
    with pytest.raises(UserError, match="does not say which faces are neutral"):
        Source(name="a", sets=PointSets(points=toy.people(40, 1)))


def test_sources_need_the_same_points(tmp_path: Path) -> None:
    flat = toy.unpaired(20)
    solid = PointSets(points=np.concatenate([flat.points, flat.points[..., :1]], axis=2), neutral=flat.neutral)
    with pytest.raises(UserError, match="need the same points"):
        Run(tmp_path, SHORT, [Source(name="flat", sets=flat), Source(name="solid", sets=solid)])


def test_shares_of_sources_are_kept(tmp_path: Path) -> None:
    sources = [Source(name="a", sets=toy.unpaired(20), share=3), Source(name="b", sets=toy.unpaired(60), share=1)]
    weights = Run(tmp_path, SHORT, sources).sampler.neutral.weights
    assert weights[:20].sum() == pytest.approx(0.75)
    assert weights.sum() == pytest.approx(1)


def test_schedules() -> None:
    config = ShapeConfig(steps=1000, lr=1.0, cycle=2.0)
    assert [learning_rate(step, config) for step in (0, 49, 99, 500, 750)] == [0.01, 0.5, 1.0, 1.0, 0.5]
    begin, middle, end = (weights_at(progress, config) for progress in (0.0, 0.5, 1.0))
    assert (begin.code, middle.code, end.code) == (0, 1, 1)
    assert (begin.diversity, middle.diversity, end.diversity) == (1, 0.5, 0)
    assert (begin.cycle_expressive, end.cycle_expressive, end.cycle_neutral) == (2, 3, 2)


def test_codes_are_read_from_more_and_more_faces(tmp_path: Path) -> None:
    run = start(tmp_path, dataclasses.replace(SHORT, batch=400, read=0.6, read_noise=0.0))
    batch = run.sampler.batch(0)

    def shares(progress: float) -> float:
        code, _ = sampled_codes(run.state.networks, batch, progress, run.config)
        return float((code != batch.code).any(dim=1).float().mean())

    assert shares(0) == 0
    assert shares(0.125) == pytest.approx(0.3, abs=0.08)
    assert shares(0.25) == shares(1.0) == pytest.approx(0.6, abs=0.08)


def test_codes_that_are_read_get_no_gradient(tmp_path: Path) -> None:
    run = start(tmp_path)
    code, other = sampled_codes(run.state.networks, run.sampler.batch(0), 1.0, run.config)
    assert not code.requires_grad
    assert not other.requires_grad


def test_a_model_file_comes_back(run: Run, model_file: Path) -> None:
    loaded, faces = models.load(model_file), toy.known().points
    size = np.abs(faces - faces.mean(axis=1, keepdims=True)).max()
    assert np.abs(loaded.remove(faces) - run.model().remove(faces)).max() < 0.01 * size
    assert loaded.metadata["data"][0]["name"] == "toy"
