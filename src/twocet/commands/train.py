"""``twocet train``: train a model on dataset folders."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from twocet.commands.train_shapes import resume_shapes, train_shapes
from twocet.errors import check
from twocet.networks.config import Preset
from twocet.runtime.settings import override
from twocet.shapes.sources import RECIPE as SHAPES
from twocet.shapes.sources import is_run as is_shape_run
from twocet.training.config import RunConfig, Sources
from twocet.training.curriculum import CURRICULA, Planned, plan
from twocet.training.recipes.table import RECIPES, owners, preset_config
from twocet.training.stretch import stretched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twocet.runtime.distributed import Ranks


def train(
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    data: tuple[Path, ...] = (),
    mix: tuple[float, ...] = (),
    preset: Literal["paper", "fast"] | None = None,
    recipe: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    set: tuple[str, ...] = (),
    steps: int | None = None,
    minutes: float | None = None,
    schedule_scale: float = 1.0,
    seed: int | None = None,
    device: str | None = None,
    select: Literal["gain", "cycle", "agreement", "kid_mobilenetv2"] | None = None,
    init: str | None = None,
    resume: bool = False,
    allow_one_sided: bool = False,
    dry_run: bool = False,
) -> None:
    """Train a model on dataset folders, or (--recipe shapes) on faces as points.

    The run folder gets config.json, metrics.jsonl, TensorBoard events, samples, checkpoints and, at the end,
    model.safetensors: the best round on the validation people by --select, or the last round if there are none. If the
    last round is another one, it is kept as last.safetensors. Ctrl-C stops after the current round and writes a
    checkpoint. Several processes and machines need: pip install 'twocet[distributed]'

    examples:
      twocet train --data faces -o runs/one --minutes 90
      twocet train --data synth london --mix 0.75 0.25 -o runs/two --set batch=16 lr=5e-4
      twocet train --data faces -o runs/three --device cuda --set batch=64
      twocet train --data synth london --mix 0.94 0.06 --recipe supervised -o runs/best --minutes 180
      twocet train --data strangers --recipe unpaired -o runs/four --minutes 90
      twocet train --data faces --recipe close_up --init runs/one/model.safetensors -o runs/mouths --minutes 60
      twocet train --data faces london --mix 0.8 0.2 --recipe shapes -o runs/shapes
      twocet train --data meshes.npz --recipe shapes -o runs/meshes --steps 4000 --set code_dim=16
      twocet train -o runs/one --resume
      torchrun --nproc-per-node 2 -m twocet train --data faces -o runs/two --minutes 90
      twocet train --data faces -o runs/paper --preset paper --recipe authors --dry-run
      twocet train --data lab -o runs/free --recipe authors --steps 4000 --schedule-scale 0.04 --set lr=5e-4

    Args:
        output: Run folder.
        data: Dataset folders made by twocet synth or twocet prepare. For shapes also archives of points (.npz), and
            folders with neutral/ and expressive/ that hold photos or meshes (.obj).
        mix: Share of each folder in a mini-batch; equal if not given.
        preset: Networks and default recipe: fast (the default) or paper.
        recipe: How to train. fast, landmarks: with people who have neutral and expressive photos. unpaired: with
            strangers. paper, authors: the paper's method, without pairs or labels. close_up, close_up_unpaired: sharp
            mouths for a finished model (--init). supervised: all of the packaged model, in six stages. shapes: the
            paper's objective on points (landmarks of photos, archives, meshes). Default: the one named like the preset.
        set: Other settings of the recipe as field=value; --dry-run shows them.
        steps: Rounds to train.
        minutes: Time budget instead of --steps; supervised: of all stages together.
        schedule_scale: Stretches everything that counts rounds: schedules of weights, and how far back the average
            looks. paper and authors are made for 100,000 rounds; 0.04 fits 4,000. Not for supervised.
        seed: Seed of the initial weights and of everything drawn.
        device: Where the networks run: cpu (the default), cuda, cuda:1 and so on; may be given with --resume.
        select: Metric on the validation people that chooses the best round. gain: over pairs of one person. cycle:
            error of the expressive cycle. agreement: of transferred expressions. kid_mobilenetv2: their kernel distance
            from expressive photos (needs requirements-weights.txt).
        init: Model (name or file) to start from; its networks replace those of the preset.
        resume: Continue from the newest checkpoint in the run folder, with its own settings and data; --device may
            differ.
        allow_one_sided: Accept people who have only neutral or only expressive photos (training on them usually fails).
        dry_run: Print the recipe's settings and stop.
    """
    if resume:
        check(
            not (data or mix or preset or recipe or set or steps or minutes or seed is not None or select or init)
            and schedule_scale == 1,
            "--resume goes on with the run's own settings and data: give it with -o (and --device) alone",
        )
        if is_shape_run(output):
            check(device is None, f"a run of {SHAPES} continues on the CPU: leave out --device")
            resume_shapes(output)
            return
        _resume(output, device)
        return
    given: dict[str, float | str | None] = {
        "steps": steps,
        "minutes": minutes,
        "seed": seed,
        "device": device,
        "select": select,
    }
    sources = Sources(
        data=tuple(str(folder) for folder in data), mix=mix or (1.0,) * len(data), allow_one_sided=allow_one_sided
    )
    known = (*RECIPES, *CURRICULA, SHAPES)
    check(recipe is None or recipe in known, f"there is no recipe {recipe!r}: use {', '.join(known)}")
    if recipe == SHAPES:
        check(
            not (preset or select or init or minutes or device or schedule_scale != 1),
            f"{SHAPES} has networks, schedules and a length of its own: leave out --preset, --select, --init, "
            "--minutes, --schedule-scale, --device",
        )
        train_shapes(output, data, mix, [*set, *_words(steps=steps, seed=seed)], dry_run=dry_run)
        return
    if recipe in CURRICULA:
        check(
            not (preset or select or init or schedule_scale != 1),
            f"{recipe} begins with new networks, has schedules that fit and chooses by itself: leave out --preset, "
            "--schedule-scale, --select and --init",
        )
        planned = plan(recipe, [*set, *_words(seed=seed, device=device)], steps=steps, minutes=minutes)
        if dry_run:
            print(json.dumps({stage.name: dataclasses.asdict(stage.config) for stage in planned}, indent=2))
            return
        check(bool(data), "--data is missing: give at least one dataset folder")
        _start_stages(output, planned, sources)
        return
    config = configure(preset or "fast", recipe, set, schedule_scale, **given)
    if dry_run:
        print(json.dumps(dataclasses.asdict(config), indent=2))
        return
    check(bool(data), "--data is missing: give at least one dataset folder")
    _start(output, config, sources, init)


@contextlib.contextmanager
def _alone(output: Path) -> Iterator[Ranks]:
    """The processes of this run, which no other run shares its folder with. Raises UserError."""
    from twocet.runtime.distributed import joined
    from twocet.runtime.files import make_folder, only_process

    with joined() as ranks, contextlib.ExitStack() as stack:

        def claim() -> None:
            make_folder(output)
            stack.enter_context(only_process(output, "train"))

        ranks.from_rank_0(claim)
        yield ranks


def _resume(output: Path, device: str | None) -> None:
    from twocet.compare.methods import METHODS
    from twocet.training import curriculum
    from twocet.training.loop import resume, train

    check(output.is_dir(), f"there is no checkpoint in {output}: start the run without --resume")
    with _alone(output) as ranks:
        if ranks.from_rank_0((output / curriculum.PLAN).exists):
            planned, sources = ranks.from_rank_0(lambda: curriculum.read(output, device))
            _finish(curriculum.train_stages(output, planned, sources, ranks), output, ranks)
            return
        run = resume(output, device=device, ranks=ranks, entries=METHODS)
        _finish(train(run), output, ranks)


def _start_stages(output: Path, planned: list[Planned], sources: Sources) -> None:
    from twocet.training import curriculum

    with _alone(output) as ranks:
        ranks.from_rank_0(lambda: curriculum.begin(output, planned, sources))
        _finish(curriculum.train_stages(output, planned, sources, ranks), output, ranks)


def _start(output: Path, config: RunConfig, sources: Sources, init: str | None) -> None:
    from twocet.model.model import load_model
    from twocet.training.loop import Run, train

    def check_unused() -> None:
        used = list((output / "checkpoints").glob("step-*.pt"))
        check(not used, f"{output} holds a run: --resume it, or choose another")

    check(
        bool(init) or not config.network.close_up,
        "a close-up finishes what a trained generator makes: name its model with --init",
    )
    with _alone(output) as ranks:
        ranks.from_rank_0(check_unused)
        check(not init or not Path(init).is_dir(), f"{init} is an exported model: train on from its model file")
        model = load_model(init) if init else None
        if model:
            own, theirs = config.network, model.config
            network = dataclasses.replace(theirs, close_up=own.close_up, detail=own.detail or theirs.detail)
            config = dataclasses.replace(config, network=network)
        run = Run(output, config, sources, ranks=ranks)
        if model:
            run.state.start_from(model.networks)
        _finish(train(run), output, ranks)


def _finish(complete: bool, output: Path, ranks: Ranks) -> None:
    model = output / "model.safetensors"
    # Stages that are stopped early have no model in common yet.
    if ranks.is_rank_0 and model.is_file():
        print(model)
        _say_if_worse(model)
    if not complete and ranks.is_rank_0:
        print(f"stopped early; go on with: twocet train -o {output} --resume", file=sys.stderr)
        raise SystemExit(130)


def _words(**given: float | str | None) -> list[str]:
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def _say_if_worse(model: Path) -> None:
    from twocet.model.model import read_file

    gain = json.loads(read_file(model)[0]).get("metrics", {}).get("validation_gain", 0)
    if gain < 0:
        print(
            "note: on the validation people this model is worse than leaving faces as they are "
            f"(gain {gain:.2f}): the run diverged or was too short; lower the learning rate (--set lr=...) or give it "
            "more rounds",
            file=sys.stderr,
        )


def configure(
    preset: Preset,
    recipe: str | None,
    settings: tuple[str, ...],
    schedule_scale: float = 1.0,
    **given: float | str | None,
) -> RunConfig:
    """The settings of a preset and recipe, their schedules stretched, then changed.

    They are changed by ``field=value`` words and by what is not None of ``given``.

    Fields of nested settings are named with dots (``network.size=64``). Raises UserError.
    """
    base = stretched(preset_config(preset, recipe), schedule_scale)
    words = [*settings, *_words(**given)]
    return override(base, words, owners()) if words else base
