"""Both baselines in the trainer: what a round changes, that they learn, resume bit for bit, and what a run leaves."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cartoons import GANIMATION, SIZE, STARGAN
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from twocet.compare.baselines import methods
from twocet.compare.baselines.domains import DomainSampler
from twocet.compare.baselines.models import GANimationModel, StarGANModel, load_any
from twocet.compare.baselines.units import row_units
from twocet.compare.methods import METHODS
from twocet.errors import UserError
from twocet.method.schedules import constant
from twocet.model.interface import CodeModel, ExpressionModel, Neutralizes, Samples
from twocet.model.model import load_model, new_model, save_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.photo.scaling import to_unit
from twocet.runtime import devices
from twocet.runtime.randomness import Share
from twocet.training import checkpoint
from twocet.training.config import Sources
from twocet.training.export import VALIDATION_PAIRS, History
from twocet.training.loader import make_batch
from twocet.training.loop import Run, resume, train
from twocet.training.selection import METRICS as SELECTION

CONFIGS = ("starganv2", "ganimation")


@pytest.fixture
def config_of(ganimation):
    return {"starganv2": STARGAN, "ganimation": ganimation}.__getitem__


def new_run(folder, data, config):
    return Run(folder, config, Sources(data=(str(data),), mix=(1.0,)), progress=False, entries=METHODS)


def rounds(run, number, batches):
    """Rounds on the same mini-batches, again and again."""
    draw = itertools.cycle(batches)
    terms = []
    for step in range(number):
        run.state.begin_round(step, None)
        terms.append({k: float(v) for k, v in run.recipe.round(run.state, lambda: next(draw), step).items()})
        run.state.end_round(step)
    return terms


def batches(run, number=1):
    return [run.sampler.batch(k) for k in range(number)]


@pytest.mark.parametrize("name", CONFIGS)
def test_one_round_changes_every_trainable_parameter(tmp_path, data, config_of, name):
    run = new_run(tmp_path, data, dataclasses.replace(config_of(name), batch=16))
    before = {k: v.clone() for part, net in run.state.named().items() for k, v in _named(part, net)}
    rounds(run, 1, batches(run, run.recipe.num_batches))
    after = {k: v for part, net in run.state.named().items() for k, v in _named(part, net)}
    assert len(before) > 40
    assert not [k for k in before if torch.equal(before[k], after[k])]
    assert all(p.requires_grad for p in after.values())


class OneDevice(TorchDispatchMode):
    """Refuses every operation on tensors of several devices, but for copies; scalars may come from anywhere."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = {t.device for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.dim()}
        copies = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        assert len(found) <= 1 or func in copies, f"{func} on {found}"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_round_on_a_device_mixes_nothing_with_the_processor(tmp_path, data, config_of, name, monkeypatch):
    """On the device without numbers."""
    run, nowhere = new_run(tmp_path, data, config_of(name)), torch.device("meta")
    # Fused optimisers want real numbers.
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: None)
    batch = run.sampler.batch(0)
    batch = type(batch)(*(rows.to(nowhere) for rows in batch))
    with devices.on(nowhere), OneDevice():
        state = run.method.new_state(nowhere)
        state.begin_round(0, 10)
        terms = run.recipe.round(state, lambda: batch, 0)
        state.end_round(0)
    assert {term.device for term in terms.values()} == {nowhere}


def _named(part, network):
    return ((f"{part}.{name}", p) for name, p in network.named_parameters())


def test_stargan_overfits_one_batch(tmp_path, data):
    """With realness and diversity off, the way back closes and styles are read back."""
    config = dataclasses.replace(STARGAN, diversity=constant(0.0), r1=0.0, lr=3e-3, warm_up=0, decay="none")
    run = new_run(tmp_path, data, config)
    batch = batches(run)[0]
    terms = rounds(run, 60, [batch])
    assert terms[-1]["cycle_latent"] < 0.5 * terms[0]["cycle_latent"]
    assert terms[-1]["cycle_reference"] < 0.5 * terms[0]["cycle_reference"]
    assert terms[-1]["style_latent"] < 0.5 * terms[0]["style_latent"]
    assert run.state.is_finite()


