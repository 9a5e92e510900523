"""Model files: what is written is what is read, and nothing else is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from twocet.errors import UserError
from twocet.method import codes
from twocet.model.model import Model, file_hash, load_model, new_model, save_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.networks.edit import render

CONFIG = NetworkConfig(size=32, code_dim=4, generator_widths=(4, 6), trunk_widths=(4, 6))


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return new_model(build(CONFIG), CONFIG, {"data": [{"name": "x"}]})


def rewrite(path: Path, *, drop: str = "", rename: str = "", **changes: object) -> None:
    """Change a model file's metadata or tensors."""
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["twocet"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if drop:
        del tensors[drop]
    if rename:
        tensors[rename] = tensors["encoder.trunk.1.bias"].clone()
    save_file(tensors, path, metadata={"twocet": json.dumps({**metadata, **changes})})


def test_round_trip(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "model.safetensors"
    image, code = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 4)
    for half, tolerance in ((False, 0.0), (True, 2e-2)):
        save_model(path, model, half=half)
        again = load_model(path)
        assert again.metadata == model.metadata
        assert (again.size, again.code_dim, again.config) == (32, 4, CONFIG)
        assert torch.allclose(again.encode(image), model.encode(image), atol=tolerance)
        assert torch.allclose(again.generate(image, code), model.generate(image, code), atol=tolerance)
        assert again.edit(image, code).flow.shape[:2] == (2, 2)
    assert list(tmp_path.iterdir()) == [path]
    assert len(file_hash(path)) == 64


def test_power_is_between_the_codes_and_the_networks(model: Model) -> None:
    image, code = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 4)
    even = new_model(model.networks, CONFIG, {"code_power": 1.4})
    assert (model.power, even.power) == (1.0, 1.4)
    torch.testing.assert_close(codes.powered(even.encode(image), 1.4), model.encode(image))
    weaker = even.generate(image, 0.5 * even.encode(image))
    torch.testing.assert_close(weaker, model.generate(image, 0.5**1.4 * model.encode(image)))
    torch.testing.assert_close(even.edit(image, code).flow, model.edit(image, codes.powered(code, 1.4)).flow)


def restless_model(preset: str) -> Model:
    """One whose heads, which begin with zeros, do something."""
    torch.manual_seed(0)
    config = (
        CONFIG if preset == "fast" else NetworkConfig(preset=preset, size=32, code_dim=4, first_width=4, max_width=8)
    )
    networks = build(config)
    for parameter in networks.generator.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return new_model(networks, config, {})


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_beyond_strength_1_movement_grows_and_paint_stays(preset: str) -> None:
    model = restless_model(preset)
    image, code = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 4)
    for strength, whole in ((1.6, 1.0), (-1.6, -1.0)):
        more, plain = model.edit(image, code, strength), model.edit(image, strength * code)
        torch.testing.assert_close(more.flow, plain.flow)
        painted = model.edit(image, whole * code) if preset == "fast" else plain
        torch.testing.assert_close(more.mask, painted.mask)
        torch.testing.assert_close(more.colour, painted.colour)
        shown = render(image, more) if preset == "fast" else plain.colour
        torch.testing.assert_close(model.generate(image, code, strength), shown)
    torch.testing.assert_close(model.edit(image, code, 0.6).colour, model.edit(image, 0.6 * code).colour)
    torch.testing.assert_close(model.generate(image, code, 0.6), model.generate(image, 0.6 * code))


def test_loaded_model_is_for_evaluation(tmp_path: Path, model: Model) -> None:
    save_model(tmp_path / "m.safetensors", model)
    for network in load_model(tmp_path / "m.safetensors").networks.named().values():
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"template": "other"}, "template 'other'"),
        ({"network": {"preset": "fast", "wings": 2}}, "unknown settings wings"),
        ({"network": {"preset": "fast", "size": 100}}, "size must be a power of two"),
        ({"network": {"preset": "fast", "size": 64, "code_dim": 5}}, "does not fit the networks"),
        ({"network": 3}, "invalid metadata"),
        ({"drop": "generator.stem.bias"}, "does not fit the networks"),
        ({"rename": "encoder.extra"}, "does not fit the networks"),
        ({"rename": "other.extra"}, "does not fit the networks"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, model: Model, change: dict[str, object], message: str) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, model)
    rewrite(path, **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        load_model(path)


def test_a_model_with_or_without_a_discriminator_stays_so(tmp_path: Path, model: Model) -> None:
    whole, alone = tmp_path / "whole.safetensors", tmp_path / "alone.safetensors"
    save_model(whole, model)
    save_model(alone, new_model(model.networks._replace(discriminator=None), CONFIG, {}))
    assert list(load_model(whole).networks.named()) == ["generator", "encoder", "discriminator"]
    assert list(load_model(alone).networks.named()) == ["generator", "encoder"]
    image, code = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 4)
    assert torch.equal(load_model(whole).generate(image, code), load_model(alone).generate(image, code))
    assert whole.stat().st_size > alone.stat().st_size


def test_the_packaged_model_holds_what_makes_pictures_and_no_more() -> None:
    assert list(load_model("default").networks.named()) == ["generator", "encoder"]


def test_a_model_of_shapes_is_no_model_of_pixels() -> None:
    with pytest.raises(UserError, match="is a model of shapes: this needs a model of pixels, such as default"):
        load_model("label-free")


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(UserError, match="no model file unpaired: give a file or one of default, label-free"):
        load_model("unpaired")


def test_damaged_files_are_refused(tmp_path: Path, model: Model) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, model)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not a model"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a whole model file"):
            load_model(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="another program"):
        load_model(path)
    with pytest.raises(UserError, match="no model file"):
        load_model(tmp_path / "none.safetensors")


def test_weights_too_large_for_float16_are_not_written(tmp_path: Path, model: Model) -> None:
    model.encoder.get_parameter("trunk.1.bias")[0] = 1e6
    with pytest.raises(ValueError, match=r"encoder\.trunk\.1\.bias"):
        save_model(tmp_path / "m.safetensors", model)
    save_model(tmp_path / "m.safetensors", model, half=False)
