"""Training on point sets: from two samples of faces to a model file, resumable to the bit."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twocet.errors import UserError, check
from twocet.networks.interfaces import Networks
from twocet.pairs import neutral_estimate
from twocet.pairs.neutral_estimate import Rest
from twocet.runtime import devices
from twocet.runtime.arrays import Floats
from twocet.runtime.distributed import threads_here
from twocet.runtime.files import make_folder, only_process
from twocet.runtime.interrupt import Interrupt, Watch
from twocet.runtime.randomness import generator_at
from twocet.shapes import model as models
from twocet.shapes import space as spaces
from twocet.shapes.config import ShapeConfig
from twocet.shapes.model import ShapeModel
from twocet.shapes.movements import Movements
from twocet.shapes.movements import fit as fit_movements
from twocet.shapes.networks import build
from twocet.shapes.points import PointSets
from twocet.shapes.recipe import State
from twocet.shapes.sampler import Sample, Sampler, weighted
from twocet.training.checkpoint import Checkpoints
from twocet.training.recipes import base
from twocet.training.record import Recorder

FEWEST = 16
"""Faces that each domain of a source must have."""
KNOWN_CODES = 256
"""Codes of training faces that the model file keeps, for random expressions."""
NEUTRAL_SHARE = 0.95
"""Share of each source's neutral faces that count as neutral."""
_DRAWN = 20_000
"""Faces of each domain drawn for the linear estimate, so that every source has its share."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Faces of one origin."""

    name: str
    sets: PointSets
    share: float = 1.0
    """Of mini-batches, in comparison with the other sources' shares."""
    licence: str = ""

    def __post_init__(self) -> None:
        check(self.sets.neutral is not None, f"{self.name} does not say which faces are neutral (domain)")
        for neutral, domain in ((True, "neutral"), (False, "expressive")):
            num = len(self.sets.domain(neutral))
            check(num >= FEWEST, f"{self.name} has {num} {domain} faces: give {FEWEST} or more")
        check(self.share > 0, f"the share of {self.name} must be positive, not {self.share}")


class Run:
    """One training run in its folder."""

    def __init__(self, folder: Path, config: ShapeConfig, sources: Sequence[Source]) -> None:
        sizes = {source.sets.points.shape[1:] for source in sources}
        check(len(sizes) == 1, f"all faces of a run need the same points, not {' and '.join(map(str, sizes))}")
        torch.set_num_threads(threads_here(config.threads))
        self.folder, self.config, self.sources = folder, config, sources
        neutral, expressive = ([source.sets.domain(known) for source in sources] for known in (True, False))
        self.space = spaces.fit(
            np.concatenate(neutral),
            np.concatenate(expressive),
            config.components,
            noise=config.noise,
            evenness=config.evenness,
        )
        numbers = [[self.space.numbers(points)[0] for points in sets] for sets in (neutral, expressive)]
        rested, moved = (weighted(sets, [source.share for source in sources]) for sets in numbers)
        self.sampler = Sampler(rested, moved, config)
        noise = config.noise / self.space.units
        self.linear = linear_estimate(rested, moved, noise, config.seed)
        shares = [source.share for source in sources]
        self.movements = fit_movements(numbers[0], numbers[1], shares, noise, config.kinds, config.seed)
        variance = np.square(np.concatenate([*numbers[0], *numbers[1]])).mean(axis=0)
        self.state = new_state(np.sqrt(variance + noise**2), noise, self.movements, config)
        make_folder(folder)
        self.checkpoints = Checkpoints(folder / "checkpoints", keep=2)
        self.step, self.seconds = 0, 0.0

    def description(self) -> dict[str, Any]:
        """What is trained on what, JSON-able."""
        names = {source.name: source.share for source in self.sources}
        return {"recipe": models.METHOD, "config": dataclasses.asdict(self.config), "data": names}

    def save(self) -> None:
        """Write a checkpoint, unless a weight is no longer a number."""
        check_finite(self, {name: weight.sum() for name, weight in self.state.weights()})
        parts = {name: part.state_dict() for name, part in self.state.parts().items()}
        contents = {"description": self.description(), "step": self.step, "seconds": self.seconds, "parts": parts}
        self.checkpoints.save(contents, self.step)

    def resume(self) -> None:
        """Go on from the newest checkpoint. Raises UserError if there is none, or one of other settings or data."""
        contents = self.checkpoints.latest()
        if contents is None:
            raise UserError(f"there is no checkpoint in {self.folder}: start the run without --resume")
        check(
            contents.get("description") == self.description(),
            f"{self.folder} was begun with other settings or data: give the same, or start anew in another folder",
        )
        for name, part in self.state.parts().items():
            part.load_state_dict(contents["parts"][name])
        self.step, self.seconds = contents["step"], contents["seconds"]

    def model(self, networks: Networks | None = None) -> ShapeModel:
        """The averaged networks, or others, as a model: a copy."""
        networks = copy.deepcopy(networks or self.state.average)
        numbers = self.sampler.expressive.draw(KNOWN_CODES, generator_at(self.config.seed, 0, "known codes"))
        facts = {
            "data": [
                {"name": s.name, "licence": s.licence, "share": s.share, "faces": len(s.sets.points)}
                for s in self.sources
            ],
            "training": {"recipe": models.METHOD, "rounds": self.step, "minutes": round(self.seconds / 60, 2)},
            "still": 0.0,
        }
        model = models.new_model(
            networks, self.space, self.movements, self.linear, models.describe(self.config, **facts)
        )
        with torch.inference_mode():
            model.metadata["codes"] = np.round(networks.encoder(numbers).double().numpy(), 4).tolist()
        neutral = [source.sets.domain(True) for source in self.sources]
        moved = [model.movement(points, model.remove(points)) for points in neutral]
        model.metadata["still"] = round(max(float(np.quantile(values, NEUTRAL_SHARE)) for values in moved), 5)
        return model


