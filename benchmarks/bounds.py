"""Where a model's gain is lost: with the expression known, and with an encoder taught to read it. One JSON line.

    twocet synth faces --identities 2200 --expressions 10
    twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
    python benchmarks/bounds.py default --data faces --bench bench

Rendered faces tell with which numbers (43 units of movement) they were rendered. Training must not use them; here they
show how far the same networks get with help that no photo gives:

- *told*: the generator is trained on with codes that are a linear function of the true units, the same for all people.
  It reads nothing from photos, so what is missing is the generator's.
- *taught*: an encoder is then trained to read these codes from photos. What is lost between the two is the encoder's;
  what lies between it and the model's own gain is the price of learning without labels.

These are not models to be used, and not strict bounds: both are trained for a few minutes only.
"""

from __future__ import annotations

import copy
import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import tyro
from line import print_line
from torch import Generator, Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from twocet import metrics
from twocet.data.dataset import as_images, load_faces, open_dataset
from twocet.evaluation.people import REFERENCE_OFFSET, read_people
from twocet.model.model import Model, find_model, load_model
from twocet.networks.edit import compose, reduced
from twocet.pairs import losses
from twocet.photo.images import Pixels
from twocet.photo.scaling import to_pixels
from twocet.runtime.devices import autocast
from twocet.training import augment
from twocet.training.recipes.configs import FastConfig

SIZE = 128


class Rendered(NamedTuple):
    """Training faces with their units, pair by pair."""

    neutral: Tensor
    """(n, 3, S, S) uint8, the neutral photo of each expressive one's person."""
    expressive: Tensor
    """(n, 3, S, S) uint8."""
    units: Tensor
    """(n, u) float32 in [0, 1]."""
    mirror: Tensor
    """(u,) int64: which unit each one becomes in a mirrored photo."""


class Bench(NamedTuple):
    """N people who all show the same K expressions."""

    neutral: Tensor
    """(N, 3, S, S) in [-1, 1]."""
    truth: Tensor
    """(N, K, 3, S, S) in [-1, 1]."""
    units: Tensor
    """(K, u) float32."""
    named: Tensor
    """(K,) bool."""


