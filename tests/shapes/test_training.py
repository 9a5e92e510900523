"""The paper's method learns on points, and a run goes on to the bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from safetensors.numpy import load_file

from twocet.errors import UserError
from twocet.shapes import model as models
from twocet.shapes.config import ShapeConfig
from twocet.shapes.points import PointSets
from twocet.shapes.recipe import cycles, learning_rate, sampled_codes, weights_at
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
    files = [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "part")]
    assert all((tensor == files[1][name]).all() for name, tensor in files[0].items())


def test_global_random_numbers_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(start(tmp_path, dataclasses.replace(SHORT, steps=1)), progress=False)
    assert (torch.rand(2) == expected).all()


def test_other_settings_do_not_go_on(tmp_path: Path) -> None:
    train(start(tmp_path), progress=False)
    other = start(tmp_path, dataclasses.replace(SHORT, cycle_neutral=1.0))
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
    config = ShapeConfig(steps=1000, lr=1.0, cycle_expressive=2.0, diversity=1.0)
    assert [learning_rate(step, config) for step in (0, 49, 99, 500, 750)] == [0.01, 0.5, 1.0, 1.0, 0.5]
    begin, middle, end = (weights_at(progress, config) for progress in (0.0, 0.5, 1.0))
    assert (begin.code, middle.code, end.code) == (0, 1, 1)
    assert (begin.diversity, middle.diversity, end.diversity) == (1, 0.5, 0)
    assert (begin.cycle_expressive, end.cycle_expressive) == (2, 3)


def test_without_rounds_it_is_the_estimate_of_its_movements(tmp_path: Path) -> None:
    run = start(tmp_path, dataclasses.replace(SHORT, steps=0))
    assert train(run, progress=False)
    model, faces = models.load(tmp_path), toy.known().points
    estimate = run.state.networks.generator.estimate
    numbers, placement = run.space.numbers(faces)
    moved = estimate(torch.tensor(numbers, dtype=torch.float32)).double().numpy()
    expected = run.space.moved(faces, placement, -moved)
    assert np.abs(model.remove(faces) - expected).max() < 0.01 * np.abs(faces).max()


def test_codes_begin_with_the_variance_of_movements(tmp_path: Path) -> None:
    run = start(tmp_path)
    expected = run.movements.covariance()
    # U(-1/2, 1/2) has the variance 1/12.
    axes = run.state.networks.generator.axes
    made = (axes @ axes.T / 12).numpy()
    assert np.abs(made - expected).max() < 0.25 * expected.max()


def test_blended_people_vary_as_the_true_ones(tmp_path: Path) -> None:
    run = start(tmp_path, dataclasses.replace(SHORT, batch=4000))
    blended, true = run.sampler.batch(0).neutral, run.sampler.neutral.shapes
    assert torch.allclose(blended.var(dim=0), true.var(dim=0), rtol=0.15, atol=1e-5)
    assert not (blended[:, None, 0] == true[None, :, 0]).any()


def test_cycles_teach_the_second_pass_alone(tmp_path: Path) -> None:
    run = start(tmp_path)
    networks, batch = run.state.networks, run.sampler.batch(0)
    neutral, _ = cycles(networks, batch)
    neutral.restored.square().sum().backward()
    generator = networks.generator
    assert all(p.grad is None for p in generator.give.parameters())
    assert any(p.grad is not None and p.grad.any() for p in generator.remove.parameters())


def test_a_model_file_comes_back(run: Run, model_file: Path) -> None:
    loaded, faces = models.load(model_file), toy.known().points
    size = np.abs(faces - faces.mean(axis=1, keepdims=True)).max()
    # Rounded, a face between two kinds of movements may be taken for the other.
    assert np.abs(loaded.remove(faces) - run.model().remove(faces)).mean() < 0.01 * size
    assert loaded.metadata["data"][0]["name"] == "toy"


def test_codes_that_are_read_vary_no_less_than_drawn_ones(tmp_path: Path) -> None:
    run = start(tmp_path, dataclasses.replace(SHORT, batch=4000))
    batch = run.sampler.batch(0)
    assert (sampled_codes(run.state.networks, batch, 0.0) == batch.code).all()
    read = sampled_codes(run.state.networks, batch, 1.0)
    assert not (read == batch.code).all(dim=1).any()
    assert (read.var(dim=0)[:2] > 0.7 / 12).all()
