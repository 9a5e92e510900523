"""The ground-truth benchmark on made-up faces, with models whose result is known beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from made_up import NAMES, PEOPLE, SIDE, Painter, Plain, StubReaders, face, grid, write_dataset
from PIL import Image

from twocet.errors import UserError
from twocet.evaluation import to_json, write_report
from twocet.evaluation.maker import Maker
from twocet.evaluation.people import NOBODY, Cases, read_people, transfer_cases
from twocet.evaluation.transfers import measure_transfers
from twocet.model.interface import expression_model
from twocet.photo.marks import COMPOSITE, read_mark


def people_of(folder):
    return read_people(folder, "test", SIDE)


def test_reading_keeps_people_and_expressions_apart(folder):
    people = people_of(folder)
    assert people.names == tuple(f"p{i}" for i in range(PEOPLE))
    assert people.expressions == NAMES
    assert people.has_truth
    assert np.array_equal(people.neutral[4], face(4, 0))
    third = np.flatnonzero((people.expressive_people == 3) & (np.array(people.labels) == "units0"))
    assert np.array_equal(people.expressive[third[0]], face(3, 3))


@pytest.mark.parametrize("num", [2, 3, 6, 7, 8, 12])
def test_nobody_is_their_own_reference_and_everybody_is_used_once(tmp_path, num):
    people = people_of(write_dataset(tmp_path / "data", *grid(num)))
    cases = transfer_cases(people, 10_000)
    senders = people.expressive_people[cases.references]
    assert (senders != cases.people).all()
    assert np.bincount(senders).tolist() == [len(NAMES)] * num
    assert (people.expressive_people[cases.own] == cases.people).all()
    assert [people.labels[k] for k in cases.own] == [people.labels[k] for k in cases.references]
    if num == 12:
        assert senders[0] == 7


def test_cases_are_thinned_evenly_over_people_and_not_always_to_the_same_expressions(tmp_path):
    people = people_of(write_dataset(tmp_path / "data", *grid(24)))
    every, some = transfer_cases(people, 100), transfer_cases(people, 24)
    assert len(every.targets) == 24 * len(NAMES)
    assert some.people.tolist() == list(range(24))
    assert {people.labels[k] for k in some.references} == set(NAMES)
    assert some.references.tolist() == transfer_cases(people, 24).references.tolist()


def test_spots_are_one_case_of_each_person_with_different_expressions(folder):
    people = people_of(folder)
    spots = transfer_cases(people, 100).take(transfer_cases(people, 100).spots)
    assert spots.people.tolist() == list(range(PEOPLE))
    assert [people.labels[k] for k in spots.references] == [*NAMES, *NAMES, *NAMES]


def test_labels_that_are_missing_make_no_own_photos(tmp_path):
    rows, pictures = grid()
    for row in rows:
        row["expression"] = ""
    people = people_of(write_dataset(tmp_path / "data", rows, pictures, shared=False))
    assert (transfer_cases(people, 100).own == NOBODY).all()


def test_copying_the_target_has_gain_0(folder, evaluate):
    summary = evaluate(Painter(0.0), folder).summary
    assert summary["gain"]["all"] == (0, 0, 0)
    assert all(gain.value == 0 for gain in summary["gain_by_expression"].values())
    assert summary["agreement"]["all"].value == 0
    assert summary["blendshape_error"]["all"] == summary["blendshape_error_of_copy"]["all"]
    assert summary["strength_linearity"].value == 0
    assert summary["diversity"].value == summary["diversity_perceptual_mobilenetv2"].value == 0
    assert summary["own_reference_gain"].value == 0


def test_painting_the_truth_has_gain_1(folder, evaluate):
    summary = evaluate(Painter(1.0), folder).summary
    assert summary["gain"]["all"] == (1, 1, 1)
    assert summary["gain"]["named"].value == summary["gain"]["random"].value == 1
    assert summary["own_reference_gain"] == (1, 1, 1)
    assert summary["agreement"]["all"].value == pytest.approx(1)
    assert summary["blendshape_error"]["all"].value == 0
    assert summary["identity_kept"].value == summary["identity_recognised"].value == 1
    assert summary["identity_distance"].value == summary["identity_distance_of_truth"].value == 0
    assert summary["strength_linearity"].value == pytest.approx(1, abs=1e-3)
    assert summary["strength_monotonicity"].value == 1
    assert summary["strength_response"]["0.5"].value == pytest.approx(0.5, abs=0.02)
    assert summary["faces_found"] == 1


def test_gain_follows_the_strength(folder, evaluate):
    summary = evaluate(Painter(1.0), folder).summary
    gains = {strength: groups["all"].value for strength, groups in summary["gain_by_strength"].items()}
    assert gains == pytest.approx({"0.5": 0.5, "0.75": 0.75, "1": 1.0, "1.25": 0.75, "1.5": 0.5}, abs=1e-6)


def test_expressions_are_read_from_the_references_picture(folder):
    """The output is the reference's picture: its corner says whose it is."""

    class Copier(Plain):
        def transfer(self, target, reference, strength=1.0, label=None):
            self.labels += label
            return reference

    people, model = people_of(folder), Copier()
    cases = transfer_cases(people, 100)
    transfers = measure_transfers(Maker(model), people, cases, StubReaders())
    senders = people.expressive_people[cases.references]
    assert transfers.distance == pytest.approx(np.abs(senders - cases.people) * 8 / 50)
    assert transfers.recognised.sum() == 0
    assert model.labels == [people.labels[k] for k in cases.references]


