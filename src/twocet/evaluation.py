"""Runs the ground-truth benchmark on a model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm import tqdm

from twocet import benchmark as bench
from twocet import report
from twocet.errors import UserError
from twocet.expression import Expression, ExpressionReader
from twocet.identity import IdentityReader
from twocet.images import Pixels
from twocet.metrics import Floats


class Evaluation(NamedTuple):
    """What a report is made of."""

    summary: report.Summary
    sheet: Image.Image


class _Counted:
    """Readers that move a progress bar."""

    def __init__(self, expression: bench.ReadsExpression, identity: bench.DescribesIdentity, bar: tqdm[None]) -> None:
        self._expression, self._identity, self._bar = expression, identity, bar

    def read(self, pixels: Pixels) -> Expression:
        self._bar.update()
        return self._expression.read(pixels)

    def describe(self, pixels: Pixels) -> Floats:
        self._bar.update()
        return self._identity.describe(pixels)


def evaluate_model(
    model: bench.FaceModel,
    data: Path,
    *,
    name: str,
    device: str = "cpu",
    seed: int = 0,
    expression: bench.ReadsExpression | None = None,
    identity: bench.DescribesIdentity | None = None,
) -> Evaluation:
    """Measure a model on a dataset folder with ground truth; a progress bar runs on standard error.

    Args:
        model: The model, on ``device``.
        data: Dataset folder, see ``benchmark.read_benchmark``.
        name: What the report calls the model.
        device: Where the model is.
        seed: Of the random expressions.
        expression: Reads expressions; the face finder's blendshapes if not given.
        identity: Describes identities; dlib's descriptor if not given.

    Raises:
        UserError: the folder cannot be used, or a package is missing.
    """
    started = time.monotonic()
    faces = bench.read_benchmark(data)
    side = faces.neutral.shape[1]
    if side != model.size:
        raise UserError(f"{data} holds pictures of {side} pixels but {name} needs {model.size}: render it with --size")
    codes = bench.encode_references(model, faces, device)
    outputs = bench.generate(model, faces.neutral, codes, device)
    errors = {
        strength: bench.pixel_errors(bench.generate(model, faces.neutral, strength * codes, device), faces.expressive)
        for strength in bench.GAIN_STRENGTHS
    }
    with tqdm(total=_readings(faces), desc="measuring", unit="face", disable=None) as bar:
        readers = _Counted(expression or ExpressionReader(), identity or IdentityReader(), bar)
        cases = bench.measure_cases(faces, outputs, readers, readers)
        responses = bench.measure_responses(model, faces, codes, readers, readers, device=device, seed=seed)
    summary: report.Summary = {
        "format": 1,
        "model": {"name": name, **{key: value for key, value in model.metadata.items() if key != "metrics"}},
        "data": faces.about,
        **report.summarise(faces, cases, responses, errors),
        "seconds": round(time.monotonic() - started, 1),
    }
    return Evaluation(summary, report.sheet(faces, outputs, cases))


def _readings(faces: bench.Benchmark) -> int:
    """How many expressions and descriptors are read."""
    people, expressions = len(faces.identities), len(faces.expressions)
    for_cases = people * (2 + 3 * expressions)
    samples = bench.SAMPLES + min(bench.SAMPLES, expressions)
    return for_cases + people * (len(bench.SERIES_STRENGTHS) + samples + 2)
