"""The work behind the page, without HTTP: uploads, expressions, downloads, and who waits for whom."""

from __future__ import annotations

import asyncio
import base64
import io
import threading

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
from twocet.web.pictures import PREVIEW_SIDE, decode
from twocet.web.session import STRIP, Session, Studio, Wish, pad_directions, pad_places
from twocet.web.visitors import Busy, Turns, Visitor, Visitors


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
    Image.new("1", (8000, 6000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "me.jpg is empty"),
        (b"<svg/>", "me.jpg is not a picture"),
        (TARGET.read_bytes()[:5000], "me.jpg is damaged"),
        (large_png(), "me.jpg has more than 40 million pixels"),
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


def test_signposts_stand_where_the_pad_makes_what_is_nearest_to_the_preset(studio):
    editor = studio.editor()
    pad = pad_directions(editor)
    # Two orthogonal directions, as those of a model that knows its codes.
    across, up = np.linalg.qr(pad.T.astype(np.float64))[0].T
    model = type("Known", (), {"code_dim": 8, "metadata": {"code_covariance": (4 * np.outer(across, across)
                               + np.outer(up, up)).tolist()}})()  # fmt: skip
    right, top = pad_directions(Editor(model))
    beside = np.linalg.svd(np.array([right, top]))[2][-1]
    places = pad_places(Editor(model), {"on": 0.5 * right - 0.25 * top + 3 * beside, "off": 1.5 * right})
    assert list(places) == ["on"]
    assert places["on"] == pytest.approx((0.5, -0.25), abs=1e-5)


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
    assert name == "us two-twocet.jpg"
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
    x, y = pad_directions(Editor(model))
    assert abs(x @ turn[:, 1]) == pytest.approx(6, abs=1e-3)
    assert abs(y @ turn[:, 3]) == pytest.approx(4, abs=1e-3)
    assert np.linalg.norm([x, y], axis=1) == pytest.approx([6, 4], abs=1e-3)
    unknown = pad_directions(studio.editor())
    assert np.linalg.matrix_rank(unknown) == 2


def test_sessions_are_forgotten_when_idle_or_too_many():
    now = [0.0]
    present = Visitors(object, clock=lambda: now[0])
    first, second = present.enter(), present.enter()
    now[0] = visitors.IDLE_SECONDS
    assert present.find(second) is not None
    now[0] += 1
    assert present.find(first) is None
    assert present.find(second) is not None
    names = [present.enter() for _ in range(visitors.MAX_VISITORS)]
    assert len(present) == visitors.MAX_VISITORS
    assert present.find(second) is None
    present.leave(names[0])
    assert present.find(names[0]) is None
    assert len(present) == visitors.MAX_VISITORS - 1


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
