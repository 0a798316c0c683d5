"""A COG that is replaced again and again under readers who resume."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from threading import Event

from scripts.drilling.server import Outcome, Server, until_true, write_cog
from scripts.drilling.threads import Threads

READERS = 16
VERSIONS = 5


@dataclass
class Reader:
    """One client that fetches a file range by range, resumes with If-Range, and starts over when it was replaced."""

    server: Server
    path: str
    headers: dict[str, str]
    chance: random.Random
    digests: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    resumed: int = 0
    in_parts: int = 0
    wrong: int = 0

    def run(self, done: Event) -> None:
        """Assemble files until the drill is over."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        while not done.is_set():
            try:
                if (body := self._assembled(connection)) is not None:
                    self.digests.append(hashlib.sha256(body).hexdigest())
            except (OSError, HTTPException):
                connection.close()
        connection.close()

    def _assembled(self, connection: HTTPConnection) -> bytes | None:
        """Return one file, or None when an answer was neither 200 nor 206."""
        parts, tag, total = bytearray(), "", 1
        while len(parts) < total:
            stop = len(parts) + self.chance.choice((100_000, 400_000, 900_000))
            resume = {"If-Range": tag} if tag else {}
            connection.request(
                "GET", self.path, headers={**self.headers, **resume, "Range": f"bytes={len(parts)}-{stop - 1}"}
            )
            response = connection.getresponse()
            body = response.read()
            self.statuses[response.status] = self.statuses.get(response.status, 0) + 1
            if response.status == 200:
                return body
            if response.status != 206:
                return None
            total = self._joined(response, parts, tag)
            self.resumed += bool(tag)
            parts += body
            tag = response.headers["ETag"]
        self.in_parts += 1
        return bytes(parts)

    def _joined(self, response: HTTPResponse, parts: bytearray, tag: str) -> int:
        """Return the length of the whole file, after a look at whether the part continues what is there."""
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers["Content-Range"])
        if span is None or int(span[1]) != len(parts) or (tag and response.headers["ETag"] != tag):
            self.wrong += 1
            raise HTTPException("the part does not fit")
        return int(span[2])


def splice(folder: Path, seconds: float = 60, *, replacements: int = 300) -> Outcome:
    """Replace a file `replacements` times by rename, evenly over `seconds`, under 16 readers.

    Promised: whatever a reader assembles is one of the versions, whole and unmixed.
    """
    rasters = folder / "rasters"
    rasters.mkdir()
    versions = [write_cog(folder / f"{seed}.tif", seed=seed).read_bytes() for seed in range(VERSIONS)]
    (rasters / "drill.tif").write_bytes(versions[0])
    outcome = Outcome()
    with Server(folder, "--processes", "2") as server:
        path = f"/api/datasets/{server.ingest('rasters/drill.tif')}/download/cog"
        headers = server.bearer()
        readers = [Reader(server, path, headers, random.Random(n)) for n in range(READERS)]  # noqa: S311
        with Threads(*(reader.run for reader in readers)):
            until_true(lambda: any(reader.digests for reader in readers))
            for count in range(1, replacements + 1):
                time.sleep(seconds / replacements)
                (rasters / ".next").write_bytes(versions[count % VERSIONS])
                os.replace(rasters / ".next", rasters / "drill.tif")  # noqa: PTH105 - rename(2) is what is drilled
        _judge(readers, {hashlib.sha256(version).hexdigest() for version in versions}, outcome)
        outcome.figures |= {"replacements": replacements, "tokens in the log": server.leaked()}
        outcome.promise(not server.leaked(), "no token is in the log")
    return outcome


def _judge(readers: list[Reader], known: set[str], outcome: Outcome) -> None:
    digests = [digest for reader in readers for digest in reader.digests]
    statuses: dict[int, int] = {}
    for reader in readers:
        for status, count in reader.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    mixed = sum(digest not in known for digest in digests)
    wrong = sum(reader.wrong for reader in readers)
    outcome.figures |= {
        "assembled files": len(digests),
        "of these put together from parts": sum(reader.in_parts for reader in readers),
        "of no version": mixed,
        "parts that did not fit": wrong,
        "versions seen": len(set(digests) & known),
        "parts resumed with If-Range": sum(reader.resumed for reader in readers),
        "answers by status": json.dumps(dict(sorted(statuses.items()))),
    }
    outcome.promise(mixed == wrong == 0, "every assembled file is one of the versions")
    outcome.promise(len(set(digests) & known) > 1, "replacements were seen")
    outcome.promise(set(statuses) <= {200, 206, 503}, "no other status than 200, 206, 503")
