"""Drawn faces, and answers whose truth is known."""

from __future__ import annotations

import csv
import json

from PIL import Image, ImageDraw

from twocet import cli
from twocet.study.folder import read_design
from twocet.study.page import read_page

SIDE = 64
LABELS = ("joy", "anger", "fear", "awe")


def face(person, mouth):
    """A face whose colour is the person's and whose mouth is the expression's."""
    picture = Image.new("RGB", (SIDE, SIDE), (90, 100, 110))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8, 4, 56, 60), fill=(120 + 11 * person % 120, 150 - 7 * person % 90, 90 + 23 * person % 100))
    for x in (22, 42):
        draw.ellipse((x - 4, 22, x + 4, 30), fill="white")
        draw.ellipse((x - 2, 24, x + 2, 28), fill="black")
    draw.ellipse((32 - 6 - mouth, 44 - mouth, 32 + 6 + mouth, 46 + mouth), fill=(150, 30, 40))
    return picture


def write_faces(path, people, labels=LABELS):
    """Everyone neutral and with every expression, all in the split test."""
    path.mkdir()
    table = [("file", "identity", "expression", "domain", "split")]
    for person in range(people):
        for k, label in enumerate(("neutral", *labels)):
            name = f"{person}-{label}.png"
            face(person, 2 * k).save(path / name)
            table.append((name, f"person-{person}", "" if k == 0 else label, "expressive" if k else "neutral", "test"))
    with (path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    info = {"format": 1, "name": "drawn", "licence": "CC0-1.0", "template": "eyes-nose-v1", "size": SIDE}
    (path / "dataset.json").write_text(json.dumps(info))
    return path


PLANTED = {
    "identity": ((4.0, 1.1), (4.6, 0.8), (3.0, 1.3)),
    "expression": ((2.0, 1.4), (4.4, 1.0), (3.2, 1.4)),
}
"""Mean and deviation of copy, own and theirs."""


def records(folder, crowd, milliseconds=2500):
    """What the raters of a crowd send: the records of the server's log."""
    design, page = read_design(folder), read_page(folder / "page")
    for rater in range(crowd.raters):
        about = {"study_id": design["study_id"], "rater_id": f"{rater:016x}", "device": "phone"}
        about |= {"started_at": "2026-01-02T03:04:05Z"}
        number = rater % design["lists"]
        yield {"type": "begin", "list": number, **about}
        order = [item for part in page["lists"][number] for item in part] + page["checks"]
        for place, item in enumerate(order):
            for question, response in zip(design["questions"], crowd.answers(rater, item), strict=True):
                answer = {"trial_index": place, "item_id": item, "question": question["name"], "response": response}
                yield {"type": "answer", "rt_ms": milliseconds, **answer, **about}


def write_log(folder, lines):
    (folder / "responses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def analyze(folder, *words):
    """Exit code and summary of twocet study analyze."""
    code = cli.main(["study", "analyze", str(folder), *map(str, words)])
    report = folder / "report" / "report.json"
    return code, json.loads(report.read_text()) if report.exists() else None
