"""The finer look of a fast generator: what it made of a face, corrected at twice the resolution.

The generator looks at a small face, on which a lid or the border of a lip is a pixel. The detail sees photo and result
at twice that size, with what was moved and painted, and adds to both. At the start of training it adds nothing, so that
a trained generator goes on from where it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from twocet.networks.body import MAX_FLOW, CodedBody, smooth_flow
from twocet.networks.edit import Edit, compose, resize
from twocet.networks.layers import he_init

COLOUR_RANGE = 1.05
"""tanh alone would need infinite weights for pure black and white."""
GRAIN = 2
"""Displacements are made at half the size, and smooth."""
SURE = 1e-4
"""Masks are taken to be so far from 0 and 1, where their logits have no end."""


class Detail(nn.Module):
    """Corrects edits of faces at ``side``."""

    def __init__(self, side: int, code_dim: int, widths: tuple[int, ...] = (32, 64, 96), shuffle: int = 4) -> None:
        super().__init__()
        # The photo, the result, where it is painted and how it was moved.
        self.body = CodedBody(side, code_dim, widths, shuffle, placed=False, num_in=3 + 3 + 1 + 2)
        self.flow_head = nn.Conv2d(widths[0], 2 * (shuffle // GRAIN) ** 2, 3, padding=1)
        self.paint_head = nn.Conv2d(widths[0], 4 * shuffle**2, 3, padding=1)
        self.shuffle = shuffle
        he_init(self)
        for head in (self.flow_head, self.paint_head):
            nn.init.zeros_(head.weight)

    def finish(self, image: Tensor, edit: Edit, code: Tensor) -> Edit:
        """``edit`` of ``image`` (N, 3, s, s), for the expression ``code`` (N, d), corrected: an edit of this side."""
        flow, mask, colour = fine = Edit(*(resize(field, image) for field in edit))
        seen = torch.cat([image, compose(image, fine), mask, flow / MAX_FLOW], dim=1)
        features = self.body.decode(*self.body.encode(seen), code)
        further = functional.pixel_shuffle(self.flow_head(features), self.shuffle // GRAIN)
        paint = functional.pixel_shuffle(self.paint_head(features).float(), self.shuffle)
        return Edit(
            flow=flow + smooth_flow(further, GRAIN),
            mask=torch.sigmoid(torch.logit(mask, SURE) + paint[:, 3:]),
            colour=(colour + torch.tanh(paint[:, :3])).clamp(-COLOUR_RANGE, COLOUR_RANGE),
        )
