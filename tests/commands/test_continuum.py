from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from mouths import DROP, REST, SHA256, mouth_height, picture
from PIL import Image

from twocet.errors import UserError
from twocet.metrics import linearity
from twocet.photo import align
from twocet.photo.images import Photo, read_photo, write_photo
from twocet.photo.marks import COMPOSITE, read_mark
from twocet.stimuli import calibration
from twocet.stimuli.series import COLUMNS


def rows_of(folder):
    with (folder / "stimuli.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "travel", [lambda s: s * abs(s), lambda s: np.tanh(3 * s), lambda s: s + 0.2 * np.sin(6 * s)], ids=range(3)
)
@pytest.mark.parametrize(("start", "stop"), [(0.0, 1.2), (-0.5, 1.0)])
def test_steps_are_equal_in_movement_whatever_its_course(travel, start, stop):
    strengths = calibration.equal_steps(travel, start, stop, 11)
    moved = np.array([travel(s) for s in strengths])
    step = (travel(stop) - travel(start)) / 10
    assert (strengths[0], strengths[-1]) == (start, stop)
    assert np.abs(np.diff(moved) - step).max() < 0.04 * step
    assert np.all(np.diff(strengths) > 0)


def test_jitter_of_the_measurement_does_not_break_the_order():
    random = np.random.default_rng(0)
    noise = {}

    def travel(strength):
        return strength + noise.setdefault(strength, random.normal(0, 0.02))

    strengths = calibration.equal_steps(travel, 0.0, 1.0, 6)
    assert np.all(np.diff(strengths) >= 0)
    assert strengths == pytest.approx(np.linspace(0, 1, 6), abs=0.08)


def test_isotonic_regression_against_hand_values():
    assert calibration.isotonic([1, 3, 2, 4]).tolist() == [1, 2.5, 2.5, 4]
    assert calibration.isotonic([3, 2, 1]).tolist() == [2, 2, 2]
    assert calibration.isotonic([0, 1, 2]).tolist() == [0, 1, 2]


def test_movement_is_in_per_cent_of_the_distance_between_the_eyes():
    neutral = np.random.default_rng(1).uniform(100, 300, (478, 2))
    to_crop = np.array([(1 / 200, 0, -0.5), (0, 1 / 200, -0.5)])
    change = np.zeros((478, 2))
    change[:100, 1] = 6.2
    movement = calibration.Movement(neutral, neutral + change, to_crop)
    # 6.2 photo pixels are 0.031 crop sides, a tenth of the distance between the eyes; 100 of 478 landmarks move.
    expected = 10 * (100 / 478) ** 0.5
    assert movement(neutral + change) == pytest.approx(expected)
    assert movement(neutral - 0.5 * change) == pytest.approx(-0.5 * expected)
    across = np.zeros((478, 2))
    across[:, 0] = 3
    assert movement(neutral + change + across) == pytest.approx(expected)
    with pytest.raises(UserError, match="hardly moves"):
        calibration.Movement(neutral, neutral + 0.001 * change, to_crop)


def test_ramp_against_hand_values():
    assert calibration.ramp([0, 1], 4, 1.25, 0.5, "linear") == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1, 1])
    assert calibration.ramp([0, 1], 4, 1.25, 0, "smooth") == pytest.approx([0, 0.15625, 0.5, 0.84375, 1])
    assert calibration.ramp([0, 0.1, 1], 4, 1.25, 0, "linear") == pytest.approx([0, 0.05, 0.1, 0.55, 1])


def test_oval_is_opaque_on_the_face_and_clear_outside():
    alpha = calibration.oval_alpha(400, 400, align.square_to_crop(400, 400))
    assert alpha[192, 200] == 255
    assert alpha[192, [60, 340]].tolist() == [0, 0]
    assert [alpha[192, 200 - 132 + k] for k in (-4, 4)] == [0, 255]
    area = alpha.sum() / 255 / 400**2
    assert area == pytest.approx(np.pi * 0.33 * 0.45, rel=0.01)


