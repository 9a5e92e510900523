"""Batches on Ray: the rows of a table as tasks, on this machine or on all machines of a running cluster.

Ray (extra ``twocet[ray]``) is imported when it is asked for. It is told not to report its use to anybody.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from twocet.edit import batch
from twocet.edit.batch import Outcome, Settings
from twocet.edit.jobs import Job
from twocet.errors import UserError

INSTALL = "pip install 'twocet[ray]'"
_AHEAD = 2
"""Rows for each processor that are handed over at a time."""
_STORE = 100 * 1024**2
"""Bytes of Ray's store of objects, where it is started here: rows are small, pictures never pass through it."""


def run(
    jobs: Sequence[tuple[Job, str]], settings: Settings, workers: int, address: str | None = None
) -> Iterator[Outcome]:
    """Does the jobs (with their keys), yields outcomes in any order.

    Ray is started on this machine with ``workers`` processes, or, with an ``address``, joined where it runs; then all
    its processors work, and twocet, the model and the photos must be there under the same names. A row whose process
    dies is tried once more elsewhere. Raises UserError.
    """
    # Ray tells the standard output of dead processes, which belongs to the command's report.
    with contextlib.redirect_stdout(sys.stderr):
        yield from _outcomes(jobs, settings, _connect(workers, address))


def _outcomes(jobs: Sequence[tuple[Job, str]], settings: Settings, ray: Any) -> Iterator[Outcome]:
    try:
        processors = int(ray.cluster_resources().get("CPU", 1))
        task = ray.remote(num_cpus=1, max_retries=1)(_row)
        shared = ray.put(settings)
        left, under_way = list(reversed(jobs)), dict[Any, tuple[Job, str]]()
        while left or under_way:
            while left and len(under_way) < _AHEAD * processors:
                job, key = left.pop()
                under_way[task.remote(job, key, shared)] = job, key
            for done in ray.wait(list(under_way), num_returns=1)[0]:
                yield _outcome(ray, done, *under_way.pop(done))
    finally:
        ray.shutdown()


def _connect(workers: int, address: str | None) -> Any:
    """Ray, ready."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError(f"Ray is not installed: {INSTALL}") from None
    here: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _STORE}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else here))
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"of {address} cannot be joined" if address else "cannot be started here"
        raise UserError(f"Ray {where} ({str(error).splitlines()[0][:160]})") from None
    return ray


def _row(job: Job, key: str, settings: Settings) -> Outcome:
    """One row, in a process of Ray's, which keeps the model for the next ones."""
    batch.prepare(settings)
    return batch.attempt(job, key)


def _outcome(ray: Any, done: Any, job: Job, key: str) -> Outcome:
    try:
        outcome: Outcome = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        # Nothing that a row does raises: its process could not begin, and neither could any other.
        raise UserError(f"Ray's processes cannot work: {str(error.cause or error).strip().splitlines()[-1]}") from None
    except ray.exceptions.RayError:
        return Outcome(line=job.line, key=key, status="failed", error=batch.ENDED)
    return outcome
