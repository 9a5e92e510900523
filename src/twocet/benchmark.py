"""The ground-truth benchmark: every identity gets every expression from somebody else, and the true picture is known.

Target = neutral picture of identity i; reference = identity j with expression e; truth = identity i with e, in the same
light. Faces must be people the model was not trained on, all showing the same expressions; ``twocet synth DIR
--first-identity 1000000 --shared-expressions`` makes such a folder.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twocet import images, metrics
from twocet.errors import UserError
from twocet.expression import Expression
from twocet.images import Pixels
from twocet.metrics import Floats
from twocet.synth.expressions import EXPRESSIONS

REFERENCE_OFFSET = 7
"""The reference of identity number i is number i + 7, counted round."""
SERIES_STRENGTHS = tuple(k / 10 for k in range(11))
GAIN_STRENGTHS = (0.5, 0.75, 1.0, 1.25, 1.5)
SAMPLES = 8
BATCH = 16


class FaceModel(Protocol):
    """What is measured: see ``twocet.model.Model``."""

    @property
    def metadata(self) -> dict[str, Any]: ...

    @property
    def size(self) -> int: ...

    def sample_codes(self, num: int, generator: torch.Generator) -> Tensor: ...

    def encode(self, image: Tensor) -> Tensor: ...

    def generate(self, image: Tensor, code: Tensor) -> Tensor: ...


class ReadsExpression(Protocol):
    """See ``twocet.expression.ExpressionReader``."""

    def read(self, pixels: Pixels) -> Expression: ...


class DescribesIdentity(Protocol):
    """See ``twocet.identity.IdentityReader``."""

    def describe(self, pixels: Pixels) -> Floats: ...


class Benchmark(NamedTuple):
    """I identities, each neutral and with the same E expressions, as aligned crops of side S."""

    about: dict[str, Any]
    """The folder's dataset.json."""
    identities: tuple[str, ...]
    expressions: tuple[str, ...]
    neutral: Pixels
    """(I, S, S, 3)."""
    expressive: Pixels
    """(I, E, S, S, 3)."""

    @property
    def is_named(self) -> NDArray[np.bool_]:
        """(E,) whether an expression is one of the named ones; the others are random combinations of face units."""
        return np.array([name in EXPRESSIONS for name in self.expressions])

    @property
    def references(self) -> NDArray[np.int64]:
        """(I,) the identity whose pictures are the references of each identity."""
        num = len(self.identities)
        return (np.arange(num) + (REFERENCE_OFFSET if REFERENCE_OFFSET % num else 1)) % num

    @property
    def spot_checks(self) -> NDArray[np.int64]:
        """(I,) one expression of each identity, for what is too slow to measure on every case."""
        return np.arange(len(self.identities)) % len(self.expressions)


class Cases(NamedTuple):
    """One value per case, (I, E) each."""

    output_error: Floats
    copy_error: Floats
    distance: Floats
    recognised: Floats
    """1 where the output is nearer to its own target than to any other identity's neutral picture."""
    agreement: Floats
    """An output in which no face is found counts as one that has not changed, here and below."""
    true_agreement: Floats
    """Agreement of the truth with the reference: what a perfect model would score."""
    blendshape_error: Floats
    copy_blendshape_error: Floats
    face_found: Floats
    """1 where a face is found in the output."""


class Responses(NamedTuple):
    """One value per identity, (I,) each, unless told otherwise."""

    true_distance: Floats
    """Identity distance that the true expression itself causes, at the spot checks."""
    linearity: Floats
    monotonicity: Floats
    movement: Floats
    """(I, K) share of the full movement at each of ``SERIES_STRENGTHS``, at the spot checks."""
    diversity: Floats
    """Mean pairwise blendshape difference of random expressions."""
    true_diversity: Floats
    """The same of the identity's true pictures."""