def test_stargan_discriminator_separates_one_batch(tmp_path, data):
    run = new_run(tmp_path, data, dataclasses.replace(STARGAN, r1=0.0, lr=3e-3, warm_up=0))
    batch, latents = batches(run)[0], (torch.zeros(4, 4),) * 2
    optimiser = run.state.optimisers["discriminator"]
    for _ in range(60):
        optimiser.zero_grad()
        total = run.recipe.discriminator_total(run.state.networks, batch, latents, 1, guided=True).total
        total.backward()
        optimiser.step()
    assert total.item() < 0.1


def test_ganimation_overfits_one_batch(tmp_path, data, ganimation):
    config = dataclasses.replace(ganimation, units=100.0, cycle=1.0, lr=5e-3, warm_up=0, decay="none", critic_steps=1)
    run = new_run(tmp_path, data, config)
    batch = batches(run)[0]
    terms = rounds(run, 80, [batch])
    assert terms[-1]["units_of_photos"] < 0.3 * terms[0]["units_of_photos"]
    assert terms[-1]["units"] < 0.5 * terms[0]["units"]
    assert terms[-1]["cycle"] < 0.5 * terms[0]["cycle"]
    assert run.state.is_finite()


def test_reference_guided_step_leaves_mapping_and_encoder_alone(tmp_path, data):
    run = new_run(tmp_path, data, STARGAN)
    batch, latents = batches(run)[0], (torch.zeros(4, 4), torch.ones(4, 4))
    networks = run.state.networks
    networks.encoder.requires_grad_(False)
    run.recipe.generator_total(networks, batch, latents, 0, guided=True).total.backward()
    assert all(p.grad is not None for p in networks.generator.parameters())
    assert all(p.grad is None for part in (networks.mapping, networks.encoder) for p in part.parameters())


def test_weights_of_the_losses(tmp_path, data, ganimation):
    """The totals are the weighted sums that the papers publish."""
    run = new_run(tmp_path / "s", data, dataclasses.replace(STARGAN, style=2.0, cycle=3.0, diversity=constant(0.5)))
    latents = (torch.zeros(4, 4), torch.ones(4, 4))
    total, terms = run.recipe.generator_total(run.state.networks, batches(run)[0], latents, 0, guided=False)
    t = {name.removesuffix("_latent"): float(value) for name, value in terms.items()}
    wanted = t["adversarial"] + 2 * t["style"] + 3 * t["cycle"] - 0.5 * t["diversity"]
    assert total.item() == pytest.approx(wanted, rel=1e-5)
    run = new_run(tmp_path / "g", data, ganimation)
    total, terms = run.recipe.generator_total(run.state.networks, batches(run)[0])
    t = {name: float(value) for name, value in terms.items()}
    wanted = t["unconvincing"] + 160 * t["units"] + 10 * t["cycle"] + 0.1 * t["mask"] + 2.5e-4 * t["mask_variation"]
    assert total.item() == pytest.approx(wanted, rel=1e-5)


def test_domains_are_balanced_and_references_share_one(tmp_path, data):
    run = new_run(tmp_path, data, STARGAN)
    assert run.config.domains == ("neutral", "happy", "sad")
    sampler = DomainSampler(run.faces, [1.0], run.config.domains, 8, 3)
    drawn = [sampler.batch(k) for k in range(60)]
    for name in ("domain", "target"):
        counts = torch.bincount(torch.cat([getattr(batch, name) for batch in drawn]), minlength=3)
        assert counts.sum() == 480
        assert counts.min() > 130
    halves = [sampler.batch(5, Share(part, 2)) for part in range(2)]
    for whole, *parts in zip(drawn[5], *halves, strict=True):
        assert torch.equal(whole, torch.cat(parts))
    places = {y: list(run.faces[0].take(found)) for y, found in sampler.members[0].items()}
    assert set(places) == {0, 1, 2}
    for y, photo in zip(drawn[0].target.tolist(), drawn[0].other_reference, strict=True):
        assert any(torch.equal(((photo + 1) * 127.5).round(), known.float()) for known in places[y])


