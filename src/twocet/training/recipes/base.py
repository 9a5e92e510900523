"""What every recipe works on and must provide."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Generator, Tensor, nn

from twocet.method import ema
from twocet.method.schedules import learning_rate_factor
from twocet.networks.build import build
from twocet.networks.interfaces import Networks
from twocet.runtime import distributed
from twocet.runtime.devices import CPU
from twocet.runtime.randomness import RowGenerator, generator_at
from twocet.training.config import RunConfig, TrainConfig


class Saved(Protocol):
    """An object whose state goes into a checkpoint."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


class State(Protocol):
    """Everything that training changes."""

    @property
    def generator_optimiser(self) -> torch.optim.Optimizer:
        """The optimiser whose learning rate is logged."""
        ...

    def parts(self) -> dict[str, Saved]:
        """The objects to be saved, by name."""
        ...

    def load(self, parts: Mapping[str, Any]) -> None:
        """Take over the states of all parts."""
        ...

    def begin_round(self, step: int, steps: int | None) -> None:
        """Set what depends on the step alone."""
        ...

    def end_round(self, step: int) -> None:
        """Move the averages."""
        ...

    def weights(self) -> Iterator[Tensor]:
        """Every weight, and its average where there is one."""
        ...

    def is_finite(self) -> bool:
        """Whether all of them are numbers."""
        ...


class TrainState:
    """Everything that training changes, on ``device``: generator, encoder, their averages, their optimiser."""

    has_discriminator = False
    """Whether the networks have one."""

    def __init__(self, config: TrainConfig, device: torch.device = CPU) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        # Built on the processor, so that a seed means the same weights on every device.
        built = build(config.network, discriminator=self.has_discriminator)
        self.networks = built if device == CPU else built.to(device)
        self.average: Networks = averages(self.networks)
        generator, encoder, _ = self.networks
        groups = [
            {"params": list(generator.parameters()), "lr": config.lr},
            {"params": list(encoder.parameters()), "lr": config.lr_encoder},
        ]
        self.generator_optimiser = torch.optim.Adam(
            groups, betas=config.betas, weight_decay=config.weight_decay, fused=True
        )
        """Adam for generator and encoder together."""

    def parts(self) -> dict[str, Saved]:
        """The objects to be saved, by name."""
        return {
            **self.networks.named(),
            "average_generator": self.average.generator,
            "average_encoder": self.average.encoder,
            "generator_optimiser": self.generator_optimiser,
        }

    def load(self, parts: Mapping[str, Any]) -> None:
        """Take over the states of all parts."""
        for name, part in self.parts().items():
            part.load_state_dict(parts[name])

    def begin_round(self, step: int, steps: int | None) -> None:
        """Set the learning rates, which are functions of the step."""
        config = self.config
        factor = learning_rate_factor(step, steps, config.warm_up, config.decay)
        for group, rate in zip(self.generator_optimiser.param_groups, (config.lr, config.lr_encoder), strict=True):
            group["lr"] = rate * factor

    def end_round(self, step: int) -> None:
        """Move the averages."""
        decay = ema.decay_at(step, self.config.ema, self.config.ema_warm_up)
        ema.update(self.average.generator, self.networks.generator, decay)
        ema.update(self.average.encoder, self.networks.encoder, decay)

    def start_from(self, networks: Networks) -> None:
        """Take over the weights of ``networks`` (fine-tuning), for the averages too.

        A close-up fits one generator alone: theirs is dropped, and a new one is left as it is. So is a discriminator
        that they lack.
        """
        theirs = networks.named()
        for part, mine in self.networks.named().items():
            given = theirs[part].state_dict() if part in theirs else {}
            mine.load_state_dict({name: given.get(name, new) for name, new in mine.state_dict().items()})
        self.average = averages(self.networks)

    def weights(self) -> Iterator[Tensor]:
        """Every weight, and its average where there is one."""
        return itertools.chain.from_iterable(
            m.parameters() for m in (*self.networks.named().values(), *self.average[:2])
        )

    def is_finite(self) -> bool:
        """Whether every weight, averaged or not, is a number."""
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.weights())


