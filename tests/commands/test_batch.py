from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mouths import DROP, REST, mouth_height, picture
from waiting import PATIENCE, wait_for

from twocet import cli
from twocet.edit import batch
from twocet.edit.jobs import read_table
from twocet.errors import UserError
from twocet.model.model import new_model, save_model
from twocet.networks.build import build
from twocet.networks.config import NetworkConfig
from twocet.photo.images import Photo, read_photo, write_photo
from twocet.photo.marks import read_mark

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A file with untrained networks for crops of 32 pixels."""
    torch.manual_seed(0)
    config = NetworkConfig(preset="fast", size=32, code_dim=4, generator_widths=(8, 12), trunk_widths=(8, 12))
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, new_model(build(config), config, {}))
    return path


@pytest.fixture
def faces(tmp_path):
    """40 aligned crops."""
    random = np.random.default_rng(0)
    for k in range(40):
        write_photo(tmp_path / f"{k}.png", Photo(pixels=random.integers(0, 256, (32, 32, 3), np.uint8)))
    return tmp_path


def write_table(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def report_of(folder):
    with (folder / "report.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def main(*words):
    return cli.main(["batch", *[str(word) for word in words]])


def test_rows_become_pictures(run, tiny_model, me, smile, tmp_path, capsys):
    jobs = write_table(
        tmp_path / "jobs.csv",
        ["target", "reference", "strength", "output", "condition"],
        [("me.png", "smile.png", "0.5", "a/half.png", "x"), ("me.png", "smile.png", "", "", "y")],
    )
    out = tmp_path / "out"
    assert run("batch", jobs, "-o", out, "--model", tiny_model, "--workers", 1) == 0
    assert capsys.readouterr().out == f"wrote 2 pictures and {out / 'report.csv'}\n"
    drops = [mouth_height(read_photo(out / name).pixels) - REST for name in ("a/half.png", "00003-me-smile.png")]
    assert drops == pytest.approx([DROP / 4, DROP], abs=0.006)
    assert read_mark(out / "a" / "half.png").strength == 0.5
    first, second = report_of(out)
    assert (first["line"], first["status"], first["condition"]) == ("2", "done", "x")
    assert second["output"] == str(out / "00003-me-smile.png")


def test_presets_are_codes(run, tiny_model, me, tmp_path):
    from twocet.edit import presets
    from twocet.model.model import file_hash

    presets.save(presets.Preset("grin", (1.0, 0.0, 0.0), file_hash(tiny_model), "x", True))
    jobs = write_table(tmp_path / "jobs.csv", ["target", "preset", "output"], [("me.png", "grin", "o.png")])
    assert run("batch", jobs, "-o", tmp_path / "out", "--model", tiny_model, "--workers", 1) == 0
    assert mouth_height(read_photo(tmp_path / "out" / "o.png").pixels) - REST == pytest.approx(DROP, abs=0.006)


def test_twenty_bad_rows_are_listed_and_the_others_done(faces, tiny_model, tmp_path, capsys):
    good = [(f"{k}.png", f"{39 - k}.png", "1", f"{k}.png", "yes") for k in range(20)]
    (tmp_path / "text.png").write_text("no picture")
    write_photo(tmp_path / "wide.png", Photo(pixels=np.zeros((32, 64, 3), np.uint8)))
    kinds = [
        ("", "1.png", "1", "", "yes"),
        ("0.png", "", "1", "", "yes"),
        ("none.png", "1.png", "1", "", "yes"),
        ("0.png", "1.png", "much", "", "yes"),
        ("0.png", "1.png", "nan", "", "yes"),
        ("0.png", "1.png", "1", "../x.png", "yes"),
        ("0.png", "1.png", "1", "x.doc", "yes"),
        ("0.png", "1.png", "1", "", "perhaps"),
        ("text.png", "1.png", "1", "", "yes"),
        ("wide.png", "1.png", "1", "", "yes"),
    ]
    rows = [row for pair in zip(good, kinds * 2, strict=True) for row in pair]
    jobs = write_table(tmp_path / "jobs.csv", ["target", "reference", "strength", "output", "aligned"], rows)
    out = tmp_path / "out"
    assert main(jobs, "-o", out, "--model", tiny_model, "--workers", 1) == 2
    printed = capsys.readouterr()
    assert f"wrote 20 pictures and {out / 'report.csv'}" in printed.out
    assert printed.err.count("failed: line") == 20
    assert "20 of 40 rows failed" in printed.err.splitlines()[-1]
    report = report_of(out)
    assert [row["status"] for row in report] == ["done", "failed"] * 20
    reasons = (
        *("target is empty", "a reference or a preset", "none.png does not exist", "'much' is not a number"),
        *(
            "not a strength that can be used",
            "leaves the output folder",
            "must end in",
            "must be yes or no",
            "is not a picture",
        ),
        "is 64 x 32",
    )
    assert all(reason in row["error"] for reason, row in zip(reasons * 2, report[1::2], strict=True))
    assert sorted(file.name for file in out.glob("*.png")) == sorted(f"{k}.png" for k in range(20))


def test_a_killed_run_goes_on_where_it_was(faces, tiny_model, tmp_path):
    rows = [(f"{k % 40}.png", f"{(k * 7 + 1) % 40}.png", f"{k / 100}", f"{k}.png", "yes") for k in range(160)]
    jobs = write_table(tmp_path / "jobs.csv", ["target", "reference", "strength", "output", "aligned"], rows)
    out = tmp_path / "out"
    words = ["batch", str(jobs), "-o", str(out), "--model", str(tiny_model), "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        [sys.executable, "-m", "twocet", *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    journal = out / batch.JOURNAL
    wait_for(lambda: journal.is_file() and journal.read_text().count('"done"') >= 20)
    process.kill()
    # The workers hold the pipe until they see that their parent has gone.
    process.communicate(timeout=PATIENCE)
    noted = journal.read_text().count('"done"')
    assert 20 <= noted < 160
    assert not (out / "report.csv").exists()
    before = {file.name: file.stat().st_mtime_ns for file in out.glob("*.png")}
    assert len(before) < 160
    os.truncate(journal, journal.stat().st_size - 10)  # a line cut off by the kill
    words[-1] = "1"
    assert main(*words[1:]) == 0
    assert len(report_of(out)) == 160
    after = {file.name: file.stat().st_mtime_ns for file in out.glob("*.png")}
    assert len(after) == 160
    kept = sum(before.get(name) == time_written for name, time_written in after.items())
    assert kept == noted - 1
    assert main(*words[1:]) == 0
    assert after == {file.name: file.stat().st_mtime_ns for file in out.glob("*.png")}


def test_what_changed_is_done_again(run, tiny_model, me, smile, tmp_path, capsys):
    def go(strength):
        rows = [("me.png", "smile.png", strength, "a.png"), ("me.png", "smile.png", "0.3", "b.png")]
        jobs = write_table(tmp_path / "jobs.csv", ["target", "reference", "strength", "output"], rows)
        assert run("batch", jobs, "-o", tmp_path / "out", "--model", tiny_model, "--workers", 1) == 0
        return capsys.readouterr().out

    assert "earlier run" not in go("1")
    assert "(2 of them in an earlier run)" in go("1")
    assert "(1 of them in an earlier run)" in go("0.5")
    (tmp_path / "out" / "b.png").unlink()
    assert "(1 of them in an earlier run)" in go("0.5")
    write_photo(smile, Photo(pixels=picture(mouth=REST + 0.02)))
    assert "earlier run" not in go("0.5")


def test_rows_that_collide_or_would_overwrite_a_photo(tmp_path, me, smile):
    rows = [("me.png", "smile.png", "a.png"), ("me.png", "smile.png", "a.png"), ("smile.png", "me.png", "me.png")]
    jobs = write_table(tmp_path / "jobs.csv", ["target", "reference", "output"], rows)
    table = read_table(jobs, tmp_path, lambda name: ())
    assert [job.line for job in table.jobs] == [2]
    assert "same picture as line 2" in table.wrong[3]
    assert "would overwrite" in table.wrong[4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "needs the columns"),
        ("target,strength\na,1\n", "needs the columns"),
        ("target,reference\n", "has no rows"),
        ("target,reference,target\na,b,c\n", "two columns of the same name"),
        (b"target,reference\n\xff,b\n", "is not a CSV table"),
    ],
)
def test_files_that_are_no_table(tmp_path, content, message):
    path = tmp_path / "jobs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        read_table(path, tmp_path, lambda name: ())


def test_a_table_from_a_spreadsheet_is_read(tmp_path, me, smile):
    path = tmp_path / "jobs.csv"
    path.write_bytes("\ufefftarget , reference\r\nme.png,smile.png\r\n".encode())
    assert len(read_table(path, tmp_path, lambda name: ()).jobs) == 1


def test_a_spreadsheets_capital_headings_and_empty_rows_are_understood(faces):
    path = faces / "excel.csv"
    path.write_text("Target;Reference;Strength;Note\n0.png;1.png;0,5;x\n;;;\n")
    table = read_table(path, faces, lambda name: ())
    assert [job.strength for job in table.jobs] == [0.5]
    assert table.wrong == {}
    assert table.extra == ["Note"]


def test_an_address_on_the_web_is_to_be_downloaded_first():
    with pytest.raises(UserError, match="address on the web: download the picture"):
        read_photo(Path("https://example.org/a.jpg"))


def test_a_row_that_ends_its_process_is_the_only_one_lost(faces, tiny_model, tmp_path, monkeypatch):
    """A file that takes all memory gets its process killed; here the worker kills itself when it sees the name."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "import twocet.photo.images as images\n"
        "real = images.read_photo\n"
        "def read_photo(photo, **options):\n"
        "    if str(photo).endswith('13.png'):\n"
        "        os._exit(9)\n"
        "    return real(photo, **options)\n"
        "images.read_photo = read_photo\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
    rows = [(f"{k}.png", "1.png", f"{k}.png", "yes") for k in range(12, 15)]
    jobs = write_table(tmp_path / "jobs.csv", ["target", "reference", "output", "aligned"], rows)
    assert main(jobs, "-o", tmp_path / "out", "--model", tiny_model, "--workers", 2) == 2
    report = report_of(tmp_path / "out")
    assert [row["status"] for row in report] == ["done", "failed", "done"]
    assert "process that edited it was ended" in report[1]["error"]


def test_json_report(run, tiny_model, me, smile, tmp_path, capsys):
    jobs = write_table(tmp_path / "jobs.csv", ["target", "reference"], [("me.png", "smile.png"), ("me.png", "x.png")])
    out = tmp_path / "out"
    assert run("batch", jobs, "-o", out, "--model", tiny_model, "--workers", 1, "--json") == 2
    report = json.loads(capsys.readouterr().out)
    assert report == {
        "rows": 2,
        "done_before": 0,
        "failed": [{"line": 3, "error": "x.png does not exist"}],
        "report": str(out / "report.csv"),
    }
