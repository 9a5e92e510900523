"""Devices: what is refused, and that a round on a card leaves nothing on the processor."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import CONFIG, write_dataset
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from twocet.cli import main
from twocet.commands.train import configure
from twocet.data.dataset import as_images, load_faces, open_dataset
from twocet.errors import UserError
from twocet.model import model
from twocet.networks.layers import widened
from twocet.runtime import devices
from twocet.runtime.distributed import ALONE
from twocet.runtime.randomness import generator_at, rows
from twocet.training.config import Sources
from twocet.training.loader import Loader
from twocet.training.loop import Run, resume, train
from twocet.training.recipes.base import adversarial_state
from twocet.training.recipes.paper import PaperRecipe, weights_at
from twocet.training.recipes.table import RECIPES
from twocet.training.sampler import Batch, Sampler, Transplanted

CARD, NOWHERE = torch.device("cuda", 0), torch.device("meta")
no_card = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a card")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "faces")


class TestFind:
    def test_processor(self) -> None:
        assert devices.find("cpu") == torch.device("cpu")

    @pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "meta", "xpu"])
    def test_unknown_names_are_refused_with_the_known_ones(self, name: str) -> None:
        with pytest.raises(UserError, match="use cpu, cuda, cuda:0"):
            devices.find(name)

    @no_card
    @pytest.mark.parametrize("name", ["cuda", "cuda:1"])
    def test_missing_cuda_says_so(self, name: str) -> None:
        with pytest.raises(UserError, match=rf"{name} cannot be used, because PyTorch .*: use device=cpu"):
            devices.find(name)

    def test_each_process_has_its_card(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert devices.find("cuda") == CARD
        monkeypatch.setenv("LOCAL_RANK", "1")
        assert devices.find("cuda") == torch.device("cuda", 1)
        assert devices.find("cuda:0") == CARD
        with pytest.raises(UserError, match=r"no cuda:2: this machine's 2 cards are cuda:0 to cuda:1"):
            devices.find("cuda:2")

    @no_card
    def test_every_command_that_loads_a_model_answers_alike(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(UserError, match="cuda cannot be used"):
            model.load_model("default", "cuda")
        assert main(["train", "--data", "x", "-o", str(tmp_path / "y"), "--device", "warp"]) == 2
        assert "there is no" in capsys.readouterr().err


def test_bfloat16_is_asked_of_the_device_the_networks_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not devices.autocast(True)._enabled
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert devices.autocast(True)._enabled
    assert not devices.autocast(False)._enabled
    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype, enabled: asked.append((kind, enabled)))
    with devices.on(CARD):
        devices.autocast(True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
        devices.autocast(True)
    assert asked == [("cuda", True), ("cpu", False)]


def test_random_numbers_are_those_of_the_processor() -> None:
    expected = rows(torch.rand, 3, 2, generator=generator_at(1, 2, "x"))
    with devices.on(NOWHERE):
        moved = rows(torch.rand, 3, 2, generator=generator_at(1, 2, "x"))
    assert moved.device.type == "meta"
    assert moved.shape == expected.shape
    assert torch.equal(expected, torch.rand(3, 2, generator=generator_at(1, 2, "x")))


def test_batches_arrive_where_the_networks_are(folder: Path) -> None:
    sampler = Sampler([load_faces(open_dataset(folder), "train", 32, progress=False)], [1.0], 4, 0, paired=True)
    for device in (devices.CPU, NOWHERE):
        with Loader(sampler, PaperRecipe(CONFIG).augment, 0, 0, device=device) as draw:
            assert {rows.device for rows in draw()} == {device}
    with devices.on(NOWHERE):
        assert as_images(sampler.sets[0].neutral).device.type == "meta"
    assert as_images(sampler.sets[0].to(NOWHERE).neutral).device.type == "meta"


class OneDevice(TorchDispatchMode):
    """Refuses every operation on tensors of several devices, but for copies; scalars may come from anywhere.

    Also those for which the processor would wait: numbers read from the device, and copies that are not asynchronous.
    (The device without numbers cannot be read, so that the former fail by themselves.)
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = {t.device for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.dim()}
        copies = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        assert len(found) <= 1 or func in copies, f"{func} on {found}"
        made = func(*args, **(kwargs or {}))
        if func is copies[0] and found == {devices.CPU} and made.device == NOWHERE:
            assert kwargs["non_blocking"], "a copy that is waited for"
        return made


@pytest.mark.parametrize("recipe", ["paper", "authors", "fast", "landmarks", "close_up"])
def test_a_round_on_a_device_mixes_nothing_with_the_processor(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the device without numbers."""
    settings = [f"network.{word}" for word in ("size=32", "code_dim=4", "generator_widths=8,12", "trunk_widths=8,12")]
    pairs = recipe in ("fast", "landmarks")
    judged = [] if pairs else ["r1=0.5", "r1_every=1"]
    config = configure("fast", recipe, (*settings, *judged, "batch=4", "bf16=False"))
    # Fused optimisers want real numbers.
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: None)
    photos = torch.zeros(4, 3, 32, 32, device=NOWHERE)
    field = torch.zeros(4, 4, 16, 16, device=NOWHERE)
    batch = Batch(photos, photos)
    if recipe == "landmarks":
        batch = Transplanted(photos, photos, photos, field, field[:, :1], field[:, 0, 0, 0] > 0)
    method = RECIPES[recipe].method(config, [], Path(), ALONE)
    widened(torch.zeros(1, 1, 3, 3, device=NOWHERE))  # What is constant is copied there once.
    with devices.on(NOWHERE):
        state = method.new_state(NOWHERE)  # Made once: its copies may be waited for.
    with devices.on(NOWHERE), OneDevice():
        state.begin_round(0, 100)
        terms = method.recipe.round(state, lambda: batch, 0)
        state.end_round(0)
    assert {parameter.device for parameter in state.weights()} == {NOWHERE}
    assert {term.device for term in terms.values()} == {NOWHERE}
    assert any(name.startswith(("r1", "discriminator")) for name in terms) != pairs


def test_r1_is_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything else is in bfloat16."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    config = dataclasses.replace(CONFIG, bf16=True, r1_every=1, mismatch=1.0)
    recipe, state = PaperRecipe(config), adversarial_state(config)
    seen = []
    hook = lambda module, given, made: seen.append((len(given[0]), torch.is_autocast_enabled("cpu")))  # noqa: E731
    state.discriminator.register_forward_hook(hook)
    batch = Batch(*(torch.rand(4, 3, 32, 32) for _ in range(2)))
    weights = weights_at(config.weights, 0)
    [*recipe.discriminator_objectives(state.networks, batch, weights, "neutral", 0, generator_at(0, 0, "codes"))]
    assert seen == [(8, True), (4, False)]


def test_a_run_can_go_on_elsewhere(folder: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, steps=3, device="cpu")
    train(Run(tmp_path / "run", config, Sources(data=(str(folder),), mix=(1.0,)), progress=False))
    with pytest.raises(UserError, match="there is no device 'warp'"):
        resume(tmp_path / "run", device="warp", progress=False)
    assert resume(tmp_path / "run", device="cpu", progress=False).device == torch.device("cpu")
