"""Figures: which pictures stand where, and the files made of them."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from twocet import cli
from twocet.data.dataset import Faces, as_images
from twocet.errors import UserError
from twocet.figures import drawing, grids
from twocet.figures.grids import Grid, cast, class_code, continuity, matrix, rows, spread
from twocet.model.model import new_model, save_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.photo.marks import COMPOSITE, read_mark
from twocet.photo.scaling import to_pixels

SIZE = 32
EXPRESSIONS = ("joy", "anger", "fear")


def plain(level):
    return np.full((SIZE, SIZE, 3), level, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six people, all plain grey: neutral 10, 20, ...; expression k adds k; the last two people are for testing."""
    path = tmp_path_factory.mktemp("data") / "faces"
    path.mkdir()
    table = [("file", "identity", "expression", "domain", "split")]
    for person in range(1, 7):
        split = "test" if person > 4 else "train"
        for k, expression in enumerate(("neutral", *EXPRESSIONS)):
            name = f"{person}-{expression}.png"
            Image.fromarray(plain(10 * person + k)).save(path / name)
            table.append((name, str(person), expression, "expressive" if k else "neutral", split))
    with (path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    info = {"format": 1, "name": "x", "licence": "CC0-1.0", "template": "eyes-nose-v1", "size": SIZE}
    (path / "dataset.json").write_text(json.dumps(info))
    return path


@pytest.fixture(scope="module")
def faces(folder):
    from twocet.data.dataset import open_dataset

    return grids.load_split(open_dataset(folder), "train", SIZE)


class Adder:
    """The code of a picture is its last digit in grey levels; giving it to a face adds so many grey levels."""

    size = SIZE

    def encode(self, image):
        grey = (image.mean(dim=(1, 2, 3)) + 1) * 127.5
        return torch.remainder(grey, 10)[:, None]

    def generate(self, image, code, strength=1.0):
        return image + strength * code[:, :, None, None] / 127.5


def levels(grid: Grid):
    """The grey level of every cell."""
    return [[None if cell is None else int(cell[0, 0, 0]) for cell in row] for row in grid.cells]


def people_of(targets, references):
    def images(values):
        return as_images(torch.tensor(np.stack([plain(value) for value in values])).permute(0, 3, 1, 2))

    return grids.Cast(images(targets), images(references), ["a", "b", "c"][: len(references)])


def test_matrix_has_targets_above_references_left_and_transfers_between():
    grid = matrix(Adder(), people_of((10, 20, 30), (41, 52)))
    assert levels(grid) == [[None, 10, 20, 30], [41, 11, 21, 31], [52, 12, 22, 32]]
    assert (grid.row_labels, grid.column_labels) == (["targets", "a", "b"], ["references"])


def test_rows_show_one_result_of_every_model():
    doubled = SimpleNamespace(encode=lambda image: 2 * Adder().encode(image), generate=Adder().generate)
    grid = rows([("one", Adder()), ("two", doubled)], people_of((10, 20, 30), (41, 52)))
    assert levels(grid) == [[10, 20], [41, 52], [11, 22], [12, 24]]
    assert grid.row_labels == ["target", "reference", "one", "two"]
    assert grid.column_labels == ["a", "b"]


def test_continuity_scales_the_mean_code_of_an_expression(faces):
    people = people_of((10, 60), (41,))
    grid = continuity(Adder(), people, faces, (0.0, 1.0, 2.0), ("fear", "joy", "anger"))
    assert levels(grid) == [[10, 10, 13, 16], [60, 60, 61, 62], [10, 10, 12, 14]]
    assert grid.row_labels == ["fear", "joy", "anger"]
    assert grid.column_labels == ["target", "0", "1", "2"]


def test_class_code_is_the_mean_over_the_label(faces):
    varied = faces._replace(expressive=faces.expressive.clone())
    chosen = [k for k, row in enumerate(faces.expressive_rows) if row["expression"] == "joy"]
    varied.expressive[chosen[0]] += 4  # one of four people shows 5 in place of 1
    assert float(class_code(Adder(), varied, "joy")) == pytest.approx(2.0, abs=1e-3)
    with pytest.raises(UserError, match="no training photo shows 'pride': choose among anger, fear, joy"):
        class_code(Adder(), faces, "pride")


def test_spread_takes_every_key_before_any_comes_again():
    keys = ["a"] * 5 + ["b"] * 2 + ["c"]
    for seed in range(20):
        chosen = [keys[k] for k in spread(keys, 6, np.random.default_rng(seed))]
        assert sorted(chosen[:3]) == ["a", "b", "c"]
        assert sorted(chosen[3:5]) == ["a", "b"]
        assert chosen[5] == "a"


def test_cast_depends_on_the_seed_alone(faces: Faces):
    first, again = (cast(faces, 3, 3, 0) for _ in range(2))
    assert torch.equal(first.targets, again.targets)
    assert sorted(first.expressions) == sorted(EXPRESSIONS)
    assert len({int(to_pixels(target)[0, 0, 0]) for target in first.targets}) == 3
    assert any(not torch.equal(first.targets, cast(faces, 3, 3, seed).targets) for seed in range(1, 5))


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    torch.manual_seed(0)
    config = NetworkConfig(size=SIZE, code_dim=4, generator_widths=(4, 6), trunk_widths=(4, 6))
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, new_model(build(config), config, {}))
    return path


