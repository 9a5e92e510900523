"""``twocet study make``, ``serve`` and ``analyze``."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from twocet.errors import UserError

if TYPE_CHECKING:
    from twocet.study.pairs import Pair


def make(
    folder: Positional[Path],
    /,
    data: Path | None = None,
    pairs: Path | None = None,
    methods: tuple[str, ...] = (),
    design: Literal["paper", "2afc"] = "paper",
    split: Literal["train", "val", "test", "all"] = "test",
    labels: tuple[str, ...] = (),
    references: int = 3,
    rounds: int | None = None,
    checks: int = 10,
    max_failed_checks: int = 2,
    min_answered: float = 0.8,
    max_same_answer: float = 0.9,
    min_seconds: float = 1.0,
    texts: Path | None = None,
    size: int = 256,
    seed: int = 0,
    device: str = "cpu",
    pairs_only: bool = False,
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Make a human study of expression transfer: a page for raters and, separately, the key.

    Design paper is the study of the paper's Table 2: three references of every expression, a random target for each,
    every method on every pair, ten attention checks, and two questions (same person? same expression?) with five
    answers. Design 2afc shows two methods side by side: which is better, or not sure? Raters get FOLDER/page: open
    index.html, or use twocet study serve. Keep trials.csv, the key, to yourself. No rater sees a target twice in one
    condition; where there are too few people, raters get different lists. Exclusion rules are fixed in design.json.

    examples:
      twocet study make study --data faces --methods default label-free copy
      twocet study make study --data faces --design 2afc --methods ours=default other=runs/other/model.safetensors
      twocet study make study --data faces --pairs-only
      twocet study make study --pairs study/pairs.csv --methods ours=default theirs=their-results

    Args:
        folder: Where the study goes.
        data: Dataset folder with expression labels, whose photos are drawn.
        pairs: Table of pairs instead, as --pairs-only writes it: pair, target, reference, target_id, and optionally
            reference_id, label, own.
        methods: What to compare, as NAME=SOURCE or SOURCE alone: a packaged model, a model file (a baseline's too), a
            folder with a result for every pair (pair-001.png, ...), copy (the target unchanged), or own (the target's
            own photo).
        design: What is asked.
        split: Whose photos of --data are drawn.
        labels: Expressions; all of the split if not given.
        references: References of each expression.
        rounds: How often a rater sees each pair, each time in another condition; all conditions if not given. 1 shows
            every person once.
        checks: Attention checks.
        max_failed_checks: Exclude raters who fail more.
        min_answered: Exclude raters who answer a smaller share of the trials.
        max_same_answer: Exclude raters who give the same answer in a larger share.
        min_seconds: Exclude raters whose median time for a trial is shorter.
        texts: JSON file with your own texts (translation, consent); design.json shows all of them.
        size: Longer side of the pictures in pixels.
        seed: Seed of everything drawn.
        device: Where the models run: cpu, cuda or mps.
        pairs_only: Write FOLDER/pairs.csv and stop, so that another program can make its results.
        as_json: Print a report as JSON.
    """
    from twocet.study.folder import PAIRS

    if (data is None) == (pairs is None):
        raise UserError("give the photos: --data with a dataset folder, or --pairs with a table")
    chosen, about, template = _pairs_of(data, pairs, split, labels, references, seed)
    if pairs_only:
        from twocet.runtime.files import make_folder
        from twocet.study.pairs import write_pairs

        make_folder(folder)
        write_pairs(folder / PAIRS, chosen)
        report = {"output": str(folder / PAIRS), "pairs": len(chosen)}
        print(json.dumps(report) if as_json else f"{len(chosen)} pairs: {folder / PAIRS}")
        return
    from twocet.study.design import Rules, Task, conditions_of
    from twocet.study.make import Plan, make_study
    from twocet.study.stimuli import parse_methods
    from twocet.study.texts import texts_of

    task: Task = "rating" if design == "paper" else "comparison"
    parsed = parse_methods(methods)
    plan = Plan(
        name=design, task=task, pairs=chosen, methods=parsed,
        rounds=max(1, len(conditions_of(task, len(parsed)))) if rounds is None else rounds,
        checks=checks, size=size, seed=seed,
        rules=Rules(
            min_answered=min_answered, max_failed_checks=max_failed_checks, max_same_answer=max_same_answer,
            min_median_ms=round(1000 * min_seconds),
        ),
        texts=texts_of(task, texts), data=about, command=shlex.join(["twocet", *sys.argv[1:]]),
    )  # fmt: skip
    made = make_study(folder, plan, device=device, template=template)
    _announce(folder, made, as_json)


