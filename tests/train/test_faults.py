"""Runs that cannot go well: impossible settings, weights that leave the numbers, damaged files, other processes."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import CONFIG, PAIRS, SETTINGS, write_dataset

from twocet.commands.train import configure
from twocet.commands.train import train as train_command
from twocet.errors import UserError
from twocet.runtime.distributed import threads_here
from twocet.runtime.files import only_process
from twocet.runtime.processes import num_cores
from twocet.shapes.config import ShapeConfig
from twocet.training import checkpoint
from twocet.training.config import RunConfig, Sources
from twocet.training.loop import Run, resume, train


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("faults") / "faces")


def new_run(folder: Path, data: Path, config: RunConfig = CONFIG) -> Run:
    return Run(folder, config, Sources(data=(str(data),), mix=(1.0,)), progress=False)


@pytest.mark.parametrize(
    "word",
    [
        "lr=nan", "lr=inf", "lr=-1", "lr=1e3", "lr_encoder=1e10", "lr_discriminator=-0.1", "betas=2,2", "betas=0.5,1",
        "betas=nan,0.9", "weight_decay=-1", "warm_up=-5", "ema=1", "ema=nan", "seed=-1", f"seed={2**80}", "steps=0",
        "minutes=inf", "minutes=nan", "minutes=-1", "threads=0", "threads=100000", "batch=0", "batch=10000000",
        "checkpoint_minutes=nan", "keep=0", "r1=-1", "r1=inf", "r1_every=0", "mismatch=nan", "code_range=0",
        "weights.code.start=nan", "weights.code.rise=-1", "weights.diversity.stop=-inf", "network.code_dim=0",
        "network.code_dim=1000000", "network.size=100", "network.size=65536", "network.generator_widths=0,8",
        "network.trunk_widths=100000", "network.reduce=0", "network.shuffle=-4", "network.first_width=0",
    ],
)  # fmt: skip
def test_impossible_settings_are_refused_at_birth(word: str) -> None:
    with pytest.raises(UserError) as refusal:
        configure("fast", "authors", (*SETTINGS, word))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("word", ["zero_edits=7", "code_noise.start=nan", "change_floor=0", "view=-1", "sketch=-1"])
def test_impossible_settings_of_pairs_are_refused(word: str) -> None:
    with pytest.raises(UserError):
        configure("fast", "fast", (*PAIRS, word))


@pytest.mark.parametrize("wrong", [{"lr": math.nan}, {"depth": 10**6}, {"seed": 2**80}, {"ema": 1.0}, {"width": 0}])
def test_impossible_settings_of_shapes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        ShapeConfig(**wrong)


def test_more_threads_than_cores_are_not_started() -> None:
    assert threads_here(1024) <= num_cores()


@pytest.mark.parametrize("recipe", ["authors", "fast"])
def test_what_is_no_number_stops_before_it_goes_back_through_the_networks(
    tmp_path: Path, data: Path, recipe: str
) -> None:
    """Going back through grid_sample from it ends the process without a word."""
    config = configure("fast", recipe, SETTINGS if recipe == "authors" else PAIRS, steps=4)
    run = new_run(tmp_path / "run", data, config)
    whole = run.recipe.round

    def poisoned(state: Any, draw: Any, step: int) -> Any:
        for weight in state.networks.generator.parameters():
            weight.data.fill_(math.nan)
        return whole(state, draw, step)

    run.recipe.round = poisoned  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"round 1: .* is nan.*the last good checkpoint is .*step-000000000\.pt"):
        train(run)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert resume(tmp_path / "run", progress=False).state.is_finite()


def test_a_model_worse_than_no_edit_is_said(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (*PAIRS, "lr=1", "even=False")
    train_command(tmp_path / "run", data=(data,), recipe="fast", set=words, steps=10)
    assert "worse than leaving faces as they are (gain -" in capsys.readouterr().err


def flip_a_bit(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("place", [0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_flipped_bit_in_a_checkpoint_is_found(tmp_path: Path, place: float) -> None:
    path = tmp_path / "a.pt"
    checkpoint.write(path, {"parts": {"generator": torch.arange(500.0)}})
    flip_a_bit(path, place)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.read(path)


def test_the_checkpoint_before_a_damaged_one_is_taken_and_said(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    train(new_run(folder, data))
    newest = folder / "checkpoints" / "step-000000010.pt"
    flip_a_bit(newest, 0.5)
    again = resume(folder, progress=False)
    assert again.progress.step == 5
    said = capsys.readouterr().err
    assert "step-000000010.pt is damaged" in said
    assert "going on from step-000000005.pt" in said
    assert not newest.exists()
    assert newest.with_suffix(".damaged").exists()
    assert train(again)
    assert checkpoint.read(newest)["progress"]["step"] == 10


def test_a_damaged_best_checkpoint_costs_the_choice_alone(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    run = new_run(folder, data)
    train(run, lambda done, steps: done == 7)
    flip_a_bit(folder / "checkpoints" / "best.pt", 0.5)
    (folder / "model.safetensors").unlink()
    train(resume(folder, progress=False), lambda done, steps: True)
    assert (folder / "model.safetensors").exists()
    assert "best.pt is damaged" in capsys.readouterr().err


def test_a_second_training_in_a_folder_is_refused_in_one_line(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "run"
    run = new_run(folder, data)
    run.save()
    line = f"from pathlib import Path; from twocet.runtime.files import only_process\n" \
        f"with only_process(Path({str(folder)!r}), 'train'): print('in', flush=True); input()"  # fmt: skip
    other = subprocess.Popen([sys.executable, "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(UserError, match=r"another process is at work in .*run"):
            train(run)
        with pytest.raises(UserError, match="another process"):
            train_command(folder, resume=True)
        with pytest.raises(UserError, match="another process"):
            train_command(folder, data=(data,), set=SETTINGS, recipe="authors", steps=1)
    finally:
        other.kill()
        other.communicate()
    assert train(run)


def test_a_thread_of_the_same_process_is_refused_too(tmp_path: Path) -> None:
    refused = []

    def enter() -> None:
        try:
            with only_process(tmp_path, "train"):
                pass
        except UserError as error:
            refused.append(str(error))

    with only_process(tmp_path, "train"), only_process(tmp_path, "train"):
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert len(refused) == 1
    enter()
    assert len(refused) == 1


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a full disk, no file can grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_loses_nothing(tmp_path: Path, data: Path) -> None:
    run = new_run(tmp_path / "run", data)
    good = run.save()
    content = good.read_bytes()
    run.progress = run.progress._replace(step=1)
    with largest_file(len(content) // 2), pytest.raises(UserError, match=r"cannot be written \(File too large\)"):
        run.save()
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == [good.name]
    assert good.read_bytes() == content


_STOPPED = """
import os, signal, sys
from pathlib import Path
from test_faults import new_run, train

number = int(sys.argv[3])
signal.signal(number, signal.SIG_DFL)
run = new_run(Path(sys.argv[1]), Path(sys.argv[2]))
whole = run.recipe.round

def interrupted(state, draw, step):
    if step == 2:
        os.kill(os.getpid(), number)
    return whole(state, draw, step)

run.recipe.round = interrupted
sys.exit(train(run) is not False)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_stops_after_the_round_with_a_checkpoint(
    tmp_path: Path, data: Path, number: signal.Signals
) -> None:
    # In a process of its own: a signal that is not heard would end the tests.
    words = [str(tmp_path / "run"), str(data), str(int(number))]
    subprocess.run([sys.executable, "-c", _STOPPED, *words], cwd=Path(__file__).parent, check=True)
    assert resume(tmp_path / "run", progress=False).progress.step == 3


def test_training_outside_of_the_main_thread(tmp_path: Path, data: Path) -> None:
    done = []
    run = new_run(tmp_path / "run", data, dataclasses.replace(CONFIG, steps=2))
    thread = threading.Thread(target=lambda: done.append(train(run)))
    thread.start()
    thread.join()
    assert done == [True]
