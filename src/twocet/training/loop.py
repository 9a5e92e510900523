"""Training: a loop over rounds, with observers that look at it every n rounds."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twocet.data.dataset import Faces, common_template, load_faces, open_dataset
from twocet.errors import UserError, check
from twocet.photo.marks import mark_xmp, sheet_mark
from twocet.photo.png import png_info
from twocet.runtime import devices, memory
from twocet.runtime.configuration import from_dict
from twocet.runtime.distributed import ALONE, Ranks, threads_here
from twocet.runtime.files import json_bytes, make_folder, only_process, write_whole
from twocet.runtime.interrupt import Interrupt, Watch
from twocet.training.checkpoint import Checkpoints, Progress
from twocet.training.config import RunConfig, Sources
from twocet.training.export import LAST_FILE, MODEL_FILE, History
from twocet.training.loader import Loader
from twocet.training.recipes.base import DivergenceError, Draw, State, check_finite
from twocet.training.recipes.table import RECIPES, Entry, config_from_dict
from twocet.training.record import Recorder, sheet

READ_EVERY = 50
"""Rounds on a card between two looks at what came out: for each the processor waits until the card has done all."""
ROOM_FOR_PHOTOS = 0.25
"""Share of a card's free memory that photos may have; where they need more they stay with the processor."""
UNTIMED, TIMED = 5, 20
"""Rounds before the speed is measured (the first ones are slow) and rounds it is measured over."""


