"""Several processes (ranks) that train one model together, started by ``torchrun`` or ``accelerate launch``.

Every rank holds all networks and works on its share of the rows of every mini-batch; gradients are averaged before
each optimiser step, so that the ranks stay equal. Rank 0 (the lead) writes all files. In a single process everything
here does nothing.

Hugging Face Accelerate joins the processes and carries what they tell each other. It is imported where it is needed,
because it comes with an extra (``twocet[distributed]``) that a single process can do without.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from twocet.errors import UserError
from twocet.runtime.randomness import WHOLE, Share

T = TypeVar("T")

INSTALL = "pip install 'twocet[distributed]'"
_share = WHOLE


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the other processes if a launcher started this one, and leave them at the end.

    They talk through gloo about what is on the processor, and through NCCL about what is on a card. Raises UserError
    if Accelerate is not installed or the others cannot be reached.
    """
    global _share
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
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
    _share = Share(state.process_index, state.num_processes)
    try:
        yield
    finally:
        _share = WHOLE
        state.destroy_process_group()


def share() -> Share:
    """The share of every mini-batch this process works on: all of it, or one part per rank."""
    return _share


def is_lead() -> bool:
    """Whether this process writes the files."""
    return share().part == 0


def threads_here(threads: int) -> int:
    """Threads for this process when all processes on this machine have ``threads``; at least one."""
    return max(1, threads // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


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


def from_lead(make: Callable[[], T]) -> T:
    """What ``make`` returns on the lead, on every rank; a UserError raised there is raised everywhere."""
    if share().parts == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    made: list[Any] = [None, None]
    if is_lead():
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


def same_as_lead(tensors: Iterable[Tensor]) -> None:
    """Give the tensors of every rank the lead's values, in place."""
    if share().parts == 1:
        return
    from accelerate.utils import broadcast

    with _together():
        broadcast([tensor.detach() for tensor in tensors])


def mean_of_all(values: Tensor) -> Tensor:
    """The mean of ``values`` (without a gradient) over the ranks; the same on all of them."""
    return values if share().parts == 1 else _reduced(values.detach(), "mean")


def _reduced(values: Tensor, how: Literal["mean", "sum"]) -> Tensor:
    from accelerate.utils import reduce

    with _together():
        result: Tensor = reduce(values, how)
    return result


def average_gradients(parameters: Iterable[Tensor], pieces: int) -> None:
    """Turn sums over ``pieces`` backward passes on every rank into the mean over all of them.

    All gradients travel in one buffer and stay in it, so that none is copied back.
    """
    if share().parts * pieces == 1:
        return
    found = [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for _, gradient in found])
    mean = mean_of_all(flat.div_(pieces) if pieces > 1 else flat)
    parts = torch.split(mean, [gradient.numel() for _, gradient in found])
    for (parameter, gradient), part in zip(found, parts, strict=True):
        parameter.grad = part.view_as(gradient)


def of_all(rows: Tensor) -> Tensor:
    """The rows (N, ...) of all ranks, (ranks * N, ...), in the order of the batch; gradients find their way back."""
    if share().parts == 1:
        return rows
    gathered: Tensor = _Gathered.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


class _Gathered(torch.autograd.Function):
    """Every rank's total depends on the rows of all ranks, so each rank gets the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        part, parts = share()
        everyone = rows.new_zeros(parts, *rows.shape)
        everyone[part] = rows
        # Accelerate's gather would put the result on a card wherever the machine has one.
        return _reduced(everyone, "sum").flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return share().of(_reduced(gradients[0], "sum"))
