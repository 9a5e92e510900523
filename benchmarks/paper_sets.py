"""The picture sets on which the paper's Table 1 rests, from any model and dataset folder, as files.

    PYTHONPATH=src python benchmarks/paper_sets.py runs/paper/model.safetensors --data faces-cfee -o sets

``twocet evaluate`` measures the same sets without writing them; this is for measuring them with other programs. Writes
``real/a_n`` and ``real/b_e`` (the photos of the split), ``fake/a_n`` (every expressive photo made neutral),
``fake/b_e_z`` (neutral photos with random codes, as many as there are expressive photos or a few more) and
``fake/b_e_r`` (every neutral photo with three references of every expression). As in the authors' protocol, a reference
may be the same person as the target. With CFEE's 8 test people these are 8, 200, 200, 200 and 600 pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image

from twocet.evaluation.maker import Maker
from twocet.evaluation.people import picture_sets, read_people
from twocet.evaluation.realism import make_set
from twocet.model.interface import expression_model
from twocet.model.model import load_model
from twocet.photo.images import Pixels


def write(folder: Path, pictures: Pixels, first: int = 0) -> None:
    """Pictures (N, S, S, 3) as numbered files."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, pixels in enumerate(pictures, first):
        Image.fromarray(pixels).save(folder / f"{k:05d}.png")


def main(
    model: tyro.conf.Positional[str],
    data: Path,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    split: str = "test",
    most: int = 1_000_000,
    seed: int = 0,
) -> None:
    """Write the picture sets of the paper's Table 1."""
    loaded = load_model(model)
    people = read_people(data, split, loaded.size, loaded.metadata["template"])
    write(output / "real" / "a_n", people.neutral)
    write(output / "real" / "b_e", people.expressive)
    for wanted in picture_sets(people, most, seed):
        for rows, made in make_set(Maker(expression_model(loaded)), people, wanted, seed):
            write(output / "fake" / wanted.name, made, rows.start)
    for folder in sorted(output.glob("*/*")):
        print(f"{folder}: {len(list(folder.iterdir()))} pictures")


if __name__ == "__main__":
    tyro.cli(main)
