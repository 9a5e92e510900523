"""Several runs in turn: the plan, the networks that are handed on, and going on after a kill at any stage."""

from __future__ import annotations

import contextlib
import itertools
import json

import pytest
import torch
from test_unpaired import readings  # noqa: F401 - a fixture
from tiny import write_dataset

from twocet import cli
from twocet.errors import UserError
from twocet.model import strength
from twocet.model.model import load_model
from twocet.runtime.distributed import ALONE
from twocet.training import checkpoint, curriculum
from twocet.training.config import Sources
from twocet.training.curriculum import CURRICULA, begin, last_model, plan, read, train_stages
from twocet.training.loop import Run
from twocet.training.recipes.configs import CloseUpConfig, FastConfig, LandmarksConfig

WORDS = (
    "network.size=32", "network.code_dim=4", "network.generator_widths=8,12", "network.trunk_widths=8,12", "batch=4",
    "threads=1", "bf16=False", "log_every=1", "sample_every=100", "validate_every=2", "checkpoint_every=2",
    "keep=10",
)  # fmt: skip


@pytest.fixture
def sources(tmp_path):
    return Sources(data=(str(write_dataset(tmp_path / "faces", identities=24, expressions=1)),), mix=(1.0,))


@pytest.fixture(autouse=True)
def quick(monkeypatch, readings):  # noqa: F811
    """No landmark runtime, neither for the photos nor for the strength."""
    monkeypatch.setattr(strength, "calibrated", lambda model, target, reference: model)


def test_every_stage_has_its_settings_and_its_part_of_the_budget():
    planned = plan("supervised", ["batch=8"], minutes=89.0)
    configs = [stage.config for stage in planned]
    kinds = [FastConfig, FastConfig, FastConfig, LandmarksConfig, FastConfig, CloseUpConfig]
    assert [type(config) for config in configs] == kinds
    assert sum(config.minutes for config in configs) == pytest.approx(89, rel=1e-3)
    assert configs[0].minutes == pytest.approx(20)
    assert {config.batch for config in configs} == {8}
    assert [config.even for config in configs] == [False] * 5 + [True]
    whole = [stage.config.steps for stage in plan("supervised", [])]
    assert whole == [stage.rounds for stage in CURRICULA["supervised"]]
    tenth = [stage.config.steps for stage in plan("supervised", [], steps=sum(whole) // 10)]
    assert tenth == [round(rounds / 10) for rounds in whole]


def test_settings_of_single_stages_are_refused():
    with pytest.raises(UserError, match="--set lr=1: the stages of supervised have their own"):
        plan("supervised", ["lr=1", "batch=4"])


def trained(folder):
    """Networks and optimisers of every stage's last checkpoint."""
    for stage in CURRICULA["supervised"]:
        yield checkpoint.read(sorted((folder / stage.name / "checkpoints").glob("step-*.pt"))[-1])["parts"]


def test_stages_hand_on_their_networks_and_go_on_after_a_kill(tmp_path, sources, monkeypatch):
    """Of three kinds of stages, four rounds each, one is killed in its third round, one later, one in its first."""
    stages = tuple(CURRICULA["supervised"][k]._replace(rounds=4, minutes=1) for k in (0, 3, 5))
    monkeypatch.setitem(CURRICULA, "supervised", stages)
    planned = plan("supervised", WORDS)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    begin(whole, planned, sources)
    assert train_stages(whole, planned, sources, ALONE, progress=False)

    begin(broken, planned, sources)
    whole_round = Run.round
    rounds = []

    def power_cut(run, draw, watch):
        result = whole_round(run, draw, watch)
        rounds.append(run.folder.name)
        if len(rounds) in (3, 9, 12):
            raise RuntimeError("power cut")
        return result

    monkeypatch.setattr(Run, "round", power_cut)
    for _ in range(4):
        with contextlib.suppress(RuntimeError):
            again, kept = read(broken)
            assert (again, kept) == (planned, sources)
            complete = train_stages(broken, again, kept, ALONE, progress=False)
    assert complete
    assert rounds == ["1-pairs"] * 5 + ["4-landmarks"] * 6 + ["6-mouths"] * 5
    for one, two in zip(trained(whole), trained(broken), strict=True):
        for part in ("generator", "encoder", "average_generator"):
            assert all(torch.equal(value, two[part][name]) for name, value in one[part].items())

    # Each stage began with what the one before made; the close-up is new.
    for before, after in itertools.pairwise(planned):
        start = checkpoint.read(whole / after.name / "checkpoints" / "step-000000000.pt")["parts"]["generator"]
        made = load_model(last_model(whole / before.name)).generator.state_dict()
        assert all(torch.equal(start[name], value) for name, value in made.items())

    model = load_model(whole / "model.safetensors")
    training = model.metadata["training"]
    recipes = [run["config"]["recipe"] for run in (*training["earlier"], training)]
    assert recipes == ["fast", "landmarks", "close_up"]
    assert list(model.networks.named()) == ["generator", "encoder"]
    last = load_model(whole / planned[-1].name / "model.safetensors")
    assert all(torch.equal(value, last.generator.state_dict()[k]) for k, value in model.generator.state_dict().items())


def test_the_command_stops_and_goes_on(tmp_path, sources, monkeypatch, capsys):
    monkeypatch.setitem(CURRICULA, "supervised", CURRICULA["supervised"][:2])
    folder = tmp_path / "run"
    stopped = []

    def stop(folder, planned, sources, ranks):
        stopped.append(1)
        watch = (lambda done, steps: done >= 1) if len(stopped) == 1 else (lambda done, steps: False)
        return train_stages(folder, planned, sources, ranks, watch, progress=False)

    monkeypatch.setattr(curriculum, "train_stages", stop)
    words = ["train", "--data", *sources.data, "--recipe", "supervised", "-o", str(folder), "--steps", "8"]
    assert cli.main([*words, "--set", *WORDS]) == 130
    assert f"go on with: twocet train -o {folder} --resume" in capsys.readouterr().err
    assert cli.main(["train", "-o", str(folder), "--resume"]) == 0
    assert capsys.readouterr().out == f"{folder / 'model.safetensors'}\n"
    assert (folder / "model.safetensors").exists()
    assert cli.main([*words, "--set", *WORDS]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_what_makes_no_sense_is_refused(capsys):
    assert cli.main(["train", "-o", "x", "--recipe", "supervised", "--preset", "paper"]) == 2
    assert "leave out --preset, --schedule-scale, --select and --init" in capsys.readouterr().err
    assert cli.main(["train", "-o", "x", "--recipe", "supervised", "--dry-run"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == [stage.name for stage in CURRICULA["supervised"]]
