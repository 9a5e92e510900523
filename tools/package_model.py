"""Make a trained model the packaged one: ``python tools/package_model.py RUN/model.safetensors --report REPORT``.

The figures of ``twocet evaluate`` go into the file, so that ``twocet info`` tells them. Afterwards make the presets and
the pictures again (make_presets.py), since they belong to one model.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import tyro

from twocet.errors import UserError, check
from twocet.model.model import PACKAGED, load_model, packaged_file, save_model

FIGURES = {
    "gain_named": ("gain", "named"),
    "gain_random": ("gain", "random"),
    "agreement": ("agreement", "all"),
    "agreement_named": ("agreement", "named"),
    "identity_kept": ("identity_kept",),
    "identity_distance": ("identity_distance",),
    "strength_linearity": ("strength_linearity",),
    "strength_monotonicity": ("strength_monotonicity",),
}
"""Names in ``twocet info``, and where they are in a report."""


def main(
    model: tyro.conf.Positional[Path],
    report: Path,
    name: str = "default",
    earlier: tuple[Path, ...] = (),
) -> None:
    """Write the packaged model.

    Args:
        model: Model file of a run.
        report: Folder that `twocet evaluate` wrote for this model.
        name: Packaged model to be made or replaced.
        earlier: Model files this one was started from (--init), first to last; the file then tells of their training,
            and of what they tell themselves.
    """
    loaded = load_model(model)
    metrics = {**loaded.metadata.get("metrics", {}), **figures(json.loads((report / "report.json").read_text()))}
    check(name in PACKAGED, f"{name} is no name of a packaged model: choose one of {', '.join(PACKAGED)}")
    target = packaged_file(name)
    trainings = [step for file in earlier for step in steps(load_model(file).metadata["training"])]
    training = {**loaded.metadata["training"], "earlier": trainings}
    metadata = {**loaded.metadata, "training": training, "metrics": metrics}
    save_model(target, dataclasses.replace(loaded, metadata=metadata))
    target.chmod(0o644)
    print(f"{target}: {json.dumps(metrics)}")


def steps(training: dict[str, Any]) -> list[dict[str, Any]]:
    """A training and those that came before it, first to last."""
    own = {key: value for key, value in training.items() if key != "earlier"}
    return [*training.get("earlier", []), own]


def figures(summary: dict[str, Any]) -> dict[str, float]:
    """The values of ``FIGURES`` in a report's summary."""
    found = {}
    for key, path in FIGURES.items():
        value: Any = summary
        for step in path:
            value = value[step]
        found[key] = float(value["value"])
    return found


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except UserError as error:
        raise SystemExit(str(error)) from None
