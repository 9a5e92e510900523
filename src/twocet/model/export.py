"""Models as ONNX: run by OpenVINO on a processor in less than half of PyTorch's time, or by others without torch."""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from twocet.errors import UserError, check
from twocet.method import codes
from twocet.model.file import MANIFEST, Model, ModelId, file_hash
from twocet.model.metadata import check_metadata
from twocet.networks.edit import Edit, render
from twocet.networks.interfaces import Networks
from twocet.runtime.configuration import from_dict
from twocet.runtime.files import json_bytes, make_folder, write_whole
from twocet.runtime.processes import PerProcess
from twocet.runtime.records import check_regular, read_object

FORMAT = 1
_AGAIN = "make it again with twocet export"
_MOST_BYTES = 2_000_000_000
EXTRA = "pip install 'twocet[onnx]'"
TOLERANCE = 2e-3
"""Largest difference of a picture in [-1, 1] from the model's, a quarter of a level of 255, or of a code."""


class _Encoder(nn.Module):
    """Faces (N, 3, S, S) to codes (N, d) as users have them, with the model's power undone."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.encoder, self.power = model.encoder, model.power

    def forward(self, image: Tensor) -> Tensor:
        return codes.powered(self.encoder(image), 1 / self.power)


class _Generator(nn.Module):
    """Faces (N, 3, S, S) and users' codes (N, d), strength included, to the edit and the finished picture."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.generator, self.power = model.generator, model.power

    def forward(self, image: Tensor, code: Tensor) -> tuple[Tensor, ...]:
        edit = self.generator.edit(image, codes.powered(code, self.power))
        return (*edit, render(image, edit) if self.generator.moves else edit.colour)


class _Graph(NamedTuple):
    file: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


ENCODER = _Graph("encoder.onnx", ("image",), ("code",))
GENERATOR = _Graph("generator.onnx", ("image", "code"), ("flow", "mask", "colour", "output"))


