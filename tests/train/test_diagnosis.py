"""What is recorded of label-free networks, and the files that keep them before averaging."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from tiny import CONFIG, SETTINGS, write_dataset

from twocet.cli import main
from twocet.commands.train import configure
from twocet.data.dataset import load_faces, open_dataset
from twocet.errors import UserError
from twocet.method import codes
from twocet.method.schedules import Schedule
from twocet.model.model import load_model
from twocet.networks.interfaces import Networks
from twocet.training.config import Sources
from twocet.training.diagnosis import diagnose
from twocet.training.loop import Run, train
from twocet.training.recipes.base import adversarial_state
from twocet.training.recipes.table import preset_config
from twocet.training.stretch import stretched


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "faces")


@pytest.fixture(scope="module")
def faces(data):
    return load_faces(open_dataset(data), "val", 32, progress=False)


def draw(num, generator):
    return codes.uniform(num, 2, 1.0, generator)


class Mouths(torch.nn.Module):
    """Whether row 25 is darker than the chin, as the logits: these cartoons' mouths grow with the expression."""

    def forward(self, image):
        dark = (image[:, :, 31, 9:23] - image[:, :, 25, 9:23]).mean(dim=(1, 2))
        return torch.stack([-dark, dark], dim=1)


def paint(image, code):
    """The code's two numbers in two corners."""
    return torch.cat([torch.cat([code, torch.zeros(len(code), 30)], 1)[:, None, None].expand(-1, 3, 1, -1),
                      image[:, :, 1:]], dim=2)  # fmt: skip


def test_networks_that_copy_are_seen_to_copy(faces):
    silent = Networks(lambda image, code: image, lambda image: torch.zeros(len(image), 2), Mouths())
    found = diagnose(silent, [faces], draw, False)
    assert (found["change"], found["change_by_code"], found["code_spread"]) == (0, 0, 0)
    assert found["code_error"] == pytest.approx(found["code_size"])
    assert found["auc_photos_expressive"] == found["auc_fakes_expressive"] == 1
    assert found["auc_photos_neutral"] == found["auc_fakes_neutral"] == 1


def test_codes_that_are_written_into_the_picture_are_read(faces):
    writing = Networks(paint, lambda image: image[:, 0, 0, :2], Mouths())
    found = diagnose(writing, [faces], draw, False)
    assert found["code_error"] == pytest.approx(0, abs=1e-6)
    assert found["code_correlation"] == pytest.approx(1)
    assert found["code_correlation_blurred"] < 0.99
    assert found["change_by_code"] > 0


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    config = dataclasses.replace(CONFIG, select="gain", ema_warm_up=False)
    made = Run(folder, config, Sources(data=(str(data),), mix=(1.0,)), progress=False)
    train(made)
    return made


def test_a_label_free_run_records_its_diagnosis(run):
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    found = [line for line in lines if "validation_gain" in line]
    assert [line["step"] for line in found] == [5, 10]
    assert {"auc_photos_neutral", "code_error", "change_by_code"} <= found[-1].keys()


def test_networks_are_kept_as_they_are_beside_their_averages(run):
    last = "last" if (run.folder / "last.safetensors").exists() else "model"
    raw, average = (load_model(run.folder / f"{last}{end}.safetensors") for end in ("-raw", ""))
    for model, networks in ((raw, run.state.networks), (average, run.state.average)):
        for name, value in networks.generator.state_dict().items():
            assert torch.equal(model.generator.state_dict()[name], value.half().float())
    assert not torch.equal(raw.generator.stem.weight, average.generator.stem.weight)


def test_random_codes_of_a_label_free_model_come_from_what_it_was_trained_with(run):
    config = configure("fast", "authors", (*SETTINGS, "codes=normal", "code_range=0.5"), steps=1)
    assert run.method.drawn == codes.PAPER
    model = load_model(run.folder / "model-raw.safetensors")
    assert "codes" not in model.metadata
    drawn = model.sample_codes(3, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, codes.uniform(3, 4, 1.0, torch.Generator().manual_seed(0)))
    other = dataclasses.replace(
        model, metadata={**model.metadata, "code_distribution": {"name": config.codes, "width": config.code_range}}
    )
    drawn = other.sample_codes(3, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, codes.normal(3, 4, 0.5, torch.Generator().manual_seed(0)))


def test_stretching_changes_all_that_counts_rounds():
    config = preset_config("fast", "authors")
    short = stretched(config, 0.04)
    assert short.weights.code == Schedule(rise=200, end=1200)
    assert short.weights.diversity == Schedule(end=4000, start=1.0, stop=0.0)
    assert short.ema == pytest.approx(0.999**25)
    assert dataclasses.replace(short, weights=config.weights, ema=config.ema) == config
    assert stretched(config, 1) == config
    with pytest.raises(UserError, match="schedule-scale is -1"):
        stretched(config, -1)


def test_the_discriminator_learns_as_fast_as_the_generator_unless_told_otherwise(capsys):
    for words, rate in (((), 3e-4), (("lr_discriminator=1e-4",), 1e-4)):
        state = adversarial_state(configure("fast", "authors", ("lr=3e-4", *words)))
        state.begin_round(0, 10)
        groups = [*state.generator_optimiser.param_groups, *state.discriminator_optimiser.param_groups]
        assert [group["lr"] for group in groups] == [3e-4, 3e-4, rate]
    assert main(["train", "-o", "x", "--recipe", "supervised", "--schedule-scale", "2", "--dry-run"]) == 2
    assert "leave out --preset, --schedule-scale" in capsys.readouterr().err
