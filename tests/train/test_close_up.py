"""The close-up: what it does to an edit, and how the recipe close_up trains it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from twocet.errors import UserError
from twocet.method.schedules import constant
from twocet.networks.build import build
from twocet.networks.close_up import CloseUp, CloseUpDiscriminator, Retouch, cut, follow, resize, window
from twocet.networks.config import NetworkConfig
from twocet.networks.edit import Edit, compose
from twocet.training import augment
from twocet.training.recipes.base import pair_state
from twocet.training.recipes.close_up import SHIFT, CloseUpRecipe, Mouths, Shown, changing, close_up_state
from twocet.training.recipes.configs import CloseUpConfig, FastConfig
from twocet.training.recipes.table import RECIPES
from twocet.training.sampler import Batch

SIZE = 64
NETWORK = NetworkConfig(size=SIZE, code_dim=3, generator_widths=(8, 8), trunk_widths=(8, 8), close_up=True)
TINY = dataclasses.replace(RECIPES["close_up"].defaults, network=NETWORK, batch=8, bf16=False, threads=1)


def smooth(num: int, channels: int, side: int, seed: int) -> Tensor:
    """Something without sharp edges, so that resampling it twice or once makes no difference."""
    coarse = torch.rand(num, channels, 4, 4, generator=Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)


def random_batch(num: int = 8, size: int = SIZE) -> Batch:
    return Batch(*(smooth(num, 3, size, seed) * 1.6 - 0.8 for seed in (1, 2)))


def random_edit(num: int, side: int) -> Edit:
    return Edit(0.02 * (smooth(num, 2, side, 3) - 0.5), smooth(num, 1, side, 4) * 0.5, smooth(num, 3, side, 5) - 0.5)


def test_the_part_is_where_mouths_are() -> None:
    place = torch.arange(128.0)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    part = cut(torch.stack([rows, columns])[None])
    assert part.shape == (1, 2, 64, 64)
    assert (part[0, 0, 0, 0], part[0, 1, 0, 0]) == (58, 32)


def test_the_window_is_closed_at_its_border_and_open_inside() -> None:
    shown = window(64)
    assert float(shown[0].max()) < 0.01
    assert torch.equal(shown[10:54, 10:54], torch.ones(44, 44))
    torch.testing.assert_close(shown, shown.T.flip(0))


def test_at_the_start_of_training_nothing_is_changed() -> None:
    close_up = CloseUp(SIZE, code_dim=3)
    image, edit = smooth(2, 3, SIZE, 0), random_edit(2, SIZE // 2)
    finished = close_up.finish(image, edit, torch.ones(2, 3))
    for field, new in zip(edit, finished, strict=True):
        torch.testing.assert_close(resize(field, image), new, atol=1e-5, rtol=1e-4)


def test_one_edit_does_what_edit_and_retouch_do_in_turn() -> None:
    image, edit = smooth(2, 3, 64, 0) - 0.5, random_edit(2, 64)
    part = compose(image, edit)
    shown = window(64)
    retouch = Retouch(0.04 * (smooth(2, 2, 64, 6) - 0.5) * shown, 0.6 * (smooth(2, 3, 64, 7) - 0.5) * shown)
    # The part is half a side wide: a displacement of the whole crop's side is twice as many of its sides.
    wide = Edit(edit.flow / 2, edit.mask, edit.colour)
    followed = follow(wide, part, retouch)
    together = compose(image, Edit(2 * followed.flow, followed.mask, followed.colour))
    in_turn = retouch.applied(part)
    assert (in_turn - part).abs().mean() > 0.03
    assert (together - in_turn).abs().max() < 0.02


def test_what_is_painted_over_hides_the_photos_own_detail() -> None:
    still = Edit(torch.zeros(1, 2, 8, 8), torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 8, 8))
    added = torch.tensor([0.0, 0.15, 0.3, 0.9]).repeat(2).expand(1, 3, 8, 8).clone()
    followed = follow(still, torch.zeros(1, 3, 8, 8), Retouch(torch.zeros(1, 2, 8, 8), added))
    torch.testing.assert_close(followed.mask[0, 0, 0, :4], torch.tensor([0.0, 0.5, 1.0, 1.0]))
    torch.testing.assert_close(followed.colour[0, 0, 0, 1:4], torch.tensor([0.3, 0.3, 0.9]))


def test_the_generators_edit_is_finished_in_the_mouths_part_alone() -> None:
    torch.manual_seed(0)
    generator = build(NETWORK).generator.eval()
    torch.nn.init.normal_(generator.close_up.paint_head.weight, std=0.2)
    image, code = random_batch(2).neutral, torch.ones(2, 3)
    with torch.no_grad():
        before, after = (compose(image, edit(image, code)) for edit in (generator.whole, generator.edit))
        assert generator.edit(image, code).mask.shape == (2, 1, SIZE, SIZE)
    changed = (after - before).abs().amax(dim=1)
    assert float(cut(changed).max()) > 0.05
    cut(changed).zero_()
    assert float(changed.max()) < 1e-5


def test_pairs_stay_pairs_and_moving_mouths_are_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    neutral = torch.arange(64.0)[:, None, None, None].expand(64, 3, SIZE, SIZE) / 100
    changes = torch.tensor([0.0] * 48 + [1.0] * 16)[:, None, None, None]
    batch = Batch(neutral, neutral + changes)
    chosen = changing(batch, Generator().manual_seed(0))
    assert len(set(chosen.tolist())) == 32
    # 48 rows of weight 0.05 and 16 of 1.05: nearly all of the latter are among the half.
    assert int((chosen >= 48).sum()) >= 14
    monkeypatch.setattr(augment, "photometric", lambda images, generator: tuple(images))
    made = CloseUpRecipe(TINY).augment(batch, Generator().manual_seed(0))
    assert len(made.neutral) == 32
    assert torch.equal(made.reference, made.expressive)
    difference = (made.expressive - made.neutral).mean(dim=(1, 2, 3))
    assert bool(((difference < 1e-4) | ((difference - 1).abs() < 1e-4)).all())
    assert 14 <= int((difference > 0.5).sum()) <= 16


def test_what_there_is_to_finish() -> None:
    torch.manual_seed(0)
    networks = build(NETWORK)
    batch = Shown(*random_batch(), reference=smooth(8, 3, SIZE, 3) - 0.5)
    recipe = CloseUpRecipe(dataclasses.replace(TINY, code_noise=constant(0.0)))
    mouths = recipe.mouths(networks, batch, Generator(), 0)
    assert mouths.pairs == 8
    assert len(mouths.made) == 8 + 4 + 2 + 1
    torch.testing.assert_close(mouths.given, mouths.meant)
    torch.testing.assert_close(mouths.meant[8:12], mouths.meant[:8].roll(1, dims=0)[:4])
    assert not mouths.meant[12:].any()
    neutral = batch.neutral[:2], batch.neutral[:1]
    torch.testing.assert_close(mouths.truth, cut(torch.cat([batch.expressive, *neutral])))
    torch.testing.assert_close(mouths.real, cut(torch.cat([batch.reference, *neutral])))
    with torch.no_grad():
        torch.testing.assert_close(mouths.meant[:8], networks.encoder(batch.reference))
    before = torch.cat([batch.neutral, batch.expressive[:2], batch.neutral[:1]])
    torch.testing.assert_close(mouths.before, cut(before))


def test_the_discriminator_looks_a_little_beside_the_place() -> None:
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    parts = torch.stack([rows, columns])[None]
    nothing = torch.empty(0)
    places = [(SHIFT, SHIFT), (0, 2 * SHIFT)]
    straight, beside = (Mouths(0, *[nothing] * 7, place).seen(parts) for place in places)
    assert torch.equal(straight, parts)
    # Up and to the right, where edges are repeated.
    assert torch.equal(beside, torch.stack([(rows - SHIFT).clamp(min=0), (columns + SHIFT).clamp(max=31)])[None])


def test_the_close_up_alone_learns() -> None:
    """Mouths that are always painted blue: learnt in some rounds, with generator and encoder as they were."""
    config = dataclasses.replace(TINY, lr=2e-3, warm_up=0, decay="none", adversarial=constant(0.0), features=0.0)
    state = close_up_state(config)
    batch = random_batch()
    expressive = batch.neutral.clone()
    cut(expressive)[:, 2] = 0.9
    batch = Batch(batch.neutral, expressive)
    before = {name: value.clone() for name, value in state.networks.generator.state_dict().items()}
    encoder = {name: value.clone() for name, value in state.networks.encoder.state_dict().items()}
    recipe = CloseUpRecipe(config)
    shown = Shown(*batch, reference=batch.expressive)
    found = []
    for step in range(15):
        state.begin_round(step, 15)
        found.append(float(recipe.round(state, lambda: shown, step)["pair"]))
        state.end_round(step)
    assert found[0] > 0.9
    assert found[-1] < 0.85
    for name, value in state.networks.generator.state_dict().items():
        if name.startswith("close_up.") and name.endswith("head.weight"):
            assert not torch.equal(value, before[name]), name
        if not name.startswith("close_up."):
            assert torch.equal(value, before[name]), name
    assert all(torch.equal(value, encoder[name]) for name, value in state.networks.encoder.state_dict().items())


def test_its_discriminator_learns_which_code_a_mouth_shows() -> None:
    torch.manual_seed(0)
    judge = CloseUpDiscriminator(SIZE, code_dim=1, widths=(4, 8, 8))
    mouths = torch.cat([torch.full((4, 3, 32, 32), tone) for tone in (-0.5, 0.5)])
    right = torch.tensor([-1.0] * 4 + [1.0] * 4)[:, None]
    optimiser = torch.optim.Adam(judge.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        loss = torch.nn.functional.softplus(-judge(mouths, right)) + torch.nn.functional.softplus(judge(mouths, -right))
        loss.mean().backward()
        optimiser.step()
    with torch.no_grad():
        assert float(judge(mouths, right).min()) > 1
        assert float(judge(mouths, -right).max()) < -1


def test_its_state_is_saved_with_the_discriminator() -> None:
    torch.manual_seed(0)
    state = close_up_state(TINY)
    names = set(state.parts())
    assert "close_up_discriminator" in names
    other = close_up_state(dataclasses.replace(TINY, seed=5))
    other.load({name: part.state_dict() for name, part in state.parts().items()})
    for mine, theirs in zip(other.weights(), state.weights(), strict=True):
        assert torch.equal(mine, theirs)


def test_mouths_of_larger_photos_are_finished_where_the_detail_works() -> None:
    network = dataclasses.replace(NETWORK, size=2 * SIZE, reduce=4, detail=True)
    state = close_up_state(dataclasses.replace(TINY, network=network))
    recipe = CloseUpRecipe(state.config)
    shown = recipe.augment(random_batch(size=2 * SIZE), Generator().manual_seed(0))
    assert shown.neutral.shape == (4, 3, SIZE, SIZE)
    terms = recipe.round(state, lambda: shown, 0)
    assert all(torch.isfinite(term) for term in terms.values())


def test_a_model_gets_a_close_up_keeps_it_and_loses_it() -> None:
    plain = build(dataclasses.replace(NETWORK, close_up=False))
    with_one = close_up_state(TINY)
    new = with_one.networks.generator.close_up.body.stem.weight.clone()
    with_one.start_from(plain)
    generator = with_one.networks.generator
    assert torch.equal(generator.stem.weight, plain.generator.stem.weight)
    assert torch.equal(generator.close_up.body.stem.weight, new)
    other = close_up_state(dataclasses.replace(TINY, seed=9))
    other.start_from(with_one.networks)
    assert torch.equal(other.networks.generator.close_up.body.stem.weight, new)
    without = pair_state(FastConfig(network=dataclasses.replace(NETWORK, close_up=False)))
    without.start_from(other.networks)
    assert without.networks.generator.close_up is None
    assert torch.equal(without.networks.generator.stem.weight, plain.generator.stem.weight)


def test_recipe_and_networks_must_agree(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="and no others, train networks with a close-up"):
        FastConfig(network=NETWORK)
    with pytest.raises(UserError, match="close_up trains networks with a close-up"):
        CloseUpConfig(recipe="close_up", network=dataclasses.replace(NETWORK, close_up=False))
    with pytest.raises(UserError, match="preset fast alone"):
        NetworkConfig(preset="paper", close_up=True)
    with pytest.raises(UserError, match="batch of 8 or more, not 4"):
        CloseUpRecipe(dataclasses.replace(TINY, batch=4, accumulate=2))
    from twocet.commands.train import train

    with pytest.raises(UserError, match="name its model with --init"):
        train(tmp_path / "run", data=(tmp_path,), recipe="close_up")
