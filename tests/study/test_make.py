"""Studies as they are made: who sees what, what the names tell, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study_tools import LABELS, SIDE, write_faces

from twocet import cli
from twocet.photo.images import read_photo
from twocet.photo.marks import COMPOSITE, read_mark
from twocet.study.design import blocks_of, check_answers, latin_lists, most_repeats
from twocet.study.folder import read_design, read_key
from twocet.study.page import STATIC, read_page
from twocet.study.pairs import draw_pairs, read_pairs
from twocet.study.texts import texts_of


def rows_by_item(folder):
    return {row["item_id"]: row for row in read_key(folder)}


def seen(folder):
    """For every list, the trials that its raters see, round by round."""
    rows = rows_by_item(folder)
    return [[[rows[item] for item in part] for part in rounds] for rounds in read_page(folder / "page")["lists"]]


def levels(path):
    """The grey level of a picture of one grey level."""
    return int(read_photo(path).pixels[5, 5, 0])


def random_targets(seed):
    rng = np.random.default_rng(seed)
    return [str(rng.integers(1, 1 + rng.integers(2, 40))) for _ in range(rng.integers(3, 80))]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("sides", [False, True])
def test_latin_lists_are_balanced_and_never_repeat(seed, sides):
    targets = random_targets(seed)
    blocks = blocks_of(targets)
    assert sorted(chain.from_iterable(blocks)) == list(range(len(targets)))
    assert len(blocks) == max(Counter(targets).values())
    lists = latin_lists(blocks, 3, 1 + seed % 3, sides=sides)
    assert most_repeats(lists, targets) == 1
    for rounds in lists:
        for part in rounds:
            times = Counter(cell.condition for cell in part)
            assert max(times.values()) - min(times[k] for k in range(3)) <= 1
            assert max(Counter(targets[cell.pair] for cell in part).values()) == 1
    over_lists = Counter((turn, cell) for rounds in lists for turn, part in enumerate(rounds) for cell in part)
    assert set(over_lists.values()) == {1}


def test_checks_ask_for_every_answer_about_equally_often():
    asked = np.array(check_answers(10, [5, 3], seed=4))
    assert np.bincount(asked[:, 0]).tolist() == [0, 2, 2, 2, 2, 2]
    assert sorted(np.bincount(asked[:, 1])[1:].tolist()) == [3, 3, 4]


@pytest.mark.parametrize("study", ["rating", "comparison"])
def test_no_rater_sees_a_target_twice_in_a_condition(study, request):
    for rounds in seen(request.getfixturevalue(study)):
        times = Counter((row["target_id"], row["method"], row["other_method"]) for part in rounds for row in part)
        assert set(times.values()) == {1}
        assert len(rounds) == 3
        assert all(len({row["target_id"] for row in part}) == len(part) == 12 for part in rounds)


def test_each_round_shows_the_methods_equally_often_and_the_lists_every_order(rating):
    lists = seen(rating)
    assert len(lists) == 3
    for rounds in lists:
        assert [set(Counter(row["method"] for row in part).values()) for part in rounds] == [{4}] * 3
    first = Counter((row["pair"], row["method"]) for rounds in lists for row in rounds[0])
    assert len(first) == 36
    assert set(first.values()) == {1}


def test_few_people_make_more_lists_with_fewer_pairs(make, tmp_path, capsys):
    folder = make("--methods", "copy", "own", data=write_faces(tmp_path / "few", 5))
    assert "5 people are targets of 12 pairs: each rater gets one of 6 lists" in capsys.readouterr().err
    lists = seen(folder)
    assert len(lists) == 6
    for rounds in lists:
        times = Counter((row["target_id"], row["method"]) for part in rounds for row in part)
        assert set(times.values()) == {1}
    assert {(row["pair"], row["method"]) for rounds in lists for part in rounds for row in part} == {
        (f"pair-{number:03d}", method) for number in range(1, 13) for method in ("copy", "own")
    }


def test_one_round_shows_every_person_once(make):
    for rounds in seen(make("--methods", "copy", "own", "--rounds", 1)):
        assert max(Counter(row["target_id"] for part in rounds for row in part).values()) == 1


def test_sides_are_balanced(comparison):
    for rounds in seen(comparison):
        rows = [row for part in rounds for row in part]
        assert set(Counter((row["method"], row["other_method"], row["side"]) for row in rows).values()) == {6}
    rows = rows_by_item(comparison).values()
    for row in (row for row in rows if row["kind"] == "trial"):
        shown = [(row["method"], row["result_file"]), (row["other_method"], row["right_file"])]
        methods = (
            [row["method"], row["other_method"]] if row["side"] == "left" else [row["other_method"], row["method"]]
        )
        for method, file in zip(methods, (row["result_file"], row["right_file"]), strict=True):
            if method == "theirs":
                assert levels(comparison / "page" / "stimuli" / file) == 20 * int(row["pair"][-3:]), shown


def test_pairs_are_three_references_of_each_label_and_another_persons_neutral_face(rating):
    pairs = read_pairs(rating / "pairs.csv")
    assert Counter(pair.label for pair in pairs) == dict.fromkeys(LABELS, 3)
    assert all(pair.target_id != pair.reference_id for pair in pairs)
    assert Counter(pair.target_id for pair in pairs).most_common(1)[0][1] == 1
    for label in LABELS:
        assert len({pair.reference_id for pair in pairs if pair.label == label}) == 3
    assert all(pair.target.name.endswith("neutral.png") for pair in pairs)
    assert all(pair.own.name == f"{pair.target_id[7:]}-{pair.label}.png" for pair in pairs)


def test_the_key_says_which_picture_is_whose(rating):
    pairs = {pair.pair: pair for pair in read_pairs(rating / "pairs.csv")}
    stimuli = rating / "page" / "stimuli"
    for row in read_key(rating):
        pair = pairs[row["pair"]]
        wanted = {"target_file": pair.target, "reference_file": pair.reference}
        wanted |= {"copy": {"result_file": pair.target}, "own": {"result_file": pair.own}}.get(row["method"], {})
        for column, path in wanted.items():
            np.testing.assert_array_equal(read_photo(stimuli / row[column]).pixels, read_photo(path).pixels)
        if row["method"] == "theirs":
            assert levels(stimuli / row["result_file"]) == 20 * int(row["pair"][-3:])


def test_names_and_marks_say_nothing(rating):
    page = rating / "page"
    key = [row for row in read_key(rating) if row["kind"] == "trial"]
    names = [path.name for path in sorted((page / "stimuli").iterdir())]
    assert len(names) == 12 * 5
    assert all(re.fullmatch(r"[0-9a-f]{12}\.png", name) for name in names)
    assert all(re.fullmatch(r"[0-9a-f]{8}", row["item_id"]) for row in key)
    marks = {read_mark(page / "stimuli" / row["result_file"]) for row in key}
    assert len(marks) == 1
    assert next(iter(marks)).digital_source_type == COMPOSITE
    assert next(iter(marks)).model is None
    # Sorted by name, methods and kinds of pictures come in no order: a rank test finds none.
    for column in ("result_file", "item_id"):
        order = sorted(range(len(key)), key=lambda k: key[k][column])
        methods = [key[k]["method"] for k in order]
        assert sum(a == b for a, b in pairwise(methods)) < 20
    secrets = ("theirs", "copy", "own", "person-", "pair-", "joy", "anger")
    for path in page.glob("*.js"):
        if path.name != "jspsych.js":
            text = path.read_text(encoding="utf-8")
            values = re.findall(r'"((?:[^"\\]|\\.)*)"', text) if path.name == "study-data.js" else []
            assert not [value for value in values if value in secrets or value.startswith(("person-", "pair-"))]


def test_the_page_loads_nothing_from_the_net(rating):
    for path in (rating / "page").iterdir():
        if path.suffix in (".html", ".css", ".js") and path.name != "jspsych.js":
            assert not re.search(r"https?:|//[a-z]+\.", path.read_text(encoding="utf-8")), path
    assert "sourceMappingURL" not in (STATIC / "jspsych.js").read_text(encoding="utf-8")


def test_the_vendored_script_is_the_one_of_the_notice_and_goes_with_its_licence(rating):
    notice = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")
    for folder in (STATIC, rating / "page"):
        assert hashlib.sha256((folder / "jspsych.js").read_bytes()).hexdigest() in notice
        assert "Copyright (c) 2014-2022 Joshua R. de Leeuw" in (folder / "jspsych-licence.txt").read_text(
            encoding="utf-8"
        )


def test_the_design_keeps_rules_texts_and_scores_and_the_same_command_makes_the_same(rating, make, third):
    design = read_design(rating)
    assert (design["trials"], design["checks"], design["rounds"], design["lists"]) == (40, 4, 3, 3)
    assert [question["scores"] for question in design["questions"]] == [[0, 1.25, 2.5, 3.75, 5]] * 2
    assert design["rules"] == {
        "min_answered": 0.8, "max_failed_checks": 2, "max_same_answer": 0.9, "min_median_ms": 1000,
    }  # fmt: skip
    assert design["texts"]["consent"]
    words = ("--methods", "copy", "own", f"theirs={third}", "--checks", 4)
    again, other = make(*words), make(*words, "--seed", 1)
    assert (again / "trials.csv").read_bytes() == (rating / "trials.csv").read_bytes()
    assert (other / "trials.csv").read_bytes() != (rating / "trials.csv").read_bytes()
    assert read_page(again / "page")["lists"] == read_page(rating / "page")["lists"]


def test_a_packaged_model_is_a_method(make, tmp_path):
    big = write_faces(tmp_path / "big", 3)
    for path in big.glob("*.png"):
        Image.open(path).resize((128, 128)).save(path)
    info = json.loads((big / "dataset.json").read_text()) | {"size": 128}
    (big / "dataset.json").write_text(json.dumps(info))
    folder = make("--methods", "default", "copy", "--labels", "joy", "--references", 1, data=big)
    rows = [row for row in read_key(folder) if row["kind"] == "trial"]
    pictures = {row["method"]: read_photo(folder / "page" / "stimuli" / row["result_file"]).pixels for row in rows}
    assert pictures["default"].shape == (SIDE, SIDE, 3)
    assert 0 < np.abs(pictures["default"].astype(int) - pictures["copy"]).mean() < 40


def test_pairs_first_then_results_of_another_program(make, faces, tmp_path, capsys):
    folder = tmp_path / "study"
    assert cli.main(["study", "make", str(folder), "--data", str(faces), "--references", "1", "--pairs-only"]) == 0
    assert [path.name for path in folder.iterdir()] == ["pairs.csv"]
    results = tmp_path / "results"
    results.mkdir()
    for pair in read_pairs(folder / "pairs.csv"):
        Image.open(pair.reference).save(results / f"{pair.pair}.png")
    words = ["study", "make", str(folder), "--pairs", str(folder / "pairs.csv"), "--methods", f"swap={results}", "copy"]
    assert cli.main([*words, "--size", "64"]) == 0
    assert len([row for row in read_key(folder) if row["method"] == "swap"]) == 4
    (results / "pair-002.png").unlink()
    assert cli.main([*words[:2], str(tmp_path / "other"), *words[3:]]) == 2
    assert "lacks 1 of 4 results, such as pair-002.png" in capsys.readouterr().err
    assert not (tmp_path / "other" / "design.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--data with a dataset folder, or --pairs"),
        (("--data", "FACES"), "a rating task needs 1 methods or more"),
        (("--data", "FACES", "--methods", "copy", "--design", "2afc"), "needs 2 methods"),
        (("--data", "FACES", "--methods", "copy", "copy"), "a name of its own"),
        (("--data", "FACES", "--methods", "nowhere"), "no model file nowhere"),
        (("--data", "FACES", "--methods", "copy", "--labels", "envy"), "fewer than 3 photos of envy"),
        (("--data", "FACES", "--methods", "copy", "--references", "13"), "fewer than 13 photos of joy"),
        (("--data", "FACES", "--methods", "copy", "--split", "val"), "names no expressions in the split val"),
        (("--data", "FACES", "--methods", "copy", "own", "--rounds", "3"), "--rounds is 3: give 1 to 2"),
        (("--data", "FACES", "--methods", "default"), "the model default needs aligned square crops of 128 pixels"),
        (("--data", "FACES", "--methods", "copy", "--texts", "TEXTS"), "'tittle' is not a text of the page"),
        (("--pairs", "PAIRS", "--methods", "copy"), "no column target_id"),
    ],
)
def test_what_cannot_be_made_is_said(words, message, faces, tmp_path, capsys):
    (tmp_path / "texts.json").write_text('{"tittle": "Faces"}')
    (tmp_path / "pairs.csv").write_text("pair,target,reference\n1,a.png,b.png\n")
    names = {"FACES": faces, "TEXTS": tmp_path / "texts.json", "PAIRS": tmp_path / "pairs.csv"}
    given = [str(names.get(word, word)) for word in words]
    assert cli.main(["study", "make", str(tmp_path / "study"), *given]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error
    assert not (tmp_path / "study" / "design.json").exists()


def test_a_study_is_not_overwritten(rating, faces, capsys):
    assert cli.main(["study", "make", str(rating), "--data", str(faces), "--methods", "copy"]) == 2
    assert "holds a study already" in capsys.readouterr().err


def test_texts_are_replaced_and_questions_checked(tmp_path):
    path = tmp_path / "texts.json"
    questions = [{"name": "realism", "text": "Is this a photo?", "options": ["No", "Maybe", "Yes"]}]
    path.write_text(json.dumps({"language": "de", "questions": questions}))
    texts = texts_of("rating", path)
    assert (texts["language"], texts["questions"]) == ("de", questions)
    assert texts["begin"] == "Begin"


def test_draws_spread_targets_over_people():
    rows = [
        {"file": f"{k}{d}", "identity": str(k), "expression": "" if d == "neutral" else "joy", "domain": d}
        for k in range(6)
        for d in ("neutral", "expressive")
    ]
    pairs = draw_pairs(Path(), rows, 6, seed=0)
    assert max(Counter(pair.target_id for pair in pairs).values()) <= 2
    assert all(pair.target_id != pair.reference_id for pair in pairs)
