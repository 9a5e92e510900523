"""Exported models: they do what the model does, whoever runs the graphs, and say clearly what they cannot do."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from twocet import cli
from twocet.edit import editor
from twocet.errors import UserError
from twocet.model import export
from twocet.model.model import Model, ModelId, file_hash, identify_model, load_model, new_model, save_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig

MODEL_ID = ModelId("someone", "ab" * 32)
FAST = NetworkConfig(size=64, code_dim=4, generator_widths=(8, 12), trunk_widths=(8, 12), close_up=True)
PAPER = NetworkConfig(preset="paper", size=32, code_dim=4, first_width=4, max_width=8)


def moving(config: NetworkConfig) -> Model:
    """Random networks whose heads do something, with a power."""
    torch.manual_seed(0)
    networks = build(config)
    with torch.no_grad():
        for name, value in networks.generator.named_parameters():
            if "head" in name:
                value.add_(torch.randn_like(value) * 0.05)
    known = torch.randn(5, config.code_dim).tolist()
    return new_model(networks, config, {"code_power": 1.4, "codes": known, "data": [{"name": "x", "licence": "CC0"}]})


class Exported(NamedTuple):
    """A model, what the command made of its file, where, and what it said."""

    model: Model
    made: Model
    folder: Path
    file: Path
    report: dict[str, Any]


@pytest.fixture(scope="module", params=[FAST, PAPER], ids=["fast", "paper"])
def exported(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """By the command: tracing the networks takes long."""
    place = tmp_path_factory.mktemp("exported")
    file, folder, printed = place / "someone.safetensors", place / "quick", io.StringIO()
    save_model(file, moving(request.param))
    with contextlib.redirect_stdout(printed):
        assert cli.main(["export", str(file), "-o", str(folder), "--json"]) == 0
    return Exported(load_model(file), load_model(folder), folder, file, json.loads(printed.getvalue()))


@pytest.fixture
def folder(tmp_path: Path, exported: Exported) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(exported.folder, tmp_path / "copy"))


def faces(model: Model, num: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(num, 3, model.size, model.size, generator=generator) * 2 - 1
    return image, torch.randn(num, model.code_dim, generator=generator)


@pytest.mark.parametrize("num", [1, 3])
def test_it_does_what_the_model_does(exported: Exported, num: int) -> None:
    model, made = exported.model, exported.made
    image, code = faces(model, num)
    torch.testing.assert_close(made.encode(image), model.encode(image), atol=1e-4, rtol=1e-4)
    for strength in (0.0, 0.4, 1.0, 1.6, -1.3):
        wanted = model.generate(image, code, strength)
        torch.testing.assert_close(made.generate(image, code, strength), wanted, atol=1e-3, rtol=0)
        for field, other in zip(made.edit(image, code, strength), model.edit(image, code, strength), strict=True):
            torch.testing.assert_close(field, other, atol=5e-3, rtol=0)
    assert (model.generate(image, code) - image).abs().mean() > 0.02


def test_codes_scale_and_are_drawn_alike(exported: Exported) -> None:
    model, made = exported.model, exported.made
    draws = [each.sample_codes(4, torch.Generator().manual_seed(3)) for each in (model, made)]
    assert torch.equal(*draws)
    assert (model.power, made.power) == (1.4, 1.0)
    assert (made.size, made.code_dim, made.config) == (model.size, model.code_dim, model.config)
    assert made.device.type == "cpu"


def test_the_files_say_what_they_are(exported: Exported, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exported.folder
    assert sorted(path.name for path in folder.iterdir()) == ["encoder.onnx", "generator.onnx", "model.json"]
    assert identify_model(folder) == ModelId("someone", file_hash(exported.file))
    assert editor.load(folder).name == "someone"
    assert cli.main(["info", str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["sha256"] == file_hash(exported.file)
    assert facts["parameters"] == {}
    assert facts["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert facts["data"] == [{"name": "x", "licence": "CC0"}]


def test_what_it_cannot_do_is_said(
    tmp_path: Path, exported: Exported, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    made, folder = exported.made, exported.folder
    assert list(made.networks.named()) == ["generator", "encoder"]
    monkeypatch.setattr("twocet.runtime.devices.find", lambda name: torch.device("cuda", 0))
    with pytest.raises(UserError, match="use device=cpu"):
        load_model(folder, "cuda")
    assert cli.main(["export", str(folder), "-o", str(tmp_path / "again")]) == 2
    assert "is exported already" in capsys.readouterr().err
    words = ["train", "--data", str(tmp_path), "--init", str(folder), "-o", str(tmp_path / "run")]
    assert cli.main(words) == 2
    assert "train on from its model file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.json", b"{}", "model.json is damaged"),
        ("model.json", b'{"format": 2, "name": "", "sha256": "", "moves": 1, "metadata": {"network": {"size": 8}}}',
         "has format 2"),
        ("generator.onnx", b"nothing", "generator.onnx is damaged"),
        ("encoder.onnx", None, "encoder.onnx cannot be read"),
    ],
)  # fmt: skip
def test_damaged_folders_are_refused(folder: Path, file: str, content: bytes | None, said: str) -> None:
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        load_model(folder)
    assert "twocet export" in str(caught.value) or "export the model again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_manifest_is_no_model(folder: Path) -> None:
    (folder / "model.json").unlink()
    with pytest.raises(UserError, match="there is no model file"):
        load_model(folder)


@pytest.mark.parametrize("lacking", ["onnxscript", "openvino"])
def test_the_extra_is_named(lacking: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(UserError, match=r"pip install 'twocet\[onnx\]'"):
        export.export(moving(PAPER), MODEL_ID, tmp_path / "made") if lacking == "onnxscript" else load_model(folder)
    assert not (tmp_path / "made" / "model.json").exists()


def test_a_difference_that_shows_is_an_error(
    tmp_path: Path, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exporters have left parts of a network out without a word."""
    model, folder = exported.model, exported.folder
    monkeypatch.setattr(export, "_onnx", lambda network, given, graph: (folder / graph.file).read_bytes())
    assert export.export(model, MODEL_ID, tmp_path) < 1e-4
    other = new_model(build(model.config), model.config, model.metadata)
    with pytest.raises(UserError, match="differ from the model"):
        export.export(other, MODEL_ID, tmp_path)
    assert not (tmp_path / "model.json").exists()


