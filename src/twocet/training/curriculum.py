"""Several runs in turn, each from the networks of the one before: how the packaged model is made, as one recipe.

Nothing here imports torch before a run is begun.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twocet.errors import check
from twocet.runtime.configuration import from_dict
from twocet.runtime.files import json_bytes, visible, write_whole
from twocet.runtime.records import read_object
from twocet.runtime.settings import override
from twocet.training.config import RunConfig, Sources
from twocet.training.recipes.table import config_from_dict, owners, preset_config

if TYPE_CHECKING:
    from twocet.runtime.distributed import Ranks
    from twocet.runtime.interrupt import Watch
    from twocet.training.loop import Run

PLAN = "curriculum.json"
"""The file by which a run folder is that of a curriculum."""
DONE = "trained.json"
"""In a stage's folder: its training is complete."""


class Stage(NamedTuple):
    """One run of a curriculum."""

    name: str
    """Its folder."""
    recipe: str
    rounds: int
    minutes: float
    """What the rounds take on two cores; in proportion to this a budget is divided."""
    settings: tuple[str, ...] = ()
    """What differs from the recipe's defaults, as field=value words."""


_FROM_THE_START = ("code_noise.rise=0", "code_noise.end=0", "neutral_code.rise=0", "neutral_code.end=0")
_LATER = ("batch=32", "moved=False", "even=False")

CURRICULA: dict[str, tuple[Stage, ...]] = {
    # From photos that are shifted and turned, which keeps codes from telling where something is, to sharp ones in
    # place, then at full size; codes freed of the person by transplants; the generator again on true pixels; mouths.
    "supervised": (
        Stage("1-pairs", "fast", 24_500, 40, ("even=False",)),
        Stage("2-in-place", "fast", 9_900, 32, (*_LATER, *_FROM_THE_START)),
        Stage(
            "3-full-size", "fast", 1_500, 7,
            (*_LATER, *_FROM_THE_START, "coarse=False", "lr=2e-4", "lr_encoder=2e-4", "warm_up=30"),
        ),
        Stage(
            "4-landmarks", "landmarks", 2_300, 30,
            (*_LATER, *_FROM_THE_START, "lr=2.5e-4", "lr_encoder=2.5e-4", "warm_up=50"),
        ),
        Stage(
            "5-generator", "fast", 2_300, 27,
            (
                *_LATER, *_FROM_THE_START, "lr=5e-4", "lr_encoder=0", "warm_up=30", "view=0", "sketch=0", "code_size=0",
                "neutral_code.stop=0", "code_noise.stop=0.2",
            ),
        ),
        Stage("6-mouths", "close_up", 3_000, 42),
    ),
}  # fmt: skip
"""The curricula by name; ``--recipe`` takes them like recipes."""


class Planned(NamedTuple):
    """A stage with all its settings."""

    name: str
    config: RunConfig


class _KeptStage(NamedTuple):
    name: str
    config: dict[str, Any]


class _Kept(NamedTuple):
    """``curriculum.json``."""

    sources: Sources
    stages: list[_KeptStage]


def plan(name: str, words: Sequence[str], *, steps: int | None = None, minutes: float | None = None) -> list[Planned]:
    """The stages of curriculum ``name``; ``steps`` or ``minutes`` are those of all stages together.

    ``words`` change settings that all recipes have. Raises UserError.
    """
    common = {field.name for field in dataclasses.fields(RunConfig)} - {"recipe", "steps", "minutes"}
    own = [word for word in words if word.partition("=")[0].split(".")[0] not in common]
    check(
        not own,
        f"--set {' '.join(own)}: the stages of {name} have their own; only {', '.join(sorted(common))} are for all",
    )
    stages = CURRICULA[name]
    whole_rounds, whole_minutes = sum(s.rounds for s in stages), sum(s.minutes for s in stages)
    planned = []
    for stage in stages:
        budget = [f"steps={stage.rounds if steps is None else max(1, round(steps * stage.rounds / whole_rounds))}"]
        if minutes is not None:
            budget.append(f"minutes={minutes * stage.minutes / whole_minutes:.4g}")
        config = override(preset_config("fast", stage.recipe), [*stage.settings, *budget, *words], owners())
        planned.append(Planned(stage.name, config))
    return planned


