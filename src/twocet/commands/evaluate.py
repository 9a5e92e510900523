"""``twocet evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def evaluate(
    model: Annotated[str, tyro.conf.Positional],
    *,
    data: Path,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="REPORT")],
    device: str = "cpu",
    seed: int = 0,
    json: bool = False,
) -> None:
    """Measure a model on a dataset folder with ground truth.

    Every person of the folder is given every expression of another person, and the results are compared with the true
    pictures: gain (0 = copying the target, 1 = perfect), identity, expression agreement, strength and diversity, with
    95 % intervals. Writes report.json, report.md and sheet.png (worst, middle and best cases). The people must not be
    among those the model was trained on. Needs the extra: pip install 'twocet[eval]'

    Examples:
        twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
        twocet evaluate default --data bench -o report

    Args:
        model: Name of a packaged model, or a model file.
        data: Dataset folder in which everybody shows the same expressions.
        output: Folder of the report.
        device: Where the model runs: cpu, cuda or mps.
        seed: Of the random expressions whose diversity is measured.
        json: Print the report as JSON.
    """
    from twocet import report
    from twocet.evaluation import evaluate_model
    from twocet.model import load_model

    result = evaluate_model(load_model(model, device=device), data, name=model, device=device, seed=seed)
    files = report.write_report(output, result.summary, result.sheet)
    if json:
        print(report.to_json(result.summary), end="")
    else:
        print(report.to_markdown(result.summary))
        print("\n".join(f"written: {file}" for file in files))