def read_benchmark(folder: Path) -> Benchmark:
    """Read a dataset folder whose identities all show the same expressions.

    Raises:
        UserError: the folder is no dataset, or a picture of some identity is missing.
    """
    rows, about = _read_tables(folder)
    neutral = {row["identity"]: row["file"] for row in rows if row["domain"] == "neutral"}
    expressive = {(row["identity"], row["expression"]): row["file"] for row in rows if row["domain"] == "expressive"}
    identities = tuple(neutral)
    expressions = tuple(dict.fromkeys(expression for _, expression in expressive))
    wanted = [(identity, expression) for identity in identities for expression in expressions]
    missing = [
        f"{identity}/{expression}" for identity, expression in wanted if (identity, expression) not in expressive
    ]
    if len(identities) < 2 or not expressions or missing:
        what = f"{missing[0]} is missing" if missing else "two identities with expressions are needed"
        raise UserError(
            f"{folder}: {what}; make a benchmark with: twocet synth DIR --first-identity 1000000 --shared-expressions"
        )
    return Benchmark(
        about,
        identities,
        expressions,
        _read_pictures(folder, neutral.values()),
        _read_pictures(folder, (expressive[key] for key in wanted), per=len(expressions)),
    )


def _read_tables(folder: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    try:
        with (folder / "faces.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{folder} is no dataset folder: it has no {Path(error.filename).name}") from None
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise UserError(f"{folder}: faces.csv or dataset.json cannot be read ({error})") from None
    if not rows or not {"file", "identity", "expression", "domain"} <= set(rows[0]):
        raise UserError(f"{folder}/faces.csv needs rows with the columns file, identity, expression and domain")
    return rows, about


def _read_pictures(folder: Path, files: Iterable[str], per: int = 0) -> Pixels:
    pictures = [images.read_photo(folder / file).pixels for file in files]
    shape = pictures[0].shape
    if shape[0] != shape[1] or any(picture.shape != shape for picture in pictures):
        raise UserError(f"{folder}: the pictures must be squares of one size")
    stacked = np.stack(pictures)
    return stacked.reshape(-1, per, *shape) if per else stacked


def encode_references(model: FaceModel, benchmark: Benchmark, device: str = "cpu") -> Tensor:
    """The code of every case's reference: (I, E, d)."""
    references = benchmark.expressive[benchmark.references]
    flat = references.reshape(-1, *references.shape[2:])
    with torch.inference_mode():
        codes = [model.encode(images.to_image(flat[k : k + BATCH]).to(device)) for k in range(0, len(flat), BATCH)]
    return torch.cat(codes).reshape(*references.shape[:2], -1)


def generate(model: FaceModel, neutral: Pixels, codes: Tensor, device: str = "cpu") -> Pixels:
    """Each neutral face with each of its codes.

    Args:
        model: The model.
        neutral: (I, S, S, 3).
        codes: (I, E, d).
        device: Where the model is.

    Returns:
        (I, E, S, S, 3).
    """
    num = codes.shape[1]
    pictures = []
    with torch.inference_mode():
        for face, face_codes in zip(neutral, codes, strict=True):
            image = images.to_image(face).to(device)
            for k in range(0, num, BATCH):
                part = face_codes[k : k + BATCH]
                pictures += [
                    images.to_pixels(made) for made in model.generate(image.expand(len(part), -1, -1, -1), part)
                ]
    return np.stack(pictures).reshape(len(neutral), num, *neutral.shape[1:])


def pixel_errors(pictures: Pixels, truth: Pixels) -> Floats:
    """(I, E) errors over the face box of (I, E, S, S, 3) pictures; ``truth`` may be anything that broadcasts."""
    return metrics.pixel_error(metrics.face_box(pictures), metrics.face_box(truth))


def measure_cases(
    benchmark: Benchmark, outputs: Pixels, expression: ReadsExpression, identity: DescribesIdentity
) -> Cases:
    """Compare every output, (I, E, S, S, 3), with its truth, its target and its reference."""
    neutral_shapes = _blendshapes(benchmark.neutral, expression)[:, None]
    true_change = np.nan_to_num(_blendshapes(benchmark.expressive, expression) - neutral_shapes)
    shapes = _blendshapes(outputs, expression)
    change = np.nan_to_num(shapes - neutral_shapes)
    wanted = true_change[benchmark.references]
    targets = _descriptors(benchmark.neutral, identity)
    distances = metrics.identity_distance(_descriptors(outputs, identity)[:, :, None], targets)
    own = np.arange(len(targets))
    return Cases(
        output_error=pixel_errors(outputs, benchmark.expressive),
        copy_error=pixel_errors(benchmark.neutral[:, None], benchmark.expressive),
        distance=distances[own, :, own],
        recognised=(distances.argmin(axis=-1) == own[:, None]).astype(np.float64),
        agreement=metrics.expression_agreement(change, wanted),
        true_agreement=metrics.expression_agreement(true_change, wanted),
        blendshape_error=metrics.blendshape_error(change, wanted),
        copy_blendshape_error=metrics.blendshape_error(np.zeros_like(wanted), wanted),
        face_found=np.asarray(np.isfinite(shapes).all(axis=-1), dtype=np.float64),
    )


def measure_responses(
    model: FaceModel,
    benchmark: Benchmark,
    codes: Tensor,
    expression: ReadsExpression,
    identity: DescribesIdentity,
    *,
    device: str = "cpu",
    seed: int = 0,
) -> Responses:
    """How outputs follow the strength (at one expression per identity) and how varied random expressions are."""
    own, spots = np.arange(len(benchmark.identities)), benchmark.spot_checks
    truths = benchmark.expressive[own, spots]
    strengths = np.array(SERIES_STRENGTHS)
    spot_codes = codes[own, spots][:, None] * torch.tensor(strengths, dtype=codes.dtype, device=codes.device)[:, None]
    series = generate(model, benchmark.neutral, spot_codes, device)
    movement = np.stack([metrics.movement(_landmarks(pictures, expression)) for pictures in series])
    drawn = model.sample_codes(len(own) * SAMPLES, torch.Generator().manual_seed(seed)).view(len(own), SAMPLES, -1)
    samples = np.nan_to_num(_blendshapes(generate(model, benchmark.neutral, drawn.to(codes), device), expression))
    expressive = np.nan_to_num(_blendshapes(benchmark.expressive[:, :SAMPLES], expression))
    return Responses(
        true_distance=metrics.identity_distance(
            _descriptors(truths, identity), _descriptors(benchmark.neutral, identity)
        ),
        linearity=np.array([metrics.linearity(strengths, response) for response in movement]),
        monotonicity=np.array([metrics.monotonicity(response) for response in movement]),
        movement=movement,
        diversity=np.array([metrics.mean_pairwise_distance(shapes) for shapes in samples]),
        true_diversity=np.array([metrics.mean_pairwise_distance(shapes) for shapes in expressive]),
    )


def _each(pictures: Pixels) -> Pixels:
    return pictures.reshape(-1, *pictures.shape[-3:])


def _blendshapes(pictures: Pixels, reader: ReadsExpression) -> Floats:
    """(..., S, S, 3) to (..., 51)."""
    values = np.stack([reader.read(picture).blendshapes for picture in _each(pictures)])
    return values.reshape(*pictures.shape[:-3], -1)


def _landmarks(pictures: Pixels, reader: ReadsExpression) -> Floats:
    """(K, S, S, 3) to (K, P, 2) as fractions of the side."""
    return np.asarray(np.stack([reader.read(picture).landmarks for picture in pictures]) / pictures.shape[-2])


def _descriptors(pictures: Pixels, reader: DescribesIdentity) -> Floats:
    """(..., S, S, 3) to (..., 128)."""
    values = np.stack([reader.describe(picture) for picture in _each(pictures)])
    return values.reshape(*pictures.shape[:-3], -1)
