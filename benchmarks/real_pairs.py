"""Measures expression transfer on real photos: the smile of one person goes to the neutral photo of another.

FOLDER holds ``neutral/`` and ``smiling/`` with the same file names, one per person. Nobody knows how A would look with
the smile of B, so there is no gain here; what is measured is whether the expression changed as the reference's did, and
whether A is still A. A's own smile is the yardstick.

    python benchmarks/real_pairs.py FOLDER --model default --pairs 20
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro
from tqdm import tqdm

import twocet
from twocet import metrics
from twocet.errors import UserError
from twocet.photo.align import TEMPLATE_LANDMARKS
from twocet.photo.images import Pixels, read_photo
from twocet.readers.expression import EXPRESSION_NAMES, ExpressionReader
from twocet.readers.identity import IdentityReader
from twocet.runtime.arrays import Floats

REFERENCE_OFFSET = 7
SMILE = [EXPRESSION_NAMES.index("mouthSmileLeft"), EXPRESSION_NAMES.index("mouthSmileRight")]


class Reading(NamedTuple):
    """What the measuring networks see in one photo."""

    blendshapes: Floats
    descriptor: Floats


class Readers:
    """Both measuring networks, on whole photos."""

    def __init__(self) -> None:
        self._expression, self._identity = ExpressionReader(), IdentityReader()

    def read(self, pixels: Pixels) -> Reading:
        expression = self._expression.read(pixels)
        if not np.isfinite(expression.landmarks).all():
            return Reading(expression.blendshapes, np.full(128, np.nan))
        points = expression.landmarks[list(TEMPLATE_LANDMARKS)]
        return Reading(expression.blendshapes, self._identity.describe(pixels, points))


def measure(editor: twocet.Editor, folder: Path, names: list[str], pairs: int) -> dict[str, Any]:
    """Figures over the first ``pairs`` people of ``names``."""
    readers = Readers()
    columns: dict[str, list[float]] = {}
    for k in tqdm(range(min(pairs, len(names))), desc="pairs", disable=None):
        name, other = names[k], names[(k + REFERENCE_OFFSET) % len(names)]
        target, own = folder / "neutral" / name, folder / "smiling" / name
        reference, reference_neutral = folder / "smiling" / other, folder / "neutral" / other
        started = time.perf_counter()
        output = editor.transfer(target, reference).pixels
        seconds = time.perf_counter() - started
        case = {**_compare(readers, target, own, reference, reference_neutral, output), "seconds": seconds}
        for key, value in case.items():
            columns.setdefault(key, []).append(value)
    people = np.arange(len(columns["seconds"]))
    figures = {
        key: metrics.bootstrap(lambda sample: float(sample.mean()), [np.array(values)], people)._asdict()
        for key, values in columns.items()
    }
    kept = metrics.bootstrap(metrics.identity_kept, [np.array(columns["identity_distance"])], people)
    return {"pairs": len(people), **figures, "identity_kept": kept._asdict()}


def _compare(
    readers: Readers, target: Path, own: Path, reference: Path, reference_neutral: Path, output: Pixels
) -> dict[str, float]:
    neutral, smiling, other_smile, other_neutral = (
        readers.read(read_photo(path).pixels) for path in (target, own, reference, reference_neutral)
    )
    made = readers.read(output)
    wanted = other_smile.blendshapes - other_neutral.blendshapes
    change = np.nan_to_num(made.blendshapes - neutral.blendshapes)
    own_change = smiling.blendshapes - neutral.blendshapes
    return {
        "agreement": float(metrics.expression_agreement(change, wanted)),
        "agreement_of_own_smile": float(metrics.expression_agreement(own_change, wanted)),
        "blendshape_error": float(metrics.blendshape_error(change, wanted)),
        "blendshape_error_of_copy": float(metrics.blendshape_error(np.zeros_like(wanted), wanted)),
        "smile_made": float(change[SMILE].mean()),
        "smile_wanted": float(wanted[SMILE].mean()),
        "identity_distance": float(metrics.identity_distance(made.descriptor, neutral.descriptor)),
        "identity_distance_of_own_smile": float(metrics.identity_distance(smiling.descriptor, neutral.descriptor)),
    }


def main(
    folder: Annotated[Path, tyro.conf.Positional], *, model: str = "default", pairs: int = 20, first: int = 0
) -> None:
    """Print the figures as one JSON object.

    Args:
        folder: Holds neutral/ and smiling/ with the same file names.
        model: Name of a packaged model, or a model file.
        pairs: How many people to measure.
        first: Number of the first person, in the order of the names; earlier ones are left out altogether.
    """
    files = {path.name for path in (folder / "neutral").glob("*.jpg")}
    names = sorted(files & {path.name for path in (folder / "smiling").glob("*.jpg")})[first:]
    if len(names) <= REFERENCE_OFFSET:
        raise UserError(f"{folder}: more than {REFERENCE_OFFSET} people are needed in neutral/ and smiling/")
    print(json.dumps({"model": model, **measure(twocet.load(model), folder, names, pairs)}, indent=2))


if __name__ == "__main__":
    tyro.cli(main)
