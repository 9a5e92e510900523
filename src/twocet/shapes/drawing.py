"""Point clouds and meshes as pictures, drawn by matplotlib (extra ``figures``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twocet.errors import UserError
from twocet.runtime.arrays import Floats
from twocet.runtime.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = (".png", ".pdf")
_INCHES, _DPI = 2.4, 160
_COLUMNS = 6
_LIGHT = np.array([-0.35, 0.5, 0.8]) / np.linalg.norm([-0.35, 0.5, 0.8])
_DARK, _BRIGHT = 0.3, 0.95
_POINT, _BEFORE = "#1f3b63", "#c9c9c9"

Ints = NDArray[np.int64]


class Look(NamedTuple):
    """How points are to be seen."""

    triangles: Ints | None = None
    """(t, 3) corners of a mesh's surface; None draws points."""
    down: bool = True
    """Whether y grows downwards and depth away from the viewer, as in photos; in meshes both are the other way."""


class Cell(NamedTuple):
    """One face of a sheet."""

    points: Floats
    """(k, d)."""
    title: str = ""
    before: Floats | None = None
    """(k, d) the same face as it was: drawn behind the points, in grey."""


def draw(path: Path, cells: Sequence[Cell], look: Look, columns: int = _COLUMNS) -> Path:
    """Write a PNG or PDF with the faces side by side, all to one scale. Raises UserError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("pictures of points need matplotlib: pip install 'twocet[figures]'") from None
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    figure = Figure(figsize=(_INCHES * columns, _INCHES * 1.15 * rows), dpi=_DPI, layout="constrained")
    seen = [upright(cell.points, look) for cell in cells]
    reach = max(float(np.abs(points[:, :2] - _middle(points)).max()) for points in seen) * 1.06
    for number, (cell, points) in enumerate(zip(cells, seen, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, number)
        middle = _middle(points)
        if look.triangles is None:
            _draw_points(axes, points, None if cell.before is None else upright(cell.before, look), reach)
        else:
            _draw_surface(axes, points, look.triangles)
        axes.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach), aspect=1)
        axes.set_axis_off()
        axes.set_title(cell.title, fontsize=8)
    buffer = io.BytesIO()
    about: dict[str, Any] = {"CreationDate": None} if path.suffix.lower() == ".pdf" else {}
    figure.savefig(buffer, format=path.suffix[1:].lower(), metadata=about)
    return write_whole(path, buffer.getvalue())


def upright(points: Floats, look: Look) -> Floats:
    """(k, d) with y upwards and depth towards the viewer."""
    flip = np.array([1, -1, -1] if look.down else [1, 1, 1])
    return np.asarray(points * flip[: points.shape[1]])


def _middle(points: Floats) -> Floats:
    return np.asarray((points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2)


def _draw_points(axes: Axes, points: Floats, before: Floats | None, reach: float) -> None:
    size = (0.012 * 72 * _INCHES) ** 2 * min(1.0, 400 / len(points))
    if before is not None:
        axes.scatter(before[:, 0], before[:, 1], s=size, c=_BEFORE, linewidths=0)
    axes.scatter(points[:, 0], points[:, 1], s=size, c=_POINT, linewidths=0)


def _draw_surface(axes: Axes, points: Floats, triangles: Ints) -> None:
    """Flat triangles under one light, the farthest first; those that face away are left out."""
    from matplotlib.collections import PolyCollection

    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    order = np.argsort(corners[:, :, 2].mean(axis=1))
    order = order[normals[order, 2] > 0]
    shade = _DARK + (_BRIGHT - _DARK) * np.clip(normals[order] @ _LIGHT, 0, 1)
    colours = np.repeat(shade[:, None], 3, axis=1)
    axes.add_collection(
        PolyCollection(list(corners[order, :, :2]), facecolors=colours, edgecolors=colours, linewidths=0.2)
    )


def triangles_of(mesh: Path) -> Ints:
    """(t, 3) the surface of an OBJ mesh, its polygons cut into triangles."""
    found: list[tuple[int, int, int]] = []
    for line in mesh.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("f "):
            corners = [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]]
            found += [(corners[0], one, other) for one, other in pairwise(corners[1:])]
    return np.array(found, np.int64).reshape(-1, 3)
