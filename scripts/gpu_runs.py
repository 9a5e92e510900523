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
from twocet.model.model import packaged_file
from twocet.networks.config import NetworkConfig
from twocet.pairs.landmark_table import TABLE
from twocet.runtime.distributed import ALONE
from twocet.runtime.processes import num_cores
from twocet.synth.dataset import write_dataset, write_plan
from twocet.synth.lab import PEOPLE, LabPlan
from twocet.training import curriculum
from twocet.training.config import RunConfig, Sources
from twocet.training.curriculum import CURRICULA, Planned
from twocet.training.recipes.table import RECIPES, config_from_dict
from twocet.training.stretch import stretched

TWICE = {"size": 256, "reduce": 4, "detail": True}
"""What differs from the packaged networks, which go on seeing 64 pixels: the detail sees, moves and paints at 128."""
HALF = NetworkConfig(preset="paper", first_width=64, max_width=256)
FROM_PACKAGED = ("2-in-place", "4-landmarks", "5-generator", "6-mouths")
"""Stages that are worth their time from trained networks on."""
FINEST = ("coarse=False",)
"""The generator's last stage is asked for the photos' own pixels."""
SELDOM = ("checkpoint_every=1000000", "checkpoint_minutes=60", "sample_every=1000000", "validate_every=1000000",
          "even=False")  # fmt: skip
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


def default_stages(batch: int, device: str, minutes: float, *, landmarks: bool) -> list[Planned]:
    """The packaged model's stages from its networks on, at twice its size; without the one that needs landmarks."""
    chosen = [
        stage
        for stage in CURRICULA["supervised"]
        if stage.name in FROM_PACKAGED and (landmarks or stage.recipe != "landmarks")
    ]
    planned = []
    for stage in chosen:
        # Larger mini-batches would bear higher learning rates, trained networks lower ones: they stay as they are.
        words = FINEST if stage.name == "5-generator" else ()
        config = changed(RECIPES[stage.recipe].defaults, (*stage.settings, *SELDOM, *words))
        network = dataclasses.replace(config.network, **TWICE)
        share = minutes * stage.minutes / sum(other.minutes for other in chosen)
        config = dataclasses.replace(config, network=network, batch=batch, device=device, minutes=share)
        planned.append(Planned(stage.name, config))
    return planned


def authors_stages(batch: int, device: str, minutes: float) -> list[Planned]:
    """One run, as published but for the width, bfloat16, a lazy penalty, and schedules that end within the budget."""
    config = stretched(RECIPES["authors"].defaults, ROUNDS / RECIPES["authors"].defaults.steps * minutes / 9)
    words = (*SELDOM, "bf16=True", "r1_every=8", "ema_warm_up=True", "mismatch=1.0", "checkpoint_minutes=3")
    config = dataclasses.replace(changed(config, words), network=HALF, batch=batch, device=device, minutes=minutes)
    return [Planned("authors", config)]


def arguments() -> argparse.Namespace:
    """What was asked for."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("run", choices=("default", "authors"))
    words.add_argument("out", type=Path)
    words.add_argument("--device", default="cuda")
    words.add_argument("--minutes", type=float, default=9.5, help="from the start to the files")
    words.add_argument("--rounds", type=int, help="of every stage, in place of minutes: to see that it works")
    words.add_argument("--people", type=int, help="300, or all of the laboratory set")
    words.add_argument("--faces", type=Path, help="a dataset folder that was carried along, in place of rendering one")
    words.add_argument("--landmarks", type=Path, help="meshes.npz of the same faces, read where ai-edge-litert is")
    words.add_argument("--batch", type=int, help="128, or 16")
    words.add_argument(
        "--data", nargs="*", default=[], help="further dataset folders; together they have 6 %% of a batch"
    )
    return words.parse_args()


def faces(given: argparse.Namespace, scratch: Path) -> Path:
    """The dataset folder, rendered unless it was carried, with its landmarks if they were."""
    if given.faces:
        data: Path = given.faces
    elif given.run == "default":
        data = write_dataset(scratch / "faces", given.people or 300, 6, 256, workers=num_cores(), progress=False)
    else:
        plan = LabPlan(people=given.people or len(PEOPLE))
        data = write_plan(scratch / "lab", plan, workers=num_cores(), progress=False)
    if given.landmarks:
        shutil.copy(given.landmarks, data / TABLE)
    return data


def stages(given: argparse.Namespace, sources: Sources, minutes: float) -> list[Planned]:
    """What is trained in so many minutes."""
    if given.run == "default":
        read = all(Path(data, TABLE).exists() for data in sources.data)
        planned = default_stages(given.batch or 128, given.device, minutes, landmarks=read)
    else:
        planned = authors_stages(given.batch or 16, given.device, minutes)
    budget = {"minutes": None, "steps": given.rounds} if given.rounds else {}
    return [Planned(stage.name, dataclasses.replace(stage.config, **budget)) for stage in planned]


def main() -> None:
    """Renders, trains and leaves the files."""
    began = time.monotonic()
    given = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        data = faces(given, Path(scratch))
        rendered = (time.monotonic() - began) / 60
        print(json.dumps({"rendered_minutes": round(rendered, 2)}))
        left = given.minutes - rendered - SPARE_MINUTES
        check(left > 0, f"rendering took {rendered:.1f} minutes and left none: fewer --people, or carry --faces")
        mix = (0.94, *(0.06 / len(given.data) for _ in given.data)) if given.data else (1.0,)
        sources = Sources(data=(str(data), *given.data), mix=mix)
        planned, folder = stages(given, sources, left), Path(scratch, "runs")
        curriculum.begin(folder, planned, sources)
        start = packaged_file("default") if given.run == "default" else None
        curriculum.train_stages(folder, planned, sources, ALONE, start=start, progress=False)
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
