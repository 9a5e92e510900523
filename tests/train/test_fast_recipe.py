"""The recipe fast: what it feeds to the networks, and what it asks of them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from twocet.method.schedules import Schedule, constant
from twocet.networks.config import NetworkConfig
from twocet.networks.edit import Edit
from twocet.networks.fast import MASK_BIAS
from twocet.networks.interfaces import Networks
from twocet.runtime.distributed import ALONE
from twocet.training import augment
from twocet.training.recipes.base import pair_state
from twocet.training.recipes.configs import FastConfig, LandmarksConfig
from twocet.training.recipes.fast import FastRecipe, noise, outputs, unexplained
from twocet.training.recipes.landmarks import SMALL_MOVEMENT, LandmarksRecipe
from twocet.training.sampler import Batch, Transplanted

SETTINGS: dict[str, Any] = {
    "network": NetworkConfig(size=64, code_dim=3, generator_widths=(8, 8), trunk_widths=(8, 8), reduce=2), "batch": 4,
    "bf16": False, "threads": 1, "sketch": 0.0, "coarse": False, "code_noise": constant(0.0),
}  # fmt: skip
TINY = FastConfig(**SETTINGS)
LANDMARKS = LandmarksConfig(recipe="landmarks", **SETTINGS)


def random_batch(num: int = 4, size: int = 64) -> Batch:
    generator = Generator().manual_seed(1)
    return Batch(*(torch.rand(num, 3, size, size, generator=generator) * 1.6 - 0.8 for _ in range(2)))


class Painter:
    """Paints everything in the colour that the code says, so that the encoder below can read it exactly."""

    def edit(self, image: Tensor, code: Tensor) -> Edit:
        num, _, height, width = image.shape
        colour = code[:, :, None, None].expand(num, 3, height, width)
        return Edit(torch.zeros(num, 2, height, width), torch.ones(num, 1, height, width), colour)

    def __call__(self, image: Tensor, code: Tensor) -> Tensor:
        return self.edit(image, code).colour


class Reader(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3))


def test_both_photos_of_a_person_get_the_same_change() -> None:
    recipe = FastRecipe(dataclasses.replace(TINY, zero_edits=0.0))
    face = random_batch().neutral
    changed = recipe.augment(Batch(face, face.clone()), Generator().manual_seed(3))
    assert torch.equal(changed.neutral, changed.expressive)
    assert (changed.neutral - face).abs().mean() > 0.05


def test_photos_may_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "photometric", lambda images, generator: tuple(images))
    recipe = FastRecipe(dataclasses.replace(TINY, zero_edits=0.0, moved=False))
    batch = random_batch(num=8)
    changed = recipe.augment(batch, Generator().manual_seed(3))
    mirrored = [torch.equal(new, old.flip(-1)) for new, old in zip(changed.neutral, batch.neutral, strict=True)]
    assert 0 < sum(mirrored) < 8
    for new, old, turned in zip(changed.expressive, batch.expressive, mirrored, strict=True):
        assert torch.equal(new, old.flip(-1) if turned else old)


@pytest.mark.parametrize(("share", "same"), [(0.0, 0), (1.0, 4)])
def test_zero_edits_show_the_neutral_photo_twice(share: float, same: int) -> None:
    recipe = FastRecipe(dataclasses.replace(TINY, zero_edits=share))
    changed = recipe.augment(random_batch(), Generator().manual_seed(3))
    rows = (changed.neutral - changed.expressive).abs().amax(dim=(1, 2, 3)) == 0
    assert int(rows.sum()) == same


def test_coarse_training_sees_the_working_size() -> None:
    recipe = FastRecipe(dataclasses.replace(TINY, coarse=True))
    assert recipe.augment(random_batch(), Generator().manual_seed(3)).neutral.shape == (4, 3, 32, 32)


def test_terms_of_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "encoder_input", lambda image, generator, view: image)
    recipe = FastRecipe(dataclasses.replace(TINY, painted=0.25, code_size=1.0, change_floor=0.5))
    batch = Batch(torch.full((2, 3, 8, 8), 0.5), torch.full((2, 3, 8, 8), -2.0))
    networks = Networks(Painter(), Reader())
    pairs = outputs(networks, batch, recipe.config, Generator(), 0, ALONE)
    total, terms = recipe.objective(networks, batch, pairs, 0)
    assert float(terms["pair_expressive"]) == pytest.approx(0.0, abs=1e-6)
    assert float(terms["pair_neutral"]) == pytest.approx(0.5 / (2.5 + 0.5))
    assert float(terms["painted"]) == 1.0
    assert float(terms["code_excess"]) == pytest.approx(4.0 - 1.0)
    assert float(total) == pytest.approx(0.5 / 3 + 0.25 * 1.0 + 1.0 * (4.0 - 1.0))


def transplanted_batch(num: int = 4, size: int = 64) -> Transplanted:
    reference = random_batch(num, size).expressive.flip(0)
    return Transplanted(
        *random_batch(num, size),
        reference,
        torch.full((num, 4, 32, 32), 0.01),
        torch.full((num, 1, 32, 32), 0.5),
        torch.ones(num, dtype=torch.bool),
    )


def test_transplanted_expressions_are_read_from_the_donors_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "encoder_input", lambda image, generator, view: image)
    recipe = LandmarksRecipe(LANDMARKS)
    batch = transplanted_batch()
    pairs = outputs(Networks(Painter(), Reader()), batch, recipe.config, Generator(), 0, ALONE)
    torch.testing.assert_close(pairs.encoded, batch.reference.mean(dim=(2, 3)))


def test_the_generators_movements_are_supervised(monkeypatch: pytest.MonkeyPatch) -> None:
    """It moves nothing, when all pixels should have moved by (0.01, 0.01) of the crop's side in both passes."""
    networks = Networks(Painter(), Reader())
    totals = []
    for weight in (0.0, 3.0):
        recipe = LandmarksRecipe(dataclasses.replace(LANDMARKS, moving=weight, mouths=0.0))
        pairs = outputs(networks, transplanted_batch(), recipe.config, Generator().manual_seed(0), 0, ALONE)
        total, terms = recipe.objective(networks, transplanted_batch(), pairs, 0)
        totals.append(float(total))
    assert float(terms["flow_error"]) == pytest.approx(0.01**2 / (0.01**2 + SMALL_MOVEMENT**2))
    assert totals[1] - totals[0] == pytest.approx(3 * float(terms["flow_error"]), rel=1e-4)