def figure(kind, output, *words):
    return cli.main(["figure", kind, "-o", str(output), *map(str, words)])


def test_png_shows_every_pixel_as_it_is(folder, model_file, tmp_path):
    words = ("--model", model_file, "--data", folder, "--targets", 2, "--references", 3)
    assert figure("matrix", tmp_path / "m.png", *words) == 0
    with Image.open(tmp_path / "m.png") as picture:
        shown = np.asarray(picture.convert("RGB"))
    people = cast(grids.load_split(figures_dataset(folder), "test", SIZE), 2, 3, 0)
    from twocet.model.model import load_model

    pixels = drawing.mosaic(matrix(load_model(model_file), people))
    assert pixels.shape == (4 * 36 - 4, 3 * 36 - 4, 3)
    height, width = pixels.shape[:2]
    bottom = shown[-4 - height : -4]
    places = [x for x in range(bottom.shape[1] - width + 1) if (bottom[:, x : x + width] == pixels).all()]
    assert len(places) == 1
    mark = read_mark(tmp_path / "m.png")
    assert (mark.digital_source_type, mark.model) == (COMPOSITE, "tiny")


def figures_dataset(folder):
    from twocet.data.dataset import open_dataset

    return open_dataset(folder)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("rows", ("--references", 3)), ("continuity", ("--expressions", "joy", "fear", "--strengths", "0", "1"))],
)
def test_pdf_holds_labels_as_text_and_says_what_made_it(folder, model_file, tmp_path, kind, words):
    output = tmp_path / "figure.pdf"
    assert figure(kind, output, "--model", model_file, "--data", folder, "--targets", 2, *words) == 0
    content = output.read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Font" in content
    assert COMPOSITE.encode() in content
    first = content
    assert figure(kind, output, "--model", model_file, "--data", folder, "--targets", 2, *words) == 0
    assert output.read_bytes() == first


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    lines = [(2, 0.1), (4, 0.4), (6, float("nan")), (8, 0.2)]
    text = "".join(json.dumps({"step": step, "validation_gain": value}) + "\n" for step, value in lines)
    (folder / "metrics.jsonl").write_text('{"step": 1, "lr": 0.5}\n' + text)
    return folder


def test_curve_reads_the_metric_that_chose(run):
    name, curve = drawing.read_curve(run, None)
    assert name == "validation_gain"
    assert (curve.steps, curve.values) == ([2, 4, 8], [0.1, 0.4, 0.2])
    assert drawing.read_curve(run, "lr")[1].values == [0.5]
    with pytest.raises(UserError, match="has not recorded kid; it has: lr, validation_gain"):
        drawing.read_curve(run, "kid")


@pytest.mark.parametrize(("lower", "best"), [(False, (4, 0.4)), (True, (2, 0.1))])
def test_the_best_point_is_marked(run, lower, best):
    _, curve = drawing.read_curve(run, None)
    axes = drawing.draw_curves("validation_gain", [curve], lower_is_better=lower).axes[0]
    assert list(axes.lines[0].get_xdata()) == [2, 4, 8]
    assert tuple(float(values[0]) for values in axes.lines[1].get_data()) == best
    assert f"best {best[1]} at {best[0]}" in axes.get_legend().get_texts()[0].get_text()


def test_curve_of_a_run_becomes_a_file(run, tmp_path):
    assert figure("curve", tmp_path / "curve.png", "--run", run, run) == 0
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (768, 512)


@pytest.mark.parametrize(
    ("kind", "name", "words", "message"),
    [
        ("matrix", "m.jpg", (), "a figure is a PNG or a PDF"),
        ("matrix", "m.png", (), "--data is missing"),
        ("curve", "m.png", (), "--run is missing"),
        ("matrix", "m.png", ("--data", "FOLDER", "--split", "val"), "in the split 'val'"),
        ("matrix", "m.png", ("--data", "FOLDER", "--targets", "0"), "--targets is 0"),
        ("matrix", "m.png", ("--data", "FOLDER", "--model", "MODEL", "MODEL"), "shows one model"),
    ],
)
def test_wrong_requests_are_refused(folder, model_file, tmp_path, capsys, kind, name, words, message):
    given = [{"FOLDER": str(folder), "MODEL": str(model_file)}.get(word, word) for word in words]
    model = [] if "--model" in given else ["--model", model_file]
    assert figure(kind, tmp_path / name, *model, *given) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_crops_of_another_alignment_are_refused(folder, model_file, tmp_path, capsys):
    other = tmp_path / "faces"
    other.mkdir()
    (other / "faces.csv").write_bytes((folder / "faces.csv").read_bytes())
    info = json.loads((folder / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps(info | {"template": "paper-v1"}))
    assert figure("matrix", tmp_path / "m.png", "--model", model_file, "--data", other) == 2
    assert "needs crops aligned to eyes-nose-v1" in capsys.readouterr().err
