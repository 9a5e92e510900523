"""Tasks in processes of their own: how many, how they are stopped, how they fail."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from functools import partial

import pytest
import tasks
from waiting import PATIENCE

from twocet.compare.comparison.pool import ENDED, Task, run_apart


@pytest.fixture
def task(tmp_path):
    def make(work, *given, title="task"):
        return Task(title, partial(work, *given), tmp_path / f"{title}.txt")

    return make


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "shared"
    path.mkdir()
    return path


def when_there(paths, act, *, again=0.0):
    """Call ``act`` from a thread once all ``paths`` are there, and once more after ``again`` seconds."""

    def work():
        end = time.monotonic() + PATIENCE
        while not all(path.exists() for path in paths) and time.monotonic() < end:
            time.sleep(0.01)
        act()
        if again:
            time.sleep(again)
            act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_each_fails_for_itself(task, folder, tmp_path):
    made = [
        task(tasks.refuse), task(tasks.count, folder, "first", 3), task(tasks.vanish),
        task(tasks.break_down, title="broken"), task(tasks.count, folder, "last", 3, title="last"),
    ]  # fmt: skip
    fault = "this is a fault of the program (ZeroDivisionError: by nothing)"
    assert run_apart(made, 2, progress=False) == ["no such photo", True, ENDED, fault, True]
    processes = {os.getpid(), *(int((folder / name).read_text()) for name in ("first", "last"))}
    assert len(processes) == 3
    assert (tmp_path / "last.txt").read_text() == "last speaks\n"
    assert "tasks.py" in (tmp_path / "broken.txt").read_text()


def test_two_at_the_same_time(task, folder):
    assert run_apart([task(tasks.meet, folder, name, 1) for name in "ab"], 2, progress=False) == [True, True]


def test_ctrl_c_lets_all_finish_their_round_and_begins_none(task, folder):
    before = signal.getsignal(signal.SIGINT)
    pressing = when_there([folder / name for name in "ab"], press_ctrl_c)
    outcomes = run_apart([task(tasks.go_on, folder, name) for name in "abc"], 2, progress=False)
    pressing.join()
    assert outcomes == [False, False, False]
    assert sorted(path.name for path in folder.iterdir()) == ["a", "a-kept", "b", "b-kept"]
    assert signal.getsignal(signal.SIGINT) is before


def test_processes_do_not_hear_ctrl_c_themselves(task, folder):
    """A terminal sends it to all of them: they stop when they are told, with their work kept."""

    def press_for_all():
        for path in paths:
            os.kill(int(path.read_text()), signal.SIGINT)
        press_ctrl_c()

    paths = [folder / "a", folder / "b"]
    pressing = when_there(paths, press_for_all)
    assert run_apart([task(tasks.go_on, folder, name) for name in "ab"], 2, progress=False) == [False, False]
    pressing.join()
    assert (folder / "a-kept").exists()


def test_a_second_ctrl_c_ends_them_at_once(task, folder):
    pressing = when_there([folder / "a"], press_ctrl_c, again=0.3)
    with pytest.raises(KeyboardInterrupt):
        run_apart([task(tasks.meet, folder, "a", 5)], 2, progress=False)
    pressing.join()
    assert multiprocessing.active_children() == []


def test_bars_and_lines(task, folder, capfd):
    run_apart([task(tasks.count, folder, "a", 3, title="whole"), task(tasks.refuse, title="less")], 2, progress=True)
    lines = capfd.readouterr().err.splitlines()
    assert sorted(lines) == ["less: begun", "less: failed: no such photo", "whole: begun", "whole: complete"]
