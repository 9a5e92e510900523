"""The commands on points and meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy
from test_points import OBJ

from twocet.cli import main
from twocet.shapes import points
from twocet.shapes.points import PointSets, read_points, write_archive


@pytest.fixture
def smiles(tmp_path: Path) -> Path:
    faces = toy.placed(toy.people(4, 7) + toy.SMILE, 8)
    return write_archive(tmp_path / "smiles.npz", PointSets(points=faces))


def test_neutralize(smiles: Path, model_file: Path, tmp_path: Path) -> None:
    assert main(["neutralize", str(smiles), "-o", str(tmp_path / "out.npz"), "--model", str(model_file)]) == 0
    before, after = (read_points(path).points for path in (smiles, tmp_path / "out.npz"))
    assert after.shape == before.shape
    height = [faces[:, 6, 1] - faces[:, 7, 1] for faces in (before, after)]
    assert (height[1] < height[0]).all()


def test_transfer_with_strengths(smiles: Path, model_file: Path, tmp_path: Path) -> None:
    words = ["transfer", str(smiles), str(smiles), "-o", str(tmp_path / "out.npz"), "--model", str(model_file)]
    assert main([*words, "--strength", "0", "1"]) == 0
    assert read_points(tmp_path / "out.npz").points.shape == (8, 12, 2)


def test_sample(smiles: Path, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    assert main(["sample", str(smiles), "-n", "5", "-o", str(out), "--model", str(model_file)]) == 0
    faces = read_points(out).points
    assert len(np.unique(faces, axis=0)) == 5


def test_continuum(smiles: Path, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    words = ["continuum", str(smiles), str(smiles), "--steps", "4", "-o", str(out), "--model", str(model_file)]
    assert main(words) == 0
    assert len(read_points(out).points) == 4


def test_meshes_are_written_as_meshes(model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twocet.commands import points as commands

    class Shifted:
        def neutralize(self, faces: np.ndarray) -> np.ndarray:
            return faces + 1

    monkeypatch.setattr(commands, "load", lambda name: Shifted())
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.obj").write_text(OBJ)
    assert main(["neutralize", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.obj", "b.obj"]
    assert points.read_obj(tmp_path / "out" / "b.obj")[0].tolist() == [1, 1, 1]
    assert main(["neutralize", str(tmp_path / "in" / "a.obj"), "-o", str(tmp_path / "c.obj")]) == 0
    assert points.read_obj(tmp_path / "c.obj")[0].tolist() == [1, 1, 1]


def test_points_without_a_mesh_need_an_archive(
    smiles: Path, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["neutralize", str(smiles), "-o", str(tmp_path / "out.obj"), "--model", str(model_file)]) == 2
    assert "name an archive" in capsys.readouterr().err


def test_a_reference_is_needed(smiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transfer", str(smiles), "-o", str(tmp_path / "out.npz")]) == 2
    assert "REFERENCE" in capsys.readouterr().err
