from __future__ import annotations

import json
import math

import numpy as np
import pytest
from mouths import DROP, REST, SHA256, StubFinder, mouth_height, picture

from twocet import align, presets
from twocet.editor import Editor
from twocet.film import OneEuro, Tracker, crop_at, place_of
from twocet.images import Photo, write_photo
from twocet.marks import COMPOSITE

av = pytest.importorskip("av")
clips = pytest.importorskip("twocet.clips")

FPS = 10


def write_film(path, pictures, *, sound=False, rotation=0, codec="libx264"):
    """Frames of RGB pixels at FPS, with a tone if wanted."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=FPS)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        if codec == "libx264":
            video.options = {"crf": "5"}
        audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for pixels in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None:
            tone = np.sin(np.arange(8000 * len(pictures) // FPS) / 8000 * 2 * np.pi * 440)
            frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate = 8000
            frame.pts = 0
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def packets_of_sound(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def drops(pictures):
    return np.array([mouth_height(pixels) - REST for pixels in pictures])


@pytest.fixture
def talk(tmp_path):
    """A face whose mouth goes down and up again, with sound."""
    course = 0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, 21))
    return write_film(tmp_path / "talk.mp4", [picture(mouth=REST + DROP * c) for c in course], sound=True)


def test_one_euro_against_hand_values():
    smooth = OneEuro(min_cutoff=1.0, beta=0.5, derivative_cutoff=1.0)
    assert smooth(0.0, 0.0) == 0
    # r = 2 pi * 0.1, share r / (r + 1) = 0.385870 for the speed: 0.385870 * 10.
    # Cut-off 1 + 0.5 * 3.85870 = 2.92935 Hz, r = 1.840564, share 0.647957.
    assert float(smooth(1.0, 0.1)) == pytest.approx(0.647957, abs=2e-6)
    # Speed 3.85870 + 0.385870 * ((1 - 0.647957) / 0.1 - 3.85870) = 3.728173; cut-off 2.864087, share 0.642801.
    assert float(smooth(1.0, 0.2)) == pytest.approx(0.647957 + 0.642801 * 0.352043, abs=2e-6)
    smooth.reset()
    assert smooth(5.0, 0.3) == 5


def test_one_euro_without_smoothing_is_the_identity():
    smooth = OneEuro(min_cutoff=math.inf, beta=1.0)
    values = np.random.default_rng(0).normal(size=(20, 4))
    assert np.allclose([smooth(value, k / 25) for k, value in enumerate(values)], values, rtol=0, atol=1e-12)


def test_one_euro_takes_jitter_out_and_follows_a_jump():
    random = np.random.default_rng(1)
    smooth = OneEuro(min_cutoff=1.0, beta=1.0)
    still = np.array([float(smooth(value, k / 25)) for k, value in enumerate(random.normal(0, 0.01, 200))])
    assert still[50:].std() < 0.005
    after = [float(smooth(1.0, 8 + k / 25)) for k in range(5)]
    assert after[4] > 0.95


def test_place_and_back():
    place = np.array([120.0, 80.0, math.log(55), 0.3])
    assert place_of(crop_at(place)) == pytest.approx(place)
    assert align.apply(crop_at(place), (120, 80)) == pytest.approx((0.5, 0.5))


class ShakyFinder(StubFinder):
    """Landmarks that jump by a pixel between frames."""

    def __init__(self):
        self.random = np.random.default_rng(3)

    def find(self, pixels):
        return [
            face._replace(landmarks=face.landmarks + np.array([*self.random.normal(0, 1, 2), 0], np.float32))
            for face in super().find(pixels)
        ]


def test_the_crop_does_not_jitter_with_the_landmarks(editor):
    def shake(smoothing):
        tracker = Tracker(Editor(editor.model, finder=ShakyFinder()), face=None, smoothing=smoothing)
        pixels = picture()
        places = [place_of(tracker.follow(pixels, k / 25).photo_to_crop)[:2] for k in range(60)]
        return np.diff(places[10:], axis=0).std()

    assert shake(0) > 1.2
    assert shake(1) < 0.45


def test_a_new_shot_starts_at_once(editor):
    tracker = Tracker(editor, face=None, smoothing=1)
    tracker.follow(picture(), 0.0)
    tracker.follow(picture(), 0.04)
    canvas = np.full((700, 700, 3), 120, np.uint8)
    canvas[:] = np.repeat(np.repeat(picture(), 3, axis=0), 3, axis=1)[:700, :700]
    moved = tracker.follow(canvas, 0.08)
    expected = place_of(align.align(editor.find_faces(canvas)[0].landmarks))
    assert place_of(moved.photo_to_crop) == pytest.approx(expected, abs=1e-6)


def test_films_are_cropped_as_the_model_was_trained(editor):
    editor.model.metadata["template"] = align.PAPER_TEMPLATE_NAME
    tracker = Tracker(editor, face=None, smoothing=1)
    pixels = picture()
    placed = tracker.follow(pixels, 0.0).photo_to_crop
    landmarks = editor.find_faces(pixels)[0].landmarks
    assert placed == pytest.approx(align.jaw_square(landmarks, 240, 240))
    assert np.abs(placed - align.align(landmarks)).max() > 0.01
    for k in range(1, 4):
        assert tracker.follow(pixels, k / 25).photo_to_crop == pytest.approx(placed)


def test_a_still_face_moves_as_the_clip_with_its_frames_and_its_sound(run, me, talk, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    assert run("video", me, talk, "-o", out, "--smoothing", "0") == 0
    assert capsys.readouterr().out == f"wrote {out} (21 frames)\n"
    given, made = drops(frames_of(talk)), drops(frames_of(out))
    assert len(made) == 21
    assert made == pytest.approx(given, abs=0.012)
    assert packets_of_sound(out) == packets_of_sound(talk)
    with av.open(str(out)) as film:
        assert film.streams.video[0].average_rate == FPS
        assert float(film.duration / av.time_base) == pytest.approx(2.1, abs=0.2)
        assert film.metadata["DigitalSourceType"] == COMPOSITE
        assert film.metadata["twocet_model_sha256"] == SHA256
        assert COMPOSITE in film.metadata["comment"]


def test_strength_exaggerates_and_smoothing_delays_but_keeps_the_size(run, me, talk, tmp_path):
    plain, strong, smooth = (tmp_path / f"{name}.mp4" for name in ("plain", "strong", "smooth"))
    assert run("video", me, talk, "-o", plain, "--smoothing", "0") == 0
    assert run("video", me, talk, "-o", strong, "--smoothing", "0", "--strength", "1.2") == 0
    assert run("video", me, talk, "-o", smooth) == 0
    top = [drops(frames_of(path)).max() for path in (plain, strong, smooth)]
    assert top[1] / top[0] == pytest.approx(1.44, abs=0.1)
    assert top[2] / top[0] == pytest.approx(1, abs=0.2)


def test_the_face_of_a_clip_becomes_neutral(run, talk, tmp_path):
    out = tmp_path / "calm.mkv"
    assert run("video", talk, "--edit", "--strength", "0", "-o", out) == 0
    assert np.abs(drops(frames_of(talk))).max() > 0.07
    assert drops(frames_of(out)) == pytest.approx(np.zeros(21), abs=0.015)
    assert packets_of_sound(out) == packets_of_sound(talk)


def test_the_face_of_a_clip_gets_a_preset(run, talk, tmp_path):
    presets.save(presets.Preset("grin", (1.0, 0.0, 0.0), SHA256, "x", True))
    out = tmp_path / "grin.mp4"
    assert run("video", talk, "--edit", "--preset", "grin", "--no-sound", "-o", out) == 0
    assert drops(frames_of(out)) == pytest.approx(np.full(21, DROP), abs=0.015)
    with av.open(str(out)) as film:
        assert not film.streams.audio


def test_frames_without_a_face_are_counted_and_bridged(run, me, tmp_path, capsys):
    wall = np.full((240, 240, 3), 120, np.uint8)
    low = picture(mouth=REST + DROP)
    film = write_film(tmp_path / "gap.mp4", [wall, low, low, wall, wall, low])
    out = tmp_path / "out.mp4"
    assert run("video", me, film, "-o", out, "--smoothing", "0", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["without_face"] == 3
    assert "3 of 6 frames show no face" in report["notes"][0]
    assert drops(frames_of(out)) == pytest.approx(DROP * np.array([0, 1, 1, 1, 1, 1]), abs=0.015)


def test_colours_survive_reading_and_writing(tmp_path):
    blocks = np.zeros((96, 96, 3), np.uint8)
    colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (128, 128, 128)]
    for colour, (y, x) in zip(colours, [(0, 0), (0, 48), (48, 0), (48, 48)], strict=True):
        blocks[y : y + 48, x : x + 48] = colour
    with clips.ClipWriter(tmp_path / "a.mp4", clips.Fraction(10), None) as writer:
        for k in range(3):
            writer.write(blocks, k / 10)
    with clips.ClipReader(tmp_path / "a.mp4") as reader:
        frames = list(reader)
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.2])
    for y, x in [(24, 24), (24, 72), (72, 24), (72, 72)]:
        assert frames[1].pixels[y, x] == pytest.approx(blocks[y, x], abs=5)


def test_an_unfinished_film_leaves_no_file(tmp_path):
    def interrupted():
        with clips.ClipWriter(tmp_path / "a.mp4", clips.Fraction(10), None) as writer:
            writer.write(picture(), 0.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ME"], "A clip is missing"),
        (["TALK", "TALK", "--edit", "--strength", "0"], "takes one clip"),
        (["TALK", "--edit"], "needs --strength"),
        (["ME", "TALK", "--preset", "happy"], "--preset is for --edit"),
        (["ME", "TALK", "--smoothing", "-1"], "smoothing of -1"),
        (["ME", "nothing.mp4"], "does not exist"),
        (["ME", "TEXT"], "is not a film"),
        (["WALL", "TALK"], "No face found"),
        (["ME", "EMPTY"], "No face found in any of the 3 frames"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(run, me, talk, tmp_path, capsys, words, message):
    wall = np.full((64, 64, 3), 120, np.uint8)
    (tmp_path / "text.mp4").write_text("no film" * 100)
    given = {
        "ME": me,
        "TALK": talk,
        "TEXT": tmp_path / "text.mp4",
        "WALL": write_photo(tmp_path / "wall.png", Photo(pixels=wall)),
        "EMPTY": write_film(tmp_path / "empty.mp4", [wall] * 3),
    }
    files = sorted(tmp_path.iterdir())
    assert run("video", *[given.get(word, word) for word in words], "-o", tmp_path / "out.mp4") == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
    assert sorted(tmp_path.iterdir()) == files


def test_outputs_that_cannot_be(run, me, talk, tmp_path, capsys):
    for output, message in (("out.avi", "end the name in"), ("no/out.mp4", "a folder that exists")):
        assert run("video", me, talk, "-o", tmp_path / output) == 2
        assert message in capsys.readouterr().err
    assert run("video", me, talk, "-o", talk) == 2
    assert "would overwrite" in capsys.readouterr().err


def test_the_missing_extra_is_named(run, me, talk, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    assert run("video", me, talk, "-o", tmp_path / "out.mp4") == 2
    assert "pip install 'twocet[video]'" in capsys.readouterr().err
