"""Raters that do not exist: their answers have the means and deviations that are asked for, and known differences.

An answer is a latent impression, cut into the options at the middles between their scores. An impression is the
method's mean plus deviations of the rater, the target, the rater with this method, the target with this method, and
chance, in the shares ``SHARES`` of the variance. Mean and deviation of the *answers* of a method are those of its cell.

Run as a program, it shows a study to such raters in a real browser and analyses what they answered:

    twocet synth lab --identities 80 --expressions 25 --first-identity 1000000 --shared-expressions
    twocet study make study --data lab --methods ganimation=copy starganv2=label-free 2cet=default
    python benchmarks/study_raters.py study --raters 25 --inattentive 6 -o docs/results/study-raters.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from twocet.runtime.commit import commit
from twocet.study.folder import read_design, read_key
from twocet.study.make import TOP_SCORE

TABLE_2 = {
    "identity": ((4.62, 0.87), (4.64, 1.06), (4.82, 0.64)),
    "expression": ((3.56, 1.54), (3.42, 1.62), (3.37, 1.69)),
}
"""The paper's: mean and standard deviation for GANimation, StarGAN v2 and 2CET-GAN, by question."""
OPTIONS = 5
SCORES = TOP_SCORE * np.arange(OPTIONS) / (OPTIONS - 1)
CUTS = (SCORES[1:] + SCORES[:-1]) / 2
SHARES = {"rater": 0.15, "target": 0.15, "rater_method": 0.05, "target_method": 0.1}
"""Of the variance; the rest is chance. Raters and faces take about alike in ratings of faces (Hehman et al. 2017,
doi:10.1037/pspa0000090)."""
UNSURE = 0.6
"""Two impressions nearer than this are called alike."""
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


class Normal(NamedTuple):
    """A distribution of impressions."""

    mean: float
    deviation: float

    @property
    def probabilities(self) -> np.ndarray:
        """Of the options."""
        return np.diff(stats.norm.cdf(np.concatenate([[-np.inf], CUTS, [np.inf]]), self.mean, self.deviation))

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the scores of answers."""
        mean = float(self.probabilities @ SCORES)
        return mean, float(np.sqrt(self.probabilities @ (SCORES - mean) ** 2))


def impressions(mean: float, deviation: float) -> Normal:
    """The distribution whose answers have this mean and deviation."""

    def error(x: np.ndarray) -> np.ndarray:
        return np.subtract(Normal(x[0], float(np.exp(x[1]))).moments, (mean, deviation))

    found = optimize.least_squares(error, (mean, np.log(deviation)), xtol=1e-12, ftol=1e-12)
    if np.abs(found.fun).max() > 1e-4:
        raise ValueError(f"no answers have mean {mean} and deviation {deviation}")
    return Normal(float(found.x[0]), float(np.exp(found.x[1])))


def latent(cells: Sequence[Normal], raters: int, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Impressions (raters, pairs, methods).

    Args:
        cells: One for each method.
        raters: How many.
        targets: (pairs,) the target's person, by number.
        rng: Source of the deviations.
    """
    people, methods = targets.max() + 1, len(cells)
    parts = {
        "rater": rng.standard_normal((raters, 1, 1)),
        "target": rng.standard_normal((1, people, 1))[:, targets],
        "rater_method": rng.standard_normal((raters, 1, methods)),
        "target_method": rng.standard_normal((1, people, methods))[:, targets],
    }
    chance = np.sqrt(1 - sum(SHARES.values())) * rng.standard_normal((raters, len(targets), methods))
    common = sum(np.sqrt(SHARES[name]) * part for name, part in parts.items())
    return np.array([c.mean for c in cells]) + np.array([c.deviation for c in cells]) * (common + chance)


def ratings(values: np.ndarray) -> np.ndarray:
    """Answers, from 1."""
    return 1 + np.digitize(values, CUTS)


class Crowd:
    """Attentive raters for a study, and others who answer anything."""

    def __init__(
        self, folder: Path, cells: Mapping[str, Sequence[tuple[float, float]]], raters: int, inattentive: int, seed: int
    ) -> None:
        self.design, key = read_design(folder), read_key(folder)
        self.rows = {row["item_id"]: row for row in key}
        self.methods = [method["name"] for method in self.design["methods"]]
        self.pairs = {name: k for k, name in enumerate(sorted({row["pair"] for row in key}))}
        people = {row["pair"]: row["target_id"] for row in key}
        targets = np.unique([people[pair] for pair in self.pairs], return_inverse=True)[1]
        self.rng = np.random.default_rng(seed)
        self.latent = {
            question: latent([impressions(*cell) for cell in own], raters, targets, self.rng)
            for question, own in cells.items()
        }
        self.raters, self.inattentive = raters, inattentive

    def attentive(self, rater: int) -> bool:
        """The last ones are not."""
        return rater < self.raters - self.inattentive

    def answers(self, rater: int, item: str) -> list[int]:
        """What a rater answers to the questions of a trial."""
        row = self.rows[item]
        options = [len(question["options"]) for question in self.design["questions"]]
        if not self.attentive(rater):
            # One of three presses the same button always, the others any.
            return [min(options)] * len(options) if rater % 3 == 0 else [int(self.rng.integers(n)) + 1 for n in options]
        if row["kind"] == "check":
            return [int(answer) for answer in row["expected"].split()]
        return [self._answer(rater, row, question["name"]) for question in self.design["questions"]]

    def _answer(self, rater: int, row: Mapping[str, str], question: str) -> int:
        own = self.latent[question][rater, self.pairs[row["pair"]]]
        first = own[self.methods.index(row["method"])]
        if self.design["task"] == "rating":
            return int(ratings(first))
        ahead = first - own[self.methods.index(row["other_method"])]
        if abs(ahead) < UNSURE:
            return 2
        return 1 if (ahead > 0) == (row["side"] == "left") else 3


