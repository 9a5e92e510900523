"""The authors' checkpoints: same outputs, every size, and files that are something else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from reference import networks
from torch import Tensor, nn

from twocet.cli import main
from twocet.errors import UserError
from twocet.model.authors import import_checkpoint
from twocet.model.model import Model, load_model

FULL_WIDTH = 1e-4
"""By how much outputs in float32 may differ: sums are made in another order. Seen: under 1e-5 on one processor, 4e-5 on
another, which has no AVX-512."""


def save(path: Path, made: dict[str, nn.Module]) -> Path:
    torch.save({name: network.state_dict() for name, network in made.items()}, path)
    return path


def faces(size: int, num: int = 2) -> Tensor:
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


@torch.no_grad()
def assert_same_outputs(made: dict[str, nn.Module], model: Model, tolerance: float) -> None:
    """All networks give the same for random faces, the generator with codes strong enough to matter."""
    image = faces(model.size, 1).to(next(made["encoder"].parameters()).dtype)
    code = made["encoder"](image)
    assert code.std() > 1e-3
    close = {"atol": tolerance, "rtol": 0, "check_dtype": False}
    torch.testing.assert_close(model.encode(image), code, **close)
    torch.testing.assert_close(model.generate(image, 5 * code), made["generator"](image, 5 * code), **close)
    if "discriminator" in made:
        torch.testing.assert_close(model.networks.discriminator(image), made["discriminator"](image), **close)


def assert_same_in_double(made: dict[str, nn.Module], model: Model) -> None:
    """In float32 narrow networks differ by more than 1e-5 because sums are made in another order."""
    for network in (*made.values(), *model.networks.named().values()):
        network.double()
    assert_same_outputs(made, model, 1e-6)


@pytest.mark.parametrize(("size", "first", "cap"), [(32, 8, 16), (64, 4, 16), (128, 4, 512), (256, 2, 8)])
@pytest.mark.parametrize("grey", [True, False])
def test_any_size_and_width(tmp_path: Path, size: int, first: int, cap: int, grey: bool) -> None:
    made = networks(size, code_dim=5, grey=grey, first=first, cap=cap)
    model, whole = import_checkpoint(save(tmp_path / "001000_model.ckpt", made))
    assert whole
    assert (model.size, model.code_dim, model.config.grey, model.config.preset) == (size, 5, grey, "paper")
    assert_same_in_double(made, model)


def test_command_at_full_width(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the authors' file to our model file and back into memory."""
    made = networks(64)
    file, output = save(tmp_path / "065000_model.ckpt", made), tmp_path / "model.safetensors"
    assert main(["import-authors", str(file), "-o", str(output)]) == 0
    assert capsys.readouterr() == (f"{output}\n", "")
    model = load_model(output)
    assert model.config.first_width is None
    assert model.metadata["training"]["rounds"] == 65_000
    assert_same_outputs(made, model, FULL_WIDTH)


def test_published_size(tmp_path: Path) -> None:
    made = networks(128)
    model, _ = import_checkpoint(save(tmp_path / "x.ckpt", made))
    counts = [sum(p.numel() for p in network.parameters()) for network in model.networks]
    assert counts == [33_361_667, 20_748_192, 20_735_106]
    assert_same_outputs(made, model, FULL_WIDTH)


def test_averaged_checkpoint_has_no_discriminator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = networks(32, first=4, cap=8)
    del made["discriminator"]
    output = tmp_path / "model.safetensors"
    assert main(["import-authors", str(save(tmp_path / "065000_model_s.ckpt", made)), "-o", str(output)]) == 0
    assert "holds no discriminator, so the model has none" in capsys.readouterr().err
    model = load_model(output)
    assert model.metadata["training"]["discriminator"] == "none in the checkpoint"
    assert list(model.networks.named()) == ["generator", "encoder"]
    assert model.metadata["template"] == "paper-v1"
    assert_same_in_double(made, model)