def test_grey_keeps_the_luminance_of_primaries():
    colours = np.array([[(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (77, 77, 77)]], np.uint8)
    # 0.2126 in linear light is coded as 127 in sRGB, 0.7152 as 220, 0.0722 as 76.
    assert calibration.grey(colours)[0].tolist() == [[v] * 3 for v in (255, 127, 220, 76, 77)]


def test_luminance_is_matched_inside_the_weight():
    pixels = np.random.default_rng(2).integers(60, 160, (50, 40, 3), np.uint8)
    weight = np.zeros((50, 40), np.uint8)
    weight[10:40, 10:30] = 255
    matched = calibration.match_luminance(pixels, weight, (120.0, 20.0))
    assert calibration.luminance(matched, weight) == pytest.approx((120.0, 20.0), abs=0.3)


def test_describe_crop():
    turned = align.invert(np.array([(0.0, -50.0, 70.0), (50.0, 0.0, 20.0)]))
    assert calibration.describe_crop(turned) == "45.0 45.0 50.0 90.00"


def test_equal_steps_in_movement_from_end_to_end(run, me, smile, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("continuum", me, smile, "--equalize", "landmarks", "--to", "1", "-o", out) == 0
    rows = rows_of(out)
    assert tuple(rows[0]) == COLUMNS
    heights = np.array([mouth_height(read_photo(out / row["file"]).pixels) - REST for row in rows])
    assert heights[0] == pytest.approx(0, abs=0.006)
    assert heights[-1] == pytest.approx(DROP, abs=0.004)
    assert linearity(np.arange(11.0), heights) > 0.998
    # The stub's movement is the square of the strength.
    strengths = [float(row["strength"]) for row in rows]
    assert strengths == pytest.approx(np.sqrt(np.linspace(0, 1, 11)), abs=0.02)
    measured = np.array([float(row["measured_movement"]) for row in rows])
    assert np.diff(measured) == pytest.approx(np.full(10, measured[-1] / 10), rel=0.06)
    assert [float(row["intensity"]) for row in rows] == pytest.approx(np.arange(0, 101, 10), abs=1)
    assert json.loads((out / "recipe.json").read_text())["linearity"] > 0.998


def test_equal_steps_of_strength_are_measured_too(run, me, smile, tmp_path):
    out = tmp_path / "out"
    assert run("continuum", me, smile, "--steps", "4", "--from", "-0.6", "--to", "1.2", "-o", out) == 0
    rows = rows_of(out)
    assert [float(row["strength"]) for row in rows] == pytest.approx([-0.6, 0, 0.6, 1.2])
    measured = np.array([float(row["measured_movement"]) for row in rows])
    assert measured / measured[-1] == pytest.approx([-0.25, 0, 0.25, 1], abs=0.02)
    assert [row["intensity"] for row in rows] == ["-60.0", "0.0", "60.0", "120.0"]
    first = rows[0]
    assert (first["target"], first["reference"], first["seed"]) == ("me.png", "smile.png", "")
    assert (first["model"], first["model_hash"], first["correct_answer"]) == ("stub", SHA256, "smile")
    assert first["image"] == first["stimulus"] == first["file"] == "me-smile-0.png"
    assert [float(v) for v in first["crop"].split()] == pytest.approx([120, 120, 192, 0], abs=0.1)
    assert read_mark(out / first["file"]).strength == pytest.approx(-0.6)
    assert read_mark(out / "contact-sheet.png").digital_source_type == COMPOSITE


def test_identity_distance_is_empty_without_its_packages(run, me, smile, tmp_path, monkeypatch, capsys):
    def missing(self):
        raise UserError("measuring identity needs dlib")

    monkeypatch.setattr("twocet.stimuli.series.IdentityReader.__init__", missing)
    assert run("continuum", me, smile, "--steps", "2", "-o", tmp_path / "out") == 0
    assert {row["identity_distance"] for row in rows_of(tmp_path / "out")} == {""}
    assert "note: identity_distance stays empty: measuring identity needs dlib" in capsys.readouterr().err


def test_identity_distance_is_of_the_edited_from_the_given_picture(run, me, smile, tmp_path, monkeypatch):
    monkeypatch.setattr("twocet.stimuli.series.IdentityReader.__init__", lambda self: None)
    monkeypatch.setattr(
        "twocet.stimuli.series.IdentityReader.describe",
        lambda self, pixels, points: np.array([mouth_height(pixels), 0]),
    )
    assert run("continuum", me, smile, "--steps", "2", "--to", "1", "-o", tmp_path / "out") == 0
    distances = [float(row["identity_distance"]) for row in rows_of(tmp_path / "out")]
    assert distances == pytest.approx([0, DROP], abs=0.006)


def test_standard_crops_masked_grey_and_matched(run, me, smile, tmp_path):
    out = tmp_path / "out"
    options = ["--size", "96", "--mask", "oval", "--grey", "--match-luminance"]
    assert run("continuum", me, smile, "--steps", "3", *options, "-o", out) == 0
    values = []
    for row in rows_of(out):
        with Image.open(out / row["file"]) as file:
            assert (file.mode, file.size) == ("RGBA", (96, 96))
            pixels = np.array(file)
        assert np.ptp(pixels[..., :3], axis=2).max() == 0
        assert pixels[0, 0, 3] == 0
        assert pixels[46, 48, 3] == 255
        values.append(calibration.luminance(pixels[..., :3], pixels[..., 3]))
    assert np.ptp(np.array(values), axis=0) == pytest.approx([0, 0], abs=0.6)


def test_the_same_words_make_the_same_bytes(run, me, smile, tmp_path):
    for name in ("a", "b"):
        assert run("continuum", me, "--seed", "3", "--steps", "3", "-o", tmp_path / name) == 0
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert files == ["contact-sheet.png", *(f"me-seed3-{k}.png" for k in range(3)), "recipe.json", "stimuli.csv"]
    for name in files:
        same = (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert same or name == "recipe.json"
    recipe = json.loads((tmp_path / "a" / "recipe.json").read_text())
    assert rows_of(tmp_path / "a")[0]["seed"] == "3"
    assert set(recipe["files"]) == set(files) - {"recipe.json", "stimuli.csv"}
    assert len(recipe["code"]) == 3


def test_gif_has_the_frames_the_time_and_the_mark(run, me, smile, tmp_path):
    out = tmp_path / "out"
    options = ["--ramp", "gif", "--fps", "10", "--seconds", "0.5", "--hold", "0.3"]
    assert run("continuum", me, smile, "--steps", "2", "--to", "1", *options, "-o", out) == 0
    with Image.open(out / "me-smile.gif") as film:
        # The frames that stay the same are one frame with their whole time.
        assert film.n_frames == 5
        times, heights = [], []
        for k in range(5):
            film.seek(k)
            times.append(film.info["duration"])
            heights.append(mouth_height(np.asarray(film.convert("RGB"))) - REST)
        assert times == [100, 100, 100, 100, 400]
        assert heights == pytest.approx(DROP * np.linspace(0, 1, 5) ** 2, abs=0.006)
        assert COMPOSITE in film.info["comment"].decode()


def test_mp4_has_the_frames_and_the_mark(run, me, smile, tmp_path):
    av = pytest.importorskip("av")
    out = tmp_path / "out"
    options = ["--ramp", "mp4", "--fps", "20", "--seconds", "0.5", "--hold", "0.25", "--size", "65", "--mask", "oval"]
    assert run("continuum", me, smile, "--steps", "2", *options, "-o", out) == 0
    with av.open(str(out / "me-smile.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert len(frames) == 15
        assert frames[0].shape == (66, 66, 3)
        assert np.abs(frames[0][:4, :4].astype(int) - 128).max() < 6
        assert film.streams.video[0].average_rate == 20
        assert film.metadata["DigitalSourceType"] == COMPOSITE


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give one expression"),
        (["SMILE", "--seed", "1"], "Give one expression"),
        (["SMILE", "--steps", "1"], "1 steps"),
        (["SMILE", "--from", "1", "--to", "1"], "is not a range"),
        (["SMILE", "--to", "nan"], "is not a range"),
        (["SMILE", "--size", "8"], "8 pixels"),
        (["SMILE", "--ramp", "gif", "--fps", "0"], "frames a second"),
        (["--preset", "nobody"], "no preset 'nobody'"),
        (["ME", "--equalize", "landmarks"], "hardly moves"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(run, me, smile, tmp_path, capsys, words, message):
    given = {"SMILE": smile, "ME": me}
    assert run("continuum", me, *[given.get(word, word) for word in words], "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_video_extra_is_named_before_any_work(run, me, smile, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    assert run("continuum", me, smile, "--ramp", "mp4", "-o", tmp_path / "out") == 2
    assert "twocet[video]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_expression_too_small_to_measure_is_noted(run, me, tmp_path, capsys):
    twin = write_photo(tmp_path / "twin.png", Photo(pixels=picture()))
    assert run("continuum", me, twin, "--steps", "2", "-o", tmp_path / "out") == 0
    assert "hardly moves" in capsys.readouterr().err
    assert {row["measured_movement"] for row in rows_of(tmp_path / "out")} == {""}


def test_a_falling_series_is_the_rising_one_backwards(run, me, smile, tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    assert run("continuum", me, smile, "--steps", "3", "--to", "1", "-o", up) == 0
    assert run("continuum", me, smile, "--steps", "3", "--from", "1", "--to", "0", "-o", down) == 0
    rising, falling = ([row["strength"] for row in rows_of(folder)] for folder in (up, down))
    assert rising == ["0", "0.5", "1"]
    assert falling == rising[::-1]


def test_the_answer_to_a_neutral_face_is_neutral(run, me, smile, tmp_path):
    assert run("continuum", me, smile, "--steps", "3", "--to", "1", "-o", tmp_path / "out") == 0
    assert [row["correct_answer"] for row in rows_of(tmp_path / "out")] == ["neutral", "smile", "smile"]


def test_a_second_run_leaves_none_of_the_first_ones_files(run, me, smile, tmp_path):
    out = tmp_path / "out"
    assert run("continuum", me, smile, "--steps", "12", "-o", out) == 0
    (out / "notes.txt").write_text("mine")
    (out / "me-smile-11.png").write_bytes(b"retouched")
    assert run("continuum", me, smile, "--steps", "3", "-o", out) == 0
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == {"me-smile-0.png", "me-smile-1.png", "me-smile-2.png", "me-smile-11.png", "contact-sheet.png"}
    assert (out / "notes.txt").read_text() == "mine"
