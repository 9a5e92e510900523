"""Runs: resume bit for bit, kill -9, Ctrl-C, failures, budgets, what is written."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny import CONFIG, PAIRS, SETTINGS, SIZE, write_dataset
from waiting import wait_for

from twocet.commands.info import describe
from twocet.commands.train import configure
from twocet.commands.train import train as train_command
from twocet.data.dataset import load_faces, open_dataset
from twocet.errors import UserError
from twocet.method import codes
from twocet.model import strength
from twocet.model.model import SAMPLE_WIDTH, Model, load_model, new_model
from twocet.photo.marks import read_mark
from twocet.runtime.configuration import from_dict
from twocet.training import checkpoint
from twocet.training.config import RunConfig, Sources
from twocet.training.export import expressive_codes, pair_images, with_code_facts
from twocet.training.loop import Run, plan, planned_steps, resume, train
from twocet.training.recipes.base import adversarial_state
from twocet.training.recipes.configs import CyclesConfig
from twocet.training.recipes.table import config_from_dict
from twocet.training.record import forget_after


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "faces")


def new_run(folder: Path, data: Path, config: RunConfig = CONFIG) -> Run:
    return Run(folder, config, Sources(data=(str(data),), mix=(1.0,)), progress=False)


def tensors(value: Any, name: str = "") -> dict[str, torch.Tensor]:
    """All tensors in nested dicts and lists, by path."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    return {path: tensor for key, part in items for path, tensor in tensors(part, f"{name}/{key}").items()}


def assert_same_state(one: Path, two: Path) -> None:
    """Both runs end with the same networks, averages and optimisers, bit for bit."""
    (first, second) = (checkpoint.read(sorted((folder / "checkpoints").glob("step-*.pt"))[-1]) for folder in (one, two))
    assert first["progress"]["step"] == second["progress"]["step"]
    left, right = tensors(first["parts"]), tensors(second["parts"])
    assert left.keys() == right.keys()
    assert len(left) > 100
    different = [name for name in left if not torch.equal(left[name], right[name])]
    assert not different


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("bf16", [False, True])
def test_resumed_run_equals_unbroken_run(tmp_path: Path, data: Path, bf16: bool) -> None:
    """Weights of the losses, learning rate and lazy R1 are all in motion."""
    config = dataclasses.replace(CONFIG, bf16=bf16)
    train(new_run(tmp_path / "whole", data, config))
    broken = new_run(tmp_path / "broken", data, config)
    # What a killed run leaves behind: the checkpoint of round 5 and later lines of the record.
    with contextlib.suppress(RuntimeError):
        stop_after(broken, 7)
        train(broken)
    again = resume(tmp_path / "broken", progress=False)
    assert again.progress.step == 5
    assert train(again)
    assert_same_state(tmp_path / "whole", tmp_path / "broken")
    timeless = [
        [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in lines(folder)]
        for folder in (tmp_path / "whole", tmp_path / "broken")
    ]
    assert [line["step"] for line in timeless[1]] == [2, 4, 5, 6, 8, 10, 10]
    # The line of round 6 is a mean over rounds 5 and 6, of which the resumed run knows one.
    assert timeless[0][4:] == timeless[1][4:]


def stop_after(run: Run, rounds: int) -> None:
    """Make the run fail without warning after some rounds."""
    whole = run.recipe.round

    def failing(state: Any, draw: Any, step: int) -> Any:
        if step == rounds:
            raise RuntimeError("power cut")
        return whole(state, draw, step)

    run.recipe.round = failing  # type: ignore[method-assign]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "twocet", "train", *arguments]


