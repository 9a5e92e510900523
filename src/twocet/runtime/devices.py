"""Where the networks run: what ``--device`` means, and bfloat16 where the processor has it."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from twocet.errors import UserError

CPU = torch.device("cpu")

if hasattr(os, "register_at_fork"):
    # The threads that torch shares its work among are the parent's: a forked child would wait for them for ever.
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))

_P = ParamSpec("_P")
_T = TypeVar("_T")


def find(name: str) -> torch.device:
    """The device called ``name``: cpu, cuda, cuda:N or mps.

    In a process that a launcher started (see ``ranks``), cuda is the card with the process's number on its machine.
    Raises UserError when there is no such device, or this build of PyTorch cannot use it.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type == "cpu":
        return CPU
    if device.type == "cuda":
        return _card(name, device.index)
    if device.type != "mps":
        raise UserError(f"there is no device {name!r}: use cpu, cuda, cuda:0 (1, 2, ...) or mps")
    if not torch.backends.mps.is_available():
        raise UserError("the device mps is for Apple's processors, and PyTorch finds none here: use cpu")
    return torch.device("mps:0")


def _card(name: str, index: int | None) -> torch.device:
    if not torch.cuda.is_available():
        reason = "finds no card and driver" if torch.version.cuda else "was built without CUDA"
        raise UserError(f"{name} cannot be used, because PyTorch {torch.__version__} {reason}: use device=cpu")
    index = int(os.environ.get("LOCAL_RANK", "0")) if index is None else index
    count = torch.cuda.device_count()
    if index >= count:
        raise UserError(f"there is no cuda:{index}: this machine's {count} cards are cuda:0 to cuda:{count - 1}")
    return torch.device("cuda", index)


def on(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Inside the block new tensors are made on ``device``, which is what :func:`here` returns, in this thread alone."""
    return contextlib.nullcontext() if device == here() else device


def on_processor(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """``function`` with :func:`on` the processor, whatever the caller's default device is."""

    @functools.wraps(function)
    def there(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with on(CPU):
            return function(*args, **kwargs)

    return there


@contextlib.contextmanager
def single_precision() -> Iterator[None]:
    """New tensors are float32 inside the block, whatever the caller's default is: of the whole process, all threads."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def here() -> torch.device:
    """The device of the innermost :func:`on`; the processor outside of all."""
    try:
        return torch.get_default_device()
    except AttributeError:  # torch 2.7, after set_default_device(None)
        return CPU


def sent(values: Tensor) -> Tensor:
    """``values`` on the device of :func:`on`; the processor does not wait until a card has them."""
    device = here()
    if device.type == "cuda" and values.device == CPU:
        # Only from pinned memory is a copy made beside other work.
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device, non_blocking=device.type == "meta")


def tune(device: torch.device) -> None:
    """Before training on a card: TensorFloat-32 for float32, and the quickest of cuDNN's algorithms for each shape."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = True
        torch.set_float32_matmul_precision("high")


def wait(device: torch.device) -> None:
    """Return when ``device`` has done all it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def room(device: torch.device) -> int:
    """Bytes that are free on a card; none on other devices."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


class Lane:
    """Work of one thread on a card beside that of another: inside the block it goes to a stream of its own.

    On other devices it changes nothing.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._block: contextlib.AbstractContextManager[object] = contextlib.nullcontext()

    def __enter__(self) -> None:
        if self._stream is not None:
            self._block = torch.cuda.stream(self._stream)
        self._block.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._block.__exit__(*error)

    def hand_over(self, made: Iterable[Tensor]) -> None:
        """In the other thread, before it uses what was made inside the block; the card waits and the processor not."""
        if self._stream is not None:
            current = torch.cuda.current_stream(self._stream.device)
            current.wait_stream(self._stream)
            for values in made:
                values.record_stream(current)


def autocast(enabled: bool) -> torch.autocast:
    """bfloat16 for convolutions and linear layers, if ``enabled`` and the device of :func:`on` has instructions for it.

    Devices without them go on in float32.
    """
    kind = here().type
    used = enabled and _has_bfloat16(kind)
    # Not every kind of device knows autocast, even one that is switched off.
    return torch.autocast(kind if used else "cpu", torch.bfloat16, enabled=used)


def _has_bfloat16(kind: str) -> bool:
    known = {"cuda": torch.cuda.is_bf16_supported, "cpu": torch.cpu._is_avx512_bf16_supported}
    return kind in known and bool(known[kind]())