NEXT = """last => new Promise((resolve, reject) => {
    let looks = 0;
    const look = () => {
        if ((looks += 1) > 10000) return reject(new Error("no next trial comes"));
        const trial = document.querySelector(".trial.shown");
        if (trial && trial.dataset.item !== last) return resolve(trial.dataset.item);
        const screen = document.querySelector(".screen");
        if (screen) return resolve(screen.tagName === "FORM" ? "go on" : "end");
        setTimeout(look, 2);
    };
    look();
})"""
"""Waits for the next trial and tells its name; or says that a text with a button is shown, or the end."""


def take_part(
    page: Any, answers: Callable[[str], Sequence[int]], milliseconds: int = 0, most: int | None = None
) -> int:
    """Go through an opened study by the keyboard; returns how many trials were answered.

    Args:
        page: Playwright's. With ``milliseconds`` its clock must be installed.
        answers: What is answered to a trial.
        milliseconds: That pass before each answer, without anybody waiting for them.
        most: Stop after so many trials.
    """
    count, item = 0, ""
    while (shown := page.evaluate(NEXT, item)) != "end" and count != most:
        if shown == "go on":
            if page.locator("input[type=checkbox]").count():
                page.check("input[type=checkbox]")
            page.click("form.screen button")
            continue
        item = shown
        if milliseconds:
            page.clock.fast_forward(milliseconds)
        page.keyboard.type("".join(map(str, answers(item))) + "\n")
        count += 1
    return count


def serve(folder: Path, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """Start ``twocet study serve``; returns the process and its address."""
    command = [sys.executable, "-m", "twocet", "study", "serve", str(folder), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    if "http://" not in line:
        raise RuntimeError(f"the server did not start: {line}{server.communicate(timeout=10)[1]}")
    return server, line.split("http://")[1].split("/")[0]


def run_browsers(folder: Path, crowd: Crowd) -> float:
    """All raters take part, one after the other, each in a profile of their own; returns the seconds."""
    from playwright.sync_api import sync_playwright

    begun = time.perf_counter()
    server, address = serve(folder)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            for rater in range(crowd.raters):
                # One in two holds a phone; of the inattentive, one in two hurries.
                phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
                context = browser.new_context(**(phone if rater % 2 else {}))
                page = context.new_page()
                page.clock.install()
                page.goto(f"http://{address}/")
                hurries = not crowd.attentive(rater) and rater % 2 == 0
                count = take_part(page, partial(crowd.answers, rater), 0 if hurries else 2500)
                page.get_by_text(crowd.design["texts"]["sent"]).wait_for()
                print(f"rater {rater + 1}: {count} trials, {time.perf_counter() - begun:.0f} s", flush=True)
                context.close()
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    return time.perf_counter() - begun


def compared(summary: Mapping[str, Any], cells: Mapping[str, Sequence[tuple[float, float]]]) -> list[dict[str, Any]]:
    """Every difference of means beside the one that was planted."""
    methods = summary["methods"]
    found = []
    for question, own in cells.items():
        planted = {method: cell[0] for method, cell in zip(methods, own, strict=True)}
        for difference in summary["questions"][question]["differences"]:
            true = planted[difference["first"]] - planted[difference["second"]]
            estimate = difference["estimate"]
            inside = estimate["low"] <= true <= estimate["high"]
            found.append(
                {"question": question, "methods": [difference["first"], difference["second"]],
                 "planted": round(true, 2), "estimate": estimate, "planted_inside": inside}
            )  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a study with the paper's design and three methods")
    parser.add_argument("--raters", type=int, default=25)
    parser.add_argument("--inattentive", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the result")
    given = parser.parse_args()
    from twocet.study.report import analyze_study

    crowd = Crowd(given.folder, TABLE_2, given.raters, given.inattentive, given.seed)
    seconds = run_browsers(given.folder, crowd)
    numbers = f"--raters {given.raters} --inattentive {given.inattentive} --seed {given.seed}"
    command = f"python benchmarks/study_raters.py {given.folder.name} {numbers} -o {given.output.name}"
    summary = analyze_study(given.folder, (), given.folder / "report", command=command)
    result = {
        "raters": {name: value for name, value in summary["raters"].items() if name != "each"},
        "answers": summary["answers"],
        "differences": compared(summary, TABLE_2),
        "agreement": {name: question["agreement"] for name, question in summary["questions"].items()},
        "table": {name: question["table"] for name, question in summary["questions"].items()},
        "strengths": {name: question["strengths"] for name, question in summary["questions"].items()},
        "seconds": round(seconds),
        "command": command,
        "commit": commit(),
    }
    given.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
