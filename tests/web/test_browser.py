"""The page in a real browser: what a visitor does, sees and takes away."""

from __future__ import annotations

import base64
import os
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from web_client import CHROMIUM_FLAGS, REFERENCE, TARGET, decoded, find_chromium

from twocet.photo.images import read_photo
from twocet.photo.marks import COMPOSITE, read_mark

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    program = find_chromium()
    if program is None:
        message = "Chromium is not installed (make chromium, as root on Debian or Ubuntu)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    # Playwright gives every launch a new, empty profile.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a profile of its own; fails the test if a script failed."""
    contexts, errors = [], []

    def visit(viewport=DESKTOP):
        context = browser.new_context(viewport=viewport, permissions=["camera"], accept_downloads=True)
        context.set_default_timeout(90_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert errors == []


def give(page, role, file):
    page.set_input_files(f".drop[data-role={role}] input[type=file]", file)


def shown(page, selector="#after"):
    """The picture on screen at its own size, (H, W, 3)."""
    code = """selector => {
        const picture = document.querySelector(selector);
        const canvas = Object.assign(document.createElement("canvas"), {
            width: picture.naturalWidth, height: picture.naturalHeight,
        });
        canvas.getContext("2d").drawImage(picture, 0, 0);
        return canvas.toDataURL("image/png").split(",")[1];
    }"""
    return decoded(base64.b64decode(page.evaluate(code, selector))).astype(int)


def wait_for_renders(page, count):
    page.wait_for_function("n => Number(document.querySelector('#frame').dataset.renders || 0) >= n", arg=count)


def drag_strength(page, start, end):
    """Moves the slider's knob with the mouse."""
    box = page.locator("#strength").bounding_box()
    x = [box["x"] + 8 + (box["width"] - 16) * (value + 0.5) / 2 for value in (start, end)]
    y = box["y"] + box["height"] / 2
    page.mouse.move(x[0], y)
    page.mouse.down()
    page.mouse.move(x[1], y, steps=5)
    page.mouse.up()


def test_upload_drag_see_download(open_page, tmp_path):
    page = open_page()
    give(page, "target", TARGET)
    give(page, "reference", REFERENCE)
    wait_for_renders(page, 1)
    first = shown(page)
    assert np.abs(first - shown(page, "#before")).max() > 40
    before = int(page.locator("#frame").get_attribute("data-renders"))
    drag_strength(page, 1.0, -0.3)
    wait_for_renders(page, before + 1)
    page.wait_for_selector("#frame:not(.working)")
    assert page.locator("#strength-value").inner_text() == "−0.30"
    assert np.abs(shown(page) - first).max() > 40
    with page.expect_download() as download:
        page.click("#download")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "target-4-reference-2-surprise--0.30.jpg"
    mark = read_mark(path)
    assert (mark.digital_source_type, mark.model) == (COMPOSITE, "tiny")
    assert mark.strength == pytest.approx(-0.3)
    assert np.abs(read_photo(path).pixels - shown(page)).mean() < 3


def test_no_face_is_said_where_one_looks_and_the_next_photo_clears_it(open_page, wall, tmp_path):
    (tmp_path / "wall.jpg").write_bytes(wall)
    page = open_page()
    give(page, "target", tmp_path / "wall.jpg")
    page.get_by_role("alert").get_by_text("No face found in wall.jpg").wait_for()
    assert page.locator("#download").is_disabled()
    (tmp_path / "letter.jpg").write_bytes(b"Dear Madam")
    give(page, "target", tmp_path / "letter.jpg")
    page.get_by_role("alert").get_by_text("letter.jpg is not a picture").wait_for()
    give(page, "target", TARGET)
    page.locator("#message").wait_for(state="hidden")
    page.click("#tab-random")
    page.click("#random")
    wait_for_renders(page, 1)
    give(page, "reference", tmp_path / "wall.jpg")
    page.get_by_role("alert").get_by_text("No face found in wall.jpg").wait_for()
    wait_for_renders(page, 2)
    assert page.locator("#message").is_visible(), "a new picture does not take back what was said about a photo"


def test_a_photo_from_the_camera_takes_the_same_way(open_page):
    page = open_page()
    page.click(".drop[data-role=target] .camera")
    page.wait_for_function("() => document.querySelector('video').videoWidth > 0")
    page.click("#shoot")
    page.get_by_role("alert").get_by_text("No face found in camera.jpg").wait_for()
    assert page.evaluate("() => document.querySelector('video').srcObject") is None


def test_several_faces_are_chosen_by_clicking(open_page, group, tmp_path):
    (tmp_path / "group.jpg").write_bytes(group)
    page = open_page()
    give(page, "target", tmp_path / "group.jpg")
    page.get_by_text("2 faces: choose one").wait_for()
    page.click("#tab-random")
    page.fill("#seed", "7")
    page.press("#seed", "Enter")
    wait_for_renders(page, 1)
    right = np.abs(shown(page) - shown(page, "#before")).max(axis=2) > 40
    page.get_by_role("button", name="Face 2 of 2").click()
    wait_for_renders(page, 2)
    both = np.abs(shown(page) - shown(page, "#before")).max(axis=2) > 40
    middle = right.shape[1] * 700 // 1800
    assert right[:, middle:].sum() > 100 > right[:, :middle].sum()
    assert both[:, :middle].sum() > 100, "the second face is edited"
    assert both[:, middle:].sum() == right[:, middle:].sum(), "the first face keeps what it was given"


def test_examples_pad_strip_and_neutral_by_keyboard_alone(open_page):
    page = open_page(PHONE)
    page.focus("#try-example")
    page.keyboard.press("Enter")
    wait_for_renders(page, 1)
    page.locator("#strip button").nth(8).wait_for()
    page.focus("#tab-reference")
    for _ in ("presets", "random", "pad"):
        page.keyboard.press("ArrowRight")
    assert page.locator("#tab-pad").get_attribute("aria-selected") == "true"
    wish = "() => document.querySelector('#pad').getAttribute('aria-valuetext')"
    page.focus("#pad")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    assert page.evaluate(wish) == "across 25, up 25"
    page.focus("#neutral")
    page.keyboard.press("Enter")
    assert page.locator("#strength").input_value() == "0"
    page.wait_for_selector("#frame:not(.working)")
    assert np.abs(shown(page) - shown(page, "#before")).max() == 0
    assert page.evaluate("() => document.documentElement.scrollWidth") == PHONE["width"], "nothing sticks out sideways"


def test_a_new_face_after_neutralize_shows_the_expression(open_page):
    page = open_page()
    page.click("#try-example")
    wait_for_renders(page, 1)
    page.click("#neutral")
    wait_for_renders(page, 2)
    page.locator(".examples[data-role=target] button").nth(2).click()
    wait_for_renders(page, 3)
    page.wait_for_selector("#frame:not(.working)")
    assert page.locator("#strength").input_value() == "1"
    assert np.abs(shown(page) - shown(page, "#before")).max() > 40


def test_zoom_brings_the_face_to_the_middle(open_page, group, tmp_path):
    (tmp_path / "group.jpg").write_bytes(group)
    page = open_page()
    give(page, "target", tmp_path / "group.jpg")
    page.get_by_text("2 faces: choose one").wait_for()
    page.click("#zoom")
    box, frame = (page.locator(name).bounding_box() for name in ("#before", "#frame"))
    assert box["width"] > 1.4 * frame["width"]
    assert page.evaluate("() => document.documentElement.scrollWidth") == DESKTOP["width"]
    page.click("#zoom")
    assert page.locator("#before").bounding_box()["width"] == pytest.approx(frame["width"], abs=1)


def test_regions_continuum_and_other_photos(open_page, tmp_path):
    page = open_page()
    page.click("#try-example")
    wait_for_renders(page, 1)
    page.click("#keep button[data-region=mouth]")
    wait_for_renders(page, 2)
    assert page.locator("#keep button[aria-pressed=true]").inner_text() == "Mouth"
    page.click("summary")
    with page.expect_download() as download:
        page.click("#continuum")
    assert download.value.suggested_filename.endswith("-continuum.zip")
    with page.expect_download() as download:
        page.set_input_files("#batch input", [TARGET, REFERENCE])
    download.value.save_as(tmp_path / "others.zip")
    with zipfile.ZipFile(tmp_path / "others.zip") as packed:
        assert len(packed.namelist()) == 2


def test_the_bar_is_for_pictures_that_are_long_in_coming(open_page):
    """Each picture sets it back: in a drag it would run all the time, which costs more than the pictures."""
    page = open_page()
    page.click("#try-example")
    wait_for_renders(page, 1)
    page.wait_for_selector("#frame:not(.working)")
    code = """() => new Promise(resolve => {
        const bar = document.querySelector("#busy"), slider = document.querySelector("#strength");
        new MutationObserver(() => resolve(bar.getAnimations()[0].currentTime))
            .observe(document.querySelector("#frame"), { attributeFilter: ["data-renders"] });
        slider.value = 0.5;
        slider.dispatchEvent(new Event("input"));
        bar.getAnimations()[0].currentTime = 600000;
    })"""
    assert page.evaluate(code) < 60_000


def test_leaving_forgets_the_photos(open_page, client):
    page = open_page()
    with page.expect_response("**/api/sessions") as answer:
        page.click("#try-example")
    client.session = answer.value.json()["session"]
    wait_for_renders(page, 1)
    assert client.send("GET", "/api/photos/target").status == 200
    page.goto("about:blank")
    deadline = time.monotonic() + 20
    while (status := client.send("GET", "/api/photos/target").status) != 410 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 410


def test_four_visitors_at_once_see_their_own(open_page):
    pages = [open_page() for _ in range(4)]
    for number, page in enumerate(pages, start=1):
        page.locator(".examples[data-role=target] button").nth(number).click()
    for number, page in enumerate(pages, start=1):
        page.click("#tab-random")
        page.fill("#seed", str(number))
        page.press("#seed", "Enter")
    pictures = []
    for page in pages:
        wait_for_renders(page, 1)
        assert np.abs(shown(page) - shown(page, "#before")).max() > 40
        pictures.append(shown(page))
    assert all(np.abs(a - b).mean() > 5 for i, a in enumerate(pictures) for b in pictures[:i])


@pytest.mark.parametrize(("name", "viewport"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_screenshots(open_page, name, viewport):
    """Nothing overlaps or sticks out; the pictures are for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page = open_page(viewport)
    page.screenshot(path=SCREENSHOTS / f"{name}-empty.png", full_page=True)
    page.click("#try-example")
    wait_for_renders(page, 1)
    page.locator("#strip button").nth(8).wait_for()
    page.click("#compare")
    page.screenshot(path=SCREENSHOTS / f"{name}-result.png", full_page=True)
    assert page.evaluate("() => document.documentElement.scrollWidth") == viewport["width"]
    parts = ("#frame", "#strength", "#strip", ".actions", ".panel")
    boxes = [page.locator(selector).bounding_box() for selector in parts]
    if name == "phone":
        assert all(above["y"] + above["height"] <= below["y"] + 1 for above, below in pairwise(boxes))


def test_presets_are_pictures_of_the_own_face_and_signposts_of_the_pad(open_page):
    page = open_page(PHONE)
    give(page, "target", TARGET)
    page.wait_for_selector("#frame:not(.empty)")
    page.click("#tab-preset")
    page.wait_for_function("() => [...document.querySelectorAll('#presets img')].every(image => image.naturalWidth)")
    faces = [shown(page, f"#presets button[data-name={name}] img") for name in ("across", "upward")]
    assert np.abs(faces[0] - faces[1]).max() > 20
    page.click("#presets button[data-name=upward]")
    wait_for_renders(page, 1)
    assert page.locator("#presets button[aria-pressed=true]").inner_text() == "upward"
    page.click("#tab-pad")
    posts = {post.inner_text(): post.bounding_box() for post in page.locator("#pad span").all()}
    pad = page.locator("#pad").bounding_box()
    assert set(posts) <= {"across", "upward"}
    assert posts
    for box in posts.values():
        assert pad["x"] <= box["x"]
        assert box["x"] + box["width"] <= pad["x"] + pad["width"] + 1
