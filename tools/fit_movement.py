"""Fit how codes move landmarks: ``python tools/fit_movement.py MODEL --data faces london --weights 1 10 -o FILE``.

The movement of the 478 landmarks from a person's neutral to an expressive photo is read from the code of the latter by
ridge regression. ``edit.shape`` moves lips by it, so that no landmark is read on painted mouths.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from twocet.data.dataset import as_images, load_faces, open_dataset
from twocet.errors import UserError, check
from twocet.model.model import Model, find_model, identify_model, load_model
from twocet.pairs.landmark_table import read_meshes
from twocet.runtime.arrays import Floats

RIDGE = 10.0
CHUNK = 64


def main(
    model: tyro.conf.Positional[str],
    data: tuple[Path, ...],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    weights: tuple[float, ...] = (),
    threads: int = 2,
) -> None:
    """Write the matrix.

    Args:
        model: Packaged model or model file.
        data: Dataset folders with neutral and expressive photos of the same people; their training people are used.
        output: The file, for a packaged model NAME.movement.npz beside it.
        weights: How much a photo of each dataset counts; 1 if not given.
        threads: Threads that read landmarks.
    """
    check(not weights or len(weights) == len(data), "give as many weights as datasets")
    path = find_model(model)
    loaded = load_model(path)
    parts = [pairs_of(loaded, folder, threads) for folder in data]
    shares = np.sqrt(weights or np.ones(len(data)))
    codes, moved = (
        np.concatenate([share * part[k] for share, part in zip(shares, parts, strict=True)]) for k in (0, 1)
    )
    matrix = np.linalg.solve(codes.T @ codes + RIDGE * np.eye(codes.shape[1]), codes.T @ moved)
    np.savez_compressed(
        output,
        matrix=matrix.reshape(codes.shape[1], -1, 2).astype(np.float16),
        model_sha256=np.array(identify_model(path).sha256),
    )
    print(f"{output}: {len(codes)} pairs")


def pairs_of(model: Model, folder: Path, threads: int) -> tuple[Floats, Floats]:
    """Codes (n, d) of a dataset's expressive training photos, and movements (n, 956) from the person's neutral one."""
    dataset = open_dataset(folder)
    faces, meshes = load_faces(dataset, "train", model.size), read_meshes(dataset, folder, threads)
    places = [
        (k, meshes[row["file"]], meshes[faces.neutral_rows[found[0]]["file"]])
        for k, (row, found) in enumerate(zip(faces.expressive_rows, faces.companions, strict=True))
        if found
    ]
    seen = [(k, after - before) for k, after, before in places if np.isfinite(after - before).all()]
    check(bool(seen), f"{folder} has nobody with a neutral and an expressive photo")
    photos = faces.expressive[[k for k, _ in seen]]
    with torch.inference_mode():
        codes = torch.cat([model.encode(as_images(chunk)) for chunk in photos.split(CHUNK)])
    return codes.double().numpy(), np.stack([moved.ravel() for _, moved in seen])


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except UserError as error:
        raise SystemExit(str(error)) from None
