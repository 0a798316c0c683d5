"""Who asks: clients of random requests, downloads beside them, and somebody who looks whether the server lives."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from scripts.drilling.server import Server

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


class Beside:
    """Everything that goes on until the `with` block ends: random requests, downloads, and looks at /livez."""

    def __init__(self, server: Server, questions: list[Questions], rate: float, file: tuple[str, bytes]) -> None:
        self.tally = Tally()
        self.downloads = self.cut = 0
        self.livez_seconds = 0.0
        self.not_alive = 0
        self._server, self._rate, self._file = server, rate / len(questions), file
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(each, n)) for n, each in enumerate(questions)]
        self._threads += [threading.Thread(target=work) for work in (self._look, self._download)]

    def __enter__(self) -> Beside:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, questions: Questions, number: int) -> None:
        client, pauses = Client(self._server.port), random.Random(number)  # noqa: S311 - no secret
        while not self._done.wait(pauses.expovariate(self._rate)):
            name, path = questions.next()
            began = time.monotonic()
            status, _ = client.get(f"/api{path}")
            self.tally.add(status, time.monotonic() - began, f"{name} /api{path}")
        client.close()

    def _look(self) -> None:
        client = Client(self._server.port)
        while not self._done.wait(0.25):
            began = time.monotonic()
            status, _ = client.get("/livez")
            self.livez_seconds = max(self.livez_seconds, time.monotonic() - began)
            self.not_alive += status != 200
        client.close()

    def _download(self) -> None:
        client, chance = Client(self._server.port), random.Random(0)  # noqa: S311 - no secret
        path, data = self._file
        while not self._done.wait(0.2):
            start = chance.randrange(len(data))
            stop = min(len(data), start + chance.choice((1, 16_384, len(data))))
            status, body = client.get(path, {"Range": f"bytes={start}-{stop - 1}"})
            self.downloads += 1
            self.cut += status != 206 or body != data[start:stop]
        client.close()
