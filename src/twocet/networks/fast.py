"""The networks of the preset ``fast``: the same method and interfaces, built for training on a CPU.

The networks look at the face at size / ``reduce`` and unshuffle it first (a 4 x 4 block of pixels becomes 48
channels), so that every block runs at an eighth of the resolution. The generator moves the input's own pixels and
paints over them where it must; its heads start at zero, so that training starts close to the identity. Skip
connections keep the exact place of lips and lids, which an 8 x 8 bottleneck would have to spell out. He
initialisation: with PyTorch's own the discriminator stays blind for hundreds of steps.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.networks.body import CodedBody, smooth_flow
from twocet.networks.close_up import CloseUp
from twocet.networks.detail import COLOUR_RANGE, Detail
from twocet.networks.edit import Edit, compose, reduced, render
from twocet.networks.layers import ResidualBlock, draw_normal, he_init, no_norm

MASK_BIAS = -4.0
"""The mask's logit at the start of training: a mask of 0.02, close to the identity and still with a gradient."""
FLATNESS = 0.05
"""Added to the standard deviation by which photos are divided, so that flat ones do not become noise."""


class FastGenerator(CodedBody):
    """G: ``widths`` are the channels at size / reduce / shuffle and at each halving from there."""

    moves = True

    def __init__(
        self,
        size: int,
        code_dim: int,
        widths: tuple[int, ...] = (64, 128, 160),
        shuffle: int = 4,
        reduce: int = 2,
        placed: bool = True,
        close_up: bool = False,
        detail: bool = False,
    ) -> None:
        super().__init__(size // reduce, code_dim, widths, shuffle, placed)
        self.working_size = size // reduce
        # With detail it is the same network at whatever size its result is finished.
        self.fine_size, self.grain = (2 * self.working_size, 2) if detail else (size, reduce)
        first = widths[0]
        self.flow_head = nn.Conv2d(first, 2 * self.grain**2, 3, padding=1)
        self.paint_head = nn.Conv2d(first, 4 * shuffle**2, 3, padding=1)
        he_init(self)
        for head in (self.flow_head, self.paint_head):
            nn.init.zeros_(head.weight)
        self.detail = Detail(self.fine_size, code_dim) if detail else None
        self.close_up = CloseUp(self.fine_size, code_dim) if close_up else None

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        """``image`` (N, 3, S, S) in [-1, 1] with the expressions ``code`` (N, d); once trained, in natural colours."""
        put_together = compose if self.training else render
        return put_together(image.float(), self.edit(image, code))

    def edit(self, image: Tensor, code: Tensor) -> Edit:
        """Fields of size / reduce; with a detail or a close-up, of ``fine_size``."""
        edit = self.whole(image, code)
        return edit if self.close_up is None else self.close_up.finish(self.fine(image), edit, code)

    def whole(self, image: Tensor, code: Tensor) -> Edit:
        """The change of the whole face, without the close-up."""
        edit = self.coarse(image, code)
        return edit if self.detail is None else self.detail.finish(self.fine(image), edit, code)

    def fine(self, image: Tensor) -> Tensor:
        """``image`` at the size at which it is finished, float32."""
        return reduced(image.float(), self.fine_size)

    def coarse(self, image: Tensor, code: Tensor) -> Edit:
        """The change as seen at size / reduce; the flow, made at half of that, is smooth."""
        features = self.decode(*self.encode(reduced(image, self.working_size)), code)
        flow = functional.pixel_shuffle(self.flow_head(features), self.grain)
        paint = functional.pixel_shuffle(self.paint_head(features).float(), self.shuffle)
        return Edit(
            flow=smooth_flow(flow, self.shuffle / self.grain),
            mask=torch.sigmoid(paint[:, 3:] + MASK_BIAS),
            colour=torch.tanh(paint[:, :3]) * COLOUR_RANGE,
        )


def standardised(image: Tensor) -> Tensor:
    """Every row of ``image`` (N, C, S, S) with mean 0 and, unless it is nearly flat, standard deviation 1; float32."""
    mean = image.float().mean(dim=(1, 2, 3), keepdim=True)
    spread = image.float().std(dim=(1, 2, 3), keepdim=True)
    return (image.float() - mean) / (spread + FLATNESS)


def trunk(size: int, num_in: int, widths: tuple[int, ...], shuffle: int, num_out: int) -> nn.Sequential:
    """From an unshuffled image to ``num_out`` numbers: halve down to 4 x 4, one 4 x 4 convolution, one linear layer.

    ``widths`` are the channels at size / shuffle and at each halving; the last one repeats as often as needed.
    """
    depth = (size // shuffle).bit_length() - 3
    channels = [widths[min(level, len(widths) - 1)] for level in range(depth + 1)]
    deepest = channels[-1]
    return nn.Sequential(
        nn.PixelUnshuffle(shuffle),
        nn.Conv2d(num_in * shuffle**2, channels[0], 3, padding=1),
        *(ResidualBlock(few, many, no_norm, halves=True) for few, many in pairwise(channels)),
        nn.LeakyReLU(0.2),
        nn.Conv2d(deepest, 2 * deepest, 4),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * deepest, num_out),
    )


SKETCH = 16
"""Side of the coarse picture in :meth:`FastEncoder.sketch`, at most the size the encoder works at."""


class FastEncoder(nn.Module):
    """E: a face to its code. ``grey`` encodes the channel mean.

    Light and skin are taken out first: every photo is brought to mean 0 and standard deviation 1.
    """

    def __init__(
        self,
        size: int,
        code_dim: int,
        grey: bool = True,
        widths: tuple[int, ...] = (64, 128, 128),
        shuffle: int = 4,
        reduce: int = 2,
    ) -> None:
        super().__init__()
        self.grey, self.working_size = grey, size // reduce
        self.trunk = trunk(self.working_size, 1 if grey else 3, widths, shuffle, code_dim)
        he_init(self)
        self.sketch_side = min(SKETCH, self.working_size)
        self.sketch_head = nn.Linear(code_dim, self.sketch_side**2, bias=False)
        draw_normal(self.sketch_head.weight, 0.01)

    def forward(self, image: Tensor) -> Tensor:
        seen = image.mean(dim=1, keepdim=True) if self.grey else image
        code: Tensor = self.trunk(standardised(reduced(seen, self.working_size)))
        return code.float()

    def sketch(self, code: Tensor) -> Tensor:
        """What the codes (N, d) change in a neutral face, its brightness or its place, coarsely: (N, 1, k, k).

        Linear and without a bias: half a code is half a change, the zero code none. Used in training alone, where it
        tells the encoder what to look for long before the generator can.
        """
        sketch: Tensor = self.sketch_head(code)
        return sketch.view(-1, 1, self.sketch_side, self.sketch_side)


class FastDiscriminator(nn.Module):
    """D: a face to two logits, one per domain."""

    def __init__(self, size: int, widths: tuple[int, ...] = (64, 128, 128), shuffle: int = 4, reduce: int = 2) -> None:
        super().__init__()
        self.working_size = size // reduce
        self.trunk = trunk(self.working_size, 3, widths, shuffle, 2)
        he_init(self)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.trunk(reduced(image, self.working_size))
        return logits.float()
