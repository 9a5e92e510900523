"""Measures the web page in a real browser: visitors who drag the strength slider, all at the same time.

One browser; every visitor is a profile with a process, a session and a small window of its own. They come one after the
other, so that a slow machine is not measured opening twenty windows, and begin to drag at the same moment. A change
lasts from the slider's event to the decoded picture on screen. What goes wrong for a visitor is counted and does not
end the measurement. Prints one JSON line. Needs Chromium and Playwright (extra ``dev``). Linux.

    python benchmarks/web_page.py --visitors 20 --seconds 20
    python benchmarks/web_page.py --visitors 3 --seconds 5     # to see that it works
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro
from line import descendants, held_mb, memory_mb, print_line
from serving import highest, jain, server

import twocet
from twocet.errors import UserError

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

VIEWPORT = {"width": 640, "height": 480}

# Waits for the common moment, moves the slider, waits for the picture, and again until the time is over. It is woken by
# the picture: twenty pages that look every few milliseconds whether it is there would be what is measured.
DRAG = """async ([begin, seconds, patience]) => {
    const slider = document.querySelector("#strength"), frame = document.querySelector("#frame");
    const message = document.querySelector("#message");
    const late = Math.max(0, Date.now() - begin) / 1000;
    await new Promise(resolve => setTimeout(resolve, begin - Date.now()));
    const failed = new Set(), end = performance.now() + 1000 * seconds;
    performance.clearMeasures("change");
    performance.clearResourceTimings();
    performance.setResourceTimingBufferSize(100000);
    const picture = () => new Promise(resolve => {
        const watch = new MutationObserver(() => finish(true));
        const timer = setTimeout(() => finish(false), 1000 * patience);
        const finish = shown => { watch.disconnect(); clearTimeout(timer); resolve(shown); };
        watch.observe(frame, { attributeFilter: ["data-renders"] });
    });
    for (let step = 0; performance.now() < end; step += 1) {
        const shown = picture();
        slider.value = (-0.5 + 2 * ((step * 0.381966) % 1)).toFixed(2);
        slider.dispatchEvent(new Event("input"));
        if (!await shown) failed.add(`no picture within ${patience} s`);
        if (!message.hidden) failed.add(message.textContent);
    }
    const renders = performance.getEntriesByType("resource").filter(entry => entry.name.endsWith("/api/render"));
    return {
        late,
        failed: [...failed],
        size: [document.querySelector("#after").naturalWidth, document.querySelector("#after").naturalHeight],
        changes: performance.getEntriesByName("change").map(entry => entry.duration),
        server: renders.map(entry => Object.fromEntries(entry.serverTiming.map(part => [part.name, part.duration]))),
    };
}"""
LOADED = """() => {
    const parts = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return [parts.length, parts.reduce((sum, entry) => sum + entry.transferSize, 0) / 1000];
}"""


@dataclass
class Visitor:
    """One page and what happened on it."""

    page: Page
    failures: list[str] = field(default_factory=list)
    ready_s: float = 0.0
    """From the address to a page that can be used."""
    first_picture_s: float = 0.0
    """From the click on the example to the edited picture."""
    loaded: tuple[int, float] = (0, 0.0)
    """Files and 10^3 bytes until the page could be used."""
    seen: dict[str, Any] = field(default_factory=dict)

    def enter(self, address: str) -> None:
        """Opens the page; there is no session yet that could be forgotten while others enter."""
        with self._failing():
            began = time.perf_counter()
            self.page.goto(address)
            self.page.wait_for_selector("html[data-ready]")
            self.ready_s = time.perf_counter() - began
            self.loaded = self.page.evaluate(LOADED)

    def choose(self) -> None:
        """Takes the example and waits for all its pictures."""
        with self._failing():
            began = time.perf_counter()
            self.page.click("#try-example")
            self.page.wait_for_selector("#frame[data-renders]")
            self.first_picture_s = time.perf_counter() - began
            self.page.locator("#strip button").first.wait_for()

    def drag(self, begin: float, seconds: float, patience: float) -> None:
        """Sets the page dragging; returns at once."""
        with self._failing():
            self.page.evaluate(f"given => {{ window.dragged = ({DRAG})(given); }}", [1000 * begin, seconds, patience])

    def collect(self) -> None:
        """Waits until it has dragged."""
        with self._failing():
            self.seen = self.page.evaluate("() => window.dragged")
            self.failures += self.seen["failed"]

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Notes what Playwright raises: time that ran out, a page that crashed."""
        from playwright.sync_api import Error

        try:
            yield
        except Error as error:
            self.failures.append(str(error).splitlines()[0])


