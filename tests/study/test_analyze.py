"""Analyses of answers whose truth is known: the paper's table, exclusions, refusals, and what is reported."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from study_tools import PLANTED, analyze, records, write_log

from twocet import cli
from twocet.study.folder import read_design
from twocet.study.page import read_page
from twocet.study.statistics import outliers


@pytest.fixture
def study(rating, tmp_path):
    return shutil.copytree(rating, tmp_path / "study")


@pytest.fixture(scope="module")
def collected(rating, raters, tmp_path_factory):
    """25 raters, 5 of them inattentive, on the small study."""
    folder = shutil.copytree(rating, tmp_path_factory.mktemp("collected") / "study")
    write_log(folder, records(folder, raters.Crowd(folder, PLANTED, 25, 5, seed=3)))
    code, summary = analyze(folder)
    assert code == 0
    return folder, summary


def test_the_planted_differences_are_found_and_lie_in_their_intervals(collected, raters):
    _, summary = collected
    found = raters.compared(summary, PLANTED)
    assert len(found) == 6
    assert all(difference["planted_inside"] for difference in found)
    for question, cells in PLANTED.items():
        order = [summary["methods"][k] for k in np.argsort([mean for mean, _ in cells])]
        for values in (summary["questions"][question]["means"], summary["questions"][question]["strengths"]):
            assert sorted(values, key=lambda name: values[name]["value"]) == order
        assert all(difference["p_holm"] < 0.05 for difference in summary["questions"][question]["differences"])
        assert 0.1 < summary["questions"][question]["agreement"]["value"] < 0.7


def test_the_inattentive_are_excluded_by_reason_and_nobody_else(collected):
    _, summary = collected
    excluded = {rater["rater_id"]: rater["reasons"] for rater in summary["raters"]["each"] if rater["reasons"]}
    assert set(excluded) == {f"{rater:016x}" for rater in range(20, 25)}
    assert all("failed more than 2 attention checks" in reasons for reasons in excluded.values())
    same = [rater for rater, reasons in excluded.items() if "gave one answer in more than 90 % of all" in reasons]
    assert same == [f"{rater:016x}" for rater in (21, 24)]
    assert summary["raters"]["kept"] == 20
    assert summary["answers"] == 20 * 36 * 2


def test_the_report_is_written_and_its_answers_can_be_analysed_again(collected, tmp_path):
    folder, summary = collected
    report = folder / "report"
    assert {path.name for path in report.iterdir()} == {
        "responses.csv", "report.md", "report.json", "report.html", "figure.svg", "figure.pdf",
    }  # fmt: skip
    text = (report / "report.md").read_text()
    for title in ("Scores", "Means", "Differences", "Ordinal model", "Strengths", "Agreement", "Exclusions"):
        assert f"## {title}" in text
    html = (report / "report.html").read_text()
    assert "<svg" in html
    assert "http" not in html.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    ).replace("https://matplotlib.org/", "")
    with (report / "responses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 25 * 40 * 2
    for column in ("study_id", "rater_id", "target_id", "reference_id", "label", "task", "is_check", "device"):
        assert rows[0][column] != "", column
    assert {row["check_passed"] for row in rows if row["is_check"] == "1"} == {"0", "1"}
    again = shutil.copytree(folder, tmp_path / "again")
    shutil.rmtree(again / "report")
    code, second = analyze(again, report / "responses.csv")
    assert code == 0
    assert second["questions"] == summary["questions"]


def test_files_from_disks_and_a_withdrawal(study, raters):
    """Half of the raters' files lie in responses/, the others came over the net; one of these withdrew."""
    crowd = raters.Crowd(study, PLANTED, 8, 0, seed=0)
    lines = list(records(study, crowd))
    away, near = ([line for line in lines if (int(line["rater_id"], 16) < 4) == far] for far in (True, False))
    gone = {name: near[0][name] for name in ("study_id", "rater_id", "started_at", "device")}
    write_log(study, [*near, near[1], {"type": "withdraw", **gone}])
    (study / "responses").mkdir()
    columns = (
        "study_id",
        "rater_id",
        "trial_index",
        "item_id",
        "question",
        "response",
        "rt_ms",
        "started_at",
        "device",
    )
    for rater in sorted({line["rater_id"] for line in away}):
        with (study / "responses" / f"{rater}.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, columns, extrasaction="ignore")
            table.writeheader()
            table.writerows(line for line in away if line["rater_id"] == rater and line["type"] == "answer")
    code, summary = analyze(study)
    assert code == 0
    assert {name: summary["raters"][name] for name in ("began", "withdrew", "answered", "kept")} == {
        "began": 8, "withdrew": 1, "answered": 7, "kept": 7,
    }  # fmt: skip
    assert summary["answers"] == 7 * 36 * 2
    assert gone["rater_id"] not in (study / "report" / "responses.csv").read_text()
    assert "fewer than 10 raters" in summary["questions"]["identity"]["few"]


def test_the_hasty_and_those_who_stop_are_excluded(study, raters):
    crowd = raters.Crowd(study, PLANTED, 4, 0, seed=0)
    lines = [
        line | ({"rt_ms": 400} if line["rater_id"].endswith("2") and "rt_ms" in line else {})
        for line in records(study, crowd)
        if not (line["rater_id"].endswith("3") and line.get("trial_index", 0) >= 31)
    ]
    write_log(study, lines)
    _, summary = analyze(study)
    assert summary["raters"]["by_reason"] == {
        "took less than 1 s for the median trial": 1, "answered less than 80 % of the trials": 1,
    }  # fmt: skip


def test_a_changed_design_is_noted(study, raters):
    write_log(study, records(study, raters.Crowd(study, PLANTED, 4, 2, seed=0)))
    design = json.loads((study / "design.json").read_text())
    design["rules"]["max_failed_checks"] = 4
    (study / "design.json").write_text(json.dumps(design))
    _, summary = analyze(study)
    assert not summary["design_unchanged"]
    assert "design.json was changed after the study was made" in (study / "report" / "report.md").read_text()


def test_one_round_has_no_preferences_and_one_rater_no_intervals(make, raters):
    folder = make("--methods", "copy", "own", "--checks", "4", "--rounds", "1")
    cells = {name: own[:2] for name, own in PLANTED.items()}
    write_log(folder, records(folder, raters.Crowd(folder, cells, 12, 0, seed=0)))
    _, summary = analyze(folder)
    question = summary["questions"]["expression"]
    assert question["refused"]["Bradley-Terry strengths"].startswith("no rater saw two methods on one pair")
    assert question["means"]["own"]["low"] > question["means"]["copy"]["high"]
    write_log(folder, records(folder, raters.Crowd(folder, cells, 1, 0, seed=0)))
    _, summary = analyze(folder)
    refused = summary["questions"]["expression"]["refused"]
    assert refused["intervals of means"] == (
        "an interval over raters and targets needs two raters and two targets or more"
    )
    assert refused["agreement"] == "no picture was judged by two raters"
    report = (folder / "report" / "report.md").read_text()
    assert "Not estimated (identity: agreement; expression: agreement): no picture was judged by two raters." in report


def test_own_questions_have_their_own_answers(make, raters, tmp_path):
    questions = [
        {"name": "identity", "text": "The same person?", "options": ["No", "Maybe", "Yes", "Surely", "Certainly"]},
        {"name": "expression", "text": "How much?", "options": ["None", "Little", "Some", "Much", "All"]},
    ]
    (tmp_path / "texts.json").write_text(json.dumps({"questions": questions}))
    folder = make("--methods", "copy", "own", "--checks", "4", "--texts", tmp_path / "texts.json")
    cells = {name: own[:2] for name, own in PLANTED.items()}
    write_log(folder, records(folder, raters.Crowd(folder, cells, 4, 0, seed=0)))
    _, summary = analyze(folder)
    assert [question["options"][0] for question in summary["questions"].values()] == ["No", "None"]
    figure = (folder / "report" / "figure.svg").read_text()
    assert all(f"<!-- {word} -->" in figure for word in ("Maybe", "Little", "Certainly", "All"))


def test_everybody_excluded_leaves_the_reasons(study, raters):
    write_log(study, records(study, raters.Crowd(study, PLANTED, 3, 3, seed=0)))
    code, summary = analyze(study)
    assert (code, summary["raters"]["kept"]) == (0, 0)
    assert summary["questions"]["identity"]["refused"] == {"everything": "no answers are left"}
    assert not (study / "report" / "figure.svg").exists()


def test_comparisons_recover_order_and_side(comparison, raters, tmp_path):
    folder = shutil.copytree(comparison, tmp_path / "study")
    crowd = raters.Crowd(folder, PLANTED, 25, 4, seed=1)
    write_log(folder, records(folder, crowd))
    code, summary = analyze(folder)
    assert (code, summary["raters"]["kept"]) == (0, 21)
    for name, cells in PLANTED.items():
        question = summary["questions"][name]
        strengths = question["strengths"]
        order = [summary["methods"][k] for k in np.argsort([mean for mean, _ in cells])]
        assert sorted(strengths, key=lambda method: strengths[method]["value"]) == order
        assert question["left"]["low"] < 0 < question["left"]["high"]
        for row in question["comparisons"]:
            assert row["first_preferred"] + row["not_sure"] + row["second_preferred"] == pytest.approx(1)
            assert row["share"]["value"] == pytest.approx(row["first_preferred"] + row["not_sure"] / 2)
            ahead = cells[summary["methods"].index(row["first"])][0] > cells[summary["methods"].index(row["second"])][0]
            assert (row["share"]["low"] > 0.5) if ahead else (row["share"]["high"] < 0.5)
    assert "## Comparisons" in (folder / "report" / "report.md").read_text()


def test_a_planted_side_is_found(comparison, raters, tmp_path):
    """Raters who take the left one half of the time, whatever is shown."""
    folder = shutil.copytree(comparison, tmp_path / "study")
    rng = np.random.default_rng(0)
    crowd = raters.Crowd(folder, PLANTED, 16, 0, seed=1)
    lines = [
        line | ({"response": 1} if line["type"] == "answer" and rng.random() < 0.5 else {})
        for line in records(folder, crowd)
    ]
    write_log(folder, lines)
    design = json.loads((folder / "design.json").read_text())
    design["rules"]["max_failed_checks"] = 4
    (folder / "design.json").write_text(json.dumps(design))
    _, summary = analyze(folder)
    assert summary["questions"]["expression"]["left"]["low"] > 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no answers: collect them"),
        ("", "nobody has answered study"),
        ("rater,answer\n1,2\n", "is not a file of answers: it has no column study_id"),
        ("CSV another", "an answer to study another, this is study"),
        ("CSV unknown item", "no trial 00000000 with a question 'identity' is in the key"),
        ("CSV six", "the response is 6, not one of 1 to 5"),
    ],
)
def test_what_cannot_be_analysed_is_said(study, capsys, content, message):
    files = []
    if content is not None:
        path = study / ("responses.jsonl" if content == "" else "answers.csv")
        item = read_page(study / "page")["checks"][0]
        row = [
            read_design(study)["study_id"],
            "0" * 16,
            "0",
            item,
            "identity",
            "5",
            "900",
            "2026-01-02T03:04:05Z",
            "phone",
        ]
        if content.startswith("CSV"):
            place, value = {"CSV another": (0, "another"), "CSV unknown item": (3, "00000000"), "CSV six": (5, "6")}[
                content
            ]
            row[place] = value
            head = "study_id,rater_id,trial_index,item_id,question,response,rt_ms,started_at,device"
            content = f"{head}\n{','.join(row)}\n"
        path.write_text(content)
        files = [path] if path.suffix == ".csv" else []
    assert analyze(study, *files)[0] == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (study / "report").exists()