def test_agreement_compares_with_the_reference_not_with_the_truth(folder):
    class Personal(StubReaders):
        """Sees every person's change in a blendshape of their own."""

        def expressions(self, pictures):
            found = super().expressions(pictures)
            own = np.eye(51)[pictures[:, 0, 0, 0] // 8]
            return found._replace(blendshapes=found.blendshapes[:, -1:] * own)

    people = people_of(folder)
    cases = transfer_cases(people, 100)
    transfers = measure_transfers(Maker(expression_model(Painter(1.0))), people, cases, Personal())
    assert transfers.own_agreement == pytest.approx(np.full(PEOPLE * 3, -1 / 50))
    assert transfers.agreement == pytest.approx(transfers.own_agreement)
    assert transfers.blendshape_error[:3] == pytest.approx(np.array([1, 2, 3]) / 3 * 2 / 51)


def test_aed_by_hand(folder):
    """Half of steps 1, 2 and 3 is painted; a step of 1 / 3 moves the mean blendshape by 1 / 6."""
    people = people_of(folder)
    cases = transfer_cases(people, 100)
    transfers = measure_transfers(Maker(expression_model(Painter(0.5))), people, cases, StubReaders())
    steps = np.tile([1, 2, 3], PEOPLE) / 6
    assert transfers.aed == pytest.approx(steps / 2)
    assert transfers.truth_aed == pytest.approx(steps / 2)
    assert transfers.copy_aed == pytest.approx(steps)
    assert transfers.copy_truth_aed == pytest.approx(steps)
    assert transfers.own_aed == pytest.approx(0 * steps)


def test_aed_compares_blendshapes_and_not_their_changes(folder):
    class Sullen(StubReaders):
        """Sees a frown of person / 51 in one blendshape of every person's face, neutral or not."""

        def expressions(self, pictures):
            found = super().expressions(pictures)
            found.blendshapes[:, 0] += pictures[:, 0, 0, 0] // 8 - 1
            return found

    people = people_of(folder)
    cases = transfer_cases(people, 100)
    transfers = measure_transfers(Maker(expression_model(Painter(1.0))), people, cases, Sullen())
    senders = people.expressive_people[cases.references]
    assert transfers.aed == pytest.approx(np.abs(senders - cases.people) / 51)
    assert transfers.own_aed == pytest.approx(transfers.aed)
    assert transfers.truth_aed == pytest.approx(0 * transfers.aed)
    assert transfers.blendshape_error == pytest.approx(0 * transfers.aed)


def test_aed_of_an_output_without_a_face_is_that_of_copying(folder):
    class Blind(StubReaders):
        def expressions(self, pictures):
            found = super().expressions(pictures)
            found.blendshapes[pictures[:, 0, 0, 0] == 0] = np.nan
            return found

    class Black(Plain):
        def transfer(self, target, reference, strength=1.0, label=None):
            return -torch.ones_like(target)

    people = people_of(folder)
    transfers = measure_transfers(Maker(Black()), people, transfer_cases(people, 100), Blind())
    assert transfers.aed == pytest.approx(transfers.copy_aed)
    assert transfers.truth_aed == pytest.approx(transfers.copy_truth_aed)


def test_own_distance_is_measured_at_the_spots(folder):
    class Ageing(StubReaders):
        """Every grey level of expression makes the face another one."""

        def identities(self, pictures):
            change = pictures[:, -1, 10, 0] / 50 - pictures[:, -1, 0, 0] / 50
            return super().identities(pictures) + change[:, None] * [0, 1]

    people = people_of(folder)
    cases = transfer_cases(people, 100)
    transfers = measure_transfers(Maker(expression_model(Painter(0.0))), people, cases, Ageing())
    assert transfers.own_distance[cases.spots] == pytest.approx(np.tile([0.8, 1.6, 2.4], 3))
    assert np.isnan(transfers.own_distance).sum() == PEOPLE * 2
    assert transfers.distance == pytest.approx(np.zeros(PEOPLE * 3))


def test_diversity_follows_the_spread_of_the_codes(folder, evaluate):
    narrow, wide = Painter(1.0), Painter(1.0)
    wide.spread = 0.3
    diversity = [evaluate(model, folder).summary["diversity"].value for model in (narrow, wide)]
    # The mean pairwise difference of normal numbers is 2 / sqrt(pi) deviations; the blendshapes average half a step.
    assert diversity[0] == pytest.approx(2 / np.pi**0.5 * 0.1 * 40 / 120 / 2, rel=0.2)
    assert diversity[1] == pytest.approx(3 * diversity[0], rel=0.1)


def test_diversity_of_the_peoples_own_photos(folder, evaluate):
    summary = evaluate(Painter(1.0), folder).summary
    assert summary["diversity_of_truth"].value == pytest.approx((1 + 1 + 2) / 3 / 3 / 2)
    assert summary["diversity_perceptual_mobilenetv2_of_truth"] == (80, 80, 80)


def test_a_face_turned_into_somebody_else_is_not_recognised(folder, evaluate):
    class Swapper(Painter):
        def generate(self, image, code, strength=1.0):
            return image + 60 / 127.5

    summary = evaluate(Swapper(1.0), folder).summary
    assert summary["identity_kept"].value == 0
    assert summary["identity_distance"].value == pytest.approx(1.2)
    assert summary["identity_recognised"].value == pytest.approx(1 / PEOPLE)


def test_outputs_without_a_face_are_counted(folder, evaluate):
    class Blind(StubReaders):
        def expressions(self, pictures):
            found = super().expressions(pictures)
            found.blendshapes[pictures[:, 0, 0, 0] == 0] = np.nan
            return found

    class Black(Painter):
        def generate(self, image, code, strength=1.0):
            made = super().generate(image, code, strength)
            return torch.where((image[:, :1, :1, :1] > -0.75), -torch.ones_like(image), made)

    summary = evaluate(Black(1.0), folder, readers=Blind()).summary
    assert summary["faces_found"] == pytest.approx(1 / 3)
    assert summary["agreement"]["all"].value == pytest.approx(summary["faces_found"])


def test_order_of_rows_does_not_matter(folder, evaluate):
    before = json.loads(to_json(evaluate(Painter(0.7), folder).summary))
    rows = (folder / "faces.csv").read_text().splitlines()
    neutral, rest = [row for row in rows[1:] if ",neutral," in row], [row for row in rows[1:] if ",neutral," not in row]
    (folder / "faces.csv").write_text("\n".join([rows[0], *neutral, *sorted(rest, key=lambda row: row.split(",")[2])]))
    after = json.loads(to_json(evaluate(Painter(0.7), folder).summary))
    for name in ("gain", "gain_by_expression", "agreement", "identity_distance", "strength_response", "diversity"):
        assert after[name] == before[name], name


def test_sheet_shows_the_worst_first_and_the_best_last(folder, evaluate):
    class Spoiler(Plain):
        """Does p2's second expression right, p5's first one wrong, and otherwise nothing."""

        def transfer(self, target, reference, strength=1.0, label=None):
            made = target.clone()
            for k, (image, name) in enumerate(zip(target, label, strict=True)):
                person = round(float(image[0, 0, 0] + 1) * 127.5 - 8) // 8
                if (person, name) == (2, "sad"):
                    made[k] = torch.from_numpy(face(2, 2)).permute(2, 0, 1) / 127.5 - 1
                if (person, name) == (5, "happy"):
                    made[k] = 1
            return made

    shown = evaluate(Spoiler(), folder).gallery.cases
    worst, best = shown["worst"][0].cells, shown["best"][0].cells
    assert [cell.label for cell in worst] == ["target", "reference", "output", "truth"]
    assert np.array_equal(worst[0].pixels, face(5, 0))
    assert np.array_equal(worst[2].pixels, np.full((SIDE, SIDE, 3), 255))
    assert np.array_equal(worst[3].pixels, face(5, 1))
    assert [np.array_equal(best[k].pixels, face(2, 2)) for k in range(4)] == [False, False, True, True]
    assert shown["best"][0].title == "sad gain 1.00"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "faces.csv").unlink(), "faces.csv is missing"),
        (lambda folder: (folder / "dataset.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "faces.csv").write_text("file,identity\na,b\n"), "no column"),
        (lambda folder: _drop(folder, ",expressive,"), "needs neutral and expressive photos"),
        (lambda folder: _drop(folder, ",neutral,"), "needs neutral and expressive photos"),
        (lambda folder: Image.new("RGB", (30, 30)).save(folder / "3-2.png"), "30 x 30"),
        (lambda folder: (folder / "3-2.png").unlink(), "3-2.png"),
    ],
)
def test_unusable_folders_are_refused_with_the_reason(folder, evaluate, spoil, message):
    spoil(folder)
    with pytest.raises(UserError, match=message):
        evaluate(Painter(1.0), folder)


