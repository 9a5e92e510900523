"""The work behind the page, without HTTP: uploads, expressions, downloads, and who waits for whom."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from web_client import REFERENCE, TARGET, decoded

from twocet.edit import blend
from twocet.edit.editor import Editor
from twocet.edit.locate import Locator
from twocet.errors import UserError
from twocet.photo.marks import COMPOSITE, read_mark
from twocet.web import visitors
from twocet.web.pad import Pad, principal_directions
from twocet.web.pictures import PREVIEW_SIDE, decode
from twocet.web.session import STRIP, Session, Studio
from twocet.web.visitors import Busy, Turns, Visitor, Visitors
from twocet.web.wishes import Wish


@pytest.fixture(scope="module")
def session(studio):
    """With a target and a reference."""
    session = Session(studio)
    session.give("target", TARGET.read_bytes(), "me.jpg")
    session.give("reference", REFERENCE.read_bytes(), "smile.jpg")
    return session


def wish(kind="reference", strength=1.0, **values):
    return Wish.parse({"kind": kind, "strength": strength, **values})


def large_png():
    buffer = io.BytesIO()
    Image.new("1", (12000, 9000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "me.jpg is empty"),
        (b"<svg/>", "me.jpg is not a picture"),
        (TARGET.read_bytes()[:5000], "me.jpg is damaged"),
        (large_png(), "me.jpg has more than 100 million pixels"),
    ],
    ids=["empty", "no picture", "damaged", "too large"],
)
def test_what_is_no_usable_picture_is_refused(content, problem):
    with pytest.raises(UserError, match=problem):
        decode(content, "me.jpg")


def test_no_face_is_said_and_the_earlier_photo_stays(session, wall):
    with pytest.raises(UserError, match=r"No face found in wall\.jpg: choose"):
        session.give("target", wall, "wall.jpg")
    assert session.picture("target").name == "me.jpg"


@pytest.mark.parametrize(
    "values",
    [{}, {"kind": "reference", "strength": 1.6}, {"kind": "pad", "x": "nan"}, {"kind": "random", "seed": None}],
    ids=["nothing", "too strong", "not a number", "none"],
)
def test_a_senseless_wish_is_refused(values):
    with pytest.raises(UserError, match="reload"):
        Wish.parse(values)


def test_an_unknown_expression_is_refused(session):
    with pytest.raises(UserError, match="There is no expression 'bored'"):
        session.render(wish("preset", preset="bored"))


def test_expressions_of_every_kind_differ_and_neutral_is_the_photo(session):
    kinds = [wish(), wish("random", seed=1), wish("random", seed=2), wish("pad", x=1.0), wish("pad", y=-1.0)]
    codes = [session.render(w).code for w in kinds]
    assert all(code.any() for code in codes)
    assert len({code.tobytes() for code in codes}) == len(codes)
    assert np.array_equal(session.render(wish("neutral")).pixels, session.picture("target").preview.pixels)


def test_presets_are_codes_by_name(studio):
    smile = np.arange(8, dtype=np.float32)
    session = Session(studio._replace(presets={"smile": smile}))
    session.give("target", TARGET.read_bytes(), "me.jpg")
    assert np.array_equal(session.render(wish("preset", 0.5, preset="smile")).code, 0.5 * smile)


def test_presets_are_shown_on_the_visitors_own_face(studio):
    codes = {"smile": np.arange(8, dtype=np.float32), "frown": -np.arange(8, dtype=np.float32)}
    session = Session(studio._replace(presets=codes))
    session.give("target", TARGET.read_bytes(), "me.jpg")
    pictures = session.preset_pictures(1)
    assert list(pictures) == ["smile", "frown"]
    shown = {name: decoded(base64.b64decode(url.split(",")[1])) for name, url in pictures.items()}
    expected = session.render(wish("preset", preset="smile")).crop
    assert shown["smile"].shape == expected.shape
    assert np.abs(shown["smile"].astype(int) - expected).mean() < 4
    assert np.abs(shown["smile"].astype(int) - shown["frown"]).max() > 40


def test_on_the_pad_a_name_is_its_preset_and_the_middle_is_neutral(studio):
    presets = {f"p{number}": np.random.default_rng(number).normal(size=8).astype(np.float32) for number in range(12)}
    pad = Pad(studio.editor(), presets)
    assert set(pad.places) == set(presets)
    for name, place in pad.places.items():
        assert np.array_equal(pad.code(*place), presets[name])
    assert not pad.code(0, 0).any()


def test_names_on_the_pad_keep_their_distance(studio):
    presets = {f"p{number}": np.random.default_rng(number).normal(size=8).astype(np.float32) for number in range(15)}
    places = np.array(list(Pad(studio.editor(), presets).places.values()))
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1)) + 9 * np.eye(15)
    assert apart.min() > 0.3
    assert np.abs(places).max() <= 0.82


def test_between_names_the_pad_mixes(studio):
    pad = Pad(studio.editor(), {"on": np.ones(8, np.float32)})
    (x, y) = pad.places["on"]
    halfway = pad.code(x / 2, y / 2)
    assert halfway == pytest.approx(np.full(8, 0.5), abs=1e-6)
    assert pad.code(0.9 * x, 0.9 * y)[0] > 0.9


def test_every_face_keeps_its_own_edit(studio, group):
    session = Session(studio)
    session.give("target", group, "us.jpg")
    alone = [session.render(wish("random", seed=3, face=face)).pixels.astype(int) for face in (1, 2)]
    both = session.render(wish("random", seed=3, face=1, others=[{"kind": "random", "seed": 3, "face": 2}])).pixels
    original = session.picture("target").preview.pixels.astype(int)
    assert np.array_equal(both - original, (alone[0] - original) + (alone[1] - original))


def test_regions_stay_as_they_are(session):
    kept = session.render(wish("random", seed=1, keep=["mouth", "eyes", "brows", "gaze"])).pixels
    free = session.render(wish("random", seed=1)).pixels
    before = session.picture("target").preview.pixels.astype(int)
    assert np.abs(kept - before).sum() < np.abs(free - before).sum()
    with pytest.raises(UserError):
        wish(keep=["ears"])


def test_a_continuum_is_taken_away_in_one_file(session):
    name, content = session.continuum(wish(strength=0.8))
    assert name == "me-smile-continuum.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = packed.namelist()
        first = decoded(packed.read(names[0]))
    assert (names[0], names[5], names[-1]) == ("me-neutral-0.00.jpg", "me-smile-0.40.jpg", "me-smile-0.80.jpg")
    assert len(names) == 11
    assert np.abs(first.astype(int) - decoded(TARGET.read_bytes())).mean() < 2


def test_other_photos_get_the_expression_and_wait_to_be_fetched(session, monkeypatch):
    other = (TARGET.parent / "target-1.jpg").read_bytes()
    assert session.finish(other, "you.jpg", wish()) == "you-smile-1.00.jpg"
    assert session.finish(other, "you.jpg", wish()) == "again-you-smile-1.00.jpg"
    monkeypatch.setattr("twocet.web.session.MOST_FINISHED_BYTES", 10)
    with pytest.raises(UserError, match="fetch them first"):
        session.finish(other, "you.jpg", wish())
    name, content = session.fetch()
    assert name == "twocet.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.namelist() == ["you-smile-1.00.jpg", "again-you-smile-1.00.jpg"]
    with pytest.raises(UserError, match="No pictures are ready"):
        session.fetch()


def test_presets_are_saved_only_on_this_computer(studio, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for may_save in (False, True):
        session = Session(studio._replace(presets={}, may_save=may_save))
        session.give("target", TARGET.read_bytes(), "me.jpg")
        if not may_save:
            with pytest.raises(UserError, match="only on the computer that runs the page"):
                session.save_preset("mine", wish("random", seed=5))
            continue
        session.save_preset("mine", wish("random", 0.5, seed=5))
        again = session.render(wish("preset", preset="mine"))
        assert again.code == pytest.approx(session.render(wish("random", 0.5, seed=5)).code, abs=1e-6)
    assert (tmp_path / "twocet" / "presets.json").is_file()


def test_a_new_strength_is_one_edit(session, monkeypatch):
    session.render(wish())
    monkeypatch.setattr(Locator, "locate", None)
    assert (session.render(wish(strength=0.4)).pixels != session.render(wish(strength=1.2)).pixels).any()


def test_small_pictures_are_made_without_the_photo_and_are_its_crops(session, monkeypatch):
    expected = session.render(wish(strength=STRIP[-1])).crop

    def small(pixels, *rest, apply=blend.apply_edit):
        assert pixels.size <= expected.size
        return apply(pixels, *rest)

    monkeypatch.setattr(blend, "apply_edit", small)
    shown = decoded(base64.b64decode(session.strip(wish())[-1].split(",")[1]))
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 4


def test_the_strip_goes_from_opposite_to_exaggerated(session):
    assert (STRIP[0], STRIP[2], STRIP[-1]) == (-0.5, 0.0, 1.5)
    pictures = session.strip(wish())
    assert len(set(pictures)) == len(STRIP)
    assert all(picture.startswith("data:image/jpeg;base64,/9j/") for picture in pictures)


def test_the_download_is_the_face_chosen_at_full_size_and_marked(studio, group, tmp_path):
    session = Session(studio)
    picture = session.give("target", group, "us/../us two.jpg")
    assert max(picture.preview.size) == PREVIEW_SIDE
    boxes = np.array(picture.boxes)
    assert boxes.shape == (2, 4)
    assert boxes[0, 0] > 0.4 > boxes[1, 0], "the larger face, on the right, comes first"
    name, content = session.download(wish("random", 1.5, seed=3, face=2))
    assert name == "us two-random3-1.50.jpg"
    changed = np.abs(decoded(content).astype(int) - decoded(group)).max(axis=2) > 40
    assert changed.shape == (1100, 1800)
    assert changed[:, :700].sum() > 500
    assert changed[:, 700:].sum() < 50, "the other face stays, but for the JPEG's own noise"
    (tmp_path / name).write_bytes(content)
    mark = read_mark(tmp_path / name)
    assert (mark.digital_source_type, mark.strength, mark.model) == (COMPOSITE, 1.5, "tiny")
    assert mark.model_sha256 == studio.model_sha256


def test_a_download_leaves_no_file(session, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session.download(wish())
    assert list(tmp_path.iterdir()) == []


def test_pad_directions_are_the_widest_of_the_codes_in_photos(studio):
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    covariance = turn @ np.diag([1, 9, 0.1, 4, 0.2, 0.3, 0, 0]) @ turn.T
    model = type("Known", (), {"code_dim": 8, "metadata": {"code_covariance": covariance.tolist()}})()
    x, y = principal_directions(Editor(model))
    assert abs(x @ turn[:, 1]) == pytest.approx(6, abs=1e-3)
    assert abs(y @ turn[:, 3]) == pytest.approx(4, abs=1e-3)
    assert np.linalg.norm([x, y], axis=1) == pytest.approx([6, 4], abs=1e-3)
    unknown = principal_directions(studio.editor())
    assert np.linalg.matrix_rank(unknown) == 2


def test_sessions_are_forgotten_when_idle():
    now = [0.0]
    present = Visitors(SimpleNamespace, clock=lambda: now[0])
    first, second = present.enter(), present.enter()
    now[0] = visitors.IDLE_SECONDS
    assert present.find(second) is not None
    now[0] += 1
    assert present.find(first) is None
    assert present.find(second) is not None
    present.leave(second)
    assert present.find(second) is None


def test_turns_are_taken_in_order_one_per_visitor_and_the_queue_ends():
    order, go = [], threading.Event()

    def work(name):
        go.wait(10)
        order.append(name)
        return name

    async def crowd():
        turns = Turns(workers=1)
        greedy, modest = (Visitor(Session, 0.0) for _ in range(2))
        tasks = [asyncio.create_task(turns.run(greedy, work, f"g{k}")) for k in range(visitors.MAX_WAITING_EACH)]
        tasks.append(asyncio.create_task(turns.run(modest, work, "m")))
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await turns.run(greedy, work, "one too many")
        go.set()
        results = await asyncio.gather(*tasks)
        turns.close()
        return results

    assert asyncio.run(crowd()) == ["g0", "g1", "g2", "g3", "m"]
    assert order == ["g0", "m", "g1", "g2", "g3"]


def test_failed_work_gives_its_turn_back():
    async def fail_then_work():
        turns, visitor = Turns(workers=1), Visitor(Session, 0.0)
        for _ in range(visitors.MAX_WAITING_EACH + 1):
            with pytest.raises(ZeroDivisionError):
                await turns.run(visitor, lambda: 1 // 0)
        return await turns.run(visitor, lambda: "done")

    assert asyncio.run(fail_then_work()) == "done"


def test_studio_editors_share_the_model_and_keep_nothing(studio):
    assert isinstance(studio, Studio)
    assert studio.editor() is not studio.editor()
    assert studio.editor().model is studio.model


def test_what_a_photo_tells_is_said_and_left_out_of_the_download_on_request(studio, tmp_path):
    session = Session(studio)
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8769)[0xA431] = "SECRET"
    with Image.open(TARGET) as picture:
        picture.save(tmp_path / "me.jpg", exif=exif, quality=95)
    picture = session.give("target", (tmp_path / "me.jpg").read_bytes(), "me.jpg")
    assert picture.private == ("the place (GPS)", "serial numbers")
    for strip, kept in ((False, True), (True, False)):
        asked = wish("random", seed=1, strip_private=strip)
        assert (b"SECRET" in session.download(asked)[1]) == kept
