"""The recipes ``landmarks`` and ``unpaired``: landmarks say how faces move, and expressions are transplanted.

Where it is known who is who, a person's two photos are compared, and the expression of each is transplanted to another
person (``landmarks``, see ``pairs.transplant``); where nobody is known, the neutral photo of each pair is estimated
(``unpaired``, see ``pairs.unpaired``). Codes are read from the photos the expressions come from. No emotion label is
used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Generator, Tensor
from torch.nn import functional

from twocet.data.dataset import DatasetFolder, Faces
from twocet.method.losses import Objective
from twocet.networks.edit import reduced
from twocet.networks.interfaces import Networks
from twocet.pairs import landmark_table, losses, transplant, unpaired
from twocet.runtime.distributed import ALONE, Ranks
from twocet.training import augment
from twocet.training.method import TwoCet
from twocet.training.recipes.base import (
    Draw,
    Terms,
    TrainState,
    backward,
    descend,
    mean_terms,
    pair_state,
    pieces,
    weighted_sum,
)
from twocet.training.recipes.configs import LandmarksConfig
from twocet.training.recipes.fast import Outputs, code_terms, outputs, sketches, unexplained, unsketched
from twocet.training.sampler import Transplanted, TransplantSampler

SMALL_MOVEMENT = 0.001
"""Movements of this many sides of the crop, in the mean square over all pixels, hardly show."""


def method(
    config: LandmarksConfig, datasets: Sequence[DatasetFolder], folder: Path, ranks: Ranks
) -> TwoCet[Transplanted]:
    """What trains the recipes."""

    def prepare(
        train: Sequence[Faces], validation: Sequence[Faces], *, progress: bool
    ) -> tuple[Sequence[Faces], Sequence[Faces]]:
        transplant.check_ready()
        tables = [landmark_table.shared_meshes(data, folder, config.threads, ranks) for data in datasets]
        if config.recipe == "unpaired":
            return unpaired.prepare(train, validation, tables, config.zero_edits, progress=progress)
        return transplant.prepare(train, tables, config.zero_edits, progress=progress), validation

    return TwoCet(
        config,
        LandmarksRecipe(config, ranks),
        lambda device: pair_state(config, device),
        lambda sets, mix: TransplantSampler(sets, mix, config.batch, config.seed),
        prepare,
    )


class LandmarksRecipe:
    """One mini-batch a round: a step of generator and encoder."""

    num_batches = 1

    def __init__(self, config: LandmarksConfig, ranks: Ranks = ALONE) -> None:
        self.config, self.ranks = config, ranks

    def augment(self, batch: Transplanted, generator: Generator) -> Transplanted:
        """The same flip, place and light for all photos of a row; its flow and its mouth change as the photos do."""
        num = len(batch.neutral)
        images = [batch.neutral, batch.expressive, batch.reference]
        flow, mouth = batch.flow, batch.mouth
        if self.config.coarse:
            images = [reduced(image, self.config.network.coarse_size) for image in images]
        mirrored = augment.coin(0.5, num, generator)
        images = [augment.flip(image, mirrored) for image in images]
        flow, mouth = augment.flip_flow(flow, mirrored), augment.flip(mouth, mirrored)
        if self.config.moved:
            affine = augment.similarity(num, generator)
            images = [augment.resample(image, affine) for image in images]
            flow, mouth = augment.resample_flow(flow, affine), augment.resample(mouth, affine)
        neutral, expressive, reference = augment.photometric(images, generator)
        return Transplanted(neutral, expressive, reference, flow, mouth, batch.supervised)

    def round(self, state: TrainState, draw: Draw[Transplanted], step: int) -> Terms:
        """One mini-batch."""
        parts = pieces(draw(), self.config, step, "fast", self.ranks)
        terms = []
        for batch, generator in parts:
            made = outputs(state.networks, batch, self.config, generator, step, self.ranks)
            terms.append(backward(self.objective(state.networks, batch, made, step)))
        descend([state.generator_optimiser], len(parts), self.ranks)
        return mean_terms(terms)

    def objective(self, networks: Networks, batch: Transplanted, made: Outputs, step: int) -> Objective:
        """What generator and encoder minimise."""
        config = self.config
        supervised = batch.supervised.float()
        # Rows that teach movement alone are asked for no pixels.
        compared = partial(unexplained, config, weight=supervised)
        terms = {
            "pair_expressive": (1.0, compared(batch.expressive, made.restored, batch.neutral)),
            "pair_neutral": (1.0, compared(batch.neutral, made.neutralised, batch.expressive)),
            "painted": (config.painted, (made.painted * supervised).mean()),
            **code_terms(config, made, step),
        }
        if sketches(config):
            movement = sketched_movement(batch.flow, networks.encoder.sketch_side)
            terms["unsketched"] = (config.sketch, unsketched(networks.encoder, movement, made.encoded, self.ranks))
        flow_error = losses.flow_error(*equally_fine(batch.flow, made.flow), floor=SMALL_MOVEMENT)
        open_mouths, mask = equally_fine(batch.mouth, made.mask)
        shown = supervised[:, None, None, None].expand_as(mask)
        terms["flow_error"] = (config.moving, flow_error)
        terms["mouths"] = (config.mouths, functional.binary_cross_entropy(mask, open_mouths, weight=shown))
        return weighted_sum(terms)


def sketched_movement(flow: Tensor, side: int) -> Tensor:
    """What the encoder's sketch shall show where movements are known, (N, 1, side, side), in tenths of the crop.

    The first pass of ``flow`` (N, 4, k, k): to the right and, below that, downwards, each squeezed to half the height.
    """
    return 10 * functional.adaptive_avg_pool2d(flow[:, :2], (side // 2, side)).reshape(-1, 1, side, side)


def equally_fine(field: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both (N, C, k, k), reduced to the smaller side."""
    side = min(field.shape[-1], other.shape[-1])
    return reduced(field, side), reduced(other, side)