def main(model: str = "default", visitors: int = 1, seconds: float = 20.0, patience: float = 300.0) -> None:
    """Starts a server and a browser, lets the visitors drag, and prints what they saw.

    Args:
        model: Name of a packaged model, or a model file.
        visitors: How many at the same time.
        seconds: How long each of them drags.
        patience: Seconds after which a page or a picture that has not come counts as a failure.
    """
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise UserError("Chromium is missing: install it (Debian, Ubuntu: apt-get install chromium)")
    with server(model) as (address, process), sync_playwright() as playwright:
        memory = {"before": memory_mb(process)}
        others = {os.getpid(), *descendants(os.getpid())}
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=1000 * patience)
        everyone = []
        for _ in range(visitors):
            context = browser.new_context(viewport=VIEWPORT)
            context.set_default_timeout(1000 * patience)
            everyone.append(Visitor(context.new_page()))
            everyone[-1].enter(address)
        for visitor in everyone:
            if not visitor.failures:
                visitor.choose()
        dragging = [visitor for visitor in everyone if not visitor.failures]
        memory["entered"] = memory_mb(process)
        with (
            highest(lambda: memory_mb(process)) as server_peak,
            highest(lambda: held_mb({*descendants(os.getpid())} - others), 5.0) as browser_peak,
        ):
            begin = time.time() + 1 + 0.2 * len(dragging)
            for visitor in dragging:
                visitor.drag(begin, seconds, patience)
            for visitor in dragging:
                visitor.collect()
        memory |= {"peak": server_peak[0], "end": memory_mb(process)}
        browser.close()
    figures = {"server_mb": _rounded(memory), "browser_mb": round(browser_peak[0]), "model_ms": _model(model)}
    print_line({"benchmark": "web_page", **_summary(everyone, seconds), **figures})


def _summary(everyone: list[Visitor], seconds: float) -> dict[str, Any]:
    seen = [visitor.seen for visitor in everyone if visitor.seen]
    changes = [duration for one in seen for duration in one["changes"]]
    counts = np.array([len(visitor.seen.get("changes", ())) for visitor in everyone], float)
    # A refused request has no times.
    parts = [times for one in seen for times in one["server"] if times]
    failures = [failure for visitor in everyone for failure in visitor.failures]
    return {
        "visitors": len(everyone),
        "photo": seen[0]["size"] if seen else None,
        "failures": len(failures),
        "kinds_of_failure": sorted(set(failures))[:5],
        "loaded_files": everyone[0].loaded[0],
        "loaded_kb": round(everyone[0].loaded[1]),
        "ready_s": _quantiles([visitor.ready_s for visitor in everyone], 2),
        "first_picture_s": _quantiles([visitor.first_picture_s for visitor in everyone], 2),
        "late_s": round(max((one["late"] for one in seen), default=0.0), 2),
        "changes": len(changes),
        "changes_per_second": round(len(changes) / seconds, 2),
        "changes_each": [int(counts.min()), int(counts.max())],
        "jain_index": round(jain(counts), 4),
        "change_ms": _quantiles(changes),
        **{
            f"{part}_ms": _quantiles([times[part] for times in parts]) for part in ("wait", "edit", "jpeg", "processor")
        },
    }


def _rounded(values: dict[str, float]) -> dict[str, int]:
    return {key: round(value) for key, value in values.items()}


def _quantiles(values: list[float], digits: int = 1) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values or [0.0], q)), digits) for q in (50, 95)}


def _model(name: str) -> dict[str, float]:
    """The generator alone on one face, wall and processor time."""
    import torch

    model = twocet.load(name).model
    image, code = torch.zeros(1, 3, model.size, model.size), torch.zeros(1, model.code_dim)
    model.edit(image, code)
    wall, used = time.perf_counter(), time.process_time()
    for _ in range(20):
        model.edit(image, code)
    return {
        "wall": round(50 * (time.perf_counter() - wall), 1),
        "processor": round(50 * (time.process_time() - used), 1),
    }


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except UserError as error:
        sys.exit(str(error))
