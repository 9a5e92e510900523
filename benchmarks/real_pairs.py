"""Measures expression transfer on real photos: the smile of one person goes to the neutral photo of another.

FOLDER holds ``neutral/`` and ``smiling/`` with the same file names, one per person. Nobody knows how A would look with
the smile of B, so there is no gain here; what is measured is whether the expression changed as the reference's did, and
whether A is still A. A's own smile is the yardstick.

    python benchmarks/real_pairs.py FOLDER --model default --pairs 20

With ``--sheet`` nothing is measured: sheets of a fixed list of pairs are made for a viewer, see ``pair_sheets``.

    python benchmarks/real_pairs.py DATA --sheet sheets
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pair_sheets
import portraits
import tyro
from portraits import SMILE, Readers, Reading
from tqdm import tqdm

import twocet
from twocet import metrics
from twocet.errors import UserError
from twocet.photo.images import read_photo

REFERENCE_OFFSET = 7


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
        given = (readers.read(read_photo(path).pixels) for path in (target, own, reference_neutral, reference))
        case = {**compare(readers.read(output), *given), "seconds": seconds}
        for key, value in case.items():
            columns.setdefault(key, []).append(value)
    people = np.arange(len(columns["seconds"]))
    figures = {
        key: metrics.bootstrap(lambda sample: float(sample.mean()), [np.array(values)], people)._asdict()
        for key, values in columns.items()
    }
    kept = metrics.bootstrap(metrics.identity_kept, [np.array(columns["identity_distance"])], people)
    return {"pairs": len(people), **figures, "identity_kept": kept._asdict()}


def compare(
    made: Reading, neutral: Reading, smiling: Reading, other_neutral: Reading, other: Reading
) -> dict[str, float]:
    """The figures of one transfer: the result, the target, its own smile, and the reference, neutral and smiling."""
    wanted = other.blendshapes - other_neutral.blendshapes
    # A result in which no face is found counts as one that has not changed.
    shown = np.where(np.isfinite(made.blendshapes), made.blendshapes, neutral.blendshapes)
    change, own_change = shown - neutral.blendshapes, smiling.blendshapes - neutral.blendshapes
    return {
        "agreement": float(metrics.expression_agreement(change, wanted)),
        "agreement_of_own_smile": float(metrics.expression_agreement(own_change, wanted)),
        "aed": float(metrics.blendshape_error(shown, other.blendshapes)),
        "aed_of_copy": float(metrics.blendshape_error(neutral.blendshapes, other.blendshapes)),
        "aed_of_own_smile": float(metrics.blendshape_error(smiling.blendshapes, other.blendshapes)),
        "blendshape_error": float(metrics.blendshape_error(change, wanted)),
        "blendshape_error_of_copy": float(metrics.blendshape_error(np.zeros_like(wanted), wanted)),
        "smile_made": float(change[SMILE].mean()),
        "smile_wanted": float(wanted[SMILE].mean()),
        "identity_distance": float(metrics.identity_distance(made.descriptor, neutral.descriptor)),
        "identity_distance_of_own_smile": float(metrics.identity_distance(smiling.descriptor, neutral.descriptor)),
    }


def main(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    model: str = "default",
    pairs: int = 20,
    first: int = 0,
    sheet: Path | None = None,
    show: tuple[Literal["pairs", "strengths", "neutral", "presets"], ...] = ("pairs",),
) -> None:
    """Print the figures as one JSON object, or make sheets.

    Args:
        folder: Holds neutral/ and smiling/ with the same file names; for sheets london/, snapshots/ and wild/.
        model: Name of a packaged model, or a model file.
        pairs: How many people to measure.
        first: Number of the first person, in the order of the names; earlier ones are left out altogether.
        sheet: Folder for sheets and for the table to be filled by the viewer.
        show: What is shown: the pairs, the same at strengths 0.5 and 1.5, photos made neutral, presets.
    """
    if sheet:
        pair_sheets.draw(twocet.load(model), folder, sheet, show)
        return
    names = [f"{name}.jpg" for name in portraits.names_in(folder)[first:]]
    if len(names) <= REFERENCE_OFFSET:
        raise UserError(f"{folder}: more than {REFERENCE_OFFSET} people are needed in neutral/ and smiling/")
    print(json.dumps({"model": model, **measure(twocet.load(model), folder, names, pairs)}, indent=2))


if __name__ == "__main__":
    tyro.cli(main)