def read_units(folder: Path) -> dict[str, dict[str, float]]:
    """The units of every photo of a rendered dataset, by file."""
    with (folder / "faces.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: json.loads(row["units"]) for row in csv.DictReader(file)}


def vectors(units: list[dict[str, float]], names: list[str]) -> Tensor:
    """(n, u) float32 of the units called ``names``."""
    return torch.tensor([[one.get(name, 0.0) for name in names] for one in units])


def mirrored(name: str) -> str:
    """The unit in a mirrored photo."""
    swap = {"Left": "Right", "Right": "Left"}
    return next((name.removesuffix(side) + other for side, other in swap.items() if name.endswith(side)), name)


def read_rendered(folder: Path, size: int) -> tuple[Rendered, list[str]]:
    """The training split at ``size``, and the names of the units."""
    faces = load_faces(open_dataset(folder), "train", SIZE)
    known = read_units(folder)
    units = [known[row["file"]] for row in faces.expressive_rows]
    names = sorted({name for one in units for name in one})
    small = [torch.cat([reduced(x.float(), size).round().byte() for x in part.split(256)]) for part in faces[:2]]
    companions = [found[0] for found in faces.companions]
    mirror = torch.tensor([names.index(mirrored(name)) for name in names])
    return Rendered(small[0][companions], small[1], vectors(units, names), mirror), names


def read_bench(folder: Path, names: list[str]) -> Bench:
    """The benchmark's people and what each expression is made of."""
    people = read_people(folder, "test", SIZE)
    first, labels = people.first_neutral, people.expressions
    place = {
        (int(who), label): k for k, (who, label) in enumerate(zip(people.expressive_people, people.labels, strict=True))
    }
    numbers = range(len(people.names))
    known = read_units(folder)
    of_label = {file.split("/")[-1].split("-", 1)[1].removesuffix(".png"): one for file, one in known.items()}
    truth = np.stack([np.stack([people.expressive[place[n, label]] for label in labels]) for n in numbers])
    neutral = np.stack([people.neutral[first[n]] for n in numbers])
    images = [as_images(torch.from_numpy(x).movedim(-1, -3)) for x in (neutral, truth)]
    is_named = torch.tensor([not label.startswith("units") for label in labels])
    return Bench(*images, vectors([of_label[label] for label in labels], names), is_named)


@torch.no_grad()
def gains(generator: nn.Module, bench: Bench, code: Tensor) -> dict[str, float]:
    """Gain of the named and of the random expressions; ``code`` (N, K, d)."""
    error, change = [], []
    for neutral, truth, codes in zip(bench.neutral, bench.truth, code, strict=True):
        given = neutral.expand(len(truth), -1, -1, -1)
        wanted = face(truth)
        error.append(metrics.pixel_error(face(generator(given, codes)), wanted))
        change.append(metrics.pixel_error(face(given), wanted))
    wrong, whole = np.stack(error), np.stack(change)
    kinds = {"named": bench.named.numpy(), "random": ~bench.named.numpy()}
    return {kind: round(metrics.gain(wrong[:, k], whole[:, k]), 3) for kind, k in kinds.items()}


def face(images: Tensor) -> Pixels:
    """The faces in aligned crops (K, 3, S, S) in [-1, 1]: (K, h, w, 3) uint8."""
    return metrics.face_box(np.stack([to_pixels(image) for image in images]))


@torch.no_grad()
def read_codes(encoder: nn.Module, bench: Bench) -> Tensor:
    """(N, K, d): what the encoder reads from the true photos."""
    return torch.stack([encoder(truth) for truth in bench.truth])


def by_photos(generator: nn.Module, bench: Bench, codes: Tensor) -> dict[str, dict[str, float]]:
    """Gains with codes read from another person, from the person, and with the mean of all people's."""
    return {
        "another": gains(generator, bench, codes.roll(-REFERENCE_OFFSET, dims=0)),
        "own": gains(generator, bench, codes),
        "mean": gains(generator, bench, codes.mean(dim=0, keepdim=True).expand_as(codes)),
    }


def batches(faces: Rendered, num: int, rounds: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Random neutral photos, expressive photos and units, half of them mirrored."""
    generator = Generator().manual_seed(0)
    for _ in tqdm(range(rounds), disable=None):
        chosen = torch.randint(len(faces.units), (num,), generator=generator)
        flipped = augment.coin(0.5, num, generator)
        neutral, expressive = (augment.flip(as_images(x[chosen]), flipped) for x in faces[:2])
        units = faces.units[chosen]
        yield neutral, expressive, torch.where(flipped[:, None], units[:, faces.mirror], units)


def optimise(parameters: list[nn.Parameter], steps: Iterator[Tensor], rounds: int, lr: float) -> None:
    """Adam over the losses, the learning rate falling as a cosine."""
    optimiser = torch.optim.Adam(parameters, lr=lr, betas=(0.9, 0.99))
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min(1, (k + 1) / 50) * (1 + math.cos(math.pi * k / rounds)) / 2
    )
    for loss in steps:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()


@torch.no_grad()
def fitted(encoder: nn.Module, faces: Rendered) -> nn.Linear:
    """The linear function of units that comes nearest to the encoder's codes, to begin with."""
    some = slice(None, None, 7)
    codes = torch.cat([encoder(as_images(x)) for x in faces.expressive[some].split(64)])
    linear = nn.Linear(faces.units.shape[1], codes.shape[1], bias=False)
    linear.weight.copy_(torch.linalg.lstsq(faces.units[some], codes).solution.T)
    return linear


def told(model: Model, faces: Rendered, rounds: int) -> tuple[nn.Module, nn.Linear]:
    """A generator, and the codes of units, trained together as the recipe's pairs are."""
    generator, of_units = trainable(model.generator), fitted(model.encoder, faces)
    config = FastConfig()

    def unexplained(truth: Tensor, output: Tensor, given: Tensor) -> Tensor:
        return losses.unexplained_over_scales(truth, output, given, floor=config.change_floor)

    def steps() -> Iterator[Tensor]:
        for neutral, expressive, units in batches(faces, 16, rounds):
            code = of_units(units)
            with autocast(True):
                given = torch.cat([neutral, expressive])
                edit = generator.edit(given, torch.cat([code, torch.zeros_like(code)]))
                restored, neutralised = compose(given, edit).chunk(2)
            yield (
                unexplained(expressive, restored, neutral)
                + unexplained(neutral, neutralised, expressive)
                + config.painted * edit.mask.mean()
            )

    optimise([*generator.parameters(), *of_units.parameters()], steps(), rounds, 5e-4)
    return generator.eval(), of_units


def taught(model: Model, faces: Rendered, of_units: Callable[[Tensor], Tensor], rounds: int) -> nn.Module:
    """An encoder trained to read the codes of units."""
    encoder = trainable(model.encoder)
    generator = Generator().manual_seed(1)
    with torch.no_grad():
        spread = of_units(faces.units).var(dim=0).sum()

    def steps() -> Iterator[Tensor]:
        for _, expressive, units in batches(faces, 32, rounds):
            with torch.no_grad():
                wanted = of_units(units)
            with autocast(True):
                code = encoder(augment.encoder_input(expressive, generator))
            yield functional.mse_loss(code, wanted, reduction="none").sum(dim=1).mean() / spread

    optimise(list(encoder.parameters()), steps(), rounds, 1e-3)
    return encoder.eval()


def trainable(network: nn.Module) -> nn.Module:
    """A copy that can be trained."""
    return copy.deepcopy(network).train().requires_grad_(True)


def main(
    model: Annotated[str, tyro.conf.Positional],
    data: Path,
    bench: Path,
    told_rounds: int = 1500,
    taught_rounds: int = 2500,
    threads: int = 1,
) -> None:
    """Measure the model, then the same networks with help.

    Args:
        model: Name of a packaged model, or a model file, of preset fast.
        data: Rendered training faces.
        bench: Rendered people who all show the same expressions.
        told_rounds: Rounds of 16 pairs in which the generator is told the units.
        taught_rounds: Rounds of 32 photos in which the encoder is taught them.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    loaded = load_model(find_model(model))
    faces, names = read_rendered(data, loaded.size // loaded.config.reduce)
    people = read_bench(bench, names)
    figures = {"model": by_photos(loaded.generator, people, read_codes(loaded.encoder, people))}
    generator, of_units = told(loaded, faces, told_rounds)
    with torch.no_grad():
        known = of_units(people.units)[None].expand(len(people.neutral), -1, -1)
    figures["told"] = {"units": gains(generator, people, known)}
    encoder = taught(loaded, faces, of_units, taught_rounds)
    figures["taught"] = by_photos(generator, people, read_codes(encoder, people))
    print_line({"benchmark": "bounds", "rounds": [told_rounds, taught_rounds], **figures})


if __name__ == "__main__":
    tyro.cli(main)
