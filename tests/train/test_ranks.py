"""Several processes train what one trains; a process that dies ends the run cleanly. Gradient accumulation."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from ranks_worker import CONFIGS, ROUNDS, WORDS, train_all
from tiny import PAIRS, write_dataset
from waiting import PATIENCE

from twocet.commands.train import configure
from twocet.data.dataset import load_faces, open_dataset
from twocet.errors import UserError
from twocet.method import codes
from twocet.runtime import distributed
from twocet.runtime.distributed import ALONE, Ranks
from twocet.runtime.files import visible
from twocet.runtime.randomness import Share, generator_at, rows
from twocet.training import augment, checkpoint
from twocet.training.config import Sources
from twocet.training.loader import make_batch
from twocet.training.loop import Run, resume, train
from twocet.training.recipes.table import RECIPES

WORKER = Path(__file__).with_name("ranks_worker.py")


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
    # Despite its name --multi_gpu is what starts processes, on the processor too.
    "accelerate launch": [
        "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
        "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no",
    ],
}  # fmt: skip


def launch(launcher: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A script or module in two processes on this machine."""
    command = [sys.executable, "-m", *LAUNCHERS[launcher], *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "faces")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Runs of one process with batches of 8."""
    folder = tmp_path_factory.mktemp("one")
    train_all(folder, data)
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """The same runs of two processes with 4 rows each."""
    folder = tmp_path_factory.mktemp("two")
    done = launch("torchrun", str(WORKER), "equal", str(folder), str(data))
    assert done.returncode == 0, done.stderr
    return folder


def terms(folder: Path) -> list[dict[str, float]]:
    """The record without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in lines]


def parts(folder: Path) -> dict[str, Any]:
    """Networks and optimisers of the newest checkpoint."""
    found: dict[str, Any] = checkpoint.read(sorted((folder / "checkpoints").glob("step-*.pt"))[-1])["parts"]
    return found


def assert_same_training(left: Path, right: Path) -> None:
    """Terms of all rounds, gradients and weights agree as far as float32 sums in another order do."""
    for first, second in zip(terms(left), terms(right), strict=True):
        assert second == pytest.approx(first, rel=1e-3, abs=1e-5)
    mine, theirs = parts(left), parts(right)
    assert mine.keys() == theirs.keys()
    for name in (name for name in mine if name.endswith("_optimiser")):
        # Adam's mean of the gradients. It divides by their size, so weights without any get a step of pure noise.
        one, two = (
            torch.cat([state["exp_avg"].flatten() for state in part[name]["state"].values()]) for part in (mine, theirs)
        )
        assert one.norm() > 1e-3
        assert (one - two).norm() < 1e-3 * one.norm(), name
    for name in (name for name in mine if not name.endswith("_optimiser")):
        one, two = (torch.cat([value.flatten() for value in part[name].values()]) for part in (mine, theirs))
        assert (one - two).abs().mean() < 1e-6, name


@pytest.mark.parametrize("recipe", CONFIGS)
def test_two_processes_train_what_one_trains(one: Path, two: Path, recipe: str) -> None:
    assert_same_training(one / recipe, two / recipe)


def test_the_command_under_accelerate_launch_trains_what_it_trains_alone(tmp_path: Path, data: Path) -> None:
    words = ["train", "--data", str(data), "-o", str(tmp_path / "two"), "--steps", str(ROUNDS), "--set", *WORDS["fast"]]
    done = launch("accelerate launch", "--module", "twocet", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "two" / "model.safetensors")]
    train(Run(tmp_path / "one", CONFIGS["fast"], Sources(data=(str(data),), mix=(1.0,)), progress=False))
    assert_same_training(tmp_path / "one", tmp_path / "two")


def test_only_rank_0_writes(two: Path) -> None:
    assert sorted(path.name for path in visible(two / "fast")) == [
        "checkpoints", "config.json", "metrics.jsonl", "model.safetensors", "samples", "tensorboard",
    ]  # fmt: skip
    assert len(list((two / "fast" / "tensorboard").iterdir())) == 1
    assert [line["step"] for line in terms(two / "fast")] == [1, 2, 2]