def test_wanted_units_are_those_of_another_photo_with_noise(tmp_path, data, ganimation):
    run = new_run(tmp_path, data, dataclasses.replace(ganimation, batch=8, unit_noise=0.05))
    known = [torch.tensor(row_units(row)) for row in run.faces[0].rows]
    photos = to_unit(run.faces[0].take(range(len(known))))
    others = 0
    for number in range(6):
        for image, units, wanted in zip(*run.sampler.batch(number), strict=True):
            place = next(k for k, photo in enumerate(photos) if torch.equal(photo, image))
            assert torch.equal(units, known[place])
            apart = torch.stack([(wanted - other).abs().max() for other in known])
            assert 0 < apart.min() <= 0.05
            others += bool((wanted - units).abs().max() > 0.1)
    # Each photo's units are shared by a quarter of all.
    assert others > 24


def test_unlabelled_data_are_refused(tmp_path, data):
    with pytest.raises(UserError, match="needs expression labels"):
        new_run(tmp_path, data, dataclasses.replace(STARGAN, exclude=("*",)))


@pytest.mark.parametrize("name", CONFIGS)
def test_augmentation_is_a_function_of_seed_and_number(tmp_path, data, config_of, name):
    run = new_run(tmp_path, data, config_of(name))
    one, two = (make_batch(run.sampler, run.recipe.augment, 0, 2) for _ in range(2))
    plain = run.sampler.batch(2)
    assert torch.equal(one.image, two.image)
    assert not torch.equal(one.image, plain.image)
    assert one.image.abs().max() <= 1


@pytest.mark.parametrize("name", CONFIGS)
def test_a_resumed_run_equals_an_unbroken_one_and_leaves_a_model(tmp_path, data, config_of, name):
    config = config_of(name)
    train(new_run(tmp_path / "whole", data, config))
    broken = new_run(tmp_path / "broken", data, config)
    whole_round = broken.recipe.round

    def failing(state, draw, step):
        if step == 4:
            raise RuntimeError("power cut")
        return whole_round(state, draw, step)

    broken.recipe.round = failing
    with contextlib.suppress(RuntimeError):
        train(broken)
    again = resume(tmp_path / "broken", progress=False, entries=METHODS)
    assert again.progress.step == 3
    assert again.config == broken.config
    assert train(again)
    first, second = (
        checkpoint.read(tmp_path / run / "checkpoints" / "step-000000006.pt") for run in ("whole", "broken")
    )
    for part, state in first["parts"].items():
        flat = _flat(state), _flat(second["parts"][part])
        assert flat[0].keys() == flat[1].keys()
        assert all(torch.equal(flat[0][key], flat[1][key]) for key in flat[0]), part
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation_gain" in line] == [3, 6]
    assert (tmp_path / "whole" / "checkpoints" / "best.pt").exists()
    assert (tmp_path / "whole" / "samples" / "000000003.png").exists()
    assert load_any(tmp_path / "whole" / "model.safetensors").metadata["training"]["rounds"] == 6
    with pytest.raises(UserError, match=f"holds a {name} model"):
        load_model(tmp_path / "whole" / "model.safetensors")


def test_baselines_are_chosen_by_the_same_measures(tmp_path, data, ganimation, monkeypatch):
    """Agreement and kernel distance are asked of the references' expressions on the next person's neutral face."""
    run = new_run(tmp_path, data, dataclasses.replace(ganimation, select="agreement"))
    assert (run.method.select, run.metric) == ("agreement", SELECTION["agreement"])
    seen = {}
    monkeypatch.setattr(methods, "agreement", lambda *given: seen.setdefault("agreement", given) and 0.25)
    monkeypatch.setattr(methods, "distance", lambda *given: seen.setdefault("distance", given) and 0.75)
    copying = SimpleNamespace(transfer=lambda target, reference, strength, labels: target)
    assert methods.measured(copying, run.held_out, "agreement") == 0.25
    assert methods.measured(copying, run.held_out, "kid_mobilenetv2") == 0.75
    neutral, expressive, _ = methods.known_pairs(run.held_out, VALIDATION_PAIRS, None)
    for wanted, given in zip((neutral.roll(1, dims=0), neutral, expressive), seen["agreement"], strict=True):
        assert torch.equal(wanted, given)
    assert all(torch.equal(a, b) for a, b in zip(seen["distance"], (neutral.roll(1, dims=0), expressive), strict=True))


def _flat(value, name=""):
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path: tensor for key, part in items for path, tensor in _flat(part, f"{name}/{key}").items()}


