"""The equations of the paper: one pure function each, on tensors alone. Every function returns a scalar tensor."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from twocet.method.cycles import ExpressiveCycle, NeutralCycle


def adversarial(logit: Tensor, *, real: bool) -> Tensor:
    """Eq. 1 and 6: binary cross-entropy of D's ``logit`` (any shape) with the answer ``real``.

    D minimises it for real photos with True and for fakes with False. G minimises it for its fakes with True: the
    non-saturating form of the authors' code, whose gradient does not vanish while D is sure.
    """
    return functional.softplus(-logit if real else logit).mean()


def cycle_consistency(image: Tensor, restored: Tensor) -> Tensor:
    """Eq. 2 and 7: mean absolute difference of an image (N, 3, S, S) and what came back of it."""
    return (image - restored).abs().mean()


def neutral_kept(image: Tensor, made: Tensor) -> Tensor:
    """Mean absolute difference of neutral faces (N, 3, S, S) and G's result with the neutral code (Zhu et al. 2017).

    Not in the paper: there G may change what is neutral already, as long as D finds it neutral.
    """
    return (image - made).abs().mean()


def code_reconstruction(code: Tensor, recovered: Tensor) -> Tensor:
    """Eq. 3: mean absolute difference of a sampled code (N, d) and the encoder's reading of the fake made with it."""
    return (code - recovered).abs().mean()


def diversity(image: Tensor, other: Tensor) -> Tensor:
    """Eq. 4: mean absolute difference of two fakes of the same face; maximised.

    ``other`` gets no gradient: the two are exchangeable, so the direction is the same at half the cost.
    """
    return (image - other.detach()).abs().mean()


def proportional_diversity(
    image: Tensor, other: Tensor, code: Tensor, other_code: Tensor, *, code_range: float
) -> Tensor:
    """Eq. 4 in the authors' form: the distance of every pair weighed by the distance of its codes.

    The weight is the mean absolute difference of the codes times 3 / code_range; for uniform codes of that range its
    expectation is 1.
    """
    weight = (code - other_code).abs().mean(dim=1) * (3 / code_range)
    distance = (image - other.detach()).abs().mean(dim=(1, 2, 3))
    return (weight * distance).mean()


def r1(logit: Tensor, image: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018, not in the paper): half the squared gradient norm of D at real images.

    ``logit`` (N,) must be D's output for ``image`` (N, ...), which must require a gradient.
    """
    (gradient,) = torch.autograd.grad(logit.sum(), image, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean() / 2


class Weights(NamedTuple):
    """The lambdas of Eq. 5 and 8 at one step."""

    adversarial_expressive: float
    adversarial_neutral: float
    cycle_neutral: float
    cycle_expressive: float
    code: float
    diversity: float
    kept: float = 0.0


class Objective(NamedTuple):
    """What an optimiser minimises, and its parts for the record."""

    total: Tensor
    terms: dict[str, Tensor]
    """The unweighted terms by name, detached."""


def neutral_cycle_objective(
    neutral: Tensor, code: Tensor, cycle: NeutralCycle, logit: Tensor, diversity_term: Tensor, weights: Weights
) -> Objective:
    """Eq. 5, the side of G and E. ``logit`` is D's for the expressive fake, ``diversity_term`` one form of Eq. 4."""
    terms = {
        "adversarial_expressive": adversarial(logit, real=True),
        "cycle_neutral": cycle_consistency(neutral, cycle.restored),
        "code": code_reconstruction(code, cycle.recovered),
        "diversity": diversity_term,
    }
    total = (
        weights.adversarial_expressive * terms["adversarial_expressive"]
        + weights.cycle_neutral * terms["cycle_neutral"]
        + weights.code * terms["code"]
        - weights.diversity * terms["diversity"]
    )
    return Objective(total, detached(terms))


def expressive_cycle_objective(
    expressive: Tensor, cycle: ExpressiveCycle, logit: Tensor, weights: Weights
) -> Objective:
    """Eq. 8, the side of G and E. ``logit`` is D's for the neutral fake."""
    terms = {
        "adversarial_neutral": adversarial(logit, real=True),
        "cycle_expressive": cycle_consistency(expressive, cycle.restored),
    }
    total = (
        weights.adversarial_neutral * terms["adversarial_neutral"]
        + weights.cycle_expressive * terms["cycle_expressive"]
    )
    return Objective(total, detached(terms))


def discriminator_objective(real: Tensor, fake: Tensor, weight: float) -> Tensor:
    """Eq. 5 or 8, the side of D in one domain: logits of real photos and of fakes, times the adversarial lambda."""
    return weight * (adversarial(real, real=True) + adversarial(fake, real=False))


def detached(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The terms without their graph; they stay tensors until someone logs them."""
    return {name: term.detach() for name, term in terms.items()}
