"""``twocet compare`` and ``twocet ablate``."""

from __future__ import annotations

import json as jsonlib
import shlex
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from twocet.compare.comparison.plan import Entry, Measuring

AblationName = Literal[
    "whole", "without-dynamic", "without-dynamic-grey", "without-dynamic-grey-uniform", "only-grey", "only-uniform"
]


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options that twocet compare and twocet ablate share."""

    data: Path
    """Dataset folder to train on."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder of the results."""
    minutes: float | None = None
    """Training time of each model; or give --steps."""
    steps: int | None = None
    """Rounds of each model. Rounds differ between methods, so --minutes (or --set METHOD.steps=N) is fairer."""
    preset: Literal["fast", "paper"] = "fast"
    """Networks: fast (about 4.5 million parameters) or paper (as published)."""
    jobs: int = 1
    """Models to train at once; each gets its share of the threads and needs its own memory."""
    benchmark: Path | None = None
    """Dataset folder made by twocet synth --shared-expressions, with people that nothing was trained on."""
    split: Literal["train", "val", "test"] = "test"
    """People of --data for the paper's protocol."""
    set: tuple[str, ...] = ()
    """Settings of all models as field=value, or of one as METHOD.field=value; --dry-run shows them."""
    backbone: Literal["mobilenetv2", "inception"] = "mobilenetv2"
    """Network of the realism measures; inception (FID) needs twocet[inception] and a download."""
    most: int = 2000
    """At most so many pictures of a set, and cases; larger sets are thinned evenly."""
    schedule_scale: float = 1.0
    """Stretches schedules and averages, which are made for 100,000 rounds; 0.04 fits 4,000."""
    seed: int = 0
    """Seed of the initial weights and of everything drawn."""
    device: str = "cpu"
    """Where the models run: cpu, cuda or mps."""
    dry_run: bool = False
    """Print the plan as JSON and stop."""
    json: bool = False
    """Print the table as JSON."""

    def given(self) -> dict[str, float | str | None]:
        """The settings of all models that have options of their own. Raises UserError."""
        from twocet.errors import check

        check(
            (self.minutes is None) != (self.steps is None), "give the budget of each model: --minutes M, or --steps N"
        )
        check(self.jobs >= 1, f"--jobs is {self.jobs}: give 1 or more")
        check(self.most >= 2, f"--most is {self.most}: give 2 or more")
        return {"minutes": self.minutes, "steps": self.steps, "seed": self.seed, "device": self.device}


def compare(
    common: tyro.conf.OmitArgPrefixes[Common],
    *,
    methods: tuple[Literal["2cet", "2cet-authors", "2cet-unpaired", "2cet-shapes", "starganv2", "ganimation"], ...] = (
        "2cet",
        "starganv2",
        "ganimation",
    ),
    seeds: tuple[int, ...] = (),
    action_units: Path | None = None,
) -> None:
    """Train 2CET, StarGAN v2 and a GANimation-style model alike, and compare them as the paper's Table 1 does.

    All models get the same data, size and budget, and the same metric chooses the round. Then they are measured: the
    paper's protocol on the photos of --split, and gain, identity and agreement on a rendered --benchmark. Writes
    table.md, table.json, sheet.png (the paper's Fig. 3) and a run folder for each model. Ctrl-C keeps what is done; run
    the same command again to continue. StarGAN v2 is told expression labels; 2CET and GANimation are not.

    examples:
      twocet synth faces --identities 400 --expressions 8
      twocet synth bench --first-identity 1000000 --identities 40 --expressions 16 --shared-expressions
      twocet compare --data faces --benchmark bench --minutes 60 -o comparison
      twocet compare --data lab --benchmark lab --methods 2cet-authors starganv2 ganimation --minutes 30 -o labelled
      twocet compare --data cfee --minutes 600 --set batch=8 starganv2.diversity.end=20000 -o cfee-comparison
      twocet compare --data faces --minutes 60 -o comparison --dry-run

    Args:
        methods: What to compare. 2cet-authors is 2CET by the paper's label-free recipe with these networks;
            2cet-unpaired learns from landmarks and does not know who is who; 2cet-shapes applies the paper's losses to
            landmarks alone and moves the photo's own pixels. Its rounds are its own: --set 2cet-shapes.steps=N.
        seeds: Train every method once with each of these seeds instead of --seed; the table shows means and all rows.
        action_units: OpenFace's CSV file, or folder of CSV files, for GANimation. Otherwise action units are read from
            the photos and kept in action-units.csv beside faces.csv.
    """
    from twocet.compare.comparison import plan
    from twocet.errors import check

    check(action_units is None or "ganimation" in methods, "--action-units is only for the method ganimation")
    own = [f"ganimation.action_units={action_units}"] if action_units else []
    words, scale = [*common.set, *own], common.schedule_scale
    entries = plan.comparison(methods, common.preset, words, scale, seeds, **common.given())
    _carry_out("Comparison", entries, common)