def _drop(folder, text):
    rows = (folder / "faces.csv").read_text().splitlines()
    (folder / "faces.csv").write_text("\n".join(row for row in rows if text not in row))


def test_one_person_alone_is_refused(tmp_path, evaluate):
    with pytest.raises(UserError, match="two people"):
        evaluate(Painter(1.0), write_dataset(tmp_path / "data", *grid(1)))


def test_an_empty_split_is_refused_with_the_others(folder, evaluate):
    with pytest.raises(UserError, match=r"'val': choose another with --split \(test\)"):
        evaluate(Painter(1.0), folder, split="val")


def test_pictures_too_small_or_aligned_otherwise_are_refused(folder, evaluate):
    model = Painter(1.0)
    model.size = 128
    with pytest.raises(UserError, match="20 px, the network needs 128"):
        evaluate(model, folder)
    other = Painter(1.0)
    other.metadata = {"template": "paper-v1"}
    with pytest.raises(UserError, match="aligned to paper-v1"):
        evaluate(other, folder)


def test_report_is_written_and_readable(folder, tmp_path, evaluate):
    result = evaluate(Painter(0.5), folder, command="twocet evaluate it")
    files = write_report(tmp_path / "out" / "report", result)
    assert [file.name for file in files] == ["report.json", "report.md", "report.html", "sheet.png"]
    assert read_mark(files[3]).digital_source_type == COMPOSITE
    assert sorted(file.name for file in (tmp_path / "out" / "report").iterdir()) == sorted(file.name for file in files)
    written = json.loads(files[0].read_text())
    assert written["gain"]["all"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert written["model"]["name"] == "stub"
    assert written["data"]["name"] == "made-up"
    assert written["made_by"]["command"] == "twocet evaluate it"
    page = files[1].read_text()
    assert "| gain, all | 0.500 (0.500 to 0.500) |" in page
    assert "| happy | 0.500 (0.500 to 0.500) |" in page
    assert "| output, to the truth | 0.125 (0.125 to 0.125) | 0.250 (0.250 to 0.250) | 0.167 (0.167 to 0.167) |" in page
    assert "| copy, to the reference | 0.250 (0.250 to 0.250) |" in page
    assert written["aed_to_truth_of_copy"]["named"]["value"] == 0.25
    assert "<td>output, to the truth</td>" in files[2].read_text(encoding="utf-8")
    with Image.open(files[3]) as sheet:
        assert sheet.width > 12 * 160


def test_cases_take_keeps_columns_together():
    cases = Cases(*(np.arange(5) + 10 * k for k in range(4)))
    assert [column.tolist() for column in cases.take(np.array([3, 1]))] == [[3, 1], [13, 11], [23, 21], [33, 31]]
