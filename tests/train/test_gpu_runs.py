"""The prepared runs for a card: what they would train. (Trained without one: docs/gpu.md.)"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from twocet.networks.build import build

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu_runs.py"
spec = importlib.util.spec_from_file_location("gpu_runs", SCRIPT)
assert spec is not None
assert spec.loader is not None
gpu_runs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gpu_runs)


def test_the_default_model_is_made_in_the_budget_without_landmarks() -> None:
    stages = gpu_runs.default_stages(128, "cpu", 9.0)
    assert [stage.name for stage in stages] == ["1-pairs", "2-in-place", "3-full-size", "5-generator", "6-mouths"]
    assert sum(stage.config.minutes for stage in stages) == pytest.approx(9.0)
    assert {(stage.config.network.size, stage.config.batch) for stage in stages} == {(256, 128)}
    assert [stage.config.network.close_up for stage in stages] == [False] * 4 + [True]
    assert not any(stage.config.even for stage in stages)


def test_the_authors_run_is_of_half_width_and_fits_in_two_files() -> None:
    [stage] = gpu_runs.authors_stages(16, "cpu", 9.0)
    networks = build(stage.config.network, discriminator=False)
    numbers = sum(p.numel() for network in networks.named().values() for p in network.parameters())
    assert 2 * numbers < 2 * 15 * 2**20
    assert stage.config.weights.diversity.end == pytest.approx(gpu_runs.ROUNDS, rel=0.01)
