"""Measures the web page in a real browser: visitors who drag the strength slider, all at the same time.

Every visitor is a browser profile of its own with a session of its own. A change lasts from the slider's event to the
decoded picture on screen. Prints one JSON line. Needs Chromium and Playwright (extra ``dev``).

    python benchmarks/web_page.py --model default --visitors 20 --seconds 20
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro
from line import print_line
from serving import server

import twocet
from twocet.errors import UserError

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

# Moves the slider, waits until the picture is there, and again until the time is over.
DRAG = """async seconds => {
    const slider = document.querySelector("#strength"), frame = document.querySelector("#frame");
    const failed = new Set(), end = performance.now() + 1000 * seconds;
    performance.clearMeasures("change");
    performance.clearResourceTimings();
    performance.setResourceTimingBufferSize(100000);
    for (let step = 0; performance.now() < end; step += 1) {
        const before = frame.dataset.renders, asked = performance.now();
        slider.value = (-0.5 + 2 * ((step * 0.381966) % 1)).toFixed(2);
        slider.dispatchEvent(new Event("input"));
        while (frame.dataset.renders === before && performance.now() < asked + 30000) {
            await new Promise(resolve => setTimeout(resolve, 2));
        }
        const message = document.querySelector("#message");
        if (frame.dataset.renders === before) failed.add("no picture within 30 s");
        if (!message.hidden) failed.add(message.textContent);
    }
    const renders = performance.getEntriesByType("resource").filter(entry => entry.name.endsWith("/api/render"));
    return {
        failed: [...failed],
        size: [document.querySelector("#after").naturalWidth, document.querySelector("#after").naturalHeight],
        changes: performance.getEntriesByName("change").map(entry => entry.duration),
        server: renders.map(entry => Object.fromEntries(entry.serverTiming.map(part => [part.name, part.duration]))),
    };
}"""


def main(model: str = "default", visitors: int = 1, seconds: float = 20.0) -> None:
    """Starts a server and a browser, lets the visitors drag, and prints what they saw.

    Args:
        model: Name of a packaged model, or a model file.
        visitors: How many at the same time.
        seconds: How long each of them drags.
    """
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise UserError("Chromium is missing: install it (Debian, Ubuntu: apt-get install chromium)")
    with server(model) as (address, process), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        pages = [_enter(browser.new_context().new_page(), address) for _ in range(visitors)]
        idle = _memory(process, "VmRSS")
        for page in pages:
            page.evaluate(f"seconds => {{ window.dragged = ({DRAG})(seconds); }}", seconds)
        seen = [page.evaluate("() => window.dragged") for page in pages]
        peak = _memory(process, "VmHWM")
        browser.close()
    server_figures = {"server_mb": idle, "server_peak_mb": peak, "model_ms": _model(model)}
    print_line({"benchmark": "web_page", **_summary(seen, seconds), **server_figures})


def _enter(page: Page, address: str) -> Page:
    page.goto(address)
    page.click("#try-example", timeout=120_000)
    page.wait_for_selector("#frame[data-renders]", timeout=120_000)
    page.locator("#strip button").first.wait_for(timeout=120_000)
    return page


def _summary(seen: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    changes = [duration for visitor in seen for duration in visitor["changes"]]
    counts = [len(visitor["changes"]) for visitor in seen]
    parts = [times for visitor in seen for times in visitor["server"]]
    return {
        "visitors": len(seen),
        "photo": seen[0]["size"],
        "failures": sorted({failure for visitor in seen for failure in visitor["failed"]}),
        "changes": len(changes),
        "changes_per_second": round(len(changes) / seconds, 2),
        "changes_each": [min(counts), max(counts)],
        "change_ms": _quantiles(changes),
        **{
            f"{part}_ms": _quantiles([times[part] for times in parts]) for part in ("wait", "edit", "jpeg", "processor")
        },
    }


def _quantiles(values: list[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 1) for q in (50, 95)}


def _memory(process: int, field: str) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(found.group(1)) // 1024 if found else 0


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
