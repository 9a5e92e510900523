"""Charts as inline SVG: nothing to install, nothing to load."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from twocet.metrics import Estimate

_COLOURS = ("#2b6cb0", "#c05621", "#2f855a")
_INK, _FAINT = "#333", "#ccc"
_LABEL, _WIDTH, _ROW = 130, 620, 20
_PLOT_LEFT, _PLOT_TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 50, 20, 480, 260


class Line(NamedTuple):
    """One curve with its band."""

    name: str
    x: Sequence[float]
    y: Sequence[Estimate]


def bars(title: str, values: Mapping[str, Estimate]) -> str:
    """Horizontal bars with their intervals."""
    ends = [end for value in values.values() for end in value if math.isfinite(end)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    scale = (_WIDTH - _LABEL - 60) / ((high - low) or 1.0)
    zero = _LABEL - low * scale
    height = _ROW * len(values) + 8
    parts = [_line(zero, 0, zero, height, _INK)]
    for k, (name, value) in enumerate(values.items()):
        top, middle, end = k * _ROW + 4, k * _ROW + 4 + _ROW / 2 - 2, _LABEL + (value.value - low) * scale
        parts += [
            f'<rect x="{min(zero, end):.1f}" y="{top}" width="{abs(end - zero):.1f}" height="{_ROW - 5}" '
            f'fill="{_COLOURS[0]}" fill-opacity="0.7"/>',
            _text(4, middle + 4, name or "(no label)"),
            _text(_WIDTH - 50, middle + 4, f"{value.value:.3f}"),
        ]
        if math.isfinite(value.low):
            first, last = (_LABEL + (limit - low) * scale for limit in (value.low, value.high))
            parts.append(_line(first, middle, last, middle, _INK, 2))
    return _svg(title, _WIDTH, height, parts)


def curves(title: str, x_name: str, lines: Sequence[Line], ideal: Line | None = None) -> str:
    """Curves over a common axis; ``ideal`` is dashed."""
    shown = [*lines, *([ideal] if ideal else [])]
    xs = [x for line in shown for x in line.x]
    ys = [end for line in shown for value in line.y for end in value if math.isfinite(end)]
    left, right, low, high = min(xs), max(xs), min(0.0, *ys), max(1.0, *ys)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / ((right - left) or 1.0)
        return _PLOT_LEFT + across * _PLOT_WIDTH, _PLOT_TOP + (high - y) / (high - low) * _PLOT_HEIGHT

    parts = _axes(left, right, low, high, x_name)
    if ideal:
        parts.append(_path([place(x, y.value) for x, y in zip(ideal.x, ideal.y, strict=True)], _INK, dashed=True))
    for k, line in enumerate(lines):
        colour = _COLOURS[k % len(_COLOURS)]
        above = [place(x, y.high) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y.high)]
        below = [place(x, y.low) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y.low)]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*above, *below[::-1]])
        parts.append(f'<polygon points="{corners}" fill="{colour}" fill-opacity="0.15"/>')
        parts.append(_path([place(x, y.value) for x, y in zip(line.x, line.y, strict=True)], colour))
        parts.append(_text(_PLOT_LEFT + _PLOT_WIDTH + 8, _PLOT_TOP + 14 + 18 * k, line.name, colour))
    return _svg(title, _PLOT_LEFT + _PLOT_WIDTH + 130, _PLOT_TOP + _PLOT_HEIGHT + 40, parts)


def _axes(left: float, right: float, low: float, high: float, x_name: str) -> list[str]:
    bottom, end = _PLOT_TOP + _PLOT_HEIGHT, _PLOT_LEFT + _PLOT_WIDTH
    parts = [_text((_PLOT_LEFT + end) / 2, bottom + 34, x_name)]
    for k in range(5):
        x, y = _PLOT_LEFT + k / 4 * _PLOT_WIDTH, _PLOT_TOP + k / 4 * _PLOT_HEIGHT
        parts += [
            _line(_PLOT_LEFT, y, end, y, _FAINT),
            _line(x, _PLOT_TOP, x, bottom, _FAINT),
            _text(8, y + 4, f"{high - k / 4 * (high - low):.2f}"),
            _text(x - 8, bottom + 16, f"{left + k / 4 * (right - left):g}"),
        ]
    return parts


def _path(points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, content: str, colour: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="12">{escape(content)}</text>'


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" aria-label="{escape(title)}" '
        f'font-family="sans-serif"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )
