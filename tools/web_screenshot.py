"""Photograph the web page for its documentation: ``python tools/docs_pictures.py web`` writes ``docs/images/web.jpg``.

The pictures in it are the packaged examples: people who do not exist. Needs Chromium and Playwright (extra ``dev``).
"""

from __future__ import annotations

import io
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image
from playwright.sync_api import Page, sync_playwright

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
GAP = 24
HEIGHT = 940


def photograph(page: Page, address: str, *, compare: bool) -> Image.Image:
    """The page with the second example pair, in one window's height."""
    page.set_default_timeout(180_000)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.locator(".examples[data-role=target] button").nth(3).click()
    page.locator(".examples[data-role=reference] button").nth(0).click()
    page.locator("#strip button").nth(8).wait_for()
    if compare:
        page.click("#compare")
    page.mouse.move(0, 0)
    return Image.open(io.BytesIO(page.screenshot()))


def main(output: Annotated[Path, tyro.conf.arg(aliases=["-o"])], model: str = "default") -> None:
    """Photographs the page at desktop and at phone width, beside each other.

    Args:
        output: File to write.
        model: Name of a packaged model, or a model file.
    """
    command = [sys.executable, "-m", "twocet", "serve", "--port", "0", "--model", model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        found = re.search(r"http://\S+/", server.stdout.readline() if server.stdout else "")
        if found is None:
            raise SystemExit("twocet serve did not start")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        desktop = photograph(browser.new_page(viewport={"width": 1280, "height": HEIGHT}), found.group(), compare=False)
        phone = photograph(browser.new_page(viewport={"width": 390, "height": HEIGHT}), found.group(), compare=True)
        browser.close()
        server.send_signal(signal.SIGINT)
    both = Image.new("RGB", (desktop.width + GAP + phone.width, HEIGHT), "white")
    both.paste(desktop, (0, 0))
    both.paste(phone, (desktop.width + GAP, 0))
    both.save(output)


if __name__ == "__main__":
    tyro.cli(main)