def test_movements_alone_are_learnt_where_pictures_are_estimates() -> None:
    """Rows that are not supervised count in no comparison of pixels, and as they are in what is known of movements."""
    batch, state = transplanted_batch(), pair_state(LANDMARKS)
    recipe = LandmarksRecipe(LANDMARKS)
    pairs = outputs(state.networks, batch, recipe.config, Generator().manual_seed(0), 0, ALONE)
    terms = {}
    for name, rows in (("all", [True] * 4), ("two", [True, False, True, False]), ("none", [False] * 4)):
        changed = batch._replace(supervised=torch.tensor(rows))
        terms[name] = recipe.objective(state.networks, changed, pairs, 0)[1]
    kept = [0, 2]
    half = unexplained(LANDMARKS, batch.expressive[kept], pairs.restored[kept], batch.neutral[kept]) / 2
    assert float(terms["two"]["pair_expressive"]) == pytest.approx(float(half.detach()))
    assert float(terms["none"]["pair_expressive"]) == float(terms["none"]["pair_neutral"]) == 0
    assert 0 < float(terms["two"]["pair_neutral"]) < float(terms["all"]["pair_neutral"])
    assert len({float(term["flow_error"]) for term in terms.values()}) == 1
    for what in ("painted", "mouths"):
        assert float(terms["two"][what]) == pytest.approx(float(terms["all"][what]) / 2, rel=1e-3)
        assert float(terms["none"][what]) == 0