class Run:
    """One training run in its folder: what is trained, on what, and how far it has come."""

    def __init__(
        self,
        folder: Path,
        config: RunConfig,
        sources: Sources,
        *,
        progress: bool = True,
        clock: Callable[[], float] = time.perf_counter,
        ranks: Ranks = ALONE,
        entries: Mapping[str, Entry] = RECIPES,
    ) -> None:
        """``entries`` are the recipes there are, of which ``config`` is for one.

        ``clock`` measures budget and speed; with ``time.process_time`` other work on the machine does not count.
        """
        parts = ranks.share.parts
        check(
            config.batch % (parts * config.accumulate) == 0,
            f"batch ({config.batch}) must be a multiple of {parts} processes x accumulate ({config.accumulate}): "
            "--set batch=...",
        )
        self.ranks, self.threads = ranks, threads_here(config.threads)
        torch.set_num_threads(self.threads)
        progress = progress and ranks.is_rank_0
        self.folder, self.sources, self.clock = folder, sources, clock
        entry = entries[config.recipe]
        one_sided = sources.allow_one_sided or entry.strangers
        self.datasets = [open_dataset(path, allow_one_sided=one_sided) for path in sources.data]
        common_template(self.datasets)
        self.method = entry.method(config, self.datasets, folder, ranks)
        self.config, self.recipe, self.metric = self.method.config, self.method.recipe, self.method.metric
        self.faces, validation = self.method.prepare(
            self._load("train", progress), self._load("val", progress), progress=progress
        )
        self.device = devices.find(config.device)
        devices.tune(self.device)
        if sum(faces.num_bytes for faces in self.faces) <= ROOM_FOR_PHOTOS * devices.room(self.device):
            self.faces = [faces.to(self.device) for faces in self.faces]
        self.held_out = [faces for faces in validation if any(faces.companions)]
        self.judged = self.held_out if self.metric.needs_pairs else [s for s in validation if len(s.expressive)]
        self.sampler = self.method.sampler(self.faces, sources.mix)
        self.state = self.method.new_state(self.device)
        self.progress = Progress(steps=None if config.minutes else config.steps)
        self.shows_progress = progress
        self.checkpoints = Checkpoints(folder / "checkpoints", config.keep)
        if ranks.is_rank_0:
            self._describe()

    def _describe(self) -> None:
        make_folder(self.folder / "samples")
        description = {"config": dataclasses.asdict(self.config), "sources": dataclasses.asdict(self.sources)}
        write_whole(self.folder / "config.json", json_bytes(description, indent=2))

    def _load(self, split: str, progress: bool) -> list[Faces]:
        size = self.method.size
        return [load_faces(dataset, split, size, threads=self.threads, progress=progress) for dataset in self.datasets]

    def save(self, *, best: bool = False) -> Path:
        """Write a checkpoint, unless a weight is no longer a number; ``best`` if it is the best one so far."""
        check(self.state.is_finite(), f"round {self.progress.step}: weights are not finite; {self._remedy()}")
        contents = {
            "config": dataclasses.asdict(self.config),
            "sources": dataclasses.asdict(self.sources),
            "progress": self.progress._asdict(),
            "parts": {name: part.state_dict() for name, part in self.state.parts().items()},
        }
        return self.checkpoints.save(contents, self.progress.step, best=best)

    def restore(self, contents: dict[str, Any]) -> None:
        """Go on from a checkpoint's contents. Raises UserError if they do not fit."""
        try:
            self.state.load(contents["parts"])
            self.progress = from_dict(Progress, contents["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            reason = str(error).splitlines()[0][:120]
            raise UserError(f"the checkpoint in {self.folder} does not fit its settings ({reason})") from None

    def round(self, draw: Draw[Any], watch: Watch) -> tuple[dict[str, Tensor], bool]:
        """The next round's terms, and whether a process is asked to stop. Raises UserError if a term is not finite.

        On a card both are looked at every ``READ_EVERY`` rounds.
        """
        done = self.progress.step + 1
        try:
            terms = self.recipe.round(self.state, draw, self.progress.step)
            terms, asked = agree(terms, watch(done, self.progress.steps), self.ranks)
            if self.device.type != "cpu" and done % READ_EVERY and done != self.progress.steps:
                return terms, False
            check_finite(terms)
        except DivergenceError as error:
            raise UserError(f"round {done}: {error}; {self._remedy()}") from None
        return terms, bool(asked > 0)

    def _remedy(self) -> str:
        newest = self.checkpoints.newest()
        return f"the last good checkpoint is {newest}: start again with a lower learning rate (--set lr=...)"


def _newest_checkpoint(folder: Path) -> dict[str, Any]:
    contents = Checkpoints(folder / "checkpoints", keep=1).latest() if folder.is_dir() else None
    if contents is None:
        raise UserError(f"there is no checkpoint in {folder}: start the run without --resume")
    return contents


def resume(
    folder: Path,
    *,
    device: str | None = None,
    progress: bool = True,
    ranks: Ranks = ALONE,
    entries: Mapping[str, Entry] = RECIPES,
) -> Run:
    """The run in ``folder`` as its newest checkpoint left it, on its own device or another one.

    Raises UserError if there is no checkpoint.
    """
    contents = ranks.from_rank_0(lambda: _newest_checkpoint(folder))
    check({"sources", "config"} <= contents.keys(), f"the checkpoint in {folder} is of another program")
    sources = from_dict(Sources, contents["sources"])
    config = config_from_dict(contents["config"] | ({"device": device} if device else {}), entries)
    run = Run(folder, config, sources, progress=progress, ranks=ranks, entries=entries)
    run.restore(contents)
    return run


Observer = Callable[[], object]


def observers(run: Run, recorder: Recorder) -> list[tuple[int, Observer]]:
    """What is done every how many rounds; the order counts, checkpoints come last."""

    def log() -> None:
        rate = run.state.generator_optimiser.param_groups[0]["lr"]
        recorder.flush(run.progress.step, lr=rate, seconds=run.progress.seconds)

    def sample() -> None:
        rows = run.method.sample_rows(run.state, run.held_out or run.faces)
        path = run.folder / "samples" / f"{run.progress.step:09d}.png"
        sheet(rows).save(path, pnginfo=png_info(mark_xmp(None, sheet_mark(run.folder.name))))

    def validate() -> None:
        found = run.method.diagnose(run.state, run.judged or run.faces)
        value = run.method.measure(run.state, run.judged) if run.judged else None
        if value is not None:
            found[f"validation_{run.method.select}"] = value
        if found:
            recorder.write(run.progress.step, found)
        if value is not None and run.metric.improves(value, run.progress.best):
            run.progress = run.progress._replace(best=value)
            run.save(best=True)

    config = run.config
    return [
        (config.log_every, log),
        (config.sample_every, sample),
        (config.validate_every, validate),
        (config.checkpoint_every, run.save),
    ]


def planned_steps(budget_seconds: float, spent: float, done: int, timed_seconds: float, timed: int) -> int:
    """Rounds in all that fit a budget, when ``timed`` rounds took ``timed_seconds``; at least those done."""
    return done + max(0, round((budget_seconds - spent) / (timed_seconds / timed)))


def plan(run: Run, timed: Sequence[float], budget_began: float) -> int | None:
    """The number of rounds that fits ``config.minutes``, once enough of them are timed."""
    budget = (run.config.minutes or 0) * 60
    spent = run.clock() - budget_began
    measured = list(timed)[UNTIMED:]
    if not measured or (len(measured) < TIMED and spent < budget / 20):
        return None
    return planned_steps(budget, spent, run.progress.step, sum(measured), len(measured))


def train(run: Run, watch: Watch | None = None) -> bool:
    """Train until the last round or Ctrl-C, then write the model files. False if it was stopped early.

    With ``watch``, that stops it and Ctrl-C is left alone. Of several processes rank 0 writes all files.
    """
    memory.keep_freed()
    run.ranks.same_as_rank_0(run.state.weights())
    with contextlib.ExitStack() as stack:
        if run.ranks.is_rank_0:
            stack.enter_context(only_process(run.folder, "train"))
        stack.enter_context(devices.single_precision())
        stack.enter_context(devices.on(run.device))
        recorder = stack.enter_context(contextlib.closing(start_record(run))) if run.ranks.is_rank_0 else None
        watch = watch or stack.enter_context(Interrupt())
        first = run.progress.step * run.recipe.num_batches
        loader = Loader(run.sampler, run.recipe.augment, run.config.seed, first, run.ranks.share, run.device)
        loop(run, recorder, stack.enter_context(loader), watch)
        if run.ranks.is_rank_0:
            run.save()
        complete = finished(run.progress)
        if run.ranks.is_rank_0:
            export(run)
    return complete


def export(run: Run) -> None:
    """Write the model that the validation people chose, and that of the last round where it is another one.

    A run without validation people has the last round alone.
    """

    def write(name: str, state: State, progress: Progress, selected: dict[str, Any]) -> None:
        descriptions = [dataset.info for dataset in run.datasets]
        history = History(run.faces, run.held_out, descriptions, progress, selected, finished(run.progress))
        run.method.export(run.folder / name, state, history)

    (run.folder / LAST_FILE).unlink(missing_ok=True)
    contents = run.checkpoints.read_best()
    if contents is None:
        write(MODEL_FILE, run.state, run.progress, {})
        return
    state, progress = run.state, Progress(**contents["progress"])
    if progress.step != run.progress.step:
        write(LAST_FILE, run.state, run.progress, {})
        state = run.method.new_state(run.device)
        state.load(contents["parts"])
    write(MODEL_FILE, state, progress, {"metric": run.method.select, "value": progress.best})


def start_record(run: Run) -> Recorder:
    """The record of the run from here on; a new run begins with a checkpoint."""
    if run.progress.step == 0:
        run.save()
    return Recorder(run.folder, run.progress.step, run.progress.steps, progress=run.shows_progress)


def agree(terms: dict[str, Tensor], stop: bool, ranks: Ranks) -> tuple[dict[str, Tensor], Tensor]:
    """The terms' means over all processes, and () float32 above 0 if any of these was asked to stop."""
    values = ranks.mean(torch.stack([*terms.values(), torch.full((), float(stop))]))
    return dict(zip(terms, values, strict=False)), values[-1]


def loop(run: Run, recorder: Recorder | None, draw: Draw[Any], watch: Watch) -> None:
    """Rounds and what is done between them; ``recorder`` is rank 0's alone."""
    saved = run.clock()
    began = saved - run.progress.seconds
    timed: list[float] = []
    between = observers(run, recorder) if recorder else []
    stop = False
    while not finished(run.progress) and not stop:
        start, step = run.clock(), run.progress.step
        run.state.begin_round(step, run.progress.steps)
        terms, stop = run.round(draw, watch)
        run.state.end_round(step)
        if run.progress.steps is None:
            devices.wait(run.device)
        timed.append(run.clock() - start)
        run.progress = run.progress._replace(step=step + 1, seconds=run.progress.seconds + timed[-1])
        if recorder:
            recorder.add(terms, run.method.photos_per_row * run.config.batch * run.recipe.num_batches)
        if run.progress.steps is None and (steps := run.ranks.from_rank_0(lambda: plan(run, timed, began))) is not None:
            run.progress = run.progress._replace(steps=steps)
            if recorder:
                recorder.set_steps(steps)
                # From here on the learning rate depends on the number of rounds, so it must survive a crash.
                run.save()
        for every, observe in between:
            if run.progress.step % every == 0 or finished(run.progress):
                observe()
        if run.ranks.is_rank_0 and run.clock() - saved > run.config.checkpoint_minutes * 60:
            run.save()
            saved = run.clock()


def finished(progress: Progress) -> bool:
    """Whether the last round is done."""
    return progress.steps is not None and progress.step >= progress.steps