def test_killed_command_resumes_exactly(tmp_path: Path, data: Path) -> None:
    """kill -9 of the real command somewhere after the first checkpoint; then --resume."""
    train(new_run(tmp_path / "whole", data, dataclasses.replace(CONFIG, steps=25)))
    folder = tmp_path / "killed"
    options = ["--recipe", "authors", "--steps", "25", "--set", *SETTINGS]
    process = subprocess.Popen(command("--data", str(data), "-o", str(folder), *options), stderr=subprocess.DEVNULL)
    wait_for((folder / "checkpoints" / "step-000000005.pt").exists)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "model.safetensors").exists()
    subprocess.run(command("-o", str(folder), "--resume"), check=True, stderr=subprocess.DEVNULL)
    assert_same_state(tmp_path / "whole", folder)
    models = (load_model(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    one, two = (model.generator.state_dict() for model in models)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_ctrl_c_saves_and_exits_cleanly(tmp_path: Path, data: Path) -> None:
    run = new_run(tmp_path / "run", data)
    whole = run.recipe.round

    def interrupted(state: Any, draw: Any, step: int) -> Any:
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(state, draw, step)

    run.recipe.round = interrupted  # type: ignore[method-assign]
    before = signal.getsignal(signal.SIGINT)
    assert train(run) is False
    assert signal.getsignal(signal.SIGINT) is before
    assert run.progress.step == 4
    assert resume(tmp_path / "run", progress=False).progress.step == 4


def test_not_a_number_stops_with_the_term_and_keeps_the_last_good_checkpoint(tmp_path: Path, data: Path) -> None:
    run = new_run(tmp_path / "run", data)
    whole = run.recipe.round

    def poisoned(state: Any, draw: Any, step: int) -> Any:
        terms = whole(state, draw, step)
        return {**terms, "code": terms["code"] * math.nan} if step == 6 else terms

    run.recipe.round = poisoned  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"round 7: code is nan; the last good checkpoint is .*step-000000005\.pt"):
        train(run)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_weights_that_are_not_numbers_are_never_saved(tmp_path: Path, data: Path) -> None:
    run = new_run(tmp_path / "run", data)
    run.save()
    next(run.state.networks.encoder.parameters()).data[0] = math.inf
    run.progress = run.progress._replace(step=1)
    with pytest.raises(UserError, match="weights are not finite"):
        run.save()
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-000000000.pt"]


def test_what_a_run_leaves(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "run"
    train(new_run(folder, data, dataclasses.replace(CONFIG, steps=20, keep=2)))
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert names == ["best.pt", "step-000000015.pt", "step-000000020.pt"]
    gains = {line["step"]: line["validation_gain"] for line in lines(folder) if "validation_gain" in line}
    assert list(gains) == [5, 10, 15, 20]
    with Image.open(folder / "samples" / "000000010.png") as sample:
        assert sample.size == (6 * SIZE, 6 * SIZE)
    assert read_mark(folder / "samples" / "000000010.png").model == folder.name
    assert list((folder / "tensorboard").iterdir())
    described = json.loads((folder / "config.json").read_text())
    assert from_dict(CyclesConfig, described["config"]) == dataclasses.replace(CONFIG, steps=20)
    terms = {"discriminator_neutral", "r1_expressive", "cycle_neutral", "cycle_expressive", "code", "diversity", "lr"}
    assert terms <= lines(folder)[0].keys()
    model = load_model(folder / "model.safetensors")
    assert model.metadata["data"] == [{"name": "faces", "licence": "CC0-1.0", "citation": "none"}]
    best = max(gains, key=gains.__getitem__)
    assert model.metadata["training"]["rounds"] == best
    assert model.metadata["training"]["selected"] == {"metric": "gain", "value": gains[best]}
    assert len(model.metadata["code_std"]) == 4
    facts = {"file": "f", "bytes": 1, "sha256": "s", "parameters": {"generator": 1}, **model.metadata}
    assert f"recipe authors, {best} rounds" in describe(facts)


def test_codes_are_drawn_near_those_of_training_photos(data: Path) -> None:
    faces = load_faces(open_dataset(data), "train", SIZE, progress=False)
    model = with_code_facts(new_model(adversarial_state(CONFIG).average, CONFIG.network, {}), [faces])
    known = torch.tensor(model.metadata["codes"])
    drawn = model.sample_codes(5, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, codes.resampled(5, known, SAMPLE_WIDTH, torch.Generator().manual_seed(0)))
    read = expressive_codes(model.encoder, [faces])
    # The longer half: 9 of 18; four digits of the codes.
    read = read[read.norm(dim=1) >= read.norm(dim=1).sort().values[8]]
    torch.testing.assert_close(known, read, rtol=0, atol=1e-4)


def test_one_photo_is_too_little_to_draw_codes_near(data: Path) -> None:
    state = adversarial_state(CONFIG)
    model = new_model(state.average, CONFIG.network, {})
    faces = load_faces(open_dataset(data), "train", SIZE, progress=False)
    alone = with_code_facts(model, [faces._replace(expressive=faces.expressive[:1])])
    drawn = alone.sample_codes(3, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, codes.uniform(3, 4, 1.0, torch.Generator().manual_seed(0)))


def test_complete_runs_even_the_strength(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the validation people, each with the next one's expression; a run that was stopped leaves codes alone."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def calibrated(model: Model, target: torch.Tensor, reference: torch.Tensor) -> Model:
        seen.append((target, reference))
        return dataclasses.replace(model, metadata={**model.metadata, "code_power": 2.0})

    monkeypatch.setattr(strength, "calibrated", calibrated)
    config = dataclasses.replace(CONFIG, even=True, validate_every=CONFIG.steps)
    run = new_run(tmp_path / "run", data, config)
    train(run, lambda done, steps: done == 4)
    assert not seen
    assert load_model(tmp_path / "run" / "model.safetensors").power == 1.0
    train(run)
    neutral, expressive = pair_images(run.held_out, strength.SERIES)
    target, reference = seen[-1]
    assert torch.equal(target, neutral.roll(1, dims=0))
    assert torch.equal(reference, expressive)
    model = load_model(tmp_path / "run" / "model.safetensors")
    read = expressive_codes(model.encode, run.faces)
    assert model.power == 2.0
    told = torch.tensor(model.metadata["code_std"])
    torch.testing.assert_close(told, read.std(dim=0, correction=0), rtol=0.02, atol=2e-3)


def test_model_file_holds_the_averages(tmp_path: Path, data: Path) -> None:
    run = new_run(tmp_path / "run", data, dataclasses.replace(CONFIG, validate_every=CONFIG.steps))
    train(run)
    model = load_model(tmp_path / "run" / "model.safetensors")
    for name, value in run.state.average.generator.state_dict().items():
        assert torch.equal(model.generator.state_dict()[name], value.half().float())
    live = run.state.networks.generator.state_dict()
    assert any(
        not torch.equal(model.generator.state_dict()[name], value.half().float()) for name, value in live.items()
    )


def test_fine_tuning_starts_from_a_model(tmp_path: Path, data: Path) -> None:
    train(new_run(tmp_path / "one", data))
    file = tmp_path / "one" / "model.safetensors"
    train_command(tmp_path / "two", data=(data,), recipe="authors", steps=1, init=str(file), set=SETTINGS)
    start = checkpoint.read(tmp_path / "two" / "checkpoints" / "step-000000000.pt")["parts"]
    for name, value in load_model(file).generator.state_dict().items():
        assert torch.equal(start["generator"][name], value)
        assert torch.equal(start["average_generator"][name], value)


@pytest.mark.parametrize(
    ("old", "recipe"),
    [
        ({"recipe": "fast", "landmarks": True, "scales": 3, "focus": 0.0}, "landmarks"),
        ({"recipe": "fast", "landmarks": False, "journeys": False, "judged": True}, "fast"),
        ({"recipe": "close_up", "unpaired": True, "network": {"close_up": True}}, "close_up_unpaired"),
        ({"recipe": "unpaired", "strengths": [0.5, 1.25], "shape": 0.0, "code": 0.5, "returned": 1.0}, "unpaired"),
    ],
)
def test_runs_of_earlier_versions_are_understood(old: dict[str, Any], recipe: str) -> None:
    config = config_from_dict({**old, "batch": 12})
    assert (config.recipe, config.batch) == (recipe, 12)


def test_what_is_no_longer_there_is_said() -> None:
    with pytest.raises(UserError, match="used journeys, which are no longer supported"):
        config_from_dict({"recipe": "fast", "journeys": True})
    with pytest.raises(UserError, match="unknown settings wings: the file was made by another version"):
        config_from_dict({"recipe": "fast", "wings": 2})


def test_old_checkpoints_of_pair_training_go_on_without_their_discriminator(tmp_path: Path, data: Path) -> None:
    config = configure("fast", "fast", (*PAIRS, "even=False"), steps=4)
    run = new_run(tmp_path / "run", data, config)
    path = run.save()
    contents = checkpoint.read(path)
    contents["parts"] |= {"discriminator": {"trunk.1.bias": torch.zeros(8)}, "discriminator_optimiser": {}}
    contents["config"] |= {"journeys": False, "shape": 0.0, "focus": 0.0}
    checkpoint.write(path, contents)
    assert train(resume(tmp_path / "run", progress=False))
    assert list(load_model(tmp_path / "run" / "model.safetensors").networks.named()) == ["generator", "encoder"]


class TestCommand:
    def test_resume_without_a_run(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no checkpoint in"):
            train_command(tmp_path / "none", resume=True)

    def test_resume_takes_no_settings(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="run's own settings"):
            train_command(tmp_path, resume=True, steps=5)

    def test_a_run_is_not_overwritten(self, tmp_path: Path, data: Path) -> None:
        new_run(tmp_path / "run", data).save()
        with pytest.raises(UserError, match="holds a run"):
            train_command(tmp_path / "run", data=(data,))

    def test_damaged_checkpoint(self, tmp_path: Path, data: Path) -> None:
        path = new_run(tmp_path / "run", data).save()
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(UserError, match="is damaged"):
            train_command(tmp_path / "run", resume=True)

    def test_data_is_needed(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="--data is missing"):
            train_command(tmp_path / "run")

    def test_any_field_can_be_set(self) -> None:
        words = (
            "network.size=64",
            "betas=0.5,0.9",
            "network.grey=False",
            "weights.code.rise=7",
            "minutes=3",
            "cycles=neutral,both",
        )
        config = configure("paper", "authors", (*words, "cycles=neutral,both"), seed=9)
        assert config.network.size == 64
        assert config.network.preset == "paper"
        assert config.network.grey is False
        assert config.betas == (0.5, 0.9)
        assert config.weights.code.rise == 7
        assert config.weights.code.end == 30_000
        assert config.cycles == ("neutral", "both")
        assert (config.minutes, config.seed, config.r1_every) == (3.0, 9, 1)

    @pytest.mark.parametrize("word", ["nonsense=1", "batch", "batch=many", "batch=0", "network.size=100"])
    def test_wrong_settings_are_named(self, word: str) -> None:
        with pytest.raises(UserError):
            configure("fast", None, (word,))


class TestBudget:
    def test_rounds_that_fit(self) -> None:
        assert planned_steps(100.0, spent=20.0, done=15, timed_seconds=5.0, timed=10) == 15 + 160
        assert planned_steps(10.0, spent=20.0, done=15, timed_seconds=5.0, timed=10) == 15

    def test_first_rounds_do_not_count(self, tmp_path: Path, data: Path) -> None:
        run = new_run(tmp_path / "run", data, dataclasses.replace(CONFIG, minutes=1.0))
        assert run.progress.steps is None
        run.progress = run.progress._replace(step=25)
        assert plan(run, [9.0] * 5, time.perf_counter()) is None
        assert plan(run, [9.0] * 5 + [0.1] * 19, time.perf_counter()) is None
        steps = plan(run, [9.0] * 5 + [0.1] * 20, time.perf_counter())
        assert steps == pytest.approx(25 + 600, abs=2)

    def test_slow_rounds_are_planned_early(self, tmp_path: Path, data: Path) -> None:
        run = new_run(tmp_path / "run", data, dataclasses.replace(CONFIG, minutes=1.0))
        run.progress = run.progress._replace(step=6)
        assert plan(run, [2.0] * 6, time.perf_counter() - 12) == 6 + 24

    def test_a_short_budget_is_kept_and_remembered(self, tmp_path: Path, data: Path) -> None:
        run = new_run(tmp_path / "run", data, dataclasses.replace(CONFIG, minutes=0.05))
        start = time.perf_counter()
        assert train(run)
        assert time.perf_counter() - start < 30
        steps = run.progress.steps
        assert steps is not None
        assert run.progress.step == steps
        assert resume(tmp_path / "run", progress=False).progress.steps == steps


def test_record_forgets_what_will_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n{"step": 3, "a": 3}\n{"step": 2, "b"')
    forget_after(path, 2)
    assert path.read_text() == '{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n'
