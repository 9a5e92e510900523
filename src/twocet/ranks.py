"""Several processes (ranks) that train one model together, started by ``torchrun``.

Every rank holds all networks and works on its share of the rows of every mini-batch; gradients are averaged before
each optimiser step, so that the ranks stay equal. Rank 0 (the lead) writes all files. In a single process everything
here does nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from twocet.errors import UserError
from twocet.randomness import WHOLE, Share

T = TypeVar("T")


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the other processes if ``torchrun`` started this one, and leave them at the end.

    They talk through gloo about what is on the processor, and through NCCL about what is on a card.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    with _together():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def share() -> Share:
    """The share of every mini-batch this process works on: all of it, or one part per rank."""
    if not distributed.is_initialized():
        return WHOLE
    return Share(distributed.get_rank(), distributed.get_world_size())


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
            "go on from the last checkpoint with the same torchrun command and --resume"
        ) from None


def from_lead(make: Callable[[], T]) -> T:
    """What ``make`` returns on the lead, on every rank; a UserError raised there is raised everywhere."""
    if not distributed.is_initialized():
        return make()
    made: list[Any] = [None, None]
    if is_lead():
        try:
            made[0] = make()
        except UserError as error:
            made[1] = str(error)
    with _together():
        distributed.broadcast_object_list(made)
    if made[1] is not None:
        raise UserError(made[1])
    result: T = made[0]
    return result


def same_as_lead(tensors: Iterable[Tensor]) -> None:
    """Give the tensors of every rank the lead's values, in place, and wait until all ranks have them."""
    if distributed.is_initialized():
        with _together():
            for tensor in tensors:
                distributed.broadcast(tensor.data, 0)
            distributed.barrier()


def mean_of_all(values: Tensor) -> Tensor:
    """The mean of ``values`` (without a gradient) over the ranks; the same on all of them."""
    if not distributed.is_initialized():
        return values
    total = values.detach().clone()
    with _together():
        distributed.all_reduce(total)
    return total / share().parts


def average_gradients(parameters: Iterable[Tensor], pieces: int) -> None:
    """Turn sums over ``pieces`` backward passes on every rank into the mean over all of them, in place."""
    count = share().parts * pieces
    if count == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients]) / count
    if distributed.is_initialized():
        with _together():
            distributed.all_reduce(flat)
    for gradient, mean in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


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
        parts = [torch.empty_like(rows) for _ in range(share().parts)]
        with _together():
            distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        with _together():
            distributed.all_reduce(total)
        return share().of(total)
