"""Make the packaged presets: ``python tools/make_presets.py [FACES]``; the faces are rendered if none are given.

For every named expression: the mean code of the model's own encoder over all faces that are labelled with it (paper,
Sec. 4.8), at strength 1, the expression as ``twocet synth`` names it: the faces show it at strengths about that, so the
mean is taken along a straight line fitted over strength. The labels serve this and reports alone; no training saw them.
Run it again whenever the packaged model changes: presets carry the hash of the model file, and another model refuses
them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from tqdm import tqdm

from twocet.data.dataset import DatasetFolder, open_dataset
from twocet.edit.models import load_editing
from twocet.edit.presets import Preset, packaged_file, write_file
from twocet.errors import UserError
from twocet.model.interface import EditingModel
from twocet.model.model import file_hash, find_model
from twocet.photo.images import read_photo
from twocet.photo.scaling import to_image
from twocet.synth import EXPRESSIONS, write_dataset

BATCH = 64
FIRST_PERSON, PEOPLE, PHOTOS_EACH = 950_000, 400, 6
"""Rendered people: none of them is in a training set, the examples or a benchmark. About 100 faces an expression."""


def main(
    faces: tyro.conf.Positional[Path | None] = None,
    model: str = "default",
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    at_least: int = 20,
) -> None:
    """Write the presets of a model and print how alike the faces of each are.

    Args:
        faces: Dataset folder of synthetic faces, aligned, at the model's size; faces are rendered if it is not given.
        model: Name of a packaged model, or a model file.
        output: File to write; the packaged presets if not given.
        at_least: Fewer labelled faces than this make no preset.
    """
    path = find_model(model)
    loaded, _ = load_editing(path, "cpu")
    with tempfile.TemporaryDirectory() as scratch:
        folder = faces or render(Path(scratch) / "faces", loaded.size)
        presets = make_presets(loaded, file_hash(path), open_dataset(folder), at_least)
    file = output or packaged_file(path.stem)
    write_file(file, presets)
    print(f"{len(presets)} presets: {file}")


def render(folder: Path, size: int) -> Path:
    """People with expressions at all strengths."""
    return write_dataset(folder, PEOPLE, PHOTOS_EACH, size=size, first_identity=FIRST_PERSON)


def make_presets(model: EditingModel, sha256: str, dataset: DatasetFolder, at_least: int) -> list[Preset]:
    """One preset for each named expression of ``twocet synth`` with enough faces in the dataset."""
    presets = []
    for name in EXPRESSIONS:
        rows = [row for row in dataset.rows if row["expression"] == name]
        if len(rows) < at_least:
            print(f"{name}: {len(rows)} faces are too few, left out")
            continue
        codes = encode(model, [dataset.path / row["file"] for row in rows], name)
        code = preset_code(codes, np.array([float(row["strength"]) for row in rows]))
        print(f"{name}: {len(rows)} faces, length {np.linalg.norm(code):.3f}, agreement {agreement(codes, code):.3f}")
        rounded = tuple(round(float(value), 6) for value in code)
        presets.append(Preset(name, rounded, sha256, f"{len(rows)} synthetic faces", own=False))
    if not presets:
        raise UserError(f"{dataset.path} has no faces with the names of twocet synth: {', '.join(EXPRESSIONS)}")
    return presets


def preset_code(codes: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """The mean of ``codes`` (n, d) at strength 1, for faces that show the expression at ``strengths`` (n,)."""
    about = strengths - strengths.mean()
    slope = about @ codes / max(float(about @ about), 1e-12)
    code: np.ndarray = codes.mean(axis=0) + (1 - strengths.mean()) * slope
    return code


def agreement(codes: np.ndarray, code: np.ndarray) -> float:
    """Mean cosine between the faces' codes and the preset: 1 when all point the same way."""
    lengths = np.linalg.norm(codes, axis=1) * np.linalg.norm(code)
    return float(np.mean(codes @ code / np.maximum(lengths, 1e-12)))


def encode(model: EditingModel, files: list[Path], name: str) -> np.ndarray:
    """(n, d) codes of aligned pictures."""
    codes = []
    for first in tqdm(range(0, len(files), BATCH), desc=name, disable=None):
        pixels = np.stack([read_photo(file).pixels for file in files[first : first + BATCH]])
        if pixels.shape[1:3] != (model.size, model.size):
            raise UserError(f"The faces are {pixels.shape[2]} pixels wide, the model takes {model.size}.")
        codes.append(model.encode(to_image(pixels)))
    return torch.cat(codes).float().numpy()


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except UserError as error:
        raise SystemExit(str(error)) from None
