"""Measures ``twocet continuum --equalize landmarks``: is measured movement linear in the step? Prints one JSON line.

The packaged examples in pairs: every target with references of other people. R^2 of the movement against the number of
the step, as the command reports it; and once more with the landmarks read anew in the written pictures at 90 % of
their size, because the strengths were chosen by the first reading and its errors are in both.

    python benchmarks/continuum.py                           # 12 pairs
    python benchmarks/continuum.py --pairs 1                 # to see that it works
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import tyro
from line import print_line
from PIL import Image
from tqdm import tqdm

import twocet
from twocet.edit.examples import example_photos
from twocet.errors import UserError
from twocet.metrics import linearity
from twocet.photo.images import Pixels
from twocet.stimuli import calibration
from twocet.stimuli.series import Series

SCALE = 0.9


def smaller(pixels: Pixels) -> Pixels:
    """The picture at 90 % of its size."""
    picture = Image.fromarray(pixels)
    size = (round(picture.width * SCALE), round(picture.height * SCALE))
    return np.array(picture.resize(size, Image.Resampling.LANCZOS))


def read_anew(editor: twocet.Editor, series: Series, strengths: list[float], stop: float) -> float:
    """R^2 of the movement that is read in smaller copies of the pictures."""
    pictures = [smaller(series.render(strength).pixels) for strength in (0.0, max(1.0, stop), *strengths)]
    neutral, full, *points = (editor.find_faces(pixels)[0].landmarks[:, :2].astype(np.float64) for pixels in pictures)
    photo_to_crop = series.photo_to_crop @ np.diag((1 / SCALE, 1 / SCALE, 1.0))
    movement = calibration.Movement(neutral, full, photo_to_crop)
    return linearity(np.arange(len(points), dtype=np.float64), np.array([movement(point) for point in points]))


def measure(
    editor: twocet.Editor, target: Path, reference: Path, steps: int, stop: float
) -> tuple[float, float, float, list[float]]:
    """R^2, R^2 read anew, R^2 of equal strengths, and the movements, in per cent of the eyes' distance."""
    series = Series(editor, target, editor.encode(reference), aligned=False, face=None)
    problem = series.measure(0.0, stop)
    if problem:
        raise UserError(problem)
    number = np.arange(steps, dtype=np.float64)
    strengths = series.strengths(0.0, stop, steps, "landmarks")
    moved = [series.travel(strength) for strength in strengths]
    plain = [series.travel(float(strength)) for strength in np.linspace(0.0, stop, steps)]
    values, equal_strengths = np.array(moved, np.float64), np.array(plain, np.float64)
    anew = read_anew(editor, series, strengths, stop)
    return linearity(number, values), anew, linearity(number, equal_strengths), [round(float(v), 3) for v in values]


def main(pairs: int = 12, steps: int = 11, stop: float = 1.2, model: str = "default") -> None:
    """Measures the pairs and prints the figures.

    Args:
        pairs: How many pairs, up to 36.
        steps: Pictures of each continuum.
        stop: Strength of the last picture.
        model: Name of a packaged model, or a model file.
    """
    examples = list(example_photos().values())
    targets = [path for path in examples if path.stem.startswith("target")]
    references = [path for path in examples if path.stem.startswith("reference")]
    editor = twocet.load(model)
    found, refused = [], []
    began = time.perf_counter()
    for k in tqdm(range(pairs), desc="pairs", disable=None):
        target = targets[k % len(targets)]
        reference = references[(k + k // len(targets)) % len(references)]
        try:
            found.append((f"{target.stem} {reference.stem}", *measure(editor, target, reference, steps, stop)))
        except UserError as error:
            refused.append(f"{target.stem} {reference.stem}: {error}")
    if not found:
        raise SystemExit("\n".join(refused))
    r2, anew, plain = (np.array([row[k] for row in found]) for k in (1, 2, 3))
    print_line(
        {
            "benchmark": "continuum", "pairs": len(found), "steps": steps, "from": 0.0, "to": stop,
            "model_sha256": editor.sha256, "share_at_0.98": float(np.mean(r2 >= 0.98)),
            "r2": spread(r2), "r2_read_anew": spread(anew), "r2_of_equal_strengths": spread(plain),
            "refused": refused, "seconds_each": round((time.perf_counter() - began) / pairs, 1),
            "by_pair": {row[0]: [round(row[1], 4), round(row[2], 4), row[4]] for row in found},
        }
    )  # fmt: skip


def spread(values: np.ndarray) -> dict[str, float]:
    """Least and median."""
    return {"least": round(float(values.min()), 4), "median": round(float(np.median(values)), 4)}


if __name__ == "__main__":
    tyro.cli(main)
