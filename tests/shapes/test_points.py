"""Point sets in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy

from twocet.errors import UserError
from twocet.pairs import landmark_table
from twocet.shapes import points

OBJ = """# a tetrahedron
o thing
v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
vt 0 0
vn 0 0 1
f 1/1/1 2/1/1 3/1/1
f 1//1 2//1 4//1
f 2 3 4
"""


def test_an_archive_comes_back_as_it_was(tmp_path: Path) -> None:
    sets = toy.known(3)
    read = points.read_points(points.write_archive(tmp_path / "a.npz", sets))
    assert np.abs(read.points - sets.points).max() < 1e-4
    assert read.neutral is not None
    assert sets.neutral is not None
    assert (read.neutral == sets.neutral).all()
    assert (read.person, read.label) == (sets.person, sets.label)


def test_points_alone_are_enough(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=toy.people(1, 0)[0])
    read = points.read_points(tmp_path / "a.npz")
    assert read.points.shape == (1, 12, 2)
    assert read.neutral is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"landmarks": np.zeros((2, 5, 2))}, "no array 'points'"),
        ({"points": np.zeros((2, 5, 4))}, "must have the shape"),
        ({"points": np.full((2, 5, 2), np.nan)}, "not finite numbers"),
        ({"points": np.array([["a", "b"]])}, "must be numbers"),
        ({"points": np.zeros((2, 5, 2)), "domain": np.array(["neutral", "happy"])}, "not 'happy'"),
        ({"points": np.zeros((2, 5, 2)), "person": np.array(["a"])}, "each of the 2 point sets"),
    ],
)
def test_a_wrong_archive_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        points.read_points(tmp_path / "a.npz")


def test_a_mesh_keeps_its_faces_and_loses_its_normals(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(OBJ)
    vertices = points.read_obj(tmp_path / "a.obj")
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    points.write_obj(tmp_path / "b.obj", vertices + 0.5, tmp_path / "a.obj")
    text = (tmp_path / "b.obj").read_text()
    assert (points.read_obj(tmp_path / "b.obj") == vertices + 0.5).all()
    assert "o thing\n" in text
    assert "vn" not in text
    assert text.endswith("f 1/1 2/1 3/1\nf 1 2 4\nf 2 3 4\n")


def test_folders_say_which_meshes_are_neutral(tmp_path: Path) -> None:
    for folder, name in (("neutral", "ann-rest"), ("expressive", "ann-smile"), ("expressive", "bob-smile")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.obj").write_text(OBJ)
    sets = points.read_points(tmp_path)
    assert sets.neutral is not None
    assert sets.neutral.tolist() == [True, False, False]
    assert (sets.person, sets.label) == (["ann", "ann", "bob"], ["rest", "smile", "smile"])


def test_meshes_of_another_topology_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(OBJ)
    (tmp_path / "b.obj").write_text(OBJ.replace("v 0 0 1\n", "", 1))
    with pytest.raises(UserError, match=r"b\.obj has another number of vertices"):
        points.read_points(tmp_path)


def test_a_text_is_no_mesh(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v one two three\n")
    with pytest.raises(UserError, match="not an OBJ mesh"):
        points.read_points(tmp_path / "a.obj")


@pytest.mark.parametrize("dimensions", [2, 3])
def test_landmarks_that_were_kept_are_read_again(tmp_path: Path, dimensions: int) -> None:
    """Shapes keep three numbers of a landmark, the recipes of pairs two."""
    kept = {
        "a.png": np.arange(478.0 * dimensions).reshape(478, dimensions),
        "b.png": np.full((478, dimensions), np.nan),
    }
    landmark_table.save_meshes(tmp_path / "table.npz", kept)
    again = landmark_table.load_meshes(tmp_path / "table.npz")
    assert list(again) == ["a.png", "b.png"]
    np.testing.assert_array_equal(again["a.png"], kept["a.png"])
    assert np.isnan(again["b.png"]).all()
