"""Training and measuring shape models on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import toy
from PIL import Image
from safetensors.numpy import load_file
from test_points import OBJ

from twocet.cli import main
from twocet.shapes import sources
from twocet.shapes.drawing import triangles_of
from twocet.shapes.points import PointSets, write_archive

SHORT = [
    "--recipe",
    "shapes",
    "--steps",
    "6",
    "--set",
    "batch=8",
    "components=6",
    "width=8",
    "code_dim=3",
    "depth=1",
    "log_every=2",
]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "strangers.npz", toy.unpaired(30))


def test_a_run_folder_is_a_model(archive: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["train", "--data", str(archive), "-o", str(run), *SHORT]) == 0
    assert [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()] == [2, 4, 6]
    out = tmp_path / "out.npz"
    assert main(["neutralize", str(archive), "-o", str(out), "--model", str(run)]) == 0
    assert np.load(out)["points"].shape == (60, 12, 2)


def test_a_run_goes_on_without_its_data(archive: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert main(["train", "--data", str(archive), "-o", str(whole), *SHORT, "checkpoint_every=3"]) == 0
    assert main(["train", "--data", str(archive), "-o", str(part), *SHORT, "checkpoint_every=3"]) == 0
    archive.unlink()
    (part / "checkpoints/step-000000006.pt").unlink()
    before = load_file(part / "model.safetensors")
    (part / "model.safetensors").unlink()
    assert main(["train", "-o", str(part), "--resume"]) == 0
    for other in (before, load_file(whole / "model.safetensors")):
        assert all((tensor == other[name]).all() for name, tensor in load_file(part / "model.safetensors").items())


def test_sources_keep_their_shares(archive: Path, tmp_path: Path) -> None:
    run = sources.begin(tmp_path / "run", toy.CONFIG, [archive, archive], [3, 1])
    assert [source.share for source in run.sources] == [3, 1]
    assert run.sampler.neutral.weights[:30].sum() == pytest.approx(0.75)


def test_meshes_teach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for domain in ("neutral", "expressive"):
        (tmp_path / "heads" / domain).mkdir(parents=True)
        for k in range(16):
            corners = np.eye(4, 3) + random.normal(0, 0.1, (4, 3)) + [[0, 0, domain == "expressive"], *[[0] * 3] * 3]
            lines = ["v " + " ".join(f"{x:.4f}" for x in corner) for corner in corners]
            text = "\n".join([*lines, *(line for line in OBJ.splitlines() if line[:2] != "v ")])
            (tmp_path / "heads" / domain / f"p{k}-{domain}.obj").write_text(text)
    assert main(["train", "--data", str(tmp_path / "heads"), "-o", str(tmp_path / "run"), *SHORT]) == 0
    target = str(tmp_path / "heads/expressive/p0-expressive.obj")
    picture = tmp_path / "out.png"
    assert main(["sample", target, "-n", "3", "-o", str(picture), "--model", str(tmp_path / "run")]) == 0
    with Image.open(picture) as image:
        assert np.ptp(np.asarray(image.convert("L"))) > 50


def test_settings_are_shown_and_other_recipes_keep_theirs(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "-o", str(tmp_path / "run"), *SHORT, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["components"] == 6
    words = ["train", "--data", str(archive), "-o", str(tmp_path / "run"), "--recipe", "shapes"]
    assert main([*words, "--set", "painted=1"]) == 2
    assert "painted is a setting of fast" in capsys.readouterr().err
    assert main([*words, "--minutes", "3"]) == 2
    assert "leave out" in capsys.readouterr().err


def test_a_folder_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["train", "--data", str(tmp_path / "empty"), "-o", str(tmp_path / "run"), *SHORT]) == 2
    assert "neither faces.csv nor folders" in capsys.readouterr().err


def test_a_report_names_the_baselines(model_file: Path, tmp_path: Path) -> None:
    known = write_archive(tmp_path / "known.npz", toy.known())
    report = tmp_path / "report"
    assert main(["evaluate", str(model_file), "--data", str(known), "-o", str(report)]) == 0
    figures = json.loads((report / "report.json").read_text())["methods"]
    assert set(figures) == {"model", "linear", "delta", "copy"}
    assert figures["copy"]["neutralize"]["named"]["explained"] == 0
    assert figures["delta"]["transfer"]["named"]["explained"] > 0.9
    text = (report / "report.md").read_text()
    assert "linear estimate" in text
    assert "| random |" in text
    assert (report / "sheet.png").stat().st_size > 5_000


def test_points_are_drawn(model_file: Path, tmp_path: Path) -> None:
    face = write_archive(tmp_path / "face.npz", PointSets(points=toy.people(1, 7) + toy.SMILE))
    for name in ("out.png", "out.pdf"):
        words = ["continuum", str(face), str(face), "--steps", "3", "-o", str(tmp_path / name)]
        assert main([*words, "--model", str(model_file)]) == 0
        assert (tmp_path / name).stat().st_size > 2_000


def test_polygons_become_triangles(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\nf 1 2 3 4\nf 1/1/1 3/1/1 5/1/1\n")
    assert triangles_of(tmp_path / "a.obj").tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 4]]
