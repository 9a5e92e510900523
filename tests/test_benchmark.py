"""The ground-truth benchmark on made-up faces, with models whose result is known beforehand."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from twocet import benchmark as bench
from twocet import report
from twocet.errors import UserError
from twocet.evaluation import evaluate_model
from twocet.expression import NO_FACE, Expression

PEOPLE, NAMES, SIDE = 9, ("happy", "sad", "units0"), 20


def face(person, expression):
    """A picture whose first column tells the person and whose lower half tells the expression."""
    pixels = np.full((SIDE, SIDE, 3), 8 * person + 8, np.uint8)
    pixels[SIDE // 2 :, 5:15] += np.uint8(40 * expression)
    return pixels


@pytest.fixture
def folder(tmp_path):
    rows = []
    for person in range(PEOPLE):
        for expression, name in enumerate(("neutral", *NAMES)):
            file = f"{person}-{name}.png"
            Image.fromarray(face(person, expression)).save(tmp_path / file)
            domain = "expressive" if expression else "neutral"
            rows.append({"file": file, "identity": f"p{person}", "expression": name, "domain": domain, "split": "test"})
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "dataset.json").write_text(json.dumps({"format": 1, "name": "made-up"}))
    return tmp_path


class Painter:
    """Reads the expression off the reference and paints ``share`` of it on the target: a model with a known gain."""

    size = SIDE

    def __init__(self, share):
        self.share = share
        self.metadata = {"licence": "none"}
        self.spread = 0.1

    def sample_codes(self, num, generator):
        return self.spread * torch.randn(num, 1, generator=generator)

    def encode(self, image):
        pixels = (image + 1) * 127.5
        return (pixels[:, :1, -1, 10] - pixels[:, :1, -1, 0]) / 40

    def generate(self, image, code):
        change = torch.zeros_like(image)
        change[:, :, SIDE // 2 :, 5:15] = 1
        return image + change * (self.share * 40 * code / 127.5)[:, :, None, None]


class Reader:
    """Stands for both networks: expression = how the lower half differs from the upper one, identity = the corner."""

    def read(self, pixels):
        step = (float(pixels[-1, 10, 0]) - float(pixels[-1, 0, 0])) / 120
        return Expression(step * np.linspace(0, 1, 51), 20 * step * np.ones((478, 2)))

    def describe(self, pixels):
        return np.array([float(pixels[0, 0, 0]) / 50, 1.0])


def evaluate(model, folder):
    return evaluate_model(model, folder, name="stub", expression=Reader(), identity=Reader())


def test_reading_keeps_people_and_expressions_apart(folder):
    faces = bench.read_benchmark(folder)
    assert faces.identities == tuple(f"p{i}" for i in range(PEOPLE))
    assert faces.expressions == NAMES
    assert faces.is_named.tolist() == [True, True, False]
    assert np.array_equal(faces.neutral[4], face(4, 0))
    assert np.array_equal(faces.expressive[3, 2], face(3, 3))


@pytest.mark.parametrize("people", [2, 6, 7, 8, 40])
def test_nobody_is_their_own_reference_and_everybody_is_used_once(people):
    faces = bench.Benchmark({}, tuple(map(str, range(people))), NAMES, np.zeros(0), np.zeros(0))
    assert sorted(faces.references) == list(range(people))
    assert all(faces.references != np.arange(people))
    if people == 40:
        assert faces.references[0] == 7


def test_copying_the_target_has_gain_0(folder):
    summary = evaluate(Painter(0.0), folder).summary
    assert summary["gain"]["all"] == (0, 0, 0)
    assert all(gain.value == 0 for gain in summary["gain_by_expression"].values())
    assert summary["agreement"]["all"].value == 0
    assert summary["blendshape_error"]["all"] == summary["blendshape_error_of_copy"]["all"]
    assert summary["strength_linearity"].value == 0
    assert summary["diversity"].value == 0


def test_painting_the_truth_has_gain_1(folder):
    summary = evaluate(Painter(1.0), folder).summary
    assert summary["gain"]["all"] == (1, 1, 1)
    assert summary["gain"]["named"].value == summary["gain"]["random"].value == 1
    assert summary["agreement"]["all"].value == pytest.approx(1)
    assert summary["blendshape_error"]["all"].value == 0
    assert summary["identity_kept"].value == summary["identity_recognised"].value == 1
    assert summary["identity_distance"].value == summary["identity_distance_of_truth"].value == 0
    assert summary["strength_linearity"].value == pytest.approx(1, abs=1e-3)
    assert summary["strength_monotonicity"].value == 1
    assert summary["strength_response"]["0.5"] == pytest.approx(0.5, abs=0.02)
    assert summary["faces_found"] == 1


def test_gain_follows_the_strength(folder):
    summary = evaluate(Painter(1.0), folder).summary
    gains = {strength: groups["all"].value for strength, groups in summary["gain_by_strength"].items()}
    assert gains == pytest.approx({"0.5": 0.5, "0.75": 0.75, "1": 1.0, "1.25": 0.75, "1.5": 0.5}, abs=1e-6)


def test_codes_are_read_from_the_references_picture(folder):
    class Names(Painter):
        def encode(self, image):
            return image[:, 0, [0, -1], [0, 10]] * 127.5 + 127.5

    faces = bench.read_benchmark(folder)
    codes = bench.encode_references(Names(1.0), faces).numpy()
    for person, other in enumerate(faces.references):
        for expression in range(len(NAMES)):
            shown = face(other, expression + 1)
            assert codes[person, expression] == pytest.approx([shown[0, 0, 0], shown[-1, 10, 0]], abs=0.01)


def test_agreement_compares_with_the_reference_not_with_the_truth(folder):
    class Personal(Reader):
        """Sees every person's change in a blendshape of their own."""

        def read(self, pixels):
            step = super().read(pixels).blendshapes[-1]
            return Expression(step * np.eye(51)[pixels[0, 0, 0] // 8], np.zeros((478, 2)))

    faces = bench.read_benchmark(folder)
    cases = bench.measure_cases(faces, faces.expressive, Personal(), Reader())
    assert cases.true_agreement == pytest.approx(np.full((PEOPLE, 3), -1 / 50))
    assert cases.agreement == pytest.approx(cases.true_agreement)
    assert cases.blendshape_error[0] == pytest.approx(np.array([1, 2, 3]) / 3 * 2 / 51)


def test_diversity_follows_the_spread_of_the_codes(folder):
    narrow, wide = Painter(1.0), Painter(1.0)
    wide.spread = 0.3
    diversity = [evaluate(model, folder).summary["diversity"].value for model in (narrow, wide)]
    # The mean pairwise difference of normal numbers is 2 / sqrt(pi) deviations; the blendshapes average half a step.
    assert diversity[0] == pytest.approx(2 / np.pi**0.5 * 0.1 * 40 / 120 / 2, rel=0.2)
    assert diversity[1] == pytest.approx(3 * diversity[0], rel=0.1)


def test_a_face_turned_into_somebody_else_is_not_recognised(folder):
    class Swapper(Painter):
        def generate(self, image, code):
            return image + 60 / 127.5

    summary = evaluate(Swapper(1.0), folder).summary
    assert summary["identity_kept"].value == 0
    assert summary["identity_distance"].value == pytest.approx(1.2)
    assert summary["identity_recognised"].value == pytest.approx(1 / PEOPLE)


def test_outputs_without_a_face_are_counted(folder):
    class Blind(Reader):
        def read(self, pixels):
            return NO_FACE if pixels[0, 0, 0] == 0 else super().read(pixels)

    class Black(Painter):
        def generate(self, image, code):
            return -torch.ones_like(image) if float(image[0, 0, 0, 0]) > -0.75 else super().generate(image, code)

    result = evaluate_model(Black(1.0), folder, name="stub", expression=Blind(), identity=Reader())
    assert result.summary["faces_found"] == pytest.approx(1 / 3)
    assert result.summary["agreement"]["all"].value == pytest.approx(result.summary["faces_found"])


def test_order_of_rows_does_not_matter(folder):
    before = evaluate(Painter(0.7), folder).summary
    rows = (folder / "faces.csv").read_text().splitlines()
    neutral, rest = [row for row in rows[1:] if "-neutral" in row], [row for row in rows[1:] if "-neutral" not in row]
    (folder / "faces.csv").write_text("\n".join([rows[0], *sorted(rest, key=lambda row: row.split(",")[2]), *neutral]))
    after = evaluate(Painter(0.7), folder).summary
    del before["seconds"], after["seconds"]
    assert after == before


def test_report_is_written_and_readable(folder, tmp_path):
    result = evaluate(Painter(0.5), folder)
    files = report.write_report(tmp_path / "out" / "report", result.summary, result.sheet)
    assert [file.name for file in files] == ["report.json", "report.md", "sheet.png"]
    written = json.loads(files[0].read_text())
    assert written["gain"]["all"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert written["model"]["name"] == "stub"
    assert written["data"]["name"] == "made-up"
    page = files[1].read_text()
    assert "| gain, all | 0.500 (0.500 to 0.500) |" in page
    assert "| happy | 0.500 (0.500 to 0.500) |" in page
    with Image.open(files[2]) as sheet:
        assert sheet.size == (3 * (4 * SIDE + 8), 4 * (SIDE + 16) + 8)


def test_sheet_shows_the_worst_first_and_the_best_last(folder):
    faces = bench.read_benchmark(folder)
    outputs = faces.neutral[:, None].repeat(len(NAMES), axis=1)
    outputs[2, 1], outputs[5, 0] = faces.expressive[2, 1], 255
    errors = bench.pixel_errors(outputs, faces.expressive)
    copies = bench.pixel_errors(faces.neutral[:, None], faces.expressive)
    sheet = np.asarray(report.sheet(faces, outputs, bench.Cases(errors, copies, *[errors] * 7)))
    width, top = 4 * SIDE + 8, 4 + 16
    worst, best = sheet[top : top + SIDE, 4 : 4 + 4 * SIDE], sheet[top : top + SIDE, 2 * width + 4 :][:, : 4 * SIDE]
    assert np.array_equal(worst, np.concatenate([face(5, 0), face(3, 1), outputs[5, 0], face(5, 1)], axis=1))
    assert np.array_equal(best, np.concatenate([face(2, 0), face(0, 2), face(2, 2), face(2, 2)], axis=1))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "faces.csv").unlink(), "has no faces.csv"),
        (lambda folder: (folder / "dataset.json").unlink(), "has no dataset.json"),
        (lambda folder: (folder / "dataset.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "faces.csv").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (lambda folder: (folder / "faces.csv").write_text("file,identity\na,b\n"), "needs rows with the columns"),
        (lambda folder: _drop(folder, "3-sad"), "p3/sad is missing"),
        (lambda folder: _drop(folder, "neutral"), "two identities"),
        (lambda folder: Image.new("RGB", (30, 30)).save(folder / "3-sad.png"), "squares of one size"),
        (lambda folder: (folder / "3-sad.png").unlink(), "3-sad.png"),
    ],
)
def test_unusable_folders_are_refused_with_the_reason(folder, spoil, message):
    spoil(folder)
    with pytest.raises(UserError, match=message):
        bench.read_benchmark(folder)


def _drop(folder, text):
    rows = (folder / "faces.csv").read_text().splitlines()
    (folder / "faces.csv").write_text("\n".join(row for row in rows if f"{text}.png" not in row))


def test_pictures_of_another_size_than_the_models_are_refused(folder):
    model = Painter(1.0)
    model.size = 128
    with pytest.raises(UserError, match="20 pixels but stub needs 128"):
        evaluate(model, folder)
