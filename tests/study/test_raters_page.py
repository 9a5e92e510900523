"""The raters' page in a real browser: from the disk and behind the server, by keyboard and by touch."""

from __future__ import annotations

import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from study_tools import PLANTED, analyze

from twocet.study.folder import read_design, read_key
from twocet.study.page import read_page
from twocet.study.responses import read_answers

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SMALL = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
LAPTOP = {"viewport": {"width": 1366, "height": 650}}


@pytest.fixture(scope="module")
def browser(raters):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        message = "Chromium is not installed (make chromium, as root on Debian or Ubuntu)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=raters.FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens a page in a profile of its own; fails the test if a script failed or asked the net for anything."""
    contexts, errors, asked = [], [], []

    def opened(address, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.clock.install()
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:"))]


@pytest.fixture
def study(rating, tmp_path):
    return shutil.copytree(rating, tmp_path / "study")


def on_disk(folder):
    return (folder / "page" / "index.html").as_uri()


def test_from_the_disk_with_a_reload_to_a_file_that_can_be_analysed(study, raters, visit, tmp_path):
    crowd = raters.Crowd(study, PLANTED, 1, 0, seed=0)
    page = visit(on_disk(study))
    assert page.locator("form.screen button").is_disabled(), "nobody begins without agreeing"
    assert raters.take_part(page, partial(crowd.answers, 0), 1500, most=7) == 7
    page.reload()
    page.get_by_text("You have answered 7 of 40 trials").wait_for()
    with page.expect_download() as download:
        assert raters.take_part(page, partial(crowd.answers, 0), 1500) == 33
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    design = read_design(study)
    answers = read_answers([file], design, read_key(study))
    assert (len(answers.rows), answers.began, answers.damaged) == (80, 1, 0)
    assert [row["trial_index"] for row in answers.rows[::2]] == list(range(40))
    for row in answers.rows:
        number = [question["name"] for question in design["questions"]].index(row["question"])
        assert row["response"] == crowd.answers(0, row["item_id"])[number]
        assert 1500 <= row["rt_ms"] < 60_000
    assert {(row["device"], len(row["rater_id"])) for row in answers.rows} == {("computer", 16)}
    shown = [row["item_id"] for row in answers.rows[::2]]
    known = read_page(study / "page")
    lists = [[item for part in rounds for item in part] + known["checks"] for rounds in known["lists"]]
    assert sorted(shown) in [sorted(items) for items in lists]
    checks = [place for place, row in enumerate(answers.rows[::2]) if row["is_check"]]
    assert len(checks) == 4
    assert all(low <= place < low + 10 for low, place in zip((0, 10, 20, 30), checks, strict=True))
    page.reload()
    page.get_by_role("button", name="Someone else takes part").click()
    page.get_by_text("I agree to take part").wait_for()


def test_four_raters_behind_a_server_that_is_killed(study, raters, visit):
    """One is inattentive. The server dies under the first rater, who goes on without noticing, and comes back."""
    crowd = raters.Crowd(study, PLANTED, 4, 1, seed=4)
    server, address = raters.serve(study)
    for rater in range(4):
        page = visit(f"http://{address}/", **(PHONE if rater % 2 else {}))
        answers = partial(crowd.answers, rater)
        if rater == 0:
            raters.take_part(page, answers, 1500, most=10)
            server.send_signal(signal.SIGKILL)
            server.communicate()
            raters.take_part(page, answers, 1500, most=20)
            page.get_by_text("No connection").wait_for()
            server, _ = raters.serve(study, int(address.split(":")[1]))
        raters.take_part(page, answers, 1500)
        if rater == 0:
            page.clock.fast_forward(20_000)
        page.get_by_text("All your answers have arrived").wait_for()
    server.send_signal(signal.SIGINT)
    report, errors = server.communicate(timeout=20)
    assert (server.returncode, errors) == (0, "")
    assert "4 raters began, 4 finished, 0 withdrew" in report
    code, summary = analyze(study)
    assert (code, summary["raters"]["answered"], summary["raters"]["kept"]) == (0, 4, 3)
    assert summary["answers"] == 3 * 36 * 2
    lines = [json.loads(line) for line in (study / "responses.jsonl").read_text().splitlines() if line]
    assert len([line for line in lines if line["type"] == "answer"]) == 4 * 40 * 2
    assert sorted(line["list"] for line in lines if line["type"] == "begin") == [0, 0, 1, 2]
    for question, cells in PLANTED.items():
        order = [summary["methods"][k] for k in np.argsort([mean for mean, _ in cells])]
        means = summary["questions"][question]["means"]
        assert sorted(means, key=lambda name: means[name]["value"]) == order
        assert all(d["planted_inside"] for d in raters.compared(summary, PLANTED) if d["question"] == question)


def test_who_withdraws_is_not_counted_and_nothing_stays_in_the_browser(study, raters, visit):
    server, address = raters.serve(study)
    crowd = raters.Crowd(study, PLANTED, 2, 0, seed=0)
    stays, leaves = visit(f"http://{address}/"), visit(f"http://{address}/")
    for rater, page in enumerate((stays, leaves)):
        raters.take_part(page, partial(crowd.answers, rater), 1500, most=5)
    leaves.click("#withdraw")
    leaves.get_by_role("button", name="No, go on").click()
    raters.take_part(leaves, partial(crowd.answers, 1), 1500, most=2)
    leaves.click("#withdraw")
    leaves.get_by_role("button", name="Yes, withdraw").click()
    leaves.get_by_text("You have withdrawn").wait_for()
    leaves.wait_for_function("() => JSON.parse(Object.values(localStorage)[0]).unsent.length === 0")
    assert leaves.evaluate("() => JSON.parse(Object.values(localStorage)[0]).answers") == []
    server.send_signal(signal.SIGINT)
    assert "2 raters began, 0 finished, 1 withdrew" in server.communicate(timeout=20)[0]
    answers = read_answers([study / "responses.jsonl"], read_design(study), read_key(study))
    assert (answers.began, answers.withdrawn, len(answers.rows)) == (2, 1, 10)


def test_touch_alone_answers_and_an_answer_can_be_changed(study, visit):
    page = visit(on_disk(study), **PHONE)
    page.tap("input[type=checkbox]")
    page.tap("form.screen button")
    page.tap("form.screen button")
    page.wait_for_selector(".trial.shown")
    first, second = page.locator("fieldset").all()
    item = page.locator(".trial").get_attribute("data-item")
    first.locator("label", has_text="Definitely yes").tap()
    assert page.locator("button.next, .questions button").is_disabled()
    second.locator("label", has_text="Probably not").tap()
    first.locator("label", has_text="Probably yes").tap()
    page.get_by_role("button", name="Next").tap()
    page.wait_for_selector(f".trial.shown:not([data-item='{item}'])")
    kept = page.evaluate("() => JSON.parse(Object.values(localStorage)[0]).answers")
    assert [(row["item_id"], row["question"], row["response"]) for row in kept] == [
        (item, "identity", 4), (item, "expression", 2),
    ]  # fmt: skip


def test_the_left_picture_is_the_one_the_key_says(comparison, visit):
    page = visit(on_disk(comparison) + "?list=2")
    page.check("input[type=checkbox]")
    for _ in range(2):
        page.click("form.screen button")
    rows = {row["item_id"]: row for row in read_key(comparison)}
    for _ in range(6):
        page.wait_for_selector(".trial.shown")
        item = page.locator(".trial").get_attribute("data-item")
        shown = [figure.get_attribute("src") for figure in page.locator(".result img").all()]
        assert shown == [f"stimuli/{rows[item][name]}" for name in ("result_file", "right_file")]
        boxes = [figure.bounding_box()["x"] for figure in page.locator(".result img").all()]
        assert boxes[0] < boxes[1]
        for key in ("1", "2", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector(f".trial.shown:not([data-item='{item}'])")


@pytest.mark.parametrize("task", ["rating", "comparison"])
@pytest.mark.parametrize(("name", "device"), [("desktop", {}), ("laptop", LAPTOP), ("phone", PHONE), ("small", SMALL)])
def test_a_trial_fits_the_screen(task, name, device, visit, request):
    """Nothing must be scrolled to answer; the pictures are for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page = visit(on_disk(request.getfixturevalue(task)), **device)
    page.screenshot(path=SCREENSHOTS / f"study-{task}-{name}-consent.png", full_page=True)
    page.check("input[type=checkbox]")
    for _ in range(2):
        page.click("form.screen button")
    page.wait_for_selector(".trial.shown")
    page.keyboard.press("2")
    page.screenshot(path=SCREENSHOTS / f"study-{task}-{name}.png", full_page=True)
    width, height = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert (width, height) == tuple(page.viewport_size.values())
    assert all(option.bounding_box()["height"] >= 44 for option in page.locator(".options label").all())
    overflowing = "elements => elements.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    assert page.locator(".options span").evaluate_all(overflowing) == []