def test_the_generators_mask_is_supervised_in_mouths() -> None:
    """It paints 0.018 of every pixel, and a half of all pixels of the first pass lies between lips."""
    state, share = pair_state(LANDMARKS), 1 / (1 + math.exp(-MASK_BIAS))
    recipe = LandmarksRecipe(dataclasses.replace(LANDMARKS, mouths=2.0))
    pairs = outputs(state.networks, transplanted_batch(), recipe.config, Generator().manual_seed(0), 0, ALONE)
    total, terms = recipe.objective(state.networks, transplanted_batch(), pairs, 0)
    assert float(terms["mouths"]) == pytest.approx(-(math.log(share) + math.log(1 - share)) / 2, rel=1e-3)
    without = LandmarksRecipe(dataclasses.replace(LANDMARKS, mouths=0.0))
    difference = total - without.objective(state.networks, transplanted_batch(), pairs, 0)[0]
    assert float(difference.detach()) == pytest.approx(2 * float(terms["mouths"]), rel=1e-4)


@pytest.mark.parametrize("moved", [False, True])
def test_all_photos_of_a_row_and_its_flow_are_changed_alike(moved: bool) -> None:
    recipe = LandmarksRecipe(dataclasses.replace(LANDMARKS, zero_edits=0.0, moved=moved))
    face, flow = torch.full((8, 3, 64, 64), -0.5), torch.full((8, 4, 32, 32), 0.01)
    face[:, :, 20:36, 44:56] = 0.5
    mouth = torch.nn.functional.avg_pool2d((face[:, :1] > 0).float(), 2)
    changed = recipe.augment(
        Transplanted(face, face.clone(), face.clone(), flow, mouth, torch.ones(len(face), dtype=torch.bool)),
        Generator().manual_seed(3),
    )
    assert torch.equal(changed.neutral, changed.expressive)
    assert torch.equal(changed.neutral, changed.reference)
    small = torch.nn.functional.avg_pool2d(changed.neutral.mean(dim=1, keepdim=True), 2)
    for row, picture in zip(changed.mouth, small, strict=True):
        assert torch.corrcoef(torch.stack([row.flatten(), picture.flatten()]))[0, 1] > 0.98
    signs = changed.flow[:, :2].mean(dim=(2, 3)).sign()
    assert signs[:, 1].tolist() == [1.0] * 8
    assert set(signs[:, 0].tolist()) == {-1.0, 1.0}
    assert (changed.flow.abs() - 0.01).abs().max() < (0.002 if moved else 1e-9)
    assert ((changed.flow.abs() - 0.01).abs().max() > 1e-4) == moved


def test_a_round_trains_generator_and_encoder_and_there_is_no_discriminator() -> None:
    config = dataclasses.replace(TINY, zero_edits=0.0, sketch=0.2)
    state = pair_state(config)
    assert list(state.networks.named()) == ["generator", "encoder"]
    before = [[p.detach().clone() for p in network.parameters()] for network in state.networks.named().values()]
    state.begin_round(50, 100)
    recipe = FastRecipe(config)
    for step in range(2):
        # The heads start at zero, so that the blocks before them move from the second step on.
        terms = recipe.round(state, lambda: random_batch(), step)
    for saved, network in zip(before, state.networks.named().values(), strict=True):
        assert not any(torch.equal(old, new) for old, new in zip(saved, network.parameters(), strict=True))
    assert not any("adversarial" in name or "discriminator" in name for name in terms)


def test_codes_of_neutral_photos_are_asked_to_be_zero_when_the_weight_has_come_in() -> None:
    coming = Schedule(rise=10, end=20, start=0.0, stop=0.5)
    recipe = FastRecipe(dataclasses.replace(TINY, neutral_code=coming))
    batch, state = random_batch(), pair_state(TINY)
    pairs = outputs(state.networks, batch, recipe.config, Generator().manual_seed(0), 0, ALONE)
    pairs = pairs._replace(of_neutral=torch.tensor([[0.0, 0.0, 3.0]]))
    totals, terms = zip(*(recipe.objective(state.networks, batch, pairs, k) for k in (0, 20)), strict=True)
    assert float(terms[0]["code_of_neutral"]) == pytest.approx(3)
    assert float((totals[1] - totals[0]).detach()) == pytest.approx(1.5, rel=1e-3)


