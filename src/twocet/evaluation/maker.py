"""Pictures in, pictures out: the model that is measured, working in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from twocet.model.interface import Encodes, ExpressionModel, Neutralizes, Samples
from twocet.photo import scaling
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats

BATCH = 16
BLOCK = 64
"""Pictures that are made before they are measured and forgotten."""


class Maker(NamedTuple):
    """A model on its device. Pictures are (N, S, S, 3) everywhere."""

    model: ExpressionModel
    device: str = "cpu"

    def transfer(
        self, targets: Pixels, references: Pixels, labels: Sequence[str] | None = None, strength: float = 1.0
    ) -> Pixels:
        """The targets with the references' expressions."""

        def make(rows: slice) -> Tensor:
            given = labels[rows] if labels is not None else None
            return self.model.transfer(self._image(targets[rows]), self._image(references[rows]), strength, given)

        return self._pictures(make, len(targets))

    def neutralize(self, pictures: Pixels) -> Pixels:
        """The pictures without expressions; the model must be able to."""
        model = self.model
        assert isinstance(model, Neutralizes)
        return self._pictures(lambda rows: model.neutralize(self._image(pictures[rows])), len(pictures))

    def sample(self, targets: Pixels, generator: torch.Generator) -> Pixels:
        """The targets with random expressions; the model must be able to."""
        model = self.model
        assert isinstance(model, Samples)
        return self._pictures(lambda rows: model.sample(self._image(targets[rows]), generator), len(targets))

    def restore(self, pictures: Pixels, labels: Sequence[str] | None = None) -> Pixels:
        """The pictures made neutral and given their own expression again (the cycle of Eq. 7)."""
        model = self.model
        assert isinstance(model, Neutralizes)

        def make(rows: slice) -> Tensor:
            image = self._image(pictures[rows])
            return self.model.transfer(model.neutralize(image), image, 1.0, labels[rows] if labels else None)

        return self._pictures(make, len(pictures))

    def encode(self, pictures: Pixels) -> Floats:
        """The pictures' codes (N, d); the model must have codes."""
        model = self.model
        assert isinstance(model, Encodes)
        with torch.inference_mode():
            codes = [model.encode(self._image(pictures[rows])) for rows in blocks(len(pictures), BATCH)]
        return torch.cat(codes).double().cpu().numpy()

    def _image(self, pictures: Pixels) -> Tensor:
        return scaling.to_image(pictures).to(self.device)

    def _pictures(self, make: Callable[[slice], Tensor], count: int) -> Pixels:
        with torch.inference_mode():
            return np.stack([scaling.to_pixels(image) for rows in blocks(count, BATCH) for image in make(rows)])


def blocks(count: int, size: int = BLOCK, *, title: str | None = None) -> Iterator[slice]:
    """Parts of ``count`` things; with a title, under a progress bar on standard error."""
    with tqdm(total=count, desc=title, unit="face", disable=None if title else True) as bar:
        for start in range(0, count, size):
            rows = slice(start, min(start + size, count))
            yield rows
            bar.update(rows.stop - rows.start)