def begin(folder: Path, planned: Sequence[Planned], sources: Sources) -> None:
    """Make the folder and keep the plan in it. Raises UserError if something is there."""
    check(not folder.exists() or not visible(folder), f"{folder} is not empty: --resume it, or choose another")
    folder.mkdir(parents=True, exist_ok=True)
    stages = [{"name": stage.name, "config": dataclasses.asdict(stage.config)} for stage in planned]
    write_whole(folder / PLAN, json_bytes({"sources": dataclasses.asdict(sources), "stages": stages}, indent=2))


def read(folder: Path, device: str | None = None) -> tuple[list[Planned], Sources]:
    """What :func:`begin` kept; the stages run on ``device``, or on their own."""
    kept: _Kept = from_dict(_Kept, read_object(folder / PLAN, "begin the run again in another folder"))
    change = {"device": device} if device else {}
    return [Planned(stage.name, config_from_dict(stage.config | change)) for stage in kept.stages], kept.sources


def train_stages(
    folder: Path,
    planned: Sequence[Planned],
    sources: Sources,
    ranks: Ranks,
    watch: Watch | None = None,
    *,
    start: Path | None = None,
    progress: bool = True,
) -> bool:
    """Train every stage that is not trained yet, each from where it was left. False if it was stopped early.

    The first one goes on from the networks of the model file ``start``, or has new ones. At the end the last stage's
    model is the folder's own, and tells of the training of all stages.
    """
    from twocet.training.loop import train

    before = start
    for number, stage in enumerate(planned, start=1):
        own = folder / stage.name
        if not ranks.from_rank_0((own / DONE).exists):
            if progress and ranks.is_rank_0:
                print(f"stage {number} of {len(planned)}: {stage.name}")
            if not train(_open(own, stage.config, sources, before, ranks, progress=progress), watch):
                return False
            if ranks.is_rank_0:
                write_whole(own / DONE, json_bytes({"rounds": stage.config.steps}))
        before = last_model(own)
    if ranks.is_rank_0:
        _join(folder, planned)
    return True


def _open(
    folder: Path, config: RunConfig, sources: Sources, before: Path | None, ranks: Ranks, *, progress: bool
) -> Run:
    """The run in ``folder`` as it was left, or a new one from the networks of the model ``before``."""
    from twocet.model.model import load_model
    from twocet.training.loop import Run, resume

    if ranks.from_rank_0(lambda: any((folder / "checkpoints").glob("step-*.pt"))):
        return resume(folder, device=config.device, progress=progress, ranks=ranks)
    run = Run(folder, config, sources, progress=progress, ranks=ranks)
    # The others get their weights from rank 0 when training begins.
    if before is not None and ranks.is_rank_0:
        run.state.start_from(load_model(before).networks)
    return run


def last_model(folder: Path) -> Path:
    """The model of the last round in a run folder."""
    from twocet.training.export import LAST_FILE, MODEL_FILE

    last = folder / LAST_FILE
    return last if last.exists() else folder / MODEL_FILE


def _join(folder: Path, planned: Sequence[Planned]) -> None:
    """Write the model of the last stage as that of the curriculum."""
    from twocet.model.model import load_model, save_model
    from twocet.training.export import MODEL_FILE

    *earlier, last = (folder / stage.name for stage in planned)
    model = load_model(last / MODEL_FILE)
    trainings = [load_model(last_model(stage)).metadata["training"] for stage in earlier]
    training = {**model.metadata["training"], "earlier": trainings}
    save_model(folder / MODEL_FILE, dataclasses.replace(model, metadata={**model.metadata, "training": training}))
