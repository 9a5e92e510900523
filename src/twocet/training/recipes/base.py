"""What every recipe works on and must provide."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Generator, Tensor, nn

from twocet.errors import UserError
from twocet.method import ema
from twocet.method.losses import Objective
from twocet.method.schedules import learning_rate_factor
from twocet.networks.build import build
from twocet.networks.interfaces import Networks
from twocet.runtime.devices import CPU
from twocet.runtime.distributed import Ranks
from twocet.runtime.randomness import RowGenerator, generator_at
from twocet.training.config import EncoderConfig, ModelConfig, RunConfig
from twocet.training.recipes.configs import CloseUpConfig, CyclesConfig, PairsConfig


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


class Trained(NamedTuple):
    """A network that an optimiser changes."""

    network: nn.Module
    rate: float
    """Learning rate, before warm-up and decay."""


class TrainState:
    """Networks, the averages of generator and encoder, and the optimiser of what is trained for the generator's sake.

    See :func:`pair_state`, and :class:`JudgedState` where something judges them.
    """

    def __init__(self, config: ModelConfig, networks: Networks, trained: Sequence[Trained]) -> None:
        self.config, self.networks, self.trained = config, networks, trained
        self.average: Networks = averages(networks)
        groups = [{"params": list(network.parameters()), "lr": rate} for network, rate in trained]
        self.generator_optimiser = torch.optim.Adam(
            groups, betas=config.betas, weight_decay=config.weight_decay, fused=True
        )

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
        factor = learning_rate_factor(step, steps, self.config.warm_up, self.config.decay)
        for group, (_, rate) in zip(self.generator_optimiser.param_groups, self.trained, strict=True):
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
        averaged = self.average.generator, self.average.encoder
        return itertools.chain.from_iterable(m.parameters() for m in (*self.networks.named().values(), *averaged))

    def is_finite(self) -> bool:
        """Whether every weight, averaged or not, is a number."""
        return bool(torch.stack([torch.isfinite(tensor).all() for tensor in self.weights()]).all())


class JudgedState(TrainState):
    """As :class:`TrainState`, with a discriminator and its optimiser."""

    def __init__(
        self,
        config: CyclesConfig | CloseUpConfig,
        networks: Networks,
        trained: Sequence[Trained],
        discriminator: Any,
        saved_as: str = "discriminator",
    ) -> None:
        """``saved_as`` is the discriminator's name in checkpoints."""
        super().__init__(config, networks, trained)
        self.discriminator, self.saved_as, self.rate = (
            discriminator,
            saved_as,
            rate_or(config.lr_discriminator, config.lr),
        )
        self.discriminator_optimiser = torch.optim.Adam(
            discriminator.parameters(),
            lr=self.rate,
            betas=config.betas_discriminator,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def parts(self) -> dict[str, Saved]:
        """The objects to be saved, by name."""
        own: dict[str, Saved] = {
            self.saved_as: self.discriminator,
            "discriminator_optimiser": self.discriminator_optimiser,
        }
        return super().parts() | own

    def begin_round(self, step: int, steps: int | None) -> None:
        """Set the learning rates, which are functions of the step."""
        super().begin_round(step, steps)
        factor = learning_rate_factor(step, steps, self.config.warm_up, self.config.decay)
        self.discriminator_optimiser.param_groups[0]["lr"] = self.rate * factor

    def weights(self) -> Iterator[Tensor]:
        """Every weight, and its average where there is one."""
        yield from super().weights()
        if self.networks.discriminator is None:
            yield from self.discriminator.parameters()


def new_networks(config: RunConfig, device: torch.device, *, discriminator: bool) -> Networks:
    """The networks of ``config`` with the weights its seed means, which are the same on every device."""
    torch.manual_seed(config.seed)
    built = build(config.network, discriminator=discriminator)
    return built if device == CPU else built.to(device)


def pair_state(config: PairsConfig, device: torch.device = CPU) -> TrainState:
    """Generator and encoder, trained together."""
    networks = new_networks(config, device, discriminator=False)
    return TrainState(config, networks, together(networks, config))


def adversarial_state(config: CyclesConfig, device: torch.device = CPU) -> JudgedState:
    """Generator and encoder, trained together against the discriminator."""
    networks = new_networks(config, device, discriminator=True)
    return JudgedState(config, networks, together(networks, config), networks.discriminator)


def together(networks: Networks, config: EncoderConfig) -> list[Trained]:
    """Generator and encoder with their learning rates; for an encoder that stays as it is no gradients are made."""
    rate = rate_or(config.lr_encoder, config.lr)
    networks.encoder.requires_grad_(rate > 0)
    return [Trained(networks.generator, config.lr), Trained(networks.encoder, rate)]


def rate_or(own: float | None, generators: float) -> float:
    """A network's learning rate: its own, or that of the generator where it has none."""
    return generators if own is None else own


def averages(networks: Networks) -> Networks:
    """Copies of generator and encoder that need no gradient; the discriminator is the same object."""
    generator, encoder = (
        copy.deepcopy(network).eval().requires_grad_(False) for network in (networks.generator, networks.encoder)
    )
    return networks._replace(generator=generator, encoder=encoder)


B = TypeVar("B", bound=tuple[Any, ...])
S = TypeVar("S", contravariant=True)

Draw = Callable[[], B]
Terms = dict[str, Tensor]
"""What is logged of an objective, by name, detached."""


class Recipe(Protocol[S, B]):
    """One way to train. Everything random in it comes from (seed, step); schedules depend on the step alone.

    ``S`` is the state it changes, ``B`` its mini-batches: NamedTuples of tensors whose rows belong together.
    """

    num_batches: int
    """How often a round calls ``draw``."""

    def augment(self, batch: B, generator: Generator) -> B:
        """Change the photos of a mini-batch at random; runs in the loader's thread."""
        ...

    def round(self, state: S, draw: Draw[B], step: int) -> Terms:
        """Train the networks of ``state`` with ``num_batches`` mini-batches; the terms to be logged."""
        ...


def pieces(batch: B, config: RunConfig, number: int, purpose: str, ranks: Ranks) -> list[tuple[B, RowGenerator]]:
    """``batch``, this process's rows of mini-batch ``number``, in ``config.accumulate`` pieces.

    Each comes with a generator that draws for its rows what it would draw for them in the whole mini-batch.
    """
    count = config.accumulate
    parts = zip(*(rows.chunk(count) for rows in batch), strict=True)
    return [
        (type(batch)(*part), generator_at(config.seed, number, purpose, ranks.share.piece(k, count)))
        for k, part in enumerate(parts)
    ]


def weighted_sum(terms: Mapping[str, tuple[float, Tensor]]) -> Objective:
    """The objective that is the sum of weight times term."""
    first, *others = (weight * term for weight, term in terms.values())
    total = sum(others, start=first)
    return Objective(total, {name: term.detach() for name, (_, term) in terms.items()})


class DivergenceError(UserError):
    """Training has left the finite numbers."""


def check_finite(terms: Mapping[str, Tensor]) -> None:
    """Raises DivergenceError if a term is not finite, naming it."""
    if not torch.isfinite(torch.stack([term.detach() for term in terms.values()])).all():
        bad = [f"{name} is {float(term.detach())}" for name, term in terms.items() if not term.isfinite()]
        raise DivergenceError(", ".join(bad))


def backward(objective: Objective) -> Terms:
    """Add the gradients of its total to those of the parameters; its graph is freed. Returns its terms.

    Raises DivergenceError on the processor if they are not finite: ``grid_sample`` reads outside of its image there,
    going back from what is no number. On a card the loop looks now and then, because every look waits for the card.
    """
    if objective.total.device == CPU:
        check_finite({**objective.terms, "the objective": objective.total})
    objective.total.backward()  # type: ignore[no-untyped-call]
    return objective.terms


def descend(optimisers: Sequence[torch.optim.Optimizer], pieces: int, ranks: Ranks) -> None:
    """One step of every optimiser down the mean of the gradients over the ``pieces`` of all processes."""
    groups = [group for optimiser in optimisers for group in optimiser.param_groups]
    ranks.average_gradients((parameter for group in groups for parameter in group["params"]), pieces)
    for optimiser in optimisers:
        optimiser.step()
        # Right away: the other networks' step needs the memory.
        optimiser.zero_grad(set_to_none=True)


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the parameters of ``network`` inside the block."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def mean_terms(batches: Iterable[Terms]) -> Terms:
    """The mean of every term over the mini-batches that have it."""
    values: dict[str, list[Tensor]] = {}
    for terms in batches:
        for name, term in terms.items():
            values.setdefault(name, []).append(term)
    return {name: torch.stack(terms).mean() for name, terms in values.items()}