def ablate(
    common: tyro.conf.OmitArgPrefixes[Common],
    *,
    models: tuple[AblationName, ...] = (),
    recipe: Literal["authors", "paper"] = "authors",
) -> None:
    """Take parts of the method away, as the paper's Table 3 does: dynamic weights, grey encoder, uniform codes.

    Trains six models by the label-free recipe with the same budget: the whole, one part less in each of three steps,
    and two with only the grey encoder or only the uniform codes taken away. They are measured as by twocet compare.
    Writes table.md, table.json, sheet.png and a run folder for each model. Ctrl-C keeps what is done; run the same
    command again to continue. Several machines can share the work: give each some of the --models, copy the folders
    together, and run it for all.

    examples:
      twocet ablate --data cfee --minutes 600 -o ablation
      twocet ablate --data faces --minutes 60 --jobs 2 --schedule-scale 0.1 --set lr=5e-4 -o ablation
      twocet ablate --data faces --steps 3000 -o ablation --models whole only-grey only-uniform
      twocet ablate --data faces --minutes 60 -o ablation --dry-run

    Args:
        models: Which of the six to train, by the names of their folders; all if not given.
        recipe: Losses and settings of the authors' code, or of the paper's text.
    """
    from twocet.compare.comparison import plan

    entries = plan.ablation(common.preset, recipe, common.schedule_scale, common.set, **common.given())
    _carry_out("Ablation", entries, common, models)


def _carry_out(title: str, entries: list[Entry], common: Common, keys: Collection[str] = ()) -> None:
    """Show the plan, or train, measure and write the table and the sheet: of the models ``keys``, or of all."""
    from twocet.compare.comparison.plan import Measuring, described, size_of

    if common.dry_run:
        print(jsonlib.dumps(described(entries), indent=2))
        return

    from twocet.compare.comparison.measure import check_ready
    from twocet.compare.comparison.training import begin, train_all

    command = shlex.join(["twocet", *sys.argv[1:]])
    measuring = Measuring(
        common.data, common.split, common.benchmark, common.backbone, common.most, common.seed, common.device, command,
        size_of(entries),
    )  # fmt: skip
    check_ready(measuring)
    begin(common.output, entries, common.data)
    chosen = [entry for entry in entries if not keys or entry.key in keys]
    if not train_all(common.output, chosen, common.data, jobs=common.jobs):
        print("stopped early; go on with the same command", file=sys.stderr)
        raise SystemExit(130)
    _report(title, common.output, chosen, measuring, common.json)


def _report(title: str, output: Path, entries: list[Entry], measuring: Measuring, as_json: bool) -> None:
    """Measure what was trained, and write it down."""
    from twocet.compare.comparison import pictures, table
    from twocet.compare.comparison.measure import measure_all
    from twocet.compare.comparison.plan import with_raw
    from twocet.runtime.files import json_bytes, write_whole

    measured = measure_all(output, with_raw(entries), measuring)
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
        written = (output / name for name in ("table.md", "table.json", "sheet.png"))
        print("\n".join(f"written: {path}" for path in written if path.exists()))
