"""Measures the server under many visitors without browsers: do all get answers, a fair share, and how much memory?

Every client has a session and photos of its own and asks for one strength after the other, as a dragged slider does.
--greedy clients ask through three connections at once. Prints one JSON line. Linux.

    python benchmarks/web_clients.py                         # 20 clients, one of them greedy, 30 s
    python benchmarks/web_clients.py --clients 3 --seconds 3 # to see that it works
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tyro
from line import memory_mb, print_line
from serving import jain, server

TIMEOUT = 300
GREED = 3


@dataclass
class Client:
    """One visitor and what happened to it."""

    number: int
    address: str
    connections: int
    session: str = ""
    latencies: list[float] = field(default_factory=list)
    """Seconds of every answered request."""
    failures: list[str] = field(default_factory=list)

    def enter(self) -> None:
        """Opens the session and gives both photos."""
        connection = self._connect()
        self.session = str(json.loads(self._ask(connection, "POST", "/api/sessions"))["session"])
        target, references = 1 + self.number % 6, ("1-happy", "2-surprise", "4-sad")
        self._ask(connection, "PUT", f"/api/photos/target/example/target-{target}")
        self._ask(
            connection, "PUT", f"/api/photos/reference/example/reference-{references[self.number % len(references)]}"
        )
        self._render(connection, 1.0)
        self.latencies.clear()

    def drag(self, until: float) -> None:
        """Asks for pictures until the time (monotonic) is over."""
        threads = [threading.Thread(target=self._drag, args=(until, k)) for k in range(self.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _drag(self, until: float, shift: int) -> None:
        connection, step = self._connect(), 97 * shift
        while time.monotonic() < until:
            self._render(connection, round(-0.5 + 2 * ((step * 0.381966) % 1), 2))
            step += 1

    def _render(self, connection: http.client.HTTPConnection, strength: float) -> None:
        wish = {"kind": "reference", "strength": strength, "face": 1, "reference_face": 1}
        asked = time.monotonic()
        answer = self._ask(connection, "POST", "/api/render", json.dumps(wish).encode())
        if answer[:2] == b"\xff\xd8":
            self.latencies.append(time.monotonic() - asked)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=TIMEOUT)

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"") -> bytes:
        try:
            connection.request(method, path, body, {"X-Session": self.session})
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                self.failures.append(f"{response.status} {content[:120].decode('utf-8', 'replace')}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            connection.close()
            return b"{}"
        return content


def main(clients: int = 20, greedy: int = 1, seconds: float = 30.0, model: str = "default") -> None:
    """Starts a server, lets the clients ask, and prints the figures.

    Args:
        clients: How many at the same time.
        greedy: How many of them use several connections.
        seconds: How long they ask.
        model: Name of a packaged model, or a model file.
    """
    with server(model) as (address, process):
        everyone = [Client(k, address, GREED if k < greedy else 1) for k in range(clients)]
        for client in everyone:
            client.enter()
        memory = [memory_mb(process)]
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=client.drag, args=(until,)) for client in everyone]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.5)
            memory.append(memory_mb(process))
    print_line({"benchmark": "web_clients", **summary(everyone, seconds), "memory_mb": spread(memory)})


def summary(everyone: list[Client], seconds: float) -> dict[str, Any]:
    """Failures, speed and fairness. Jain's index is 1 when all ordinary clients got the same, 1/n when one got all."""
    plain = np.array([len(client.latencies) for client in everyone if client.connections == 1], float)
    greedy = [len(client.latencies) for client in everyone if client.connections > 1]
    latencies = [value for client in everyone for value in client.latencies]
    failures = [failure for client in everyone for failure in client.failures]
    return {
        "clients": len(everyone), "seconds": seconds, "pictures": len(latencies),
        "pictures_per_second": round(len(latencies) / seconds, 2), "failures": len(failures),
        "kinds_of_failure": sorted(set(failures))[:5],
        "latency_s": {f"p{q}": round(float(np.percentile(latencies or [0.0], q)), 3) for q in (50, 95, 100)},
        "pictures_each": [int(plain.min()), int(plain.max())] if len(plain) else [],
        "jain_index": round(jain(plain), 4),
        "greedy_over_ordinary": [round(count / float(plain.mean()), 2) for count in greedy] if plain.any() else [],
    }  # fmt: skip


def spread(memory: list[float]) -> dict[str, int]:
    """Before, at the end, and the highest."""
    return {"before": round(memory[0]), "end": round(memory[-2 if len(memory) > 1 else -1]), "peak": round(max(memory))}


if __name__ == "__main__":
    tyro.cli(main)
