"""Long tasks, each in a process of its own, a few at a time: stopped together, failing each for itself."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from twocet.errors import UserError
from twocet.runtime.interrupt import Interrupt, Watch
from twocet.runtime.processes import die_with_parent

Outcome = bool | str
"""True: complete. False: stopped before that. Text: why it failed."""
ENDED = "its process was ended (is there enough memory?)"


class Task(NamedTuple):
    """Something that takes hours."""

    title: str
    work: Callable[[Watch], bool]
    """Does it; False if the watch stopped it. Picklable."""
    log: Path
    """Gets what is written to standard error."""


def attempt(work: Callable[[], bool]) -> Outcome:
    """The outcome of ``work``; where a fault of the program happened goes to standard error."""
    try:
        return work()
    except UserError as error:
        return str(error)
    except Exception as error:
        traceback.print_exc()
        return f"this is a fault of the program ({type(error).__name__}: {error})"


def run_apart(tasks: Sequence[Task], processes: int, *, progress: bool) -> list[Outcome]:
    """The outcomes of ``tasks``, up to ``processes`` at the same time, each with a bar if there is a terminal.

    After Ctrl-C no task begins, and those under way are asked to stop and waited for; a second Ctrl-C ends them at
    once. Call it in the main thread.
    """
    outcomes: list[Outcome] = [False] * len(tasks)
    waiting, running = list(enumerate(tasks)), list[_Worker]()
    stop = _CONTEXT.Event()
    with Interrupt() as interrupt:
        try:
            while running or (waiting and not interrupt.requested):
                while waiting and len(running) < processes and not interrupt.requested:
                    running.append(_Worker(*waiting.pop(0), stop, progress))
                heard = wait([worker.pipe for worker in running], timeout=1)
                if interrupt.requested:
                    stop.set()
                for worker in [worker for worker in running if worker.pipe in heard]:
                    outcome = worker.hear(stopping=interrupt.requested)
                    if outcome is not None:
                        outcomes[worker.number] = outcome
                        running.remove(worker)
        finally:
            for worker in running:
                worker.process.terminate()
                worker.close()
    return outcomes


_CONTEXT = multiprocessing.get_context("spawn")
"""Forking is not safe once torch has threads."""


class _Worker:
    """The process of one task, and its bar."""

    def __init__(self, number: int, task: Task, stop: Event, progress: bool) -> None:
        self.number, self.title, self.progress = number, task.title, progress
        self.bar: tqdm | None = None
        self.pipe, theirs = _CONTEXT.Pipe(duplex=False)
        self.process = _CONTEXT.Process(target=_carry_out, args=(task, stop, theirs))
        with _ctrl_c_ignored():
            self.process.start()
        # What only the process holds open says when it has ended.
        theirs.close()
        self._say("begun")

    def hear(self, *, stopping: bool) -> Outcome | None:
        """Take in one message of the process: None if it goes on, or its outcome."""
        try:
            message: tuple[int, int | None] | Outcome = self.pipe.recv()
        except (EOFError, OSError):
            message = False if stopping else ENDED
        if isinstance(message, tuple):
            self._show(*message)
            return None
        self.close()
        self._say(f"failed: {message}" if isinstance(message, str) else "complete" if message else "stopped")
        return message

    def close(self) -> None:
        """Wait for the end of the process."""
        if self.bar is not None:
            self.bar.close()
        self.process.join()
        self.pipe.close()

    def _show(self, step: int, steps: int | None) -> None:
        if self.bar is None:
            self.bar = tqdm(
                desc=self.title, total=steps, initial=step, unit="round", leave=False, dynamic_ncols=True,
                disable=None if self.progress else True,
            )  # fmt: skip
        self.bar.total = steps
        self.bar.update(step - self.bar.n)

    def _say(self, text: str) -> None:
        if self.progress:
            tqdm.write(f"{self.title}: {text}", file=sys.stderr)


@contextlib.contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Processes that are started inside the block never notice Ctrl-C, which this one answers for all."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _carry_out(task: Task, stop: Event, pipe: Connection) -> None:
    """What a process does."""
    die_with_parent()

    def watch(step: int, steps: int | None) -> bool:
        pipe.send((step, steps))
        return stop.is_set()

    with task.log.open("a", encoding="utf-8") as log, contextlib.redirect_stderr(log):
        outcome = attempt(partial(task.work, watch))
    pipe.send(outcome)
