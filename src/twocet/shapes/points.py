"""Point sets in files: NumPy archives, and folders of OBJ meshes of one topology."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twocet.errors import check
from twocet.runtime.arrays import Floats
from twocet.runtime.files import write_whole
from twocet.runtime.records import read_arrays, read_text

DOMAINS = ("neutral", "expressive")
"""Names of the two domains, in archives and as the folders of meshes."""
ARCHIVE, MESH = ".npz", ".obj"
"""Suffixes of the files."""


@dataclass(frozen=True, kw_only=True)
class PointSets:
    """Faces as points that correspond to each other."""

    points: Floats
    """(n, k, d) float64, d 2 or 3."""
    neutral: NDArray[np.bool_] | None = None
    """(n,) whether a face is neutral; None where that is not known. It is all that training knows."""
    person: Sequence[str] | None = None
    """(n,) who it is; for reports alone."""
    label: Sequence[str] | None = None
    """(n,) which expression it is; for reports alone."""

    def domain(self, neutral: bool) -> Floats:
        """(m, k, d) the faces of one domain."""
        assert self.neutral is not None
        return np.asarray(self.points[self.neutral == neutral])


def is_points(path: Path) -> bool:
    """Whether ``path`` holds point sets and no photos: an archive, a mesh or a folder of meshes."""
    return path.suffix.lower() in (ARCHIVE, MESH) or (path.is_dir() and bool(meshes_in(path)))


def read_points(path: Path) -> PointSets:
    """An ``.npz`` archive, an ``.obj`` mesh, or a folder of meshes. Raises UserError."""
    if path.is_dir():
        return read_folder(path)
    if path.suffix.lower() == MESH:
        return PointSets(points=read_obj(path)[None])
    return read_archive(path)


def read_archive(path: Path) -> PointSets:
    """An archive with ``points`` (n, k, 2 or 3) or (k, 2 or 3) and, if known, ``domain``, ``person`` and ``label``.

    ``domain`` is ``neutral`` or ``expressive``. Raises UserError.
    """
    columns = read_arrays(path, "give another NumPy archive (.npz)")
    check("points" in columns, f"{path} has no array 'points': it holds {', '.join(columns) or 'nothing'}")
    points = checked(columns["points"], str(path))
    known = {name: _column(columns, name, len(points), path) for name in ("domain", "person", "label")}
    domain = known.pop("domain")
    if domain is not None:
        wrong = sorted(set(domain) - set(DOMAINS))
        check(not wrong, f"{path}: a domain is 'neutral' or 'expressive', not {', '.join(map(repr, wrong[:3]))}")
    neutral = None if domain is None else np.array([name == "neutral" for name in domain])
    return PointSets(points=points, neutral=neutral, **known)


def checked(points: NDArray[np.generic], name: str) -> Floats:
    """``points`` as (n, k, d) float64. Raises UserError, naming ``name``, if they cannot be that."""
    check(np.issubdtype(points.dtype, np.number), f"{name}: points must be numbers")
    points = points[None] if points.ndim == 2 else points
    check(
        points.ndim == 3 and points.shape[1] >= 3 and points.shape[2] in (2, 3),
        f"{name}: points must have the shape (n, k, 2) or (n, k, 3) with k of 3 or more, not {points.shape}",
    )
    floats = np.asarray(points, np.float64)
    check(bool(np.isfinite(floats).all()), f"{name}: some points are not finite numbers")
    return floats


def _column(columns: dict[str, NDArray[np.generic]], name: str, num: int, path: Path) -> list[str] | None:
    if name not in columns:
        return None
    column = np.atleast_1d(columns[name])
    check(column.shape == (num,), f"{path}: '{name}' must name each of the {num} point sets")
    return [str(value) for value in column]


def write_archive(path: Path, sets: PointSets) -> Path:
    """Write an archive that :func:`read_archive` reads, whole or not at all."""
    columns: dict[str, NDArray[np.generic]] = {"points": sets.points.astype(np.float32)}
    if sets.neutral is not None:
        columns["domain"] = np.array([DOMAINS[0 if neutral else 1] for neutral in sets.neutral])
    columns |= {
        name: np.array(list(value)) for name, value in (("person", sets.person), ("label", sets.label)) if value
    }
    content = io.BytesIO()
    np.savez_compressed(content, **columns)  # type: ignore[arg-type]
    return write_whole(path, content.getvalue())


def read_folder(path: Path) -> PointSets:
    """Meshes of one topology: in ``neutral/`` and ``expressive/``, or, of no known domain, in the folder itself.

    A file name up to its first ``-`` is taken for the person, the rest for the label. Raises UserError.
    """
    files = meshes_in(path)
    check(bool(files), f"{path} holds no meshes ({MESH}), nor do its folders neutral and expressive")
    meshes = [read_obj(file) for file in files]
    other = next((file for file, mesh in zip(files, meshes, strict=True) if len(mesh) != len(meshes[0])), None)
    check(
        other is None,
        f"{other} has another number of vertices than {files[0]}: all meshes of a folder need one topology",
    )
    names = [file.stem.partition("-") for file in files]
    neutral = None if files[0].parent == path else np.array([file.parent.name == DOMAINS[0] for file in files])
    return PointSets(
        points=np.stack(meshes),
        neutral=neutral,
        person=[who for who, _, _ in names],
        label=[what for _, _, what in names],
    )


def meshes_in(path: Path) -> list[Path]:
    """The meshes of a folder: of its folders ``neutral`` and ``expressive`` in turn, or else its own."""
    divided = [file for domain in DOMAINS for file in sorted((path / domain).glob(f"*{MESH}"))]
    return divided or sorted(path.glob(f"*{MESH}"))


def read_obj(path: Path) -> Floats:
    """(k, 3) the vertices of a Wavefront OBJ file, in their order. Raises UserError."""
    rows = [line.split()[1:4] for line in _lines(path) if line.startswith("v ")]
    try:
        vertices = np.array(rows, np.float64)
    except ValueError:
        vertices = np.empty((0, 3))
    check(vertices.ndim == 2 and vertices.shape[1:] == (3,) and len(vertices) >= 3, f"{path} is not an OBJ mesh")
    return np.asarray(checked(vertices, str(path))[0])


def write_obj(path: Path, vertices: Floats, like: Path) -> Path:
    """Write the mesh ``like`` with other ``vertices`` (k, 3), whole or not at all, and without its normals.

    Raises UserError if ``like`` has another number of vertices.
    """
    check(len(read_obj(like)) == len(vertices), f"{like} does not have {len(vertices)} vertices")
    rows, written = iter(vertices), []
    for line in _lines(like):
        if line.startswith("v "):
            written.append("v " + " ".join(f"{value:.6g}" for value in next(rows)))
        elif line.startswith("f "):
            written.append(" ".join(["f", *(_without_normal(corner) for corner in line.split()[1:])]))
        elif not line.startswith("vn "):
            written.append(line)
    return write_whole(path, ("\n".join(written) + "\n").encode())


def _without_normal(corner: str) -> str:
    return "/".join(corner.split("/")[:2]).rstrip("/")


def _lines(path: Path) -> list[str]:
    return read_text(path, "give another file").splitlines()
