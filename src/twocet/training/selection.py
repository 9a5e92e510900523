"""What chooses the best checkpoint of a run: measurements on the people of the validation split, never the test one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from twocet.data.dataset import Faces, as_images
from twocet.metrics import expression_agreement, kernel_distance
from twocet.networks.interfaces import Networks
from twocet.photo.scaling import to_pixels
from twocet.readers.expression import ExpressionReader
from twocet.readers.features import FeatureReader, MobileNetReader
from twocet.runtime.devices import autocast
from twocet.training.config import Selection
from twocet.training.export import CHUNK, VALIDATION_PAIRS, pair_images, validation_gain

Measure = Callable[[Networks, Sequence[Faces], bool], float]
"""(networks, photos of the validation split, whether bfloat16 may be used) to a number."""


class Metric(NamedTuple):
    """One way to choose."""

    measure: Measure
    higher_is_better: bool
    needs_pairs: bool
    """Whether it compares a person's neutral with the same person's expressive photo."""

    def improves(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is a number and better than ``best``, the best one so far."""
        if not np.isfinite(value):
            return False
        return best is None or (value > best if self.higher_is_better else value < best)


@torch.no_grad()
def cycle_error(networks: Networks, sets: Sequence[Faces], bf16: bool) -> float:
    """|x_e - G(G(x_e, 0), E(x_e))| (Eq. 7), the mean over up to 64 expressive photos; images in [-1, 1]."""
    share = -(-VALIDATION_PAIRS // len(sets))
    photos = torch.cat([faces.expressive[:: -(-len(faces.expressive) // share)] for faces in sets])
    total = torch.zeros(())
    for chunk in torch.split(as_images(photos), CHUNK):
        with autocast(bf16):
            code = networks.encoder(chunk)
            neutral = networks.generator(chunk, torch.zeros_like(code))
            restored = networks.generator(neutral, code)
        total += (chunk - restored).abs().mean(dim=(1, 2, 3)).sum()
    return float(total / len(photos))


@torch.no_grad()
def transfer_agreement(
    networks: Networks, sets: Sequence[Faces], bf16: bool, reader: ExpressionReader | None = None
) -> float:
    """Agreement of the expressions that travel to the next person with their references, up to 64 transfers.

    Pearson correlation over the blendshapes of (output - target neutral) with (reference - its neutral), see
    ``metrics.expression_agreement``. Transfers in which a face cannot be read are left out; NaN if none can.
    """
    neutral, expressive = pair_images(sets, VALIDATION_PAIRS)
    return agreement(_transfers(networks, neutral, expressive, bf16), neutral, expressive, reader)


def agreement(made: Tensor, neutral: Tensor, expressive: Tensor, reader: ExpressionReader | None = None) -> float:
    """See :func:`transfer_agreement`: ``made`` are the expressions on the next person's face, all (n, 3, S, S)."""
    reader = reader or ExpressionReader()
    at_rest, shown = _read(reader, neutral), _read(reader, expressive)
    change = _read(reader, made) - np.roll(at_rest, 1, axis=0)
    wanted = shown - at_rest
    known = np.isfinite(change).all(axis=1) & np.isfinite(wanted).all(axis=1)
    return float(expression_agreement(change[known], wanted[known]).mean()) if known.any() else float("nan")


@torch.no_grad()
def transfer_distance(
    networks: Networks, sets: Sequence[Faces], bf16: bool, reader: FeatureReader | None = None
) -> float:
    """Kernel distance of up to 64 transfers to the next person from the expressive photos, in MobileNetV2's features.

    See ``metrics.kernel_distance``. Raises UserError where the weights are missing.
    """
    neutral, expressive = pair_images(sets, VALIDATION_PAIRS)
    return distance(_transfers(networks, neutral, expressive, bf16), expressive, reader)


def distance(made: Tensor, photos: Tensor, reader: FeatureReader | None = None) -> float:
    """See :func:`transfer_distance`; pictures (n, 3, S, S) both."""
    reader = reader or MobileNetReader()
    one, other = (
        reader.read(np.stack([to_pixels(image) for image in images])).pooled.astype(np.float64)
        for images in (made, photos)
    )
    return kernel_distance(one, other)


def _transfers(networks: Networks, neutral: Tensor, expressive: Tensor, bf16: bool) -> Tensor:
    """The expression of every photo on the neutral face of the next person; (n, 3, S, S) each."""
    outputs = []
    targets = neutral.roll(1, dims=0)
    for target, reference in zip(torch.split(targets, CHUNK), torch.split(expressive, CHUNK), strict=True):
        with autocast(bf16):
            outputs.append(networks.generator(target, networks.encoder(reference)))
    return torch.cat(outputs)


def _read(reader: ExpressionReader, images: Tensor) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.stack([reader.read(to_pixels(image)).blendshapes for image in images])


METRICS: dict[Selection, Metric] = {
    "gain": Metric(validation_gain, higher_is_better=True, needs_pairs=True),
    "cycle": Metric(cycle_error, higher_is_better=False, needs_pairs=False),
    "agreement": Metric(transfer_agreement, higher_is_better=True, needs_pairs=True),
    "kid_mobilenetv2": Metric(transfer_distance, higher_is_better=False, needs_pairs=True),
}
"""The metrics by the name they have in the configuration and, after ``validation_``, in metrics.jsonl."""
