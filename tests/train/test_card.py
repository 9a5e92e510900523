"""On a graphics card: the same rounds as on the processor. Skipped, and said so, where there is none."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import CONFIG, PAIRS, write_dataset

from twocet.commands.train import configure
from twocet.edit.editor import load
from twocet.runtime import devices
from twocet.runtime.distributed import ALONE
from twocet.training.config import RunConfig, Sources
from twocet.training.loop import Run, resume, train
from twocet.training.recipes.table import RECIPES
from twocet.training.sampler import Batch

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no graphics card here: nothing of CUDA is tested"
)
CARD = torch.device("cuda", 0)
FAST = configure("fast", "fast", (*PAIRS, "steps=4"))


def one_round(config: RunConfig, device: torch.device) -> dict[str, float]:
    method = RECIPES[config.recipe].method(config, [], Path(), ALONE)
    draws = torch.Generator().manual_seed(0)
    photos = [torch.rand(config.batch, 3, 32, 32, generator=draws) * 2 - 1 for _ in range(2)]
    with devices.on(device):
        state = method.new_state(device)
        state.begin_round(5, 100)
        terms = method.recipe.round(state, lambda: Batch(*(x.to(device) for x in photos)), 5)
        state.end_round(5)
    return {name: float(term) for name, term in terms.items()}


@pytest.mark.parametrize("config", [CONFIG, FAST], ids=["authors", "fast"])
def test_a_round_is_that_of_the_processor(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert one_round(config, CARD) == pytest.approx(one_round(config, devices.CPU), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("config", [CONFIG, FAST], ids=["authors", "fast"])
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
def test_a_run_on_a_card_ends_and_goes_on_on_the_processor(tmp_path: Path, config: RunConfig, bf16: bool) -> None:
    faces = write_dataset(tmp_path / "faces")
    run = Run(
        tmp_path / "run", dataclasses.replace(config, device="cuda", bf16=bf16),
        Sources(data=(str(faces),), mix=(1.0,)), progress=False,
    )  # fmt: skip
    assert {photos.device for photos in (run.faces[0].neutral, run.faces[0].expressive)} == {CARD}
    assert train(run)
    assert run.state.is_finite()
    assert resume(tmp_path / "run", device="cpu", progress=False).state.is_finite()


def test_an_edited_photo_is_that_of_the_processor() -> None:
    examples = resources.files("twocet.commands") / "examples"
    target, reference = (str(examples / name) for name in ("target-1.jpg", "reference-1-happy.jpg"))
    there, here = (load("default", device=name).transfer(target, reference).pixels for name in ("cuda", "cpu"))
    assert np.abs(there.astype(int) - here.astype(int)).max() <= 3
