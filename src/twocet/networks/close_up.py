"""The second look of a fast generator: what it made of the mouth, finished at full size.

The generator sees the face at half its size and says what is likely; where lips part that is a grey mean of teeth,
tongue and dark. The close-up gets this part of the result and the code, moves its pixels once more and adds what a
mouth looks like. It is trained against a discriminator that knows the code (``twocet.training.recipes.close_up``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.networks.body import CodedBody, smooth_flow
from twocet.networks.edit import Edit, compose, resize, warp
from twocet.networks.layers import ResidualBlock, activation, he_init, no_norm

TOP, LEFT, SIDE = 29 / 64, 1 / 4, 1 / 2
"""Where mouths are in the aligned crop, in its sides."""
MARGIN = 10 / 64
"""How far from its border, in sides of the part, the close-up comes in."""
COVERS = 0.3
"""Added colour (of a range of 2) from which nothing of the photo's own detail, which no network saw, is kept."""


class Retouch(NamedTuple):
    """What a close-up does to a part of a face; both are 0 at its border."""

    flow: Tensor
    """(N, 2, s, s) displacement in sides of the part."""
    added: Tensor
    """(N, 3, s, s), added to the colours."""

    def applied(self, part: Tensor) -> Tensor:
        """``part`` (N, 3, s, s) in [-1, 1], finished."""
        return warp(part, self.flow) + self.added


def cut(field: Tensor) -> Tensor:
    """The mouth's part of ``field`` (N, C, S, S): (N, C, S / 2, S / 2)."""
    size = field.shape[-1]
    top, left, side = (round(place * size) for place in (TOP, LEFT, SIDE))
    return field[..., top : top + side, left : left + side]


def window(side: int) -> Tensor:
    """(side, side): 1 inside, falling smoothly to 0 at the border."""
    # On the processor wherever networks are built: see ``layers.draw_normal``.
    place = (torch.arange(side, dtype=torch.float32, device="cpu") + 0.5) / side
    near = (torch.minimum(place, 1 - place) / MARGIN).clamp(max=1)
    ramp = near.square() * (3 - 2 * near)
    return ramp[:, None] * ramp


class CloseUp(nn.Module):
    """Finishes the mouths of faces of ``size``. At the start of training it changes nothing."""

    window: Tensor

    def __init__(self, size: int, code_dim: int, widths: tuple[int, ...] = (64, 96, 96), shuffle: int = 4) -> None:
        super().__init__()
        side = round(size * SIDE)
        self.body = CodedBody(side, code_dim, widths, shuffle, placed=False)
        self.flow_head = nn.Conv2d(widths[0], 2, 3, padding=1)
        self.paint_head = nn.Conv2d(widths[0], 3 * shuffle**2, 3, padding=1)
        self.shuffle = shuffle
        he_init(self)
        for head in (self.flow_head, self.paint_head):
            nn.init.zeros_(head.weight)
        self.register_buffer("window", window(side), persistent=False)

    def forward(self, part: Tensor, code: Tensor) -> Retouch:
        """``part`` (N, 3, s, s) in [-1, 1], :func:`cut` from a face with the expression ``code`` (N, d)."""
        features = self.body.decode(*self.body.encode(part), code)
        flow = smooth_flow(self.flow_head(features), self.shuffle)
        added = torch.tanh(functional.pixel_shuffle(self.paint_head(features).float(), self.shuffle))
        return Retouch(flow * self.window, added * self.window)

    def finish(self, image: Tensor, edit: Edit, code: Tensor) -> Edit:
        """``edit`` of ``image`` (N, 3, S, S) and the close-up of its result, as one edit of side S."""
        fine = Edit(*(resize(field, image) for field in edit))
        part = cut(compose(image, fine))
        followed = follow(Edit(*map(cut, fine)), part, self(part, code))
        whole = Edit(*(field.clone() for field in fine))
        for field, new in zip(whole, followed, strict=True):
            cut(field).copy_(new)
        return whole


def follow(edit: Edit, part: Tensor, retouch: Retouch) -> Edit:
    """One edit that does what ``edit`` and then ``retouch`` do; ``part`` is what the former makes, all (N, C, s, s).

    Displacements are in sides of the crop. Added colours are painted; the more is added, the less of the photo's own
    detail shows through.
    """
    fields = torch.cat([edit.flow, edit.mask, edit.mask * edit.colour, part], dim=1)
    flow, moved_mask, moved_paint, moved_part = torch.split(warp(fields, retouch.flow), [2, 1, 3, 3], dim=1)
    share = (retouch.added.abs().amax(dim=1, keepdim=True) / COVERS).clamp(max=1)
    mask = 1 - (1 - share) * (1 - moved_mask)
    paint = (1 - share) * moved_paint + share * moved_part + retouch.added
    return Edit(SIDE * retouch.flow + flow, mask, (paint / mask.clamp(min=1e-4)).clamp(-1, 1))


class CloseUpDiscriminator(nn.Module):
    """Whether parts of faces are real and show the expression that a code says (N,); see Miyato and Koyama (2018)."""

    def __init__(
        self, size: int, code_dim: int, widths: tuple[int, ...] = (32, 64, 128, 128), shuffle: int = 2
    ) -> None:
        super().__init__()
        side, deepest = round(size * SIDE) // shuffle >> len(widths) - 1, widths[-1]
        self.stem = nn.Sequential(nn.PixelUnshuffle(shuffle), nn.Conv2d(3 * shuffle**2, widths[0], 3, padding=1))
        self.down = nn.ModuleList(ResidualBlock(few, many, no_norm, halves=True) for few, many in pairwise(widths))
        self.local = nn.Conv2d(deepest, 1, 1)
        self.joined = nn.Conv2d(deepest, 2 * deepest, side)
        self.whole = nn.Linear(2 * deepest, 1)
        self.expected = nn.Linear(code_dim, 2 * deepest, bias=False)
        he_init(self)

    def features(self, part: Tensor) -> list[Tensor]:
        """What is seen in ``part`` (N, 3, s, s) at each halving."""
        found = [self.stem(part)]
        for block in self.down:
            found.append(block(found[-1]))
        return found[1:]

    def logits(self, features: Tensor, code: Tensor) -> Tensor:
        """The logits (N,) of the last of :meth:`features`, given the codes (N, d)."""
        seen = activation(features)
        joined = activation(self.joined(seen).flatten(1))
        agreement = (joined * self.expected(code)).sum(dim=1) / joined.shape[1] ** 0.5
        logits: Tensor = self.whole(joined)[:, 0] + agreement + self.local(seen).mean(dim=(1, 2, 3))
        return logits.float()

    def forward(self, part: Tensor, code: Tensor) -> Tensor:
        return self.logits(self.features(part)[-1], code)
