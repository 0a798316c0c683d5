"""Clients that download without pause and remember every answer."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from threading import Event

from scripts.clustering.gateway import Gateway
from scripts.drilling.threads import Threads

SERVED = (200, 206)


@dataclass(frozen=True)
class Answer:
    """One answer: `status` 0 when no status line came, `whole` when its body came as long and as it should be.

    `asked` and `ended` are monotonic.
    """

    status: int
    request_id: str
    whole: bool
    asked: float
    ended: float


class Load(Threads):
    """`clients` threads that download ranges and whole files of datasets with the same bytes until the block ends.

    Every second client names its requests itself, the others take the server's names and may go its short way;
    every fourth comes with a download token in the URL.
    """

    def __init__(self, server: Gateway, datasets: str | Sequence[str], data: bytes, clients: int = 8) -> None:
        self._server = server
        self._data = data
        self.answers: list[Answer] = []
        ids, bearer = [datasets] if isinstance(datasets, str) else datasets, server.bearer()
        ways: list[tuple[str, dict[str, str]]] = []
        for number in range(clients):
            dataset = ids[number % len(ids)]
            path = f"/api/datasets/{dataset}/download/cog"
            by_token = number % 4 == 3
            token = server.download_token(dataset, bearer) if by_token else ""
            ways.append((f"{path}?token={token}", {}) if by_token else (path, bearer))
        super().__init__(*(partial(self._run, number, *way) for number, way in enumerate(ways)))

    def served(self, since: float = 0.0) -> bool:
        """Return whether bytes have come of something that was asked for since then (monotonic)."""
        return any(answer.status in SERVED and answer.asked >= since for answer in self.answers)

    def _run(self, number: int, path: str, headers: dict[str, str], done: Event) -> None:
        chance = random.Random(number)  # noqa: S311 - no secret
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        count = 0
        while not done.is_set():
            count += 1
            own = {"X-Request-ID": f"drill-{number}-{count}-{time.monotonic_ns():x}"} if number % 2 else {}
            answer = self._ask(connection, path, {**headers, **own}, chance)
            self.answers.append(answer)
            if not answer.whole:
                connection.close()
            if answer.status not in SERVED:
                time.sleep(0.02)
        connection.close()

    def _ask(self, connection: HTTPConnection, path: str, headers: dict[str, str], chance: random.Random) -> Answer:
        start, stop = 0, len(self._data)
        if chance.random() < 0.95:
            start = chance.randrange(len(self._data))
            stop = min(len(self._data), start + chance.choice((1, 1000, 16_384, 65_536, 500_000)))
            headers = {**headers, "Range": f"bytes={start}-{stop - 1}"}
        asked, status, request_id, whole = time.monotonic(), 0, "", False
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            status, request_id = response.status, response.headers.get("X-Request-ID", "")
            body = response.read()
            whole = status not in SERVED or body == memoryview(self._data)[start:stop]
        except (OSError, HTTPException):
            pass
        return Answer(status, request_id, whole, asked, time.monotonic())


def unrecorded(answers: list[Answer], server: Gateway) -> tuple[int, int, int]:
    """Return how many answers with bytes came, how many of them have no row, and how many have several."""
    granted = server.rows_by_request()
    ids = [answer.request_id for answer in answers if answer.status in SERVED]
    return len(ids), sum(granted[name] == 0 for name in ids), sum(granted[name] > 1 for name in ids)
