"""The picture sets on which the paper's Table 1 rests, from any model and dataset folder.

    PYTHONPATH=src python benchmarks/paper_sets.py runs/paper/model.safetensors --data faces-cfee -o sets

Writes ``real/a_n`` and ``real/b_e`` (the photos of the split), ``fake/a_n`` (every expressive photo made neutral),
``fake/b_e_z`` (neutral photos with random codes, as many as there are expressive photos or a few more) and
``fake/b_e_r`` (every neutral photo with three references of every expression). As in the authors' protocol, a reference
may be the same person as the target. With CFEE's 8 test people these are 8, 200, 200, 200 and 600 pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from PIL import Image
from torch import Tensor

from twocet import codes
from twocet.data import Faces, open_dataset, to_image
from twocet.figures import generate, load_split, pictures
from twocet.images import Pixels
from twocet.model import Model, load_model
from twocet.randomness import generator_at

REFERENCES = 3
"""References of each expression for each target."""


def neutralised(model: Model, faces: Faces) -> list[Pixels]:
    """fake/a_n: every expressive photo with the neutral code."""
    images = to_image(faces.expressive)
    return generate(model, images, torch.zeros(len(images), model.code_dim))


def sampled(model: Model, faces: Faces, code_range: float, seed: int) -> list[Pixels]:
    """fake/b_e_z: every neutral photo with ceil(expressive / neutral photos) uniform codes."""
    each = -(-len(faces.expressive) // len(faces.neutral))
    images = to_image(faces.neutral).repeat_interleave(each, dim=0)
    drawn = codes.uniform(len(images), model.code_dim, code_range, generator_at(seed, 0, "paper sets"))
    return generate(model, images, drawn)


def transferred(model: Model, faces: Faces, seed: int) -> list[Pixels]:
    """fake/b_e_r: every neutral photo with three random references of every expression."""
    rng = np.random.default_rng([seed, 1])
    encoded = torch.cat([model.encode(part) for part in torch.split(to_image(faces.expressive), 16)])
    labels = np.array([row["expression"] for row in faces.expressive_rows])
    made: list[Pixels] = []
    for image in to_image(faces.neutral):
        chosen: list[Tensor] = []
        for expression in np.unique(labels):
            photos = np.flatnonzero(labels == expression)
            picked = rng.choice(photos, REFERENCES, replace=len(photos) < REFERENCES)
            chosen += [encoded[int(k)] for k in picked]
        made += generate(model, image.expand(len(chosen), -1, -1, -1), torch.stack(chosen))
    return made


def main(
    model: tyro.conf.Positional[str],
    data: Path,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    split: str = "test",
    code_range: float = 1.0,
    seed: int = 0,
) -> None:
    """Write the picture sets of the paper's Table 1."""
    loaded = load_model(model)
    faces = load_split(open_dataset(data, allow_one_sided=True), split, loaded.size)
    sets = {
        "real/a_n": pictures(to_image(faces.neutral)),
        "real/b_e": pictures(to_image(faces.expressive)),
        "fake/a_n": neutralised(loaded, faces),
        "fake/b_e_z": sampled(loaded, faces, code_range, seed),
        "fake/b_e_r": transferred(loaded, faces, seed),
    }
    for name, made in sets.items():
        (output / name).mkdir(parents=True, exist_ok=True)
        for k, pixels in enumerate(made):
            Image.fromarray(pixels).save(output / name / f"{k:05d}.png")
        print(f"{output / name}: {len(made)} pictures")


if __name__ == "__main__":
    tyro.cli(main)
