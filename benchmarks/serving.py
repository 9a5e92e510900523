"""A running web page for the benchmarks beside this file."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def server(model: str) -> Iterator[tuple[str, int]]:
    """The address and the process of a running server."""
    command = [sys.executable, "-m", "twocet", "serve", "--port", "0", "--model", model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        found = re.search(r"http://\S+/", process.stdout.readline() if process.stdout else "")
        if found is None:
            raise SystemExit("twocet serve did not start: see the message above")
        try:
            yield found.group(), process.pid
        finally:
            process.send_signal(signal.SIGINT)
