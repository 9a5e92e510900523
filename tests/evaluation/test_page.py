"""The report for a browser: complete in itself, and drawn to scale."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from made_up import NAMES, Painter, Plain, face
from PIL import Image

from twocet.evaluation.charts import Line, bars, curves
from twocet.evaluation.markdown import to_markdown
from twocet.evaluation.page import to_html
from twocet.metrics import Estimate
from twocet.photo.marks import COMPOSITE, parse_mark

_VOID = {"meta", "img"}


class Checker(HTMLParser):
    """Notes what a page loads and that its elements are closed."""

    def __init__(self):
        super().__init__()
        self.loaded, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.loaded += [value for name, value in attributes if name in ("src", "href") or "url(" in (value or "")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert self.open[-1] == "svg", "elements close themselves in drawings alone"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(folder, evaluate):
    return to_html(*evaluate(Painter(0.5), folder, command="twocet evaluate '<model>' & more"))


def test_page_is_whole_and_loads_nothing(page):
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.loaded
    assert all(source.startswith("data:image/png;base64,") for source in checker.loaded)
    assert "<script" not in page
    assert "http" not in page


def test_page_holds_the_figures_and_the_pictures(page):
    for text in ("0.500 (0.500 to 0.500)", "kid_stub", "Paper protocol", "Worst cases", "Mean codes", *NAMES):
        assert text in page, text
    assert "&lt;model&gt;&#x27; &amp; more" in page
    shown = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(found)))) for found in re.findall(r"base64,([^\"]+)", page)
    ]
    assert any(np.array_equal(pixels, face(0, 0)) for pixels in shown)


def test_pictures_that_a_model_made_say_so(page):
    marked = {}
    for label, found in re.findall(r'alt="([^"]*)" src="data:image/png;base64,([^"]+)', page):
        packet = Image.open(io.BytesIO(base64.b64decode(found))).info.get("XML:com.adobe.xmp")
        mark = parse_mark(packet.encode()) if packet else None
        marked.setdefault(label, set()).add(mark and mark.digital_source_type)
    assert marked["target"] == marked["reference"] == marked["truth"] == {None}
    assert marked["output"] == marked["0.25"] == {COMPOSITE}


def test_page_and_markdown_of_a_model_that_only_transfers(photos, evaluate):
    result = evaluate(Plain(), photos)
    checker = Checker()
    checker.feed(to_html(*result))
    text = to_markdown(result.summary)
    assert "no true pictures" in text
    assert "gain, all" not in text
    assert "cycle error" not in text
    assert "kid_stub, expressions of references" in text
    assert "nan" not in text


def rectangles(svg):
    return [
        (float(item.get("x")), float(item.get("width"))) for item in ElementTree.fromstring(svg) if item.tag == "rect"
    ]


def test_bars_are_as_long_as_their_values():
    values = {"a": Estimate(0.5, 0.4, 0.6), "<b>": Estimate(1.0, 0.9, 1.1), "c": Estimate(-0.25, -0.3, -0.2)}
    (x, half), (other, whole), (left, quarter) = rectangles(bars("title", values))
    assert x == other
    assert half == pytest.approx(whole / 2, abs=0.2)
    assert quarter == pytest.approx(whole / 4, abs=0.2)
    assert left + quarter == pytest.approx(x, abs=0.2)


def test_bars_without_intervals_and_of_nothing_but_0():
    nan = float("nan")
    assert len(rectangles(bars("title", {"a": Estimate(0.0, nan, nan)}))) == 1


def test_curves_run_through_their_points():
    steps = (0.0, 0.5, 1.0)
    line = Line("movement", steps, [Estimate(y, y - 0.1, y + 0.1) for y in steps])
    drawn = ElementTree.fromstring(curves("title", "strength", [line]))
    corners = next(item.get("points") for item in drawn if item.tag == "polyline").split()
    points = np.array([corner.split(",") for corner in corners], float)
    assert np.diff(points[:, 0]) == pytest.approx([240, 240])
    assert np.diff(points[:, 1])[0] == pytest.approx(np.diff(points[:, 1])[1])
    assert np.diff(points[:, 1])[0] < 0, "larger values are higher up"
