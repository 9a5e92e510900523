"""``twocet compare`` and ``twocet ablate`` on cartoons: what is planned, trained, measured and written."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch
from cartoons import SIZE, STARGAN, StubReaders, write_dataset
from PIL import Image
from safetensors.torch import load_file

from twocet import cli
from twocet.commands import compare
from twocet.commands.compare import AblationName, Common
from twocet.compare.comparison import plan, table, training
from twocet.compare.comparison.measure import Measured, measure_all
from twocet.compare.comparison.pictures import draw_rows
from twocet.compare.comparison.plan import Entry, Measuring
from twocet.errors import UserError
from twocet.method.schedules import constant
from twocet.networks.config import NetworkConfig
from twocet.photo.marks import read_mark
from twocet.training.recipes.configs import FastConfig

OURS = FastConfig(
    network=NetworkConfig(size=SIZE, code_dim=4, generator_widths=(8, 12), trunk_widths=(8, 12)), batch=4, steps=4,
    warm_up=1, threads=1, bf16=False, validate_every=2, checkpoint_every=2, log_every=2, sample_every=2,
)  # fmt: skip


@pytest.fixture
def entries(ganimation):
    return [
        Entry("2cet", "2CET", OURS),
        Entry("starganv2", "StarGAN v2", dataclasses.replace(STARGAN, steps=3)),
        Entry("ganimation", "GANimation-style", dataclasses.replace(ganimation, steps=3)),
    ]


def measuring(data, **given):
    return Measuring(
        **{"data": data, "split": "test", "benchmark": None, "backbone": "mobilenetv2", "most": 20, "seed": 0,
           "device": "cpu", "command": "twocet compare", "size": SIZE, **given}
    )  # fmt: skip


ABLATED = (
    "whole", "− dynamic weights", "− dynamic weights − grey encoder",
    "− dynamic weights − grey encoder − uniform codes", "− grey encoder alone", "− uniform codes alone",
)  # fmt: skip


class TestPlan:
    def test_methods_share_budget_size_and_augmentation(self):
        words = ("network.size=64", "batch=4", "starganv2.diversity.end=70", "ganimation.critic_steps=3")
        made = plan.comparison(plan.METHODS, "fast", words, minutes=5.0, steps=None, seed=2)
        assert [entry.title for entry in made] == [
            "2CET",
            "2CET, label-free",
            "2CET, unpaired",
            "2CET, shapes",
            "StarGAN v2",
            "GANimation-style",
        ]
        shapes = made.pop(3).config
        assert (shapes.seed, shapes.steps, shapes.batch) == (2, 800, 128)
        for entry in made:
            config = entry.config
            assert (config.minutes, config.network.size, config.batch, config.seed) == (5.0, 64, 4, 2)
        assert [entry.config.recipe for entry in made[:3]] == ["fast", "authors", "unpaired"]
        assert made[3].config.diversity.end == 70
        assert made[4].config.critic_steps == 3
        assert {entry.config.augmentation for entry in made[3:]} == {"paper"}
        assert {entry.config.select for entry in made} == {"agreement"}

    def test_every_seed_has_every_method(self):
        made = plan.comparison(["2cet", "2cet-shapes"], "fast", ("2cet-shapes.steps=9",), seeds=(4, 5), steps=7, seed=1)
        assert [(entry.key, entry.config.seed, entry.config.steps) for entry in made] == [
            ("2cet-seed4", 4, 7), ("2cet-shapes-seed4", 4, 9), ("2cet-seed5", 5, 7), ("2cet-shapes-seed5", 5, 9),
        ]  # fmt: skip
        assert [entry.family for entry in made] == ["2CET", "2CET, shapes"] * 2
        with pytest.raises(UserError, match="name each seed once: 4 4"):
            plan.comparison(["2cet"], "fast", (), seeds=(4, 4), steps=7)

    def test_averages_and_networks_have_means_of_their_own(self):
        made = plan.with_raw(plan.comparison(["2cet-authors"], "fast", (), seeds=(1, 2), steps=7))
        assert [entry.family for entry in made] == ["2CET, label-free", "2CET, label-free, not averaged"] * 2
        assert [entry.family for entry in plan.with_raw(plan.comparison(["2cet-authors"], "fast", (), steps=7))] == [
            "",
            "",
        ]

    def test_all_are_measured_in_photos_of_one_size(self):
        small = plan.comparison(["2cet-shapes", "2cet"], "fast", ("network.size=64",), steps=7)
        assert (plan.size_of(small), plan.size_of(small[:1])) == (64, 128)

    def test_schedules_and_averages_are_stretched_alike(self):
        methods = [name for name in plan.METHODS if name != "2cet-shapes"]
        made = {entry.key: entry.config for entry in plan.comparison(methods, "fast", (), 0.1, steps=5)}
        assert made["2cet-authors"].weights.code.rise == 500
        assert made["starganv2"].diversity.end == 300
        assert {round(config.ema, 6) for config in made.values()} == {round(0.999**10, 6)}
        with pytest.raises(UserError, match="schedule-scale is 0: give a positive number"):
            plan.comparison(plan.METHODS, "fast", (), 0, steps=5)

    def test_a_method_may_have_rounds_of_its_own(self):
        made = plan.comparison(["2cet", "starganv2"], "fast", ("starganv2.steps=3",), steps=7)
        assert [entry.config.steps for entry in made] == [7, 3]

    def test_published_size(self):
        made = plan.comparison([name for name in plan.METHODS if name != "2cet-shapes"], "paper", (), steps=7)
        assert {entry.config.network.preset for entry in made} == {"paper"}
        assert {getattr(entry.config, "augmentation", "paper") for entry in made} == {"paper"}
        assert made[0].config.recipe == "authors"

    @pytest.mark.parametrize("word", ["starganv2.nonsense=1", "batch", "ganimation.batch=0"])
    def test_wrong_words_are_named(self, word):
        with pytest.raises(UserError):
            plan.comparison(plan.METHODS, "fast", (word,), steps=1)

    def test_table_3(self):
        made = {entry.key: entry for entry in plan.ablation("fast", "authors", 0.1, ("lr=3e-4",), steps=5)}
        assert list(made) == [
            "whole", "without-dynamic", "without-dynamic-grey", "without-dynamic-grey-uniform", "only-grey",
            "only-uniform",
        ]  # fmt: skip
        whole = made["whole"].config
        assert (whole.recipe, whole.lr, whole.network.preset, whole.network.grey) == ("authors", 3e-4, "fast", True)
        assert (whole.weights.diversity.end, whole.weights.code.rise) == (10_000, 500)
        assert whole.ema == pytest.approx(0.999**10)
        still = made["without-dynamic"].config.weights
        assert (still.code, still.diversity, still.cycle_neutral) == (constant(1.0),) * 3
        assert still.kept == constant(0.0), "what the paper does not have does not come in"
        last = made["without-dynamic-grey-uniform"]
        assert last.title == "− dynamic weights − grey encoder − uniform codes"
        assert (last.config.codes, last.config.network.grey) == ("normal", False)
        assert last.config.weights.diversity == constant(1.0)
        assert made["only-grey"].config == dataclasses.replace(
            whole, network=dataclasses.replace(whole.network, grey=False)
        )
        assert made["only-uniform"].config == dataclasses.replace(whole, codes="normal")


def test_three_methods_from_data_to_table(tmp_path, data, entries):
    folder = tmp_path / "out"
    bench = write_dataset(tmp_path / "bench", shared=True)
    training.begin(folder, entries, data)
    assert training.train_all(folder, entries, data, progress=False)
    done = {entry.key: (folder / entry.key / "model.safetensors").stat().st_mtime_ns for entry in entries}
    settings = measuring(data, benchmark=bench)
    measured = measure_all(folder, entries, settings, StubReaders())
    result = table.summary("Comparison", measured, "twocet compare", {"photos": "a", "benchmark": "b"})
    by_name = {row["model"]: row for row in result["rows"]}
    assert list(by_name) == ["2CET", "StarGAN v2", "GANimation-style", "real photos"]
    for entry in entries:
        row = by_name[entry.title]
        assert row["rounds"] == entry.config.steps
        assert row["gain, named"]["low"] <= row["gain, named"]["value"] <= row["gain, named"]["high"]
        assert row["gain, named"] == measured[entries.index(entry)].benchmark["gain"]["named"]
        assert row["fd_stub E"] == measured[entries.index(entry)].photos["realism"]["sets"]["b_e_r"]["fd_stub"]
        assert row["fd_stub N"] > 0
    assert by_name["real photos"]["is_per_batch_stub E"] >= 1
    assert by_name["real photos"]["fd_stub E"] is None
    page = table.to_markdown(result)
    assert page.count("\n| ") == 5
    assert "| real photos | – |" in page

    # The same again: nothing is trained or measured twice.
    training.begin(folder, entries, data)
    assert training.train_all(folder, entries, data, progress=False)
    assert done == {entry.key: (folder / entry.key / "model.safetensors").stat().st_mtime_ns for entry in entries}
    again = measure_all(folder, entries, settings, readers=None)
    assert [m.photos for m in again] == [m.photos for m in measured]

    draw_rows(folder, entries, data, "test", folder / "sheet.png", seed=0)
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.height > 5 * 160
    assert read_mark(folder / "sheet.png").model == "2CET, StarGAN v2, GANimation-style"


def test_numbers_of_the_table():
    row = {
        "model": "m", "fd": 123.456, "gain": {"value": 0.25, "low": 0.2, "high": -0.3},
        "kid": {"value": 1.5, "low": None, "high": None}, "kept": None, "rounds": 12345, "minutes": 59.96,
    }  # fmt: skip
    made = {"command": "c", "version": "1", "commit": "", "machine": {"system": "s", "cores": 2}}
    page = table.to_markdown({"title": "T", "data": {"photos": "p", "benchmark": None}, "rows": [row], "made_by": made})
    assert "| m | 123.5 | 0.250 (0.200 to -0.300) | 1.500 | – | 12,345 | 60.0 |" in page
    assert "On photos p." in page
    assert "Made by `c`, version 1, commit unknown, on s with 2 cores." in page
    made["machine"]["cores"] = 1
    page = table.to_markdown({"title": "T", "data": {}, "rows": [row], "made_by": made})
    assert "on s with 1 core." in page


def seed_of(method, seed, distance):
    """What measuring a model gives, with few figures."""
    made_by = {"version": "1", "commit": "c", "machine": {"system": "s", "cores": 1}}
    kept = {"value": distance, "low": distance - 0.1, "high": distance + 0.2}
    photos = {
        "realism": {"backbone": "stub", "sets": {"a_n": {"fd_stub": 10 * distance}}}, "identity_distance": kept,
        "made_by": made_by,
    }  # fmt: skip
    return Measured(Entry(f"{method}{seed}", f"{method}, seed {seed}", OURS, family=method), {}, photos, None)


def test_seeds_of_a_method_stand_below_their_mean():
    measured = [seed_of("A", 1, 0.5), seed_of("B", 1, 0.3), seed_of("A", 2, 0.7)]
    result = table.summary("C", measured, "c", {"photos": "a"})
    rows = {row["model"]: row for row in result["rows"]}
    assert list(rows) == ["A, mean", "A, seed 1", "A, seed 2", "B, seed 1", "real photos"]
    assert rows["A, mean"]["fd_stub N"] == pytest.approx(6)
    assert rows["A, mean"]["identity distance"] == pytest.approx({"value": 0.6, "low": 0.5, "high": 0.8})
    assert rows["A, mean"]["gain, named"] is None
    assert table.MEANS in table.to_markdown(result)


def test_an_interrupted_comparison_goes_on(tmp_path, data, entries, monkeypatch):
    folder, chosen = tmp_path / "out", entries[1:]
    training.begin(folder, chosen, data)
    whole, stopped = training.train, []

    def stop_in_the_second(run, watch):
        if run.config.recipe == "ganimation" and not stopped:
            stopped.append(run.save())
            return False
        return whole(run, watch)

    monkeypatch.setattr(training, "train", stop_in_the_second)
    assert training.train_all(folder, chosen, data, progress=False) is False
    assert (folder / "starganv2" / training.DONE).exists()
    assert not (folder / "ganimation" / training.DONE).exists()
    assert training.train_all(folder, chosen, data, progress=False)
    assert (folder / "ganimation" / "model.safetensors").exists()


def test_models_at_the_same_time_are_the_same_models(tmp_path, data, entries, capsys):
    broken = Entry("broken", "nowhere", dataclasses.replace(OURS, device="nowhere"))
    kept = []
    for jobs in (1, 2):
        folder, chosen = tmp_path / str(jobs), [broken, entries[0]]
        training.begin(folder, chosen, data)
        with pytest.raises(UserError, match="1 of 2 models failed"):
            training.train_all(folder, chosen, data, jobs=jobs, progress=False)
        assert capsys.readouterr().err.startswith("failed: nowhere: there is no device 'nowhere'")
        assert not (folder / "broken" / training.DONE).exists()
        assert (folder / "2cet" / training.DONE).exists()
        kept.append(load_file(folder / "2cet" / "model.safetensors"))
    assert kept[0].keys() == kept[1].keys()
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


def test_jobs_share_the_threads_and_may_change(tmp_path, data, entries, monkeypatch):
    entry = entries[0]._replace(config=dataclasses.replace(OURS, threads=4))
    before, seen = torch.get_num_threads(), []

    def stop_at_once(run, watch):
        run.save()
        seen.append(torch.get_num_threads())
        return False

    monkeypatch.setattr("twocet.runtime.distributed.num_cores", lambda: 8)
    monkeypatch.setattr(training, "train", stop_at_once)
    monkeypatch.setattr("twocet.runtime.distributed.num_cores", lambda: 16)
    for jobs in (1, 2, 8):
        training.begin(tmp_path, [entry], data)
        assert training.train_one(tmp_path, entry, data, progress=False, jobs=jobs) is False
    torch.set_num_threads(before)
    assert seen == [4, 2, 1]


def test_other_settings_need_another_folder(tmp_path, data, entries):
    training.begin(tmp_path / "out", entries, data)
    other = [entries[0]._replace(config=dataclasses.replace(OURS, batch=8)), *entries[1:]]
    with pytest.raises(UserError, match=r"other settings \(models\.0\.config\.batch\)"):
        training.begin(tmp_path / "out", other, data)
    device = [entries[0]._replace(config=dataclasses.replace(OURS, device="mps")), *entries[1:]]
    training.begin(tmp_path / "out", device, data)
    with pytest.raises(UserError, match="is not empty"):
        training.begin(data, entries, data)


class TestCommands:
    @pytest.fixture(autouse=True)
    def stub_readers(self, monkeypatch):
        monkeypatch.setattr("twocet.compare.comparison.measure.PooledReaders", lambda *_, **__: None)
        whole = measure_all
        monkeypatch.setattr(
            "twocet.compare.comparison.measure.measure_all", lambda *given: whole(*given, StubReaders())
        )

    TINY = (
        "network.size=32", "network.generator_widths=8,12", "network.trunk_widths=8,12", "network.shuffle=2", "batch=4",
        "threads=1", "bf16=False",
    )  # fmt: skip

    def test_compare(self, tmp_path, data, capsys):
        words = ["compare", "--data", str(data), "-o", str(tmp_path / "out"), "--steps", "2", "--most", "20", "--set"]
        words += [*self.TINY, "2cet.network.code_dim=4", "starganv2.network.code_dim=8"]
        assert cli.main([*words, "--action-units", str(data / "openface.csv"), "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert [row["model"] for row in printed["rows"]][:3] == ["2CET", "StarGAN v2", "GANimation-style"]
        assert printed["made_by"]["commit"] is not None
        assert printed == json.loads((tmp_path / "out" / "table.json").read_text())
        assert (tmp_path / "out" / "table.md").read_text().startswith("# Comparison")

    def test_ablate(self, tmp_path, data, capsys):
        words = ["ablate", "--data", str(data), "-o", str(tmp_path / "out"), "--steps", "1", "--most", "20", "--set"]
        assert cli.main([*words, *self.TINY, "network.code_dim=4"]) == 0
        lines = (tmp_path / "out" / "table.md").read_text().splitlines()
        assert [line.split(" |")[0] for line in lines if line.startswith("| ")][1:] == [
            *(f"| {name}{which}" for name in ABLATED for which in ("", ", not averaged")), "| real photos",
        ]  # fmt: skip
        assert f"written: {tmp_path / 'out' / 'sheet.png'}" in capsys.readouterr().out

    def test_machines_share_an_ablation(self, tmp_path, data):
        """One trains two models, another the others; of the first ones' folders the summaries alone are brought."""
        words = ["ablate", "--data", str(data), "--steps", "1", "--most", "20", "--set", *self.TINY]
        words += ["network.code_dim=4"]
        mine, yours = (
            ["whole", "only-grey"],
            [key for key in get_args(AblationName) if key not in ("whole", "only-grey")],
        )
        tables = {}
        for name, keys in (("mine", mine), ("yours", yours), ("all", [])):
            picked = ["--models", *keys] if keys else []
            if name == "all":
                (tmp_path / "all").mkdir()
                shutil.copy(tmp_path / "mine" / "plan.json", tmp_path / "all")
                for key in yours:
                    shutil.copytree(tmp_path / "yours" / key, tmp_path / "all" / key)
                for key in mine:
                    (tmp_path / "all" / key).mkdir()
                    for file in ("trained.json", "photos.json", "photos-raw.json"):
                        shutil.copy(tmp_path / "mine" / key / file, tmp_path / "all" / key)
            assert cli.main([*words, "-o", str(tmp_path / name), *picked]) == 0
            rows = json.loads((tmp_path / name / "table.json").read_text())["rows"]
            tables[name] = {row["model"]: row for row in rows}
            assert (tmp_path / name / "sheet.png").exists()
        assert [name for name in tables["mine"] if "not averaged" not in name] == [
            "whole", "− grey encoder alone", "real photos"
        ]  # fmt: skip
        assert len(tables["yours"]) == 2 * 4 + 1
        assert tables["all"] == tables["mine"] | tables["yours"]
        assert not (tmp_path / "all" / "whole" / "model.safetensors").exists()

    def test_every_model_of_the_ablation_can_be_chosen(self):
        made = plan.ablation("fast", "authors", 1.0, (), steps=1, minutes=None)
        assert get_args(AblationName) == tuple(entry.key for entry in made)

    def test_2cet_can_be_compared_without_knowing_who_is_who(self, tmp_path, capsys):
        common = Common(data=Path("none"), output=tmp_path, minutes=3, dry_run=True, set=("2cet-unpaired.batch=8",))
        compare.compare(common, methods=("2cet", "2cet-unpaired"))
        shown = json.loads(capsys.readouterr().out)
        assert [model["title"] for model in shown] == ["2CET", "2CET, unpaired"]
        assert [(model["config"]["recipe"], model["config"]["batch"]) for model in shown] == [
            ("fast", 16), ("unpaired", 8),
        ]  # fmt: skip

    def test_dry_run_writes_nothing(self, tmp_path, capsys):
        out = tmp_path / "out"
        compare.compare(Common(data=Path("none"), output=out, minutes=3, dry_run=True))
        shown = json.loads(capsys.readouterr().out)
        assert [model["config"]["minutes"] for model in shown] == [3.0, 3.0, 3.0]
        assert not out.exists()

    def test_a_budget_is_needed(self, tmp_path, data):
        for budget in ({}, {"minutes": 1.0, "steps": 2}):
            with pytest.raises(UserError, match="--minutes M, or --steps N"):
                compare.compare(Common(data=data, output=tmp_path / "out", **budget))

    @pytest.mark.parametrize("name", ["jobs", "most"])
    def test_numbers_that_are_too_small(self, tmp_path, data, name):
        with pytest.raises(UserError, match=f"--{name} is 0"):
            compare.ablate(Common(data=data, output=tmp_path / "out", steps=1, **{name: 0}))

    def test_missing_data_are_said_before_training(self, tmp_path, data):
        with pytest.raises(UserError, match="no dataset folder"):
            compare.compare(
                Common(data=data, output=tmp_path / "out", steps=1, benchmark=tmp_path / "none", set=self.TINY)
            )
        assert not (tmp_path / "out").exists()