class TestModels:
    @pytest.fixture
    def stargan(self, tmp_path, data):
        run = new_run(tmp_path, data, STARGAN)
        history = History(run.faces, run.held_out, [run.datasets[0].info], run.progress, {}, True)
        return run.method.export(tmp_path / "m", run.state, history)

    @pytest.fixture
    def animation(self, tmp_path, data, ganimation):
        run = new_run(tmp_path, data, ganimation)
        history = History(run.faces, run.held_out, [run.datasets[0].info], run.progress, {}, True)
        return run.method.export(tmp_path / "m", run.state, history)

    def test_abilities(self, stargan, animation):
        assert isinstance(stargan, ExpressionModel)
        assert isinstance(stargan, Neutralizes)
        assert isinstance(stargan, Samples)
        assert isinstance(animation, ExpressionModel)
        assert isinstance(animation, Neutralizes)
        assert not isinstance(animation, Samples)

    def test_files_keep_everything(self, tmp_path, stargan):
        loaded = load_any(tmp_path / "m")
        assert isinstance(loaded, StarGANModel)
        assert loaded.config == stargan.config
        target, reference = torch.rand(2, 2, 3, SIZE, SIZE) * 2 - 1
        made = (model.transfer(target, reference, 1.0, ["happy", "sad"]) for model in (stargan, loaded))
        assert torch.allclose(*made, atol=0.02)

    def test_stargan_strength_goes_from_the_neutral_style(self, stargan):
        target, reference = torch.rand(2, 2, 3, SIZE, SIZE) * 2 - 1
        made = stargan.transfer(target, reference, 0.0, ["happy", "sad"])
        assert torch.allclose(made, stargan.neutralize(target), atol=1e-5)
        assert not torch.allclose(made, stargan.transfer(target, reference, 1.0, ["happy", "sad"]), atol=1e-4)

    def test_stargan_asks_its_discriminator_where_no_domain_is_named(self, stargan):
        image = torch.rand(3, 3, SIZE, SIZE) * 2 - 1
        logits = torch.stack([stargan.networks.discriminator(image, torch.full((3,), k)) for k in (1, 2)])
        expected = [1 + k for k in logits.argmax(dim=0).tolist()]
        assert stargan.domains_of(image, None).tolist() == expected
        assert stargan.domains_of(image, ["happy", "units3", "neutral"]).tolist() == [1, expected[1], 0]

    def test_stargan_samples_are_those_of_the_generator(self, stargan):
        target = torch.rand(2, 3, SIZE, SIZE)
        one, two = (stargan.sample(target, torch.Generator().manual_seed(k)) for k in (3, 3))
        assert torch.equal(one, two)
        assert not torch.equal(one, stargan.sample(target, torch.Generator().manual_seed(4)))

    def test_units_of_openface_are_read_by_the_discriminator(self, animation):
        image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
        assert torch.equal(animation.read_units(image), animation.networks.discriminator(image).units.clamp(0, 1))

    def test_blendshapes_are_read_by_the_landmark_runtime(self, animation):
        values = iter([np.linspace(0, 1, 17), np.full(17, np.nan)])
        facts = {"units": "blendshapes", "neutral_units": [0.25] * 17}
        model = GANimationModel(animation.networks, GANIMATION, facts, lambda pixels: next(values))
        read = model.read_units(torch.rand(2, 3, SIZE, SIZE))
        assert read[0].tolist() == pytest.approx(np.linspace(0, 1, 17).tolist())
        assert read[1].tolist() == [0.25] * 17
        values = iter([np.linspace(0, 1, 17)])
        target = torch.rand(1, 3, SIZE, SIZE)
        made = model.transfer(target, target, 0.5)
        halfway = torch.linspace(0, 1, 17)[None] * 0.5 + 0.125
        assert torch.allclose(made, animation.networks.generator(target, halfway).image, atol=1e-6)


def test_files_of_2cet_are_expression_models_too(tmp_path):
    config = NetworkConfig(size=SIZE, code_dim=4, generator_widths=(8, 12), trunk_widths=(8, 12))
    save_model(tmp_path / "m", new_model(build(config), config, {}))
    assert isinstance(load_any(tmp_path / "m"), CodeModel)
