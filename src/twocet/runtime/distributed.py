"""Several processes (ranks) that train one model together, started by ``torchrun`` or ``accelerate launch``.

Every rank holds all networks and works on its share of the rows of every mini-batch; gradients are averaged before
each optimiser step, so that the ranks stay equal. Rank 0 writes all files. Whoever needs the other ranks is given a
:class:`Ranks`; in a single process, ``ALONE``, all its methods do nothing.

Hugging Face Accelerate joins the processes and carries what they tell each other. It is imported where it is needed,
because it comes with an extra (``twocet[distributed]``) that a single process can do without.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from twocet.errors import UserError
from twocet.runtime.processes import num_cores
from twocet.runtime.randomness import WHOLE, Share

T = TypeVar("T")

INSTALL = "pip install 'twocet[distributed]'"


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together."""

    share: Share = WHOLE
    """The share of every mini-batch this process works on: all of it, or one part per rank."""

    @property
    def is_rank_0(self) -> bool:
        """Whether this process writes the files."""
        return self.share.part == 0

    def from_rank_0(self, make: Callable[[], T]) -> T:
        """What ``make`` returns on rank 0, on every rank; a UserError raised there is raised everywhere."""
        if self.share.parts == 1:
            return make()
        from accelerate.utils import broadcast_object_list

        made: list[Any] = [None, None]
        if self.is_rank_0:
            try:
                made[0] = make()
            except UserError as error:
                made[1] = str(error)
        with _together():
            broadcast_object_list(made)
        if made[1] is not None:
            raise UserError(made[1])
        result: T = made[0]
        return result

    def rank_0_first(self, make: Callable[[], T]) -> T:
        """What ``make`` returns on every rank; the others wait until rank 0 has made it, and its files are there."""
        if self.share.parts == 1:
            return make()
        kept: list[T] = []
        self.from_rank_0(lambda: kept.append(make()))
        return kept[0] if kept else make()

    def same_as_rank_0(self, tensors: Iterable[Tensor]) -> None:
        """Give the tensors of every rank the values of rank 0, in place."""
        if self.share.parts == 1:
            return
        from accelerate.utils import broadcast

        with _together():
            broadcast([tensor.detach() for tensor in tensors])

    def mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` (without a gradient) over the ranks; the same on all of them."""
        return values if self.share.parts == 1 else _reduced(values.detach(), "mean")

    def average_gradients(self, parameters: Iterable[Tensor], pieces: int) -> None:
        """Turn sums over ``pieces`` backward passes on every rank into the mean over all of them.

        All gradients travel in one buffer and stay in it, so that none is copied back.
        """
        if self.share.parts * pieces == 1:
            return
        found = [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for _, gradient in found])
        mean = self.mean(flat.div_(pieces) if pieces > 1 else flat)
        parts = torch.split(mean, [gradient.numel() for _, gradient in found])
        for (parameter, gradient), part in zip(found, parts, strict=True):
            parameter.grad = part.view_as(gradient)

    def all_rows(self, rows: Tensor) -> Tensor:
        """The rows (N, ...) of all ranks, (ranks * N, ...), in the order of the batch, with their gradients."""
        if self.share.parts == 1:
            return rows
        gathered: Tensor = _Gathered.apply(rows, self.share)  # type: ignore[no-untyped-call]
        return gathered


ALONE = Ranks()
"""A single process."""


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Join the other processes if a launcher started this one, and leave them at the end.

    They talk through gloo about what is on the processor, and through NCCL about what is on a card. Raises UserError
    if Accelerate is not installed or the others cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    try:
        from accelerate import PartialState
    except ImportError:
        raise UserError(f"training in several processes needs Hugging Face Accelerate: {INSTALL}") from None
    # Where this is not set Accelerate decides about threads, with a warning; here the setting threads does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cards = torch.cuda.is_available()
    with _together():
        state = PartialState(backend="cpu:gloo,cuda:nccl") if cards else PartialState(cpu=True)
    try:
        yield Ranks(Share(state.process_index, state.num_processes))
    finally:
        state.destroy_process_group()


def threads_here(threads: int) -> int:
    """Threads for this process when all on this machine have ``threads``: at least one, and not more than cores."""
    return max(1, min(threads, num_cores()) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Around everything that needs the other processes: say it clearly when one has gone."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:160]
        raise UserError(
            f"another process of this run has ended or cannot be reached ({reason}): this one stops too; "
            "go on from the last checkpoint with the same command and --resume"
        ) from None


def _reduced(values: Tensor, how: Literal["mean", "sum"]) -> Tensor:
    from accelerate.utils import reduce

    with _together():
        result: Tensor = reduce(values, how)
    return result


class _Gathered(torch.autograd.Function):
    """Every rank's total depends on the rows of all ranks, so each rank gets the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, share: Share) -> Tensor:
        ctx.share = share
        everyone = rows.new_zeros(share.parts, *rows.shape)
        everyone[share.part] = rows
        # Accelerate's gather would put the result on a card wherever the machine has one.
        return _reduced(everyone, "sum").flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        share: Share = ctx.share
        return share.of(_reduced(gradients[0], "sum")), None
