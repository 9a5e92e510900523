"""Why label-free networks transfer expressions, or do not: figures for the record, read on people not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from twocet.data.dataset import Faces, as_images
from twocet.metrics import area_under_curve
from twocet.networks.interfaces import Domain, Networks, judge
from twocet.runtime.devices import autocast, here
from twocet.training import augment

MOST_PHOTOS = 64
"""Photos of each domain."""

Sample = Callable[[int, Generator], Tensor]
"""Random codes (num, d)."""


@torch.no_grad()
def diagnose(networks: Networks, sets: Sequence[Faces], sample: Sample, bf16: bool) -> dict[str, float]:
    """What G, E and D do with up to 64 photos of each domain and random codes.

    ``auc_photos_*``: how well D tells the photos of a domain from those of the other one (1: always, 0.5: not at all;
    below 0.9 G cannot learn the difference from it); ``auc_fakes_*``: from what G makes of those. ``code_error`` is
    |c - E(G(x, c))| (Eq. 3), to be compared with ``code_size``, what an encoder that reads nothing gets;
    ``code_correlation`` is that of all numbers of c and E(G(x, c)), and ``code_correlation_blurred`` the same after a
    slight blur, which a hidden code does not survive. ``change`` is |G(x, c) - x| and ``change_by_code``
    |G(x, c) - G(x, c')|, images in [-1, 1]; ``code_spread`` is the deviation of the codes of photos.
    """
    neutral, expressive = (_some([getattr(faces, name) for faces in sets]) for name in ("neutral", "expressive"))
    generator = Generator("cpu").manual_seed(0)
    code, other = (sample(len(neutral), generator) for _ in range(2))
    g, e, d = networks
    with autocast(bf16):
        made, differently = g(neutral, code), g(neutral, other)
        calmed = g(expressive, torch.zeros_like(code[:1]).expand(len(expressive), -1))
        read, read_blurred = e(made), e(augment.blur(made, torch.full((len(made),), 0.7)))
        found = {
            **_areas(d, Domain.EXPRESSIVE, expressive, neutral, made),
            **_areas(d, Domain.NEUTRAL, neutral, expressive, calmed),
            "code_error": (code - read).abs().mean(),
            "code_size": code.abs().mean(),
            "code_correlation": _correlation(code, read),
            "code_correlation_blurred": _correlation(code, read_blurred),
            "change": (made - neutral).abs().mean(),
            "change_by_code": (made - differently).abs().mean(),
            "code_spread": e(expressive).std(dim=0).mean(),
        }
    return {name: float(value) for name, value in found.items()}


def _areas(
    discriminator: torch.nn.Module, domain: Domain, real: Tensor, other: Tensor, fake: Tensor
) -> dict[str, float]:
    told = [judge(discriminator, images, domain).double().cpu().numpy() for images in (real, other, fake)]
    name = domain.name.lower()
    return {
        f"auc_photos_{name}": area_under_curve(told[0], told[1]),
        f"auc_fakes_{name}": area_under_curve(told[0], told[2]),
    }


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    return torch.corrcoef(torch.stack([one.flatten(), other.float().flatten()]))[0, 1]


def _some(photos: Sequence[Tensor]) -> Tensor:
    """Up to ``MOST_PHOTOS`` photos, evenly from all sets, as images."""
    share = -(-MOST_PHOTOS // len(photos))
    chosen = [rows[:: max(1, -(-len(rows) // share))] for rows in photos]
    return as_images(torch.cat(chosen)).to(here())
