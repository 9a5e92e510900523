"""Labelled sheets: several pictures in one, for looking at and comparing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from twocet.photo.images import Pixels

SIDE = 320
"""Of the square of a picture, pixels."""
_PAPER, _INK = (255, 255, 255), (32, 32, 32)


class Cell(NamedTuple):
    """One picture of a sheet."""

    pixels: Pixels
    label: str = ""
    made: bool = False
    """Whether a model made it or changed it."""


def sheet(rows: Sequence[Sequence[Cell | None]], *, side: int = SIDE, gap: int = 8) -> Pixels:
    """Rows of pictures, each fitted into a square of ``side`` pixels with its label below; None leaves a place free.

    Returns uint8 (H, W, 3).
    """
    text_height = max(16, side // 14)
    font = ImageFont.load_default(size=text_height * 0.75)
    columns = max(len(row) for row in rows)
    step_x, step_y = side + gap, side + text_height + gap
    paper = Image.new("RGB", (gap + columns * step_x, gap + len(rows) * step_y), _PAPER)
    draw = ImageDraw.Draw(paper)
    for j, row in enumerate(rows):
        for i, cell in enumerate(row):
            if cell is None:
                continue
            left, top = gap + i * step_x, gap + j * step_y
            picture = _fitted(cell.pixels, side)
            paper.paste(picture, (left + (side - picture.width) // 2, top + (side - picture.height) // 2))
            label = _shortened(cell.label, font, side)
            draw.text((left + side / 2, top + side + text_height / 2), label, _INK, font, anchor="mm")
    return np.array(paper)


def fitted(pixels: Pixels, side: int = SIDE) -> Pixels:
    """The picture, made smaller or larger to fit into a square of ``side``."""
    return np.asarray(_fitted(pixels, side))


def _fitted(pixels: Pixels, side: int) -> Image.Image:
    picture = Image.fromarray(pixels)
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def _shortened(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    short = label.replace("\N{MINUS SIGN}", "-")  # which Pillow's own font shows as an empty box
    while len(short) > 1 and font.getlength(short) > width:
        short = short[:-2] + "…"
    return short