def linear_estimate(neutral: Sample, expressive: Sample, noise: Floats, seed: int) -> Rest:
    """The linear estimate, from draws in which every source has its share."""
    drawn = generator_at(seed, 0, "linear estimate")
    drawn_shapes = [known.draw(_DRAWN, drawn).double().numpy() for known in (neutral, expressive)]
    return neutral_estimate.estimate(drawn_shapes[0], drawn_shapes[1], noise**2)


def new_state(spread: Floats, noise: Floats, known: Movements, config: ShapeConfig) -> State:
    """Networks as the seed makes them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        seen = [torch.tensor(values, dtype=torch.float32) for values in (spread, noise)]
        return State(build(seen[0], seen[1], known, config), config)


def train(run: Run, watch: Watch | None = None, *, progress: bool = True) -> bool:
    """Train until the last round or Ctrl-C, then write the model file. False if it was stopped early."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_process(run.folder, "train"))
        stack.enter_context(devices.single_precision())
        recorder = stack.enter_context(
            contextlib.closing(Recorder(run.folder, run.step, run.config.steps, progress=progress))
        )
        stop = watch or stack.enter_context(Interrupt())
        while run.step < run.config.steps and not stop(run.step, run.config.steps):
            started = time.perf_counter()
            terms = one_round(run)
            check_finite(run, terms)
            run.seconds += time.perf_counter() - started
            recorder.add(terms, 2 * run.config.batch)
            if run.step % run.config.log_every == 0:
                recorder.flush(run.step)
            if run.step % run.config.checkpoint_every == 0:
                run.save()
        run.save()
    models.save(run.folder / models.MODEL_FILE, run.model())
    return run.step >= run.config.steps


def one_round(run: Run) -> dict[str, Tensor]:
    """The next round; what it draws depends on the seed and its number alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator_at(run.config.seed, run.step, "views").initial_seed() >> 1)
        terms = run.state.round(run.sampler.batch(run.step), run.step)
    run.step += 1
    return terms


def check_finite(run: Run, terms: dict[str, Tensor]) -> None:
    """Raise UserError if a term is not finite, naming it."""
    try:
        base.check_finite(terms)
    except base.DivergenceError as error:
        good = f"the last good checkpoint is {run.checkpoints.newest()}"
        raise UserError(f"round {run.step}: {error}; {good}: use a lower learning rate (--set lr=...)") from None
