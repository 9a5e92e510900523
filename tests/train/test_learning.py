"""Does it learn? Overfitting one batch, and a short run whose losses are on record."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tiny import CONFIG, SIZE, write_dataset
from torch import Tensor, nn

from twocet.data.dataset import load_faces, open_dataset
from twocet.method import losses
from twocet.method.schedules import constant
from twocet.networks.config import NetworkConfig
from twocet.networks.interfaces import Domain, judge
from twocet.runtime.distributed import ALONE
from twocet.runtime.randomness import generator_at
from twocet.training import augment
from twocet.training.recipes.base import JudgedState, adversarial_state, backward, descend, mean_terms
from twocet.training.recipes.configs import CyclesConfig, LossWeights
from twocet.training.recipes.paper import PaperRecipe, weights_at
from twocet.training.sampler import Batch, Sampler

NETWORK = NetworkConfig(preset="paper", size=SIZE, code_dim=4, first_width=8, max_width=16)
FAST = NetworkConfig(size=SIZE, code_dim=4, generator_widths=(16, 24), trunk_widths=(16, 24))
OVERFIT = dataclasses.replace(
    CONFIG, network=NETWORK, augmentation="none", warm_up=0, decay="none", betas=(0.5, 0.99), lr=3e-3, lr_encoder=3e-3,
    lr_discriminator=3e-3, cycles=("both",), r1_every=1, weight_decay=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    folder = write_dataset(tmp_path_factory.mktemp("data") / "faces")
    return Sampler([load_faces(open_dataset(folder), "train", SIZE, progress=False)], [1.0], 4, 0, paired=True).batch(0)


def weights(**values: float) -> LossWeights:
    """Constant weights, 0 for those not named."""
    names = [field.name for field in dataclasses.fields(LossWeights)]
    return LossWeights(**{name: constant(values.get(name, 0.0)) for name in names})


def run_rounds(config: CyclesConfig, batch: Batch, rounds: int) -> tuple[JudgedState, list[dict[str, Tensor]]]:
    state, recipe = adversarial_state(config), PaperRecipe(config)
    terms = []
    for step in range(rounds):
        state.begin_round(step, config.steps)
        terms.append(recipe.round(state, lambda: batch, step))
        state.end_round(step)
    return state, terms


def test_discriminator_separates_one_batch(batch: Batch) -> None:
    state = adversarial_state(OVERFIT)
    discriminator = state.networks.discriminator
    fake = augment.blur(batch.expressive, torch.full((4,), 0.7)).flip(-2)
    loss = torch.ones(())
    for _ in range(100):
        real_logit, fake_logit = (judge(discriminator, x, Domain.EXPRESSIVE) for x in (batch.expressive, fake))
        loss = losses.discriminator_objective(real_logit, fake_logit, 1.0)
        backward(losses.Objective(loss, {}))
        descend([state.discriminator_optimiser], 1, ALONE)
    assert loss.item() < 0.1


def test_mismatch_counts_real_faces_of_the_other_domain_as_fake(batch: Batch) -> None:
    config = dataclasses.replace(OVERFIT, mismatch=2.0, r1=0.0)
    networks = adversarial_state(config).networks

    def parts(mismatch: float) -> list[Tensor]:
        recipe = PaperRecipe(dataclasses.replace(config, mismatch=mismatch))
        drawn, at = generator_at(0, 0, "codes"), weights_at(config.weights, 0)
        return [part.total for part in recipe.discriminator_objectives(networks, batch, at, "both", 0, drawn)]

    for domain, other, more, less in zip(
        (Domain.EXPRESSIVE, Domain.NEUTRAL), (batch.neutral, batch.expressive), parts(2.0), parts(0.0), strict=True
    ):
        fake = nn.functional.softplus(judge(networks.discriminator, other, domain)).mean()
        torch.testing.assert_close(more - less, 2.0 * fake)


def test_coarse_photos_have_the_size_that_the_networks_look_at(batch: Batch) -> None:
    fine, coarse = (
        PaperRecipe(dataclasses.replace(OVERFIT, network=FAST, coarse=coarse)).augment(batch, generator_at(0, 0, "a"))
        for coarse in (False, True)
    )
    assert fine.neutral.shape[-1] == SIZE
    for photos, whole in zip(coarse, batch, strict=True):
        torch.testing.assert_close(photos, nn.functional.avg_pool2d(whole, 2))
    assert NETWORK.coarse_size == SIZE


def test_generator_and_encoder_close_both_cycles(batch: Batch) -> None:
    """From heads that paint and move at random; untouched, the fast generator closes its cycles from the start."""
    config = dataclasses.replace(
        OVERFIT, network=FAST, weights=weights(cycle_neutral=1.0, cycle_expressive=1.0), betas=(0.9, 0.99), steps=60
    )
    state, recipe = adversarial_state(config), PaperRecipe(config)
    for module in state.networks.generator.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.3)
            nn.init.constant_(module.bias, 0.5)
    terms = [recipe.round(state, lambda: batch, step) for step in range(60)]
    for name in ("cycle_neutral", "cycle_expressive"):
        assert terms[0][name].item() > 0.1
        assert terms[-1][name].item() < 0.05


def test_with_everything_on_codes_are_read_better_than_by_guessing_zero(batch: Batch) -> None:
    everything = weights(
        adversarial_expressive=1.0, adversarial_neutral=1.0, cycle_neutral=1.0, cycle_expressive=1.0, code=5.0,
        diversity=1.0,
    )  # fmt: skip
    config = dataclasses.replace(OVERFIT, network=FAST, weights=everything, betas=(0.9, 0.99), steps=80)
    state, terms = run_rounds(config, batch, 80)
    assert state.is_finite()
    assert all(torch.isfinite(torch.stack(list(term.values()))).all() for term in terms)
    # A uniform number in a range of 1 is .25 from zero on average.
    assert mean_terms(terms[-20:])["code"].item() < 0.23


def test_neutral_photos_are_kept_where_that_is_asked_for(batch: Batch) -> None:
    config = dataclasses.replace(OVERFIT, cycles=("neutral",), r1=0.0)
    found = {}
    for weight in (0.0, 1.0):
        asked = dataclasses.replace(config, weights=weights(kept=weight))
        state, terms = run_rounds(asked, batch, 12)
        assert ("kept" in terms[0]) == (weight > 0)
        with torch.no_grad():
            made = state.networks.generator(batch.neutral, torch.zeros(4, 4))
        found[weight] = float((made - batch.neutral).abs().mean())
    assert found[1.0] < 0.8 * found[0.0]


def test_one_round_touches_all_networks_and_only_its_own_domain(batch: Batch) -> None:
    config = dataclasses.replace(OVERFIT, cycles=("neutral",), r1=0.0)
    state = adversarial_state(config)
    before = {name: [p.clone() for p in part.parameters()] for name, part in state.networks._asdict().items()}
    head = state.networks.discriminator.head.weight.clone()
    PaperRecipe(config).round(state, lambda: batch, 3)
    for name, part in state.networks._asdict().items():
        assert any(not torch.equal(a, b) for a, b in zip(before[name], part.parameters(), strict=True)), name
    changed = state.networks.discriminator.head.weight != head
    assert changed[Domain.EXPRESSIVE].any()
    assert not changed[Domain.NEUTRAL].any()
    assert all(p.requires_grad for part in state.networks for p in part.parameters())


def test_lazy_r1_is_weighted_up(batch: Batch) -> None:
    def total(every: int, number: int) -> tuple[float, float]:
        config = dataclasses.replace(OVERFIT, r1=0.5, r1_every=every)
        recipe, state = PaperRecipe(config), adversarial_state(config)
        ones = losses.Weights(1, 1, 1, 1, 1, 1)
        parts = list(
            recipe.discriminator_objectives(state.networks, batch, ones, "both", number, generator_at(0, 0, "x"))
        )
        terms = parts[0].terms | parts[1].terms
        penalty = sum(term.item() for name, term in terms.items() if name.startswith("r1_"))
        return sum(part.total.item() for part in parts), penalty

    (full, penalty), (lazy, _), (skipped, none) = total(1, 4), total(4, 4), total(4, 5)
    assert none == 0
    assert penalty > 0
    assert full == pytest.approx(skipped + 0.5 * penalty, rel=1e-5)
    assert lazy == pytest.approx(skipped + 4 * 0.5 * penalty, rel=1e-5)


def test_recipe_paper_uses_plain_diversity_and_authors_the_proportional_one(batch: Batch) -> None:
    values = []
    for form in ("plain", "proportional"):
        config = dataclasses.replace(OVERFIT, diversity=form, weights=weights(diversity=1.0))
        values.append(run_rounds(config, batch, 1)[1][0]["diversity"].item())
    assert values[0] != values[1]
    assert values[0] == pytest.approx(values[1], rel=0.5)


@pytest.mark.parametrize("codes", ["uniform", "normal"])
def test_sampled_codes_follow_the_configuration(codes: str) -> None:
    config = dataclasses.replace(OVERFIT, codes=codes, code_range=2.0)
    code = PaperRecipe(config).sample(5000, generator_at(0, 0, "x"))
    assert code.std().item() == pytest.approx({"uniform": 2 / 12**0.5, "normal": 1.0}[codes], rel=0.03)


GOLDEN = Path(__file__).with_name("golden.txt")


def golden_run(batch: Batch) -> list[str]:
    """Six rounds of the recipe authors, one line each: name=value of every term."""
    config = dataclasses.replace(CONFIG, network=NETWORK, r1_every=1, cycles=("both", "both", "neutral"))
    _, terms = run_rounds(config, batch, 6)
    return [" ".join(f"{name}={value.item():.6f}" for name, value in sorted(term.items())) for term in terms]


def test_losses_are_those_on_record(batch: Batch) -> None:
    """A refactoring must not change this file; to write it anew, delete it and run this test twice."""
    lines = golden_run(batch)
    if not GOLDEN.exists():
        GOLDEN.write_text("\n".join(lines) + "\n")
        pytest.fail("golden.txt was missing and is written now")
    stored = GOLDEN.read_text().splitlines()
    assert len(stored) == len(lines)
    for number, (line, expected) in enumerate(zip(lines, stored, strict=True)):
        (values, wanted) = (dict(word.split("=") for word in text.split()) for text in (line, expected))
        # Other processors round differently, and Adam's first steps make much of little: seen on three of them, 2e-5 in
        # the first round, 0.0033 in the second (without AVX-512), 0.05 later.
        tolerance = (1e-3, 1e-2, 0.1)[min(number, 2)]
        assert {k: float(v) for k, v in values.items()} == pytest.approx(
            {k: float(v) for k, v in wanted.items()}, rel=tolerance, abs=1e-4
        )
