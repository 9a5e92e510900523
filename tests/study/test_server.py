"""Collecting over HTTP: 20 raters at once, a server that is killed and started again, and what is refused."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from twocet.study.folder import read_design, read_key
from twocet.study.log import Form, FormError, Log
from twocet.study.page import read_page


@pytest.fixture
def study(rating, tmp_path):
    """A copy to collect in."""
    return shutil.copytree(rating, tmp_path / "study")


@pytest.fixture
def start(raters):
    """Starts servers and expects them to end well, but for those that were killed."""
    running = []

    def run(folder, port=0):
        server, address = raters.serve(folder, port)
        running.append(server)
        return server, address

    yield run
    for server in running:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=20)
        assert server.returncode == -signal.SIGKILL or (server.returncode, errors) == (0, "")


def send(address, path, body=b"", method="POST", **headers):
    """Status and JSON (or text) of an answer."""
    request = urllib.request.Request(f"http://{address}{path}", body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, content = error.code, error.read()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content.decode("utf-8", "replace")


def patiently(address, path, body=b""):
    """Sends as the page does: again and again until it is confirmed."""
    while True:
        try:
            status, answer = send(address, path, body)
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 200:
            return answer
        time.sleep(0.05)


def record(study, rater, kind, **rest):
    about = {"study_id": read_design(study)["study_id"], "rater_id": f"{rater:016x}", "device": "computer"}
    return {"type": kind, "started_at": "2026-01-02T03:04:05.678Z", **about, **rest}


def answers_to(study, rater, order):
    questions = [question["name"] for question in read_design(study)["questions"]]
    return [
        [
            record(study, rater, "answer", trial_index=k, item_id=item, question=name, response=1 + k % 5, rt_ms=1500)
            for name in questions
        ]
        for k, item in enumerate(order)
    ]


def written(study):
    return [json.loads(line) for line in (study / "responses.jsonl").read_text().splitlines() if line]


def test_twenty_raters_at_once_and_two_kills_lose_no_answer(study, start):
    page = read_page(study / "page")
    server, address = start(study)
    port = int(address.split(":")[1])
    given, lists = {}, []

    def take_part(rater):
        number = patiently(address, "/api/enter")["list"]
        lists.append(number)
        order = [item for part in page["lists"][number] for item in part] + page["checks"]
        patiently(
            address, "/api/records", json.dumps({"records": [record(study, rater, "begin", list=number)]}).encode()
        )
        for batch in answers_to(study, rater, order):
            patiently(address, "/api/records", json.dumps({"records": batch}).encode())
            given.setdefault(rater, []).extend(batch)

    threads = [threading.Thread(target=take_part, args=(rater,)) for rater in range(20)]
    for thread in threads:
        thread.start()
    for least in (150, 500):
        while sum(map(len, list(given.values()))) < least:
            time.sleep(0.01)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        server, _ = start(study, port)
    for thread in threads:
        thread.join()
    everything = [row for batch in given.values() for row in batch]
    assert len(everything) == 20 * 40 * 2
    kept = [row for row in written(study) if row["type"] == "answer"]
    key = lambda row: (row["rater_id"], row["trial_index"], row["question"])  # noqa: E731
    assert sorted(kept, key=key) == sorted(everything, key=key)
    assert max(map(lists.count, range(3))) - min(map(lists.count, range(3))) <= 2


def test_a_half_written_line_is_passed_over_and_sent_again(study):
    design, items = read_design(study), {row["item_id"] for row in read_key(study)}
    item = sorted(items)[0]
    batch = answers_to(study, 7, [item])[0]
    path = study / "responses.jsonl"
    log = Log(path, Form(design, items), design["lists"])
    log.add([record(study, 7, "begin", list=1), *batch])
    log.close()
    path.write_bytes(path.read_bytes()[:-20])
    log = Log(path, Form(design, items), design["lists"])
    assert log.offered == [0, 1, 0]
    log.add(batch)
    log.close()
    whole = [line for line in path.read_text().splitlines() if line.endswith("}")]
    assert [json.loads(line) for line in whole[1:]] == batch


def test_lists_are_given_out_in_turn_to_this_page_alone(study, start):
    _, address = start(study)
    assert [send(address, "/api/enter")[1]["list"] for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    assert send(address, "/api/enter", Origin="https://elsewhere.example")[0] == 403
    assert send(address, "/api/enter", Origin=f"http://{address}")[0] == 200
    assert send(address, "/", method="GET", Host="elsewhere.example")[0] == 400


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"study_id": "another"}, "study_id is 'another'"),
        ({"rater_id": "Jane Doe"}, "rater_id is 'Jane Doe'"),
        ({"item_id": "00000000"}, "item_id is"),
        ({"question": "age"}, "question is 'age'"),
        ({"response": 6}, "response is '6'"),
        ({"response": "5"}, "response is '5'"),
        ({"trial_index": 40}, "trial_index is '40'"),
        ({"rt_ms": None}, "rt_ms is 'None'"),
        ({"device": "Mozilla/5.0"}, "device is"),
        ({"type": "remark"}, "no record of a known type"),
    ],
)
def test_what_is_no_answer_of_the_study_is_refused(rating, change, what):
    form = Form(read_design(rating), {row["item_id"] for row in read_key(rating)})
    good = answers_to(rating, 1, read_page(rating / "page")["checks"])[0][1]
    assert form.checked({**good, "name": "Jane Doe"}) == good
    with pytest.raises(FormError, match=what):
        form.checked(good | change)
    with pytest.raises(FormError, match="rt_ms is missing"):
        form.checked({name: value for name, value in good.items() if name != "rt_ms"})


def test_a_refused_batch_leaves_nothing(study, start):
    _, address = start(study)
    good = answers_to(study, 1, read_page(study / "page")["checks"])[0]
    status, answer = send(
        address, "/api/records", json.dumps({"records": [good[0], good[1] | {"response": 9}]}).encode()
    )
    assert (status, answer, written(study)) == (400, {"error": "response is '9'"}, [])
    assert send(address, "/api/records", b"[]")[0] == 400
    assert send(address, "/api/records", b"x" * 300_000)[0] == 413
    assert send(address, "/api/records", json.dumps({"records": good}).encode())[0] == 200
    assert written(study) == good


def test_the_page_is_served_and_the_key_is_not(study, start):
    _, address = start(study)
    assert "<title>Study</title>" in send(address, "/", method="GET")[1]
    for path in ("/trials.csv", "/../trials.csv", "/%2e%2e/trials.csv", "/design.json", "/responses.jsonl"):
        assert send(address, path, method="GET")[0] == 404


def test_a_port_that_is_taken_is_said(study, raters):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(RuntimeError, match="cannot be used"):
        raters.serve(study, other.getsockname()[1])
