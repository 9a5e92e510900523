"""Files that were damaged or made up: every reader refuses them in one line, or reads what can be true.

Properties are tried on what Hypothesis makes up, the same every time.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from twocet.commands.info import describe
from twocet.data.dataset import open_dataset
from twocet.edit import batch, presets
from twocet.errors import UserError
from twocet.model import export
from twocet.model.file import new_model, save_model
from twocet.model.model import load_model, read_file
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.runtime.configuration import from_dict
from twocet.runtime.records import parse_json, read_arrays, read_csv, read_json
from twocet.shapes.points import read_archive, read_obj
from twocet.training import checkpoint
from twocet.training.recipes.table import config_from_dict, preset_config

TRIES = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
CONFIG = NetworkConfig(size=32, code_dim=4, generator_widths=(8, 12), trunk_widths=(8, 12))
SHA256 = "0" * 64
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**4000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
DEEP = '{"a":' * 5000 + "1" + "}" * 5000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of every kind of file, all whole."""
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(0)
    model = new_model(build(CONFIG, discriminator=False), CONFIG, FACTS)
    save_model(folder / "model.safetensors", model)
    checkpoint.write(folder / "step-000000001.pt", {"parts": {"generator": torch.arange(100.0)}, "step": 1})
    presets.write_file(folder / "presets.json", [presets.Preset("grin", (1.0, 0.5), SHA256, "x.jpg", True)])
    (folder / "dataset.json").write_text(json.dumps(DESCRIPTION))
    (folder / "faces.csv").write_text(
        "file,identity,expression,domain,split\na.png,1,neutral,neutral,train\nb.png,1,happy,expressive,train\n"
    )
    (folder / "model.json").write_text(json.dumps(manifest(model.metadata)))
    np.savez(folder / "points.npz", points=np.zeros((3, 5, 2)), domain=np.array(["neutral"] * 3))
    (folder / "mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    outcome = batch.Outcome(line=2, key="k", status="done", notes=("a note",), seconds=0.5)
    (folder / batch.JOURNAL).write_text(json.dumps(outcome.__dict__) + "\n")
    return folder


FACTS = {
    "training": {"config": {"recipe": "fast"}, "rounds": 3, "minutes": 1.5, "photos": [{"neutral": 1}]},
    "data": [{"name": "x", "licence": "CC0", "citation": "y"}],
    "metrics": {"validation_gain": 0.5},
    "code_std": [1.0] * 4,
    "code_mean": [0.0] * 4,
    "code_covariance": np.eye(4).tolist(),
    "codes": np.ones((3, 4)).tolist(),
    "code_power": 1.2,
}
DESCRIPTION = {"format": 1, "name": "d", "licence": "CC0", "template": "eyes-nose-v1", "size": 32, "citation": ""}


def manifest(metadata: dict[str, Any]) -> dict[str, Any]:
    files = {"encoder.onnx": SHA256, "generator.onnx": SHA256}
    return {"format": 1, "name": "m", "sha256": SHA256, "moves": True, "files": files, "metadata": metadata}


def journal(path: Path) -> object:
    return batch.Journal(path.parent).outcomes


READERS: dict[str, Callable[[Path], object]] = {
    "model.safetensors": load_model,
    "step-000000001.pt": checkpoint.read,
    "presets.json": partial(presets.read_file, own=True),
    "dataset.json": lambda path: open_dataset(path.parent),
    "faces.csv": lambda path: open_dataset(path.parent),
    "model.json": lambda path: export.read_manifest(path.parent),
    "points.npz": read_archive,
    "mesh.obj": read_obj,
    batch.JOURNAL: journal,
}


def read(name: str, folder: Path) -> object:
    """What the reader makes of the file, or None where it refuses in one line."""
    return one_line(lambda: READERS[name](folder / name))


def one_line(work: Callable[[], object]) -> object:
    """What ``work`` makes, or None where it refuses in one line."""
    refusal = ""
    try:
        return work()
    except UserError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) == 1
    return None


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(copy: Path, name: str) -> None:
    assert read(name, copy) is not None


@pytest.mark.parametrize("name", READERS)
@TRIES
@given(data=st.data())
def test_bytes_changed_anywhere_are_read_or_refused(copy: Path, folder: Path, name: str, data: st.DataObject) -> None:
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(("change", "cut", "insert")))
        if kind == "change":
            content[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place : place + data.draw(st.integers(1, 50))]
        else:
            content[place:place] = data.draw(st.binary(min_size=1, max_size=10))
        content = content or bytearray(b"x")
    (copy / name).write_bytes(content)
    read(name, copy)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in JSON a value is."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


@pytest.mark.parametrize("name", ["presets.json", "dataset.json", "model.json", batch.JOURNAL])
@TRIES
@given(data=st.data())
def test_values_of_other_kinds_are_read_or_refused(copy: Path, folder: Path, name: str, data: st.DataObject) -> None:
    whole = json.loads((folder / name).read_text())
    place = data.draw(st.sampled_from(places(whole)))
    (copy / name).write_text(json.dumps(replaced(whole, place, data.draw(VALUES))))
    read(name, copy)


@TRIES
@given(data=st.data())
def test_models_that_tell_something_else_are_loaded_and_shown_or_refused(
    copy: Path, folder: Path, data: st.DataObject
) -> None:
    text, tensors = read_file(folder / "model.safetensors")
    told = json.loads(text)
    place = data.draw(st.sampled_from(places(told)))
    changed = json.dumps(replaced(told, place, data.draw(VALUES)))
    save_file(tensors, copy / "model.safetensors", metadata={"twocet": changed})
    model: Any = read("model.safetensors", copy)
    if model is not None:
        facts = {"file": "f", "bytes": 1, "sha256": "s", "parameters": {"generator": 1}, **model.metadata}
        assert describe(facts).replace("\n", "").isprintable()
        model.sample_codes(2, torch.Generator().manual_seed(0))