def test_no_study_is_no_study(tmp_path, capsys):
    assert cli.main(["study", "analyze", str(tmp_path)]) == 2
    assert "is not a study: make one with twocet study make" in capsys.readouterr().err


def counts_like(mean, deviation, number, raters):
    """``number`` scores whose mean and deviation are these as nearly as whole answers allow."""
    shares = raters.impressions(mean, deviation).probabilities * number
    counts = np.floor(shares).astype(int)
    for k in np.argsort(counts - shares)[: number - counts.sum()]:
        counts[k] += 1
    return np.repeat(raters.SCORES, counts)


def test_the_rule_of_table_2_removes_low_identity_scores_and_no_expression_score(raters):
    """19 raters, 75 pairs, the published means and deviations: |z| > 3 can remove no expression score, since 0 lies
    two deviations away; of identity scores it removes exactly the low ones, and so raises the means.
    """
    number = 19 * 75
    for mean, deviation in raters.TABLE_2["expression"]:
        scores = counts_like(mean, deviation, number, raters)
        assert (scores.mean(), scores.std()) == (pytest.approx(mean, abs=0.005), pytest.approx(deviation, abs=0.005))
        assert (0 - mean) / deviation > -2.4
        assert not outliers(scores, np.zeros(number, int)).any()
    kept_means = []
    for (mean, deviation), highest_removed in zip(raters.TABLE_2["identity"], (1.25, 1.25, 2.5), strict=True):
        scores = counts_like(mean, deviation, number, raters)
        far = outliers(scores, np.zeros(number, int))
        assert far.any()
        assert set(scores[far]) == {score for score in raters.SCORES if score <= highest_removed}
        assert (scores[far].max(), scores[~far].min()) == (highest_removed, highest_removed + 1.25)
        assert scores[~far].mean() > mean
        assert scores[~far].std() < 0.85 * deviation
        kept_means.append(scores[~far].mean())
    assert kept_means[1] - kept_means[0] > 0.1, "the rule makes seven times as much of a difference of 0.02"


def test_the_raters_of_the_power_table_have_the_asked_difference_and_power_grows(load_benchmark):
    power = load_benchmark("study_power")
    base = power.impressions(4.69, 0.86)
    lower = power.worse(base, 0.4)
    assert base.moments[0] - lower.moments[0] == pytest.approx(0.4, abs=1e-6)
    shares = [
        np.mean(
            [power.found((base, lower), power.Size(raters, 25), "rating", np.random.default_rng(k)) for k in range(40)]
        )
        for raters in (3, 20)
    ]
    assert shares[0] < shares[1] > 0.8


def test_serving_and_analysing_do_without_the_models():
    code = (
        "import sys, twocet.study.server, twocet.study.report;"
        "print(sorted({'torch', 'numba', 'dlib', 'ai_edge_litert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"
