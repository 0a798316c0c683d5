#!/usr/bin/env python3
"""Lists of many files: what making one takes and reading it in each format, and how much memory of the server.

    python scripts/bench_lists.py --folder /tmp/lists [--files 10000] [--database sqlite]

One worker on loopback, in either database; a catalogue of so many private datasets without files, which nothing asks
for. They are those of their owner, who has them as such, and of a colleague, who has a grant on each. Prints a table:
median of rounds in seconds, bytes, the time until the first byte, and by how much the worker's memory had grown at
most. PostgreSQL is started in the folder, whose path is short, by the programs of the extra `test`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.catalogue.collections import Collection
from gateway.model import Grant, Level, Scale
from gateway.records import open_records
from scripts.bench_records import opened
from scripts.drilling.server import Server
from scripts.sizing import values

OWNER, COLLEAGUE, SHEETS = "ana", "ben", "sheets"
FORMATS = ("metalink", "aria2", "curl", "urls", "ndjson")
ROUNDS = 3
LOOK_SECONDS = 0.005


class Took(NamedTuple):
    """One answer: seconds until its first byte and its last, and its bytes."""

    first: float
    whole: float
    body: bytes


def main() -> int:
    """Print the table of each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="none: a temporary one")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    options = parser.parse_args()
    for database in options.database or ["sqlite", "postgresql"]:
        with ExitStack() as stack:
            above = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lists-")))
            # PostgreSQL runs as another user, who has to come through.
            above.chmod(0o711)
            folder = above / database
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "rasters").mkdir(exist_ok=True)
            url, _ = opened(stack, database, folder)
            fill(url, options.files)
            settings = {"mint_rate": "off", "database_url": url}
            server = stack.enter_context(Server(folder, "--processes", "1", **settings))
            print(f"\n{options.files} files, {database}\n\n| asked | by | s | first byte ms | MB | memory MiB |")
            print("|---|---|---|---|---|---|", flush=True)
            for line in table(server, options.files):
                print(line, flush=True)
    return 0


def fill(url: str, count: int) -> None:
    """Put datasets and grants into the database."""
    with closing(open_records(url)) as records:
        found = [
            replace(
                each, owner=OWNER, visibility=Scale.PRIVATE, download=Scale.PRIVATE, root="data", collection=SHEETS
            )
            for each in values.datasets(values.Archive(count, 0), values.FIRST_DAY)
        ]
        at = found[0].created_at
        records.copy_collections_in([Collection(SHEETS, "Sheets", at, at)])
        grants = [Grant(each.id, Level.DOWNLOAD, user=COLLEAGUE) for each in found]
        records.copy_in(found, grants, [])


def table(server: Server, count: int) -> Iterator[str]:
    """Yield the lines of the table."""
    for name in (OWNER, COLLEAGUE):
        headers = {**server.bearer(name), "Content-Type": "application/json"}
        body = json.dumps({"collection": SHEETS})
        rounds = [memory(server, "/api/downloads", headers, body) for _ in range(ROUNDS)]
        told = json.loads(rounds[-1][0].body)
        if told["count"] != count:
            raise ValueError(f"the list has {told['count']} files")
        yield line("POST /downloads", name, rounds)
        for link in told["links"]:
            parts = urlsplit(link["href"])
            path = f"{parts.path}?{parts.query}"
            rounds = [memory(server, path, {}) for _ in range(ROUNDS)]
            yield line(f"GET .{link['rel']}", name, rounds)


def line(asked: str, name: str, rounds: list[tuple[Took, float]]) -> str:
    """Return one line of the table."""
    whole, first = (statistics.median(getattr(took, each) for took, _ in rounds) for each in ("whole", "first"))
    who = "owner" if name == OWNER else "by grants"
    size = len(rounds[-1][0].body) / 1e6
    return (
        f"| {asked} | {who} | {whole:.2f} | {1e3 * first:.0f} | {size:.2f} | {max(most for _, most in rounds):.1f} |"
    )


def ask(server: Server, path: str, headers: dict[str, str], body: str | None = None) -> Took:
    """Return what one request took."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=120)) as connection:
        began = time.monotonic()
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        begin = response.read(1)
        first = time.monotonic() - began
        rest = response.read()
        if response.status >= 300:
            raise ValueError(f"{path}: {response.status} {(begin + rest)[:200]!r}")
        return Took(first, time.monotonic() - began, begin + rest)


def memory(server: Server, path: str, headers: dict[str, str], body: str | None = None) -> tuple[Took, float]:
    """Return an answer, and by how many MiB the worker had grown meanwhile at most."""
    with watched(server) as grown:
        took = ask(server, path, headers, body)
    return took, max(grown)


@contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """Yield a list that takes the growth of the worker's memory, again and again until the block ends."""
    before, grown, ended = server.rss_mib(), [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            grown.append(server.rss_mib() - before)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield grown
    finally:
        ended.set()
        looking.join()


if __name__ == "__main__":
    sys.exit(main())