def _pairs_of(
    data: Path | None, table: Path | None, split: str, labels: tuple[str, ...], references: int, seed: int
) -> tuple[list[Pair], dict[str, Any], str | None]:
    """The pairs, what is known of their photos, and how these are aligned."""
    from twocet.study.pairs import draw_pairs, read_pairs

    if table is not None:
        if labels:
            raise UserError("--labels chooses from --data; a table of --pairs is used whole")
        return read_pairs(table), {"pairs": str(table)}, None
    assert data is not None
    if references < 1:
        raise UserError(f"--references is {references}: give 1 or more")
    from twocet.data.dataset import open_dataset

    dataset = open_dataset(data, allow_one_sided=True)
    rows = dataset.rows if split == "all" else dataset.select(split)
    about = {name: dataset.info.get(name) for name in ("name", "licence", "citation")} | {"split": split}
    return draw_pairs(data, rows, references, seed, labels, split), about, str(dataset.info["template"])


def _announce(folder: Path, design: dict[str, Any], as_json: bool) -> None:
    kept = ("study_id", "pairs", "target_people", "conditions", "lists", "trials", "minutes")
    if as_json:
        print(json.dumps({"output": str(folder), **{name: design[name] for name in kept}}))
        return
    print(f"study {design['study_id']}: {design['trials']} trials for each rater, about {design['minutes']} minutes")
    if design["target_people"] < design["pairs"]:
        print(
            f"note: {design['target_people']} people are targets of {design['pairs']} pairs: each rater gets one of "
            f"{design['lists']} lists with a part of the pairs, so that nobody is seen twice in one condition",
            file=sys.stderr,
        )
    print(f"for raters: the folder {folder / 'page'} (open index.html), or twocet study serve {folder}")
    print(f"for you: {folder / 'trials.csv'} (the key) and {folder / 'design.json'}")


def serve(
    folder: Positional[Path], /, host: str = "127.0.0.1", port: int = 8421, allow_host: tuple[str, ...] = ()
) -> None:
    """Open a study's page for raters and collect their answers in FOLDER/responses.jsonl.

    Each answer is on the disk before the page is told so, and the page repeats what was not confirmed. So no answer is
    lost when the connection breaks or this command is killed. Run it again to continue. Only this computer can reach
    the page unless --host says otherwise. Needs: pip install 'twocet[study]'

    examples:
      twocet study serve study
      twocet study serve study --host 0.0.0.0 --port 80

    Args:
        folder: A study made by twocet study make.
        host: Address to listen on; 0.0.0.0 lets in everybody who can reach this computer.
        port: Port to listen on; 0 takes a free one.
        allow_host: Further names of the page, beside addresses and this computer's name.
    """
    _need("starlette", "uvicorn")
    from twocet.study.server import serve as serve_page

    serve_page(folder, host, port, allow_host)


def analyze(
    folder: Positional[Path],
    responses: Positional[tuple[Path, ...]] = (),
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="DIR")] = None,
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> None:
    """Analyse the answers of a study.

    Joins the answers with the key, excludes raters by the rules of design.json, and writes report.html, report.md,
    report.json, figure.svg, figure.pdf and responses.csv. The report has the paper's table (with and without its rule
    that drops scores more than three standard deviations away), means and differences with intervals over raters and
    targets, an ordinal model, Bradley-Terry strengths and agreement. It says what could not be estimated. Needs: pip
    install 'twocet[study]'

    examples:
      twocet study analyze study
      twocet study analyze study responses-*.csv -o report

    Args:
        folder: A study made by twocet study make.
        responses: Files of answers: CSV files saved by raters' pages, responses.jsonl, or a responses.csv of this
            command. Default: FOLDER/responses.jsonl and FOLDER/responses/*.csv.
        output: Folder of the report; FOLDER/report if not given.
        as_json: Print report.json.
    """
    _need("krippendorff", "matplotlib", "statsmodels")
    from twocet.study.report import analyze_study

    output = output or folder / "report"
    summary = analyze_study(folder, responses, output, command=shlex.join(["twocet", *sys.argv[1:]]))
    if as_json:
        print(json.dumps(summary, indent=2))
        return
    print((output / "report.md").read_text(encoding="utf-8"))
    print(f"written: {output / 'report.html'}")


def _need(*packages: str) -> None:
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise UserError("This needs more packages: pip install 'twocet[study]'")