def test_nothing_is_reported_to_anybody(exported: Exported, tmp_path: Path) -> None:
    """OpenVINO's package for that leaves an identifier in the home folder."""
    code = (
        "import sys; from twocet.model.model import load_model; load_model(sys.argv[1]);"
        "print('openvino' in sys.modules, 'openvino_telemetry.main' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(exported.folder)]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["True", "False"]
    assert list(tmp_path.iterdir()) == []


def test_others_can_run_the_graphs(exported: Exported) -> None:
    """By the names and the precision of the documentation, batches of any size, without anything of ours."""
    import openvino

    model, folder = exported.model, exported.folder
    image, code = faces(model, 2)
    # Left to itself, OpenVINO computes in bfloat16 where the processor can.
    core, exact = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    encoder, generator = (
        core.compile_model(folder / f"{name}.onnx", "CPU", exact) for name in ("encoder", "generator")
    )
    found = encoder({"image": image.numpy()})["code"]
    np.testing.assert_allclose(found, model.encode(image).numpy(), atol=1e-4)
    output = generator({"image": image.numpy(), "code": code.numpy()})["output"]
    assert output.shape == (2, 3, model.size, model.size)
    np.testing.assert_allclose(output, model.generate(image, code).numpy(), atol=1e-3)


def test_the_command_reports_what_it_made(exported: Exported) -> None:
    assert exported.report["output"] == str(exported.folder)
    assert 0 < exported.report["largest_difference"] < 1e-4
    assert identify_model(exported.folder) == identify_model(exported.file)