def export(model: Model, model_id: ModelId, folder: Path, *, progress: bool = False) -> float:
    """Write ``encoder.onnx``, ``generator.onnx`` and ``model.json``, last, to ``folder``; takes a minute.

    Returns:
        The largest difference of the exported model's pictures (in [-1, 1]) from the model's own.

    Raises:
        UserError: Without the extra ``onnx``, or if the difference shows.
    """
    make_folder(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    size = model.size
    # Two faces, because a batch of one would be taken for a constant.
    image = torch.linspace(-1, 1, 2 * 3 * size * size).view(2, 3, size, size)
    code = torch.linspace(-0.5, 0.5, 2 * model.code_dim).view(2, -1)
    jobs = ((ENCODER, _Encoder(model), (image,)), (GENERATOR, _Generator(model), (image, code)))
    hashes = {}
    for graph, network, given in tqdm(jobs, "exporting", unit="graph", disable=None if progress else True):
        hashes[graph.file] = file_hash(write_whole(folder / graph.file, _onnx(network, given, graph)))
    # The graphs' codes are users' codes: their power is one.
    metadata = {key: value for key, value in model.metadata.items() if key != codes.POWER}
    facts = {**model_id._asdict(), "moves": model.generator.moves, "files": hashes}
    manifest = {"format": FORMAT, **facts, "metadata": metadata}
    made = _load(folder, from_dict(Manifest, manifest))
    apart = (
        _largest(made.encode(image), model.encode(image)),
        _largest(made.generate(image, code), model.generate(image, code)),
    )
    check(max(apart) < TOLERANCE, f"the exported graphs differ from the model by {max(apart):.2g}: use the model file")
    write_whole(folder / MANIFEST, json_bytes(manifest))
    return apart[1]


def load_exported(folder: Path) -> Model:
    """The model in ``folder``, for use on the processor. Raises UserError."""
    return _load(folder, read_manifest(folder))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``model.json``."""

    format: int
    name: str
    sha256: str
    """Of the model file."""
    moves: bool
    files: dict[str, str]
    """The graphs' files with their hashes."""
    metadata: dict[str, Any]

    def __post_init__(self) -> None:
        check(self.name.isprintable() and 0 < len(self.name) <= 200, f"no model is called {self.name[:40]!r}")
        for digest in (self.sha256, *self.files.values()):
            check(re.fullmatch("[0-9a-f]{64}", digest) is not None, f"{digest[:40]!r} is not a SHA-256 hash")
        check(set(self.files) == {ENCODER.file, GENERATOR.file}, "files must be the two graphs")


def read_manifest(folder: Path) -> Manifest:
    """What ``model.json`` says. Raises UserError."""
    path = folder / MANIFEST
    values = read_object(path, _AGAIN)
    check("format" in values, f"{path} is damaged (it has no format): {_AGAIN}")
    number = values["format"]
    check(number == FORMAT, f"{path} has format {number!r:.20}, this version of twocet reads {FORMAT}: {_AGAIN}")
    try:
        manifest: Manifest = from_dict(Manifest, values)
    except UserError as error:
        raise UserError(f"{path} is damaged ({error}): {_AGAIN}") from None
    check_metadata(manifest.metadata, path)
    return manifest


def _load(folder: Path, manifest: Manifest) -> Model:
    for name, digest in manifest.files.items():
        file = folder / name
        check_regular(file, _MOST_BYTES, _AGAIN)
        check(file_hash(file) == digest, f"{file} is damaged (it does not fit its hash): {_AGAIN}")
    generator = ExportedGenerator(_Compiled(folder / GENERATOR.file), manifest.moves)
    encoder = ExportedEncoder(_Compiled(folder / ENCODER.file))
    return Model(Networks(generator, encoder), manifest.metadata)


class ExportedGenerator(nn.Module):
    """G as a graph; see :class:`twocet.networks.interfaces.Generator`."""

    def __init__(self, graph: _Compiled, moves: bool) -> None:
        super().__init__()
        self._graph, self.moves = graph, moves

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        *_, output = self._graph(image, code)
        return output

    def edit(self, image: Tensor, code: Tensor) -> Edit:
        *fields, _ = self._graph(image, code)
        return Edit(*fields)


class ExportedEncoder(nn.Module):
    """E as a graph."""

    def __init__(self, graph: _Compiled) -> None:
        super().__init__()
        self._graph = graph

    def forward(self, image: Tensor) -> Tensor:
        (code,) = self._graph(image)
        return code


class _Compiled:
    """An ONNX file made ready for this processor. Safe to share between threads, which take turns."""

    def __init__(self, path: Path) -> None:
        self._request = PerProcess(lambda: _compiled(path))
        self._lock = PerProcess(threading.Lock)

    def __call__(self, *batches: Tensor) -> list[Tensor]:
        """All outputs for (N, ...) inputs, one row after the other."""
        with self._lock.get():
            request = self._request.get()
            rows = [
                list(request.infer([row[None].float().numpy() for row in inputs]).values())
                for inputs in zip(*batches, strict=True)
            ]
        return [torch.from_numpy(np.concatenate(output)) for output in zip(*rows, strict=True)]


def _compiled(path: Path) -> Any:
    openvino = _openvino()
    try:
        graph = openvino.Core().read_model(path)
        # Shapes that are known are worked out once, not in every run.
        graph.reshape(
            {port: [1, *(side.get_length() for side in list(port.partial_shape)[1:])] for port in graph.inputs}
        )
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        return openvino.compile_model(graph, "CPU", settings).create_infer_request()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:160]
        raise UserError(f"{path} cannot be used ({reason}): make it again with twocet export") from None


def _openvino() -> Any:
    """The module. Raises UserError if it is not installed."""
    # It reports every import to a web service, unless its package for that is missing: nothing of ours is reported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise UserError(f"exported models need OpenVINO: {EXTRA}") from None
    return openvino


def _onnx(network: nn.Module, given: tuple[Tensor, ...], graph: _Graph) -> bytes:
    """The file that torch's exporter makes of a network, for batches of any size."""
    try:
        import onnxscript  # noqa: F401 - torch.onnx says less clearly that it is missing
    except ImportError:
        raise UserError(f"exporting needs onnx and onnxscript: {EXTRA}") from None
    batch = torch.export.Dim("batch", min=1, max=1024)
    log = logging.getLogger("torch.onnx")
    before = log.level
    with warnings.catch_warnings():
        # Neither torch's own deprecations nor its notes on packages that are not here say anything to users.
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                network, given, dynamo=True, verbose=False, dynamic_shapes=tuple({0: batch} for _ in given),
                input_names=graph.inputs, output_names=graph.outputs,
            )  # fmt: skip
        finally:
            log.setLevel(before)
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


def _largest(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())
