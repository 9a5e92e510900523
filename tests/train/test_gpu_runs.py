"""The prepared runs for a card: what they would train. (Trained without one: docs/gpu.md.)"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from twocet.model.model import load_model
from twocet.networks.build import build

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu_runs.py"
spec = importlib.util.spec_from_file_location("gpu_runs", SCRIPT)
assert spec is not None
assert spec.loader is not None
gpu_runs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gpu_runs)


def test_the_default_model_goes_on_from_the_packaged_one_within_the_budget() -> None:
    stages = gpu_runs.default_stages(128, "cpu", 9.0, landmarks=True)
    assert [stage.name for stage in stages] == ["2-in-place", "4-landmarks", "5-generator", "6-mouths"]
    assert sum(stage.config.minutes for stage in stages) == pytest.approx(9.0)
    assert {(stage.config.network.size, stage.config.batch) for stage in stages} == {(256, 128)}
    assert [stage.config.network.close_up for stage in stages] == [False] * 3 + [True]
    assert not any(stage.config.even for stage in stages)
    mine = build(stages[0].config.network, discriminator=False).generator.state_dict()
    packaged = load_model("default").generator.state_dict()
    assert {name for name in mine if not name.startswith("detail.")} == {
        name for name in packaged if not name.startswith("close_up.")
    }
    assert all(packaged[name].shape == value.shape for name, value in mine.items() if name in packaged)


def test_without_landmarks_the_stage_that_needs_them_is_left_out() -> None:
    stages = gpu_runs.default_stages(128, "cpu", 9.0, landmarks=False)
    assert [stage.name for stage in stages] == ["2-in-place", "5-generator", "6-mouths"]
    assert sum(stage.config.minutes for stage in stages) == pytest.approx(9.0)


def test_the_authors_run_is_of_half_width_and_fits_in_two_files() -> None:
    [stage] = gpu_runs.authors_stages(16, "cpu", 9.0)
    networks = build(stage.config.network, discriminator=False)
    numbers = sum(p.numel() for network in networks.named().values() for p in network.parameters())
    assert 2 * numbers < 2 * 15 * 2**20
    assert stage.config.weights.diversity.end == pytest.approx(gpu_runs.ROUNDS, rel=0.01)