def test_noise_differs_in_strength_from_row_to_row() -> None:
    drawn = noise(500, 40, 0.5, Generator().manual_seed(1)).std(dim=1)
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(drawn.min()) < 0.02
    assert 0.9 < float(drawn.max()) < 1.3
    assert not noise(500, 40, 0.0, Generator().manual_seed(1)).any()


def test_the_generator_gets_noisy_codes_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    coming = Schedule(rise=10, end=20, start=0.0, stop=0.5)
    monkeypatch.setattr(augment, "encoder_input", lambda image, generator, view: image)
    networks = Networks(Painter(), Reader())
    config = dataclasses.replace(TINY, code_noise=coming)
    made = [outputs(networks, random_batch(), config, Generator().manual_seed(0), step, ALONE) for step in (5, 20)]
    assert not torch.allclose(made[0].restored, made[1].restored, atol=0.05)
    torch.testing.assert_close(made[0].encoded, made[1].encoded)
    torch.testing.assert_close(made[0].neutralised, made[1].neutralised)


def test_the_encoder_is_asked_for_a_coarse_sketch_of_the_change() -> None:
    recipe = FastRecipe(dataclasses.replace(TINY, sketch=0.5))
    batch, state = random_batch(), pair_state(TINY)
    pairs = outputs(state.networks, batch, recipe.config, Generator(), 0, ALONE)
    total, terms = recipe.objective(state.networks, batch, pairs, 0)
    without, _ = FastRecipe(TINY).objective(state.networks, batch, pairs, 0)
    change = torch.nn.functional.avg_pool2d((batch.expressive - batch.neutral).mean(1, keepdim=True), 4)
    missed = (state.networks.encoder.sketch(pairs.encoded) - change).square().mean()
    assert float(terms["unsketched"]) == pytest.approx(float((missed / (change.square().mean() + 1e-4)).detach()))
    assert float((total - without).detach()) == pytest.approx(0.5 * float(terms["unsketched"]), rel=1e-4)


def test_where_movements_are_known_they_are_sketched() -> None:
    """Pixels come from the right, and twice as far from below: two halves of the sketch, 0.1 and 0.2."""
    recipe = LandmarksRecipe(dataclasses.replace(LANDMARKS, sketch=0.5))
    batch, state = transplanted_batch(), pair_state(LANDMARKS)
    batch.flow[:, 1] = 0.02
    wanted = torch.tensor([0.1] * 8 + [0.2] * 8)[:, None]
    pairs = outputs(state.networks, batch, recipe.config, Generator(), 0, ALONE)
    _, terms = recipe.objective(state.networks, batch, pairs, 0)
    missed = (state.networks.encoder.sketch(pairs.encoded) - wanted).square().mean()
    assert float(terms["unsketched"]) == pytest.approx(float(missed.detach()) / (0.025 + 1e-4), rel=1e-4)


def test_small_networks_sketch_as_finely_as_they_see() -> None:
    network = NetworkConfig(size=32, code_dim=3, generator_widths=(8, 8), trunk_widths=(8, 8), reduce=4, shuffle=2)
    config = dataclasses.replace(TINY, network=network, sketch=0.2, coarse=True)
    state, recipe = pair_state(config), FastRecipe(config)
    batch = recipe.augment(random_batch(size=32), Generator().manual_seed(0))
    assert state.networks.encoder.sketch(torch.zeros(2, 3)).shape == (2, 1, 8, 8)
    assert 0 < float(recipe.round(state, lambda: batch, 0)["unsketched"]) < 100


def test_half_a_code_is_half_a_sketch_and_light_does_not_reach_the_encoder() -> None:
    encoder = pair_state(TINY).networks.encoder
    code = torch.randn(2, 3, generator=Generator().manual_seed(0))
    torch.testing.assert_close(encoder.sketch(code / 2), encoder.sketch(code) / 2)
    face = random_batch().neutral
    torch.testing.assert_close(encoder(face * 0.8 + 0.1), encoder(face), atol=0.05, rtol=0.05)
