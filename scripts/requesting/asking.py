"""Who asks: clients of random requests, downloads beside them, and somebody who looks whether the server lives."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from threading import Event

from scripts.drilling.server import Server
from scripts.drilling.threads import Threads

from .questions import Questions

TIMEOUT_SECONDS = 150.0
FAULT = 500
# What is said of them in the end.
SLOWEST = 8


@dataclass
class Tally:
    """What was answered: how often each status (0: none), each fault by its address, and the slowest."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: list[tuple[float, int, str]] = field(default_factory=list)
    gate: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: int, seconds: float, what: str) -> None:
        """Count one answer."""
        with self.gate:
            self.statuses[status] += 1
            if status in (0, FAULT):
                self.faults.append(f"{status} {what}")
            self.slowest = sorted([*self.slowest, (round(seconds, 2), status, what)], reverse=True)[:SLOWEST]


class Client:
    """One connection, opened again where it was closed."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Return status and body, 0 where no whole answer came."""
        try:
            self._connection.request("GET", path, headers=headers or {})
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            self.close()
            return 0, b""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Beside(Threads):
    """Everything that goes on until the `with` block ends: random requests, downloads, and looks at /livez."""

    def __init__(self, server: Server, questions: list[Questions], rate: float, file: tuple[str, bytes]) -> None:
        self.tally = Tally()
        self.downloads = self.cut = 0
        self.livez_seconds = 0.0
        self.not_alive = 0
        self._server, self._rate, self._file = server, rate / len(questions), file
        asking = (partial(self._ask, each, number) for number, each in enumerate(questions))
        super().__init__(*asking, self._look, self._download)

    def _ask(self, questions: Questions, number: int, done: Event) -> None:
        client, pauses = Client(self._server.port), random.Random(number)  # noqa: S311 - no secret
        while not done.wait(pauses.expovariate(self._rate)):
            name, path = questions.next()
            began = time.monotonic()
            status, _ = client.get(f"/api{path}")
            self.tally.add(status, time.monotonic() - began, f"{name} /api{path}")
        client.close()

    def _look(self, done: Event) -> None:
        client = Client(self._server.port)
        while not done.wait(0.25):
            began = time.monotonic()
            status, _ = client.get("/livez")
            self.livez_seconds = max(self.livez_seconds, time.monotonic() - began)
            self.not_alive += status != 200
        client.close()

    def _download(self, done: Event) -> None:
        client, chance = Client(self._server.port), random.Random(0)  # noqa: S311 - no secret
        path, data = self._file
        while not done.wait(0.2):
            start = chance.randrange(len(data))
            stop = min(len(data), start + chance.choice((1, 16_384, len(data))))
            status, body = client.get(path, {"Range": f"bytes={start}-{stop - 1}"})
            self.downloads += 1
            self.cut += status != 206 or body != data[start:stop]
        client.close()
