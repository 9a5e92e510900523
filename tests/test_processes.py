"""Where we run: after a fork, beside other defaults, without standard streams, on a full disk, ended by signals."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from waiting import PATIENCE, wait_for

import twocet
from twocet import cli
from twocet.edit.editor import Editor
from twocet.errors import UserError
from twocet.photo.images import Pixels
from twocet.runtime.files import write_whole
from twocet.runtime.processes import PerProcess

EXAMPLES = Path(twocet.__file__).parent / "commands" / "examples"


@pytest.fixture(scope="module")
def editor() -> Editor:
    return twocet.load()


@pytest.fixture(scope="module")
def target() -> Pixels:
    with Image.open(EXAMPLES / "target-1.jpg") as picture:
        return np.array(picture.resize((384, 384)))


# From Python 3.12 on a fork beside threads is warned of.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_model_used_before_a_fork_works_in_the_child(editor: Editor, target: Pixels) -> None:
    """https://github.com/pytorch/pytorch/issues/31596: the child waited for threads that the fork does not copy."""
    editor.encode(target)
    child = multiprocessing.get_context("fork").Process(
        target=lambda: editor.transfer(np.roll(target, 2, 0), EXAMPLES / "reference-1-happy.jpg")
    )
    child.start()
    child.join(PATIENCE)
    hangs = child.is_alive()
    child.kill()
    assert not hangs
    assert child.exitcode == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_lock_held_during_a_fork_is_open_in_the_child() -> None:
    lock = PerProcess(threading.Lock)
    with lock.get():
        child = multiprocessing.get_context("fork").Process(target=lambda: os._exit(lock.get().locked()))
        child.start()
        child.join(PATIENCE)
    assert child.exitcode == 0


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16, "meta"])
def test_other_defaults_of_the_caller_change_nothing(
    editor: Editor, target: Pixels, default: torch.dtype | str
) -> None:
    one = editor.sample(target, 1, seed=3, strength=1.2)[0].pixels
    try:
        if isinstance(default, str):
            torch.set_default_device(default)
        else:
            torch.set_default_dtype(default)
        assert np.array_equal(twocet.load().sample(target, 1, seed=3, strength=1.2)[0].pixels, one)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)


def test_without_standard_streams_a_command_does_its_work(tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    command = f"{sys.executable} -m twocet neutralize {EXAMPLES / 'target-1.jpg'} -o {output} >&- 2>&- <&-"
    assert subprocess.run(["sh", "-c", command], timeout=PATIENCE).returncode == 0
    with Image.open(output) as picture:
        picture.load()


def test_output_that_takes_no_more_is_said_with_exit_code_2() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "twocet", "presets", "list"], stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=PATIENCE,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "twocet: No space left on device: a file or the output\n"


_WORK = """
import os, signal, sys, time
from pathlib import Path
from twocet.runtime.files import whole_file
from twocet.runtime.interrupt import ended_by_signals

signal.signal(int(sys.argv[2]), signal.SIG_DFL)
with ended_by_signals(), whole_file(Path(sys.argv[1]) / "a.png") as partial:
    partial.write_bytes(b"half")
    os.kill(os.getpid(), int(sys.argv[2]))
    time.sleep(10)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work_and_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals) -> None:
    done = subprocess.run([sys.executable, "-c", _WORK, str(tmp_path), str(int(number))], timeout=PATIENCE, check=False)
    assert done.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_written_through(tmp_path: Path) -> None:
    real = tmp_path / "there" / "real.bin"
    real.parent.mkdir()
    link = tmp_path / "link.bin"
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    """https://github.com/awslabs/aws-build-accumulator/issues/36: both wrote to one temporary file."""
    path = tmp_path / "same.bin"
    wrong: list[Exception] = []

    def write(value: int) -> None:
        try:
            for _ in range(20):
                write_whole(path, bytes([value]) * 200_000)
        except UserError as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(set(path.read_bytes())) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["same.bin"]


def test_a_name_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    assert write_whole(tmp_path / ("n" * 251 + ".png"), b"x").exists()
    assert write_whole(tmp_path / ("n." + "p" * 250), b"x").exists()


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def starve(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr(cli, "run_command", starve)
    assert cli.main(["info"]) == 2
    assert "not enough memory" in capsys.readouterr().err


def test_a_killed_training_is_no_obstacle(tmp_path: Path) -> None:
    """What a kill leaves behind is removed by the next run, the lock by the system."""
    code = (
        "import os, pathlib, time; from twocet.runtime.files import only_process, partial_name\n"
        f"p = pathlib.Path({str(tmp_path)!r})\n"
        "with only_process(p, 'train'):\n partial_name(p / 'a.pt').touch()\n (p / 'ready').touch()\n time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    wait_for((tmp_path / "ready").exists)
    child.kill()
    child.wait()
    from twocet.runtime.files import only_process, remove_partials

    with only_process(tmp_path, "train"):
        remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "ready"]