def test_networks_saved_from_several_cards(tmp_path: Path) -> None:
    made = networks(32, first=4, cap=8)
    parallel = {name: nn.DataParallel(network) for name, network in made.items()}
    model, _ = import_checkpoint(save(tmp_path / "x.ckpt", parallel))
    assert_same_in_double(made, model)


class Foreign:
    """Something that would run code when unpickled."""

    def __reduce__(self) -> Any:
        return print, ("must not be seen",)


class TestRefused:
    @pytest.fixture
    def good(self, tmp_path: Path) -> Path:
        return save(tmp_path / "1_model.ckpt", networks(32, first=4, cap=8))

    def refuse(self, file: Path, capsys: pytest.CaptureFixture[str]) -> str:
        """The one line the command says; it exits with 2 and writes nothing."""
        output = file.with_name("model.safetensors")
        assert main(["import-authors", str(file), "-o", str(output)]) == 2
        assert not output.exists()
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("twocet: ")
        assert said.err.count("\n") == 1
        return said.err

    def test_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "there is no file" in self.refuse(tmp_path / "none.ckpt", capsys)

    @pytest.mark.parametrize("length", [0, 10, 1000, 20_000])
    def test_truncated(self, good: Path, length: int, capsys: pytest.CaptureFixture[str]) -> None:
        good.write_bytes(good.read_bytes()[:length])
        assert "is damaged or no PyTorch checkpoint" in self.refuse(good, capsys)

    def test_foreign_pickle(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "x.ckpt"
        torch.save({"generator": {"a": Foreign()}, "encoder": {}}, file)
        said = self.refuse(file, capsys)
        assert "not a checkpoint of tensors alone (it holds" in said
        assert "print)" in said
        for contents in (pickle.dumps(Foreign()), b"hello world"):
            file.write_bytes(contents)
            assert "not a checkpoint of tensors alone (it is in another format)" in self.refuse(file, capsys)

    @pytest.mark.parametrize(
        ("contents", "reason"),
        [
            ([1, 2], "but list"),
            ({"mapping_network": {}, "style_encoder": {}}, "but mapping_network, style_encoder"),
            (
                {"generator": {"a": torch.ones(1)}, "encoder": {"a": torch.ones(1)}},
                "it has no 'shared.shared.0.weight'",
            ),
            ({"generator": {"a": 1}, "encoder": {}}, r"something else than tensors at \['a'\]"),
        ],
    )
    def test_another_program(
        self, tmp_path: Path, contents: Any, reason: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "x.ckpt"
        torch.save(contents, file)
        assert reason.replace("\\", "") in self.refuse(file, capsys)

    @pytest.mark.parametrize(
        ("part", "key", "value", "reason"),
        [
            ("generator", "hpf.filter", torch.ones(1), "unknown layer 'hpf.filter'"),
            ("generator", "encode.0.conv1.weight", torch.ones(3, 3), "does not fit a network of 32 px"),
            ("generator", "decode.1.conv2.bias", None, "does not fit a network of 32 px"),
            (
                "encoder",
                "unshared.0.bias",
                torch.tensor([float("nan")] * 32),
                "not finite numbers at ['unshared.0.bias']",
            ),
            ("encoder", "shared.shared.3.conv1.weight", None, "an encoder of 2 blocks"),
        ],
    )
    def test_what_does_not_fit(
        self, good: Path, part: str, key: str, value: Tensor | None, reason: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        contents = torch.load(good)
        if value is None:
            del contents[part][key]
        else:
            contents[part][key] = value
        torch.save(contents, good)
        assert reason in self.refuse(good, capsys)

    def test_generator_and_encoder_of_different_sizes(self, good: Path) -> None:
        contents = torch.load(good)
        contents["encoder"] = networks(64, first=4, cap=8)["encoder"].state_dict()
        torch.save(contents, good)
        with pytest.raises(UserError, match="the encoder is made for 64 px, the generator for 32"):
            import_checkpoint(good)

    def test_output_name(self, good: Path) -> None:
        assert main(["import-authors", str(good), "-o", str(good.with_name("model.ckpt"))]) == 2