def test_pieces_train_what_the_whole_batch_trains(one: Path, tmp_path: Path, data: Path) -> None:
    train_all(tmp_path, data, accumulate=2)
    for recipe in ("paper", "authors"):
        assert_same_training(one / recipe, tmp_path / recipe)
    # A sketch is compared with the mean change of a piece: this one differs, but its pairs not yet in round 1.
    first, whole = terms(tmp_path / "fast")[0], terms(one / "fast")[0]
    assert first["pair_expressive"] == pytest.approx(whole["pair_expressive"], rel=1e-4)
    assert first["unsketched"] != pytest.approx(whole["unsketched"], rel=1e-4)


def test_a_killed_process_ends_the_run_and_its_checkpoint_is_good(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "run"
    words = ["--data", str(data), "-o", str(folder), "--steps", "12", "--set", *PAIRS]
    done = launch("accelerate launch", str(WORKER), "killed", *words)
    assert done.returncode != 0
    assert "twocet: another process of this run has ended or cannot be reached" in done.stderr
    assert "--resume" in done.stderr
    assert "fault of the program" not in done.stderr
    assert not (folder / "model.safetensors").exists()
    # One process goes on where two have stopped.
    run = resume(folder, progress=False)
    assert run.progress.step == 5
    assert train(run)
    unbroken = Run(
        tmp_path / "one", configure("fast", "fast", PAIRS, steps=12), Sources(data=(str(data),), mix=(1.0,)),
        progress=False,
    )  # fmt: skip
    assert train(unbroken)
    assert terms(folder)[-1] == pytest.approx(terms(tmp_path / "one")[-1], rel=0.05)


class TestShares:
    """Two shares together are the whole, whatever is drawn for them."""

    def test_rows(self) -> None:
        whole = rows(torch.rand, 6, 2, generator=generator_at(0, 0, "x"))
        halves = [rows(torch.rand, 3, 2, generator=generator_at(0, 0, "x", Share(k, 2))) for k in range(2)]
        assert torch.equal(torch.cat(halves), whole)
        quarter = rows(torch.rand, 1, 2, generator=generator_at(0, 0, "x", Share(1, 2).piece(2, 3)))
        assert torch.equal(quarter, whole[5:])

    @pytest.mark.parametrize("name", codes.SAMPLERS)
    def test_codes(self, name: str) -> None:
        draw = codes.SAMPLERS[name]
        whole = draw(6, 5, 1.0, generator_at(0, 0, "x"))
        assert torch.equal(draw(3, 5, 1.0, generator_at(0, 0, "x", Share(1, 2))), whole[3:])

    @pytest.mark.parametrize("recipe", CONFIGS)
    def test_batches_see_every_photo_and_change_it_alike(self, data: Path, recipe: str) -> None:
        faces = load_faces(open_dataset(data), "train", 32, progress=False)
        method = RECIPES[recipe].method(CONFIGS[recipe], [], Path(), ALONE)
        sampler, change = method.sampler([faces, faces], [3.0, 1.0]), method.recipe.augment
        whole = make_batch(sampler, change, 0, 3)
        halves = [make_batch(sampler, change, 0, 3, Share(k, 2)) for k in range(2)]
        for all_rows, *parts in zip(whole, *halves, strict=True):
            assert torch.equal(torch.cat(parts), all_rows)

    def test_encoder_input(self) -> None:
        image = torch.linspace(-1, 1, 4 * 3 * 64).view(4, 3, 8, 8)
        whole = augment.encoder_input(image, generator_at(0, 0, "x"))
        second = augment.encoder_input(image[2:], generator_at(0, 0, "x", Share(1, 2)))
        assert torch.equal(second, whole[2:])


def test_a_process_has_its_share_of_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "num_cores", lambda: 16)
    assert distributed.threads_here(6) == 6
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert distributed.threads_here(9) == 2
    assert distributed.threads_here(2) == 1


def test_several_processes_without_accelerate_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(UserError, match=r"pip install 'twocet\[distributed\]'"), distributed.joined():
        pass


def test_one_process_does_not_import_accelerate() -> None:
    code = (
        "import sys, twocet.training.loop\n"
        "from twocet.runtime import distributed\n"
        "with distributed.joined() as ranks: print(ranks.from_rank_0(lambda: ranks.share), 'accelerate' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Share(part=0, parts=1) False"


def test_batch_must_be_divisible(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UserError, match="must be a multiple of 3 processes x accumulate"):
        Run(tmp_path / "run", CONFIGS["fast"], Sources(data=(str(data),), mix=(1.0,)), ranks=Ranks(Share(0, 3)))
    with pytest.raises(UserError, match="multiple of accumulate"):
        dataclasses.replace(CONFIGS["fast"], accumulate=3)
