"""Grids of pictures and curves as PNG and PDF files, drawn by matplotlib (extra ``figures``).

matplotlib and not Pillow: a PDF made by it holds the labels and lines as text and vectors, which print at any size; and
axes, ticks and legends need no code of ours. Pictures keep their pixels: a PNG shows every one of them as it is.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from twocet.errors import UserError, check
from twocet.evaluation.figures.grids import Grid
from twocet.photo.images import Photo, Pixels, read_photo
from twocet.photo.mark import Mark
from twocet.photo.marks import write_marked
from twocet.runtime.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 128
_GAP = 4
_FONT_POINTS = 8
_CHARACTER = 0.6 * _FONT_POINTS * _DPI / 72
"""Width of a letter in pixels, near enough to leave room for labels."""
SUFFIXES = (".png", ".pdf")
_HIGHER_IS_BETTER = ("validation_gain", "validation_agreement")


def check_output(path: Path) -> None:
    """Raises UserError unless ``path`` is a PNG or PDF in a folder that exists."""
    check(path.suffix.lower() in SUFFIXES, f"{path}: a figure is a PNG or a PDF; end the name in .png or .pdf")
    check(path.parent.is_dir(), f"the folder {path.parent} does not exist: create it first")


def mosaic(grid: Grid) -> Pixels:
    """The pictures of a grid side by side, (H, W, 3) uint8, white in between."""
    side = next(cell.shape[0] for row in grid.cells for cell in row if cell is not None)
    step = side + _GAP
    columns = max(len(row) for row in grid.cells)
    paper = np.full((len(grid.cells) * step - _GAP, columns * step - _GAP, 3), 255, np.uint8)
    for j, row in enumerate(grid.cells):
        for i, cell in enumerate(row):
            if cell is not None:
                paper[j * step : j * step + side, i * step : i * step + side] = cell
    return paper


def draw_grid(grid: Grid) -> Figure:
    """A figure in which every pixel of the pictures is one pixel at the figure's resolution."""
    pixels = mosaic(grid)
    height, width = pixels.shape[:2]
    left = round(max((len(label) for label in grid.row_labels), default=0) * _CHARACTER) + 2 * _GAP
    top = round(2.5 * _FONT_POINTS * _DPI / 72)
    figure = _figure(width + left + _GAP, height + top + _GAP)
    figure.figimage(pixels, xo=left, yo=_GAP)
    step = (height + _GAP) / len(grid.cells)
    for j, label in enumerate(grid.row_labels):
        y = _GAP + height - (j + 0.5) * step + _GAP / 2
        _text(figure, left - _GAP, y, label, horizontalalignment="right", verticalalignment="center")
    for i, label in enumerate(grid.column_labels):
        x = left + (i + 0.5) * step - _GAP / 2
        _text(figure, x, height + 3 * _GAP, label, horizontalalignment="center", verticalalignment="bottom")
    return figure


def _text(figure: Figure, x: float, y: float, text: str, **options: str) -> None:
    width, height = figure.get_size_inches() * _DPI
    figure.text(x / width, y / height, text, fontsize=_FONT_POINTS, **options)  # type: ignore[arg-type]


def _figure(width: int, height: int) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("figures need matplotlib: pip install 'twocet[figures]'") from None
    return Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)


class Curve(NamedTuple):
    """A metric of one run over its rounds."""

    name: str
    steps: list[int]
    values: list[float]


def _rounds(file: Path) -> list[dict[str, float]]:
    """The finite numbers of every line of metrics.jsonl; lines that a kill cut off or a disk damaged are left out."""
    found = []
    for line in file.read_bytes().splitlines():
        with contextlib.suppress(ValueError, RecursionError, AttributeError):
            numbers = {name: value for name, value in json.loads(line).items() if isinstance(value, (int, float))}
            found.append({name: value for name, value in numbers.items() if abs(value) < math.inf})
    return [line for line in found if "step" in line]


def read_curve(run: Path, metric: str | None) -> tuple[str, Curve]:
    """A metric and its course in a run folder; None is what chose the run's best checkpoint. Raises UserError."""
    file = run / "metrics.jsonl"
    check(file.is_file(), f"{run} is not a run folder: it has no metrics.jsonl")
    lines = _rounds(file)
    names = sorted({name for line in lines for name in line} - {"step"})
    chosen = metric or next((name for name in names if name.startswith("validation_")), None)
    if chosen is None or chosen not in names:
        raise UserError(f"{run} has not recorded {chosen or 'a validation metric'}; it has: {', '.join(names)}")
    found = [(int(line["step"]), line[chosen]) for line in lines if chosen in line]
    check(bool(found), f"{run}: no value of {chosen} is a number")
    return str(chosen), Curve(run.name, [step for step, _ in found], [value for _, value in found])


def curves(runs: Sequence[Path], metric: str | None) -> Figure:
    """The same metric of several run folders; see :func:`read_curve`. Raises UserError."""
    name, first = read_curve(runs[0], metric)
    others = [read_curve(run, name)[1] for run in runs[1:]]
    return draw_curves(name, [first, *others], lower_is_better=name not in _HIGHER_IS_BETTER)


def draw_curves(metric: str, curves: Sequence[Curve], *, lower_is_better: bool) -> Figure:
    """Metric against rounds; every curve's best point is marked."""
    figure = _figure(6 * _DPI, 4 * _DPI)
    axes = figure.add_subplot()
    for curve in curves:
        best = int(np.argmin(curve.values) if lower_is_better else np.argmax(curve.values))
        label = f"{curve.name}: best {curve.values[best]:.4g} at {curve.steps[best]:,}"
        (line,) = axes.plot(curve.steps, curve.values, marker=".", label=label)
        axes.plot(curve.steps[best], curve.values[best], marker="o", markersize=9, color=line.get_color())
    axes.set_xlabel("round")
    axes.set_ylabel(metric.replace("_", " "))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    return figure


def save(figure: Figure, path: Path, mark: Mark | None = None) -> Path:
    """Write a PNG or PDF; ``mark`` goes into a PNG as XMP and into a PDF's description."""
    check_output(path)
    buffer = io.BytesIO()
    if path.suffix.lower() == ".pdf":
        # Without a date the same figure is the same file.
        about: dict[str, Any] = {"CreationDate": None, "Creator": mark.software if mark else None}
        if mark:
            about["Keywords"] = f"{mark.digital_source_type} {mark.model} {mark.model_sha256 or ''}".strip()
        figure.savefig(buffer, format="pdf", metadata=about)
        return write_whole(path, buffer.getvalue())
    figure.savefig(buffer, format="png", dpi=_DPI)
    with Image.open(buffer) as picture:
        return write_marked(path, Photo(pixels=read_photo(picture.convert("RGB")).pixels), mark)