@TRIES
@given(data=st.data())
def test_settings_of_a_run_are_rebuilt_or_refused(data: st.DataObject) -> None:
    config = preset_config("fast", data.draw(st.sampled_from(("fast", "paper"))))
    whole = json.loads(json.dumps(dataclasses.asdict(config)))
    place = data.draw(st.sampled_from(places(whole)[1:]))
    one_line(lambda: config_from_dict(replaced(whole, place, data.draw(VALUES))))


@pytest.mark.parametrize(
    "text", [DEEP, "[" * 100_000, '{"a": NaN}', '{"a": 1e999}', '{"a": -Infinity}', '"\\ud800"', "1" * 10_000, "", "{"]
)
def test_json_that_nobody_can_use_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="x is damaged"):
        parse_json(text, "x", "y")


@pytest.mark.parametrize("reader", [partial(read_json, remedy="r"), partial(read_csv, remedy="r"),
                                    partial(read_arrays, remedy="r"), read_file])  # fmt: skip
def test_what_never_ends_is_refused(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(UserError, match="is not a file"):
            reader(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_models_of_no_numbers_are_refused(copy: Path, value: float) -> None:
    path = copy / "model.safetensors"
    text, tensors = read_file(path)
    next(iter(tensors.values())).view(-1)[0] = value
    save_file(tensors, path, metadata={"twocet": text})
    with pytest.raises(UserError, match="weights that are not finite numbers"):
        load_model(path)


def test_every_flipped_bit_of_a_model_is_found(copy: Path) -> None:
    path = copy / "model.safetensors"
    content, told = path.read_bytes(), load_model(path).metadata
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            model = load_model(path)
        except UserError:
            continue
        # The name of the hash, or of nothing that is read: what is read is as it was.
        assert model.metadata == told
        kept = load_file(path)
        path.write_bytes(content)
        assert all(torch.equal(kept[name], tensor) for name, tensor in load_file(path).items())


def test_sizes_that_are_only_claimed_are_not_made(copy: Path) -> None:
    """A code of 4096 and widths of 4096 would be gigabytes."""
    path = copy / "model.safetensors"
    text, tensors = read_file(path)
    told = json.loads(text)
    told = {name: value for name, value in told.items() if not name.startswith("code")}
    told["network"] |= {"code_dim": 4096, "generator_widths": [4096] * 3, "trunk_widths": [4096] * 3, "size": 1024}
    save_file(tensors, path, metadata={"twocet": json.dumps(told)})
    with pytest.raises(UserError, match="does not fit the networks"):
        load_model(path)


def test_graphs_that_do_not_fit_their_hash_are_not_opened(copy: Path) -> None:
    (copy / "encoder.onnx").write_bytes(b"an endless graph")
    with pytest.raises(UserError, match=r"encoder\.onnx is damaged \(it does not fit its hash\)"):
        export.load_exported(copy)


def test_a_bad_line_of_the_journal_costs_its_row_alone(tmp_path: Path) -> None:
    outcomes = [batch.Outcome(line=line, key=str(line), status="done") for line in (2, 3)]
    lines = [json.dumps(outcome.__dict__).encode() for outcome in outcomes]
    bad = [DEEP.encode(), b"\xff\xfe\x00", b'{"line": 1}', b"[]", b'{"line": "x", "key": 5, "status": "done"}', b""]
    (tmp_path / batch.JOURNAL).write_bytes(b"\n".join([lines[0], *bad, lines[1]]) + b"\n")
    assert list(batch.Journal(tmp_path).outcomes) == ["2", "3"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,identity,expression,domain,split\n../x.png,1,n,neutral,train\n", "is not in the folder"),
        ("file,identity,expression,domain,split\n/etc/x.png,1,n,neutral,train\n", "is not in the folder"),
        ("file,identity,expression,domain,split\na.png,1,n,neutral,train\na.png,2,n,neutral,train\n", "listed twice"),
        ("file,identity,expression,domain,split\na.png,1,n,neutral,train\n./a.png,1,n,neutral,train\n", "listed twice"),
        ("file,identity,expression,domain,split\na\0.png,1,n,neutral,train\n", "zero byte"),
        ("file,file,identity,expression,domain,split\n", "two columns of the same name"),
        ("file,identity,expression,domain,split\n", "lists no photos"),
    ],
)
def test_tables_of_faces_that_cannot_be_are_refused(copy: Path, table: str, message: str) -> None:
    (copy / "faces.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        open_dataset(copy)


def test_a_byte_order_mark_is_no_part_of_a_name(copy: Path) -> None:
    content = (copy / "faces.csv").read_bytes()
    (copy / "faces.csv").write_bytes(b"\xef\xbb\xbf" + content)
    assert len(open_dataset(copy).rows) == 2


def test_records_say_which_value_is_wrong() -> None:
    with pytest.raises(UserError, match="size must be from 32 to 2048, not 1"):
        from_dict(NetworkConfig, {"size": 1})
    with pytest.raises(UserError, match="grey must be true or false, not 1"):
        from_dict(NetworkConfig, {"grey": 1})
    with pytest.raises(UserError, match="code_dim must be a whole number, not True"):
        from_dict(NetworkConfig, {"code_dim": True})