class AdversarialState(TrainState):
    """As :class:`TrainState`, with a discriminator and its optimiser."""

    has_discriminator = True

    def __init__(self, config: TrainConfig, device: torch.device = CPU) -> None:
        super().__init__(config, device)
        self.discriminator_optimiser = torch.optim.Adam(
            self.networks.discriminator.parameters(),
            lr=config.lr_discriminator,
            betas=config.betas_discriminator,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def parts(self) -> dict[str, Saved]:
        """The objects to be saved, by name."""
        return {**super().parts(), "discriminator_optimiser": self.discriminator_optimiser}

    def begin_round(self, step: int, steps: int | None) -> None:
        """Set the learning rates, which are functions of the step."""
        super().begin_round(step, steps)
        factor = learning_rate_factor(step, steps, self.config.warm_up, self.config.decay)
        self.discriminator_optimiser.param_groups[0]["lr"] = self.config.lr_discriminator * factor


def averages(networks: Networks) -> Networks:
    """Copies of generator and encoder that need no gradient; the discriminator is the same object."""
    generator, encoder = (copy.deepcopy(m).eval().requires_grad_(False) for m in networks[:2])
    return networks._replace(generator=generator, encoder=encoder)


B = TypeVar("B", bound=tuple[Any, ...])
S = TypeVar("S", contravariant=True)

Draw = Callable[[], B]


class Recipe(Protocol[S, B]):
    """One way to train. Everything random in it comes from (seed, step); schedules depend on the step alone.

    ``S`` is the state it changes, ``B`` its mini-batches: NamedTuples of tensors whose rows belong together.
    """

    num_batches: int
    """How often a round calls ``draw``."""

    def augment(self, batch: B, generator: Generator) -> B:
        """Change the photos of a mini-batch at random; runs in the loader's thread."""
        ...

    def round(self, state: S, draw: Draw[B], step: int) -> dict[str, Tensor]:
        """Train the networks of ``state`` with ``num_batches`` mini-batches; the terms to be logged, detached."""
        ...


def step_optimiser(optimiser: torch.optim.Optimizer, totals: Iterable[Tensor], summands: int = 1) -> None:
    """One optimiser step down the gradient of the mean of ``totals`` and of those of all other processes.

    The totals are those of the pieces of this process's rows, each in ``summands`` parts that follow each other; given
    as an iterator, each is made when the one before has been differentiated, so that its graph is gone.
    """
    step_together([optimiser], totals, summands)


def step_together(optimisers: Sequence[torch.optim.Optimizer], totals: Iterable[Tensor], summands: int = 1) -> None:
    """``step_optimiser`` for the parameters of several optimisers."""
    count = 0
    for total in totals:
        total.backward()  # type: ignore[no-untyped-call]
        count += 1
    groups = [group for optimiser in optimisers for group in optimiser.param_groups]
    distributed.average_gradients((p for group in groups for p in group["params"]), count // summands)
    for optimiser in optimisers:
        optimiser.step()
        # Right away: the other networks' step needs the memory.
        optimiser.zero_grad(set_to_none=True)


def pieces(batch: B, config: RunConfig, number: int, purpose: str) -> list[tuple[B, RowGenerator]]:
    """``batch``, this process's rows of mini-batch ``number``, in ``config.accumulate`` pieces.

    Each comes with a generator that draws for its rows what it would draw for them in the whole mini-batch.
    """
    count, share = config.accumulate, distributed.share()
    parts = zip(*(rows.chunk(count) for rows in batch), strict=True)
    return [
        (type(batch)(*part), generator_at(config.seed, number, purpose, share.piece(k, count)))
        for k, part in enumerate(parts)
    ]


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the parameters of ``network`` inside the block."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def mean_terms(batches: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of every term over the mini-batches that have it."""
    values: dict[str, list[Tensor]] = {}
    for terms in batches:
        for name, term in terms.items():
            values.setdefault(name, []).append(term)
    return {name: torch.stack(terms).mean() for name, terms in values.items()}
