from __future__ import annotations

import json
import math

import numpy as np
import pytest
from mouths import DROP, REST, SHA256, StubFinder, StubModel, mouth_height, picture

from twocet.edit import presets
from twocet.edit.editor import Editor
from twocet.photo import align
from twocet.photo.images import Photo, write_photo
from twocet.photo.marks import COMPOSITE
from twocet.video.film import Tracker, crop_at, edit_film, place_of

av = pytest.importorskip("av")
clips = pytest.importorskip("twocet.video.clips")

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


class ShakyModel(StubModel):
    """A model whose edits shake by a hundredth of the crop."""

    def __init__(self):
        super().__init__()
        self.random = np.random.default_rng(4)

    def edit(self, image, code, strength=1.0):
        edit = super().edit(image, code, strength)
        return edit._replace(flow=edit.flow + self.random.normal(0, 0.01))


def edited(model, pictures, strength, smoothing):
    """The pixels of a film of 25 frames a second with ``strength`` times its own expressions."""
    editor = Editor(model, finder=StubFinder())
    frames = [clips.Frame(pixels, k / 25) for k, pixels in enumerate(pictures)]
    tracker = Tracker(editor, face=None, smoothing=smoothing)
    code_of = (lambda tracked: tracked.own_code) if strength else None
    made = list(edit_film(editor, frames, tracker, code_of, strength, smoothing))
    assert all(found for _, found in made)
    assert [frame.seconds for frame, _ in made] == [frame.seconds for frame in frames]
    return [frame.pixels for frame, _ in made]


@pytest.mark.parametrize("strength", [0, 1])
def test_an_edit_does_not_shake_with_what_the_model_makes_of_each_frame(strength):
    def shake(smoothing):
        return drops(edited(ShakyModel(), [picture()] * 24, strength, smoothing)).std()

    assert shake(0) > 0.007
    # 0.6 of the noise is left by a parabola fitted to seven frames that count less towards the ends.
    assert shake(1) < 0.75 * shake(0)


def test_smoothed_edits_come_in_time():
    course = np.sin(2 * np.pi * 2 * np.arange(20) / 25).clip(min=0)
    pictures = [picture(mouth=REST + DROP * c) for c in course]
    given, same, calm = (drops(film) for film in (pictures, *(edited(StubModel(), pictures, s, 1) for s in (1, 0))))
    assert same == pytest.approx(given, abs=0.1 * DROP)
    assert calm == pytest.approx(np.zeros(20), abs=0.25 * DROP)
    late = [np.corrcoef(given[2:-2], same[2 + k : len(same) - 2 + k])[0, 1] for k in range(-2, 3)]
    assert int(np.argmax(late)) == 2


def test_edits_of_one_shot_do_not_leak_into_the_next():
    low = np.repeat(np.repeat(picture(mouth=REST + DROP), 3, axis=0), 3, axis=1)
    shots = [picture()] * 4, [low] * 4
    together = drops(edited(StubModel(), shots[0] + shots[1], 0, 1))
    apart = np.concatenate([drops(edited(StubModel(), shot, 0, 1)) for shot in shots])
    assert together == pytest.approx(apart, abs=1e-4)


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
        (["ME", "TALK", "--smoothing", "-1"], "smoothing -1"),
        (["ME", "nothing.mp4"], "does not exist"),
        (["ME", "TEXT"], "is not a film"),
        (["WALL", "TALK"], "No face found"),
        (["ME", "EMPTY"], "No face found in any of the 3 frames"),
        # A face that is not there (s0md3v/roop#44).
        *((["TALK", "--edit", "--strength", "0", "--face", n], "give --face 1.") for n in ["-1", "0", "3"]),
        *((["ME", "TALK", "--reference-face", n], "give --reference-face 1.") for n in "02"),
        (["TALK", "--edit", "--strength", "0", "--reference-face", "1"], "takes no reference"),
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
