"""Random numbers as a function of (seed, step, purpose): nothing to save, nothing to restore."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from twocet.runtime import devices


class Share(NamedTuple):
    """One of ``parts`` equal parts of a batch's rows: what one process of several works on, or a piece of that."""

    part: int = 0
    parts: int = 1

    def of(self, rows: Tensor) -> Tensor:
        """This share of ``rows`` (N, ...), N a multiple of ``parts``."""
        return rows.tensor_split(self.parts)[self.part]

    def piece(self, number: int, pieces: int) -> Share:
        """Piece ``number`` of ``pieces`` of this share."""
        return Share(self.part * pieces + number, self.parts * pieces)


WHOLE = Share()


class RowGenerator(Generator):
    """A CPU generator for the rows of ``share``; see :func:`rows`."""

    share: Share = WHOLE


def generator_at(seed: int, step: int, purpose: str, share: Share = WHOLE) -> RowGenerator:
    """A CPU generator that depends on its arguments alone; different purposes are independent streams.

    All shares of a batch have the same stream: :func:`rows` gives each of them its own numbers of it.
    """
    words = np.random.SeedSequence([seed, step, zlib.crc32(purpose.encode())]).generate_state(2, np.uint32)
    generator = RowGenerator()
    generator.manual_seed(int(words[0]) << 32 | int(words[1]))
    generator.share = share
    return generator


def rows(draw: Callable[..., Tensor], num: int, *shape: int, generator: Generator) -> Tensor:
    """``num`` rows of random numbers from ``draw`` (torch.rand or torch.randn): (num, *shape) float32.

    They are drawn on the processor, the same for every device, and put on the device of ``devices.on``.
    For a share of a batch the numbers of the whole batch are drawn and the others dropped, so that it does not
    matter into how many shares a batch is divided.
    """
    share = generator.share if isinstance(generator, RowGenerator) else WHOLE
    whole = draw(num * share.parts, *shape, generator=generator, device="cpu", dtype=torch.float32)
    return devices.sent(share.of(whole))
