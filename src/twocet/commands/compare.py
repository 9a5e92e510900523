"""``twocet compare`` and ``twocet ablate``."""

from __future__ import annotations

import json as jsonlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from twocet.comparison.plan import Entry, Measuring

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
Split = Literal["train", "val", "test"]
BackboneName = Literal["mobilenetv2", "inception"]


def compare(
    *,
    data: Path,
    output: Output,
    minutes: float | None = None,
    steps: int | None = None,
    methods: tuple[Literal["2cet", "starganv2", "ganimation"], ...] = ("2cet", "starganv2", "ganimation"),
    preset: Literal["fast", "paper"] = "fast",
    benchmark: Path | None = None,
    split: Split = "test",
    set: tuple[str, ...] = (),
    action_units: Path | None = None,
    backbone: BackboneName = "mobilenetv2",
    most: int = 2000,
    seed: int = 0,
    device: str = "cpu",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Train 2CET, StarGAN v2 and a GANimation-style model alike, and compare them as the paper's Table 1 does.

    The models are trained one after the other with the same data, size, augmentation and budget, then measured: the
    paper's protocol on the photos of --split, and gain, identity and agreement on a rendered --benchmark. Writes
    table.md, table.json and sheet.png (the paper's Fig. 3), and a run folder for each model. Ctrl-C keeps what is
    done; the same command goes on from there. StarGAN v2 is given expression labels, 2CET and GANimation are not.

    Examples:
        twocet synth faces --identities 400 --expressions 8
        twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
        twocet compare --data faces --benchmark bench --minutes 60 -o comparison
        twocet compare --data cfee --minutes 600 --set batch=8 starganv2.diversity.end=20000 -o cfee-comparison
        twocet compare --data faces --minutes 60 -o comparison --dry-run

    Args:
        data: Dataset folder to train on.
        output: Folder of the comparison.
        minutes: Training time of each model; --steps gives rounds instead.
        steps: Rounds of each model; a round of one method is not one of another, so that --minutes is fairer.
        methods: What is compared.
        preset: Networks: fast (about 4.5 million parameters each) or paper (as published).
        benchmark: Dataset folder of twocet synth --shared-expressions with people that nothing was trained on.
        split: Whose photos of --data the paper's protocol uses.
        set: Settings as field=value for all methods, or METHOD.field=value for one; --dry-run shows them all.
        action_units: OpenFace's CSV file, or folder of CSV files, for GANimation; if not given, they are read from the
            photos and kept in action-units.csv beside faces.csv.
        backbone: Network of the realism measures, in their names; inception (FID) needs twocet[inception] and, the
            first time, the internet.
        most: Pictures of a set and cases, at most; larger sets are thinned evenly.
        seed: Of the weights and of everything drawn.
        device: Where the models run: cpu, cuda or mps.
        dry_run: Print the plan as JSON and stop.
        json: Print the table as JSON.
    """
    from twocet.comparison import plan
    from twocet.config import check

    _check_budget(minutes, steps)
    check(action_units is None or "ganimation" in methods, "--action-units is for the method ganimation alone")
    given = {"minutes": minutes, "steps": steps, "seed": seed, "device": device}
    own = [f"ganimation.action_units={action_units}"] if action_units else []
    entries = plan.comparison(methods, preset, [*set, *own], **given)
    measuring = plan.Measuring(data, split, benchmark, backbone, most, seed, device, _command())
    _carry_out("Comparison", output, entries, measuring, dry_run=dry_run, as_json=json)


def ablate(
    *,
    data: Path,
    output: Output,
    minutes: float | None = None,
    steps: int | None = None,
    preset: Literal["fast", "paper"] = "fast",
    recipe: Literal["authors", "paper"] = "authors",
    schedule_scale: float = 1.0,
    benchmark: Path | None = None,
    split: Split = "test",
    set: tuple[str, ...] = (),
    backbone: BackboneName = "mobilenetv2",
    most: int = 2000,
    seed: int = 0,
    device: str = "cpu",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Take parts of the method away, as the paper's Table 3 does: dynamic weights, grey encoder, uniform codes.

    Six models: the whole, one part less in each of three steps, and grey encoder and uniform codes each alone. They
    are trained by the label-free recipe with the same budget and measured as by twocet compare. Writes table.md,
    table.json and sheet.png, and a run folder for each model. Ctrl-C keeps what is done; the same command goes on.

    Examples:
        twocet ablate --data cfee --minutes 600 -o ablation
        twocet ablate --data faces --minutes 60 --schedule-scale 0.1 --set lr=5e-4 lr_encoder=5e-4 -o ablation
        twocet ablate --data faces --minutes 60 -o ablation --dry-run

    Args:
        data: Dataset folder to train on.
        output: Folder of the ablation.
        minutes: Training time of each model; --steps gives rounds instead.
        steps: Rounds of each model.
        preset: Networks: fast or paper (as published).
        recipe: Losses and settings of the authors' code or of the paper's text.
        schedule_scale: Stretches the schedules of the loss weights, which are made for 100,000 rounds.
        benchmark: Dataset folder of twocet synth --shared-expressions with people that nothing was trained on.
        split: Whose photos of --data the paper's protocol uses.
        set: Settings of all models as field=value; --dry-run shows them all.
        backbone: Network of the realism measures, in their names; inception (FID) needs twocet[inception] and, the
            first time, the internet.
        most: Pictures of a set and cases, at most; larger sets are thinned evenly.
        seed: Of the weights and of everything drawn.
        device: Where the models run: cpu, cuda or mps.
        dry_run: Print the plan as JSON and stop.
        json: Print the table as JSON.
    """
    from twocet.comparison import plan

    _check_budget(minutes, steps)
    given = {"minutes": minutes, "steps": steps, "seed": seed, "device": device}
    entries = plan.ablation(preset, recipe, schedule_scale, set, **given)
    measuring = plan.Measuring(data, split, benchmark, backbone, most, seed, device, _command())
    _carry_out("Ablation", output, entries, measuring, dry_run=dry_run, as_json=json)


def _check_budget(minutes: float | None, steps: int | None) -> None:
    from twocet.config import check

    check((minutes is None) != (steps is None), "give the budget of each model: --minutes M, or --steps N")


def _command() -> str:
    return shlex.join(["twocet", *sys.argv[1:]])


def _carry_out(
    title: str, output: Path, entries: list[Entry], measuring: Measuring, *, dry_run: bool, as_json: bool
) -> None:
    """Show the plan, or train, measure and write the table and the sheet."""
    from twocet.comparison.plan import described
    from twocet.config import check

    if dry_run:
        print(jsonlib.dumps(described(entries), indent=2))
        return
    check(measuring.most >= 2, f"--most is {measuring.most}: give 2 or more")

    from twocet.comparison.measure import check_ready
    from twocet.comparison.training import begin, train_all

    check_ready(measuring, entries[0].config.network.size)
    begin(output, entries, measuring.data)
    if not train_all(output, entries, measuring.data):
        print("stopped early; go on with the same command", file=sys.stderr)
        raise SystemExit(130)
    _report(title, output, entries, measuring, as_json)


def _report(title: str, output: Path, entries: list[Entry], measuring: Measuring, as_json: bool) -> None:
    """Measure what was trained, and write it down."""
    from twocet.comparison import pictures, table
    from twocet.comparison.measure import measure_all
    from twocet.work import json_bytes, write_whole

    measured = measure_all(output, entries, measuring)
    data = {"photos": str(measuring.data), "benchmark": str(measuring.benchmark) if measuring.benchmark else None}
    result = table.summary(title, measured, measuring.command, data)
    text = table.to_markdown(result)
    write_whole(output / "table.json", json_bytes(result, indent=2))
    write_whole(output / "table.md", text.encode())
    pictures.draw_rows(output, entries, measuring.data, measuring.split, output / "sheet.png", measuring.seed)
    if as_json:
        print(jsonlib.dumps(result, indent=2))
    else:
        print(text)
        print("\n".join(f"written: {output / name}" for name in ("table.md", "table.json", "sheet.png")))
