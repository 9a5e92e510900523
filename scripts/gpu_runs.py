"""The runs of ``scripts/gpu.sh``: photos are rendered, networks trained on them, and small files left. See there."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from twocet.errors import check
from twocet.networks.config import NetworkConfig
from twocet.runtime.distributed import ALONE
from twocet.runtime.processes import num_cores
from twocet.synth.dataset import write_dataset, write_plan
from twocet.synth.lab import PEOPLE, LabPlan
from twocet.training import curriculum
from twocet.training.config import RunConfig, Sources
from twocet.training.curriculum import CURRICULA, Planned
from twocet.training.recipes.table import RECIPES, config_from_dict
from twocet.training.stretch import stretched

TWICE = NetworkConfig(size=256, generator_widths=(32, 64, 128, 160), trunk_widths=(32, 64, 128, 128))
"""Sees, moves and paints at 128 pixels, for 1.5 times the processor's time of the networks for 128 px."""
HALF = NetworkConfig(preset="paper", first_width=64, max_width=256)
READS_LANDMARKS = ("4-landmarks",)
"""Stages that need the landmark runtime."""
SELDOM = ("checkpoint_every=1000000", "checkpoint_minutes=60", "sample_every=1000000", "validate_every=1000000",
          "even=False")  # fmt: skip
FASTER = 2.0
"""Learning rates of mini-batches four times as large, in comparison: the square root."""
ROUNDS = 16_000
"""Of half-width ``authors`` in nine minutes of an H100, by estimate: what its schedules are shrunk to."""
SPARE_MINUTES = 0.4
"""For loading, the last measurement and the files."""


def changed(config: RunConfig, words: Sequence[str]) -> RunConfig:
    """The settings with ``field=value`` words, nested ones with dots, applied: ``--set`` without its parser."""
    values = dataclasses.asdict(config)
    for word in words:
        name, _, value = word.partition("=")
        *path, last = name.split(".")
        place = values
        for part in path:
            place = place[part]
        place[last] = ast.literal_eval(value)
    return config_from_dict(values)


def default_stages(batch: int, device: str, minutes: float) -> list[Planned]:
    """The stages of the packaged model that need no landmarks, at twice the size, within the budget."""
    stages = [stage for stage in CURRICULA["supervised"] if stage.name not in READS_LANDMARKS]
    planned = []
    for stage in stages:
        config = changed(RECIPES[stage.recipe].defaults, (*stage.settings, *SELDOM))
        network = dataclasses.replace(TWICE, close_up=config.network.close_up)
        rates = {name: FASTER * getattr(config, name) for name in ("lr", "lr_encoder") if getattr(config, name, None)}
        share = minutes * stage.minutes / sum(other.minutes for other in stages)
        config = dataclasses.replace(config, network=network, batch=batch, device=device, minutes=share, **rates)
        planned.append(Planned(stage.name, config))
    return planned


def authors_stages(batch: int, device: str, minutes: float) -> list[Planned]:
    """One run, as published but for the width, bfloat16, a lazy penalty, and schedules that end within the budget."""
    config = stretched(RECIPES["authors"].defaults, ROUNDS / RECIPES["authors"].defaults.steps * minutes / 9)
    words = (*SELDOM, "bf16=True", "r1_every=8", "ema_warm_up=True", "mismatch=1.0", "checkpoint_minutes=3")
    config = dataclasses.replace(changed(config, words), network=HALF, batch=batch, device=device, minutes=minutes)
    return [Planned("authors", config)]


def main() -> None:
    """Renders, trains and leaves the files."""
    began = time.monotonic()
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("run", choices=("default", "authors"))
    words.add_argument("out", type=Path)
    words.add_argument("--device", default="cuda")
    words.add_argument("--minutes", type=float, default=9.5, help="from the start to the files")
    words.add_argument("--people", type=int, help="300, or all of the laboratory set")
    words.add_argument("--faces", type=Path, help="a dataset folder that was carried along, in place of rendering one")
    words.add_argument("--batch", type=int, help="128, or 16")
    words.add_argument(
        "--data", nargs="*", default=[], help="further dataset folders; together they have 6 %% of a batch"
    )
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if given.faces:
            data = given.faces
        elif given.run == "default":
            data = write_dataset(f"{scratch}/faces", given.people or 300, 6, 256, workers=num_cores(), progress=False)
        else:
            plan = LabPlan(people=given.people or len(PEOPLE))
            data = write_plan(Path(scratch, "lab"), plan, workers=num_cores(), progress=False)
        rendered = (time.monotonic() - began) / 60
        print(json.dumps({"rendered_minutes": round(rendered, 2)}))
        left = given.minutes - rendered - SPARE_MINUTES
        check(left > 0, f"rendering took {rendered:.1f} minutes and left none: fewer --people, or carry --faces")
        stages = default_stages if given.run == "default" else authors_stages
        planned = stages(given.batch or (128 if given.run == "default" else 16), given.device, left)
        mix = (0.94, *(0.06 / len(given.data) for _ in given.data)) if given.data else (1.0,)
        sources = Sources(data=(str(data), *given.data), mix=mix)
        folder = Path(scratch, "runs")
        curriculum.begin(folder, planned, sources)
        curriculum.train_stages(folder, planned, sources, ALONE, progress=False)
        keep(folder, planned, given.out, given.run)
    print(json.dumps({"minutes": round((time.monotonic() - began) / 60, 2)}))


def keep(folder: Path, planned: Sequence[Planned], out: Path, name: str) -> None:
    """The model without D, the curves of all stages in one file, and the last sample sheet."""
    from twocet.model.model import load_model, save_model

    model = load_model(folder / "model.safetensors")
    save_model(
        out / f"{name}.safetensors", dataclasses.replace(model, networks=model.networks._replace(discriminator=None))
    )
    with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for stage in planned:
            for line in (folder / stage.name / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
                file.write(json.dumps({"stage": stage.name, **json.loads(line)}) + "\n")
    sheets = sorted((folder / planned[-1].name / "samples").glob("*.png"))
    shutil.copy(sheets[-1], out / f"{name}.png")


if __name__ == "__main__":
    main()
