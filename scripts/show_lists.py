#!/usr/bin/env python3
"""Many files taken home by a list: by aria2c, by `fetch` cut off halfway and resumed, by curl; compared and counted.

    python scripts/show_lists.py [--files 200]

Makes a server with so many COGs on loopback, and one list of them. Each program takes all files; each is compared
with its source by SHA-256, and the audit's rows are counted. Prints a table; exit code 1 where a file is not whole,
or where a grant has no end on record. Needs `aria2c` and `curl` (Debian: aria2, curl).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.drilling.server import Server, sqlite3, until_true, write_cog

COUNTS = """SELECT
    sum(action = 'download.cog'), sum(action = 'download.cog' AND status = 206),
    sum(action = 'download.finished' AND detail ->> 'outcome' = 'completed'),
    sum(action = 'download.finished' AND detail ->> 'outcome' = 'aborted'),
    coalesce(sum(detail ->> 'bytes_sent'), 0)
    FROM audit WHERE id > ? AND action IN ('download.cog', 'download.finished')"""
HEADINGS = (
    "program",
    "exit",
    "files whole",
    "grants",
    "of them ranges",
    "completed",
    "aborted",
    "bytes sent",
    "seconds",
)
# So many different files, copied: what they hold matters less than that each has a name and a row of its own.
KINDS = 5


def main() -> int:
    """Run all three, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200)
    count = parser.parse_args().files
    if missing := [name for name in ("aria2c", "curl") if shutil.which(name) is None]:
        print(f"not here: {', '.join(missing)}", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="cog-gateway-lists-") as folder,
        Server(made(Path(folder), count), "--processes", "2", mint_rate="off") as server,
    ):
        return shown(server, count)
    raise AssertionError("unreachable: no context swallows")


def made(folder: Path, count: int) -> Path:
    """Return the folder, with so many COGs in it."""
    rasters = folder / "rasters"
    rasters.mkdir()
    kinds = [write_cog(folder / f"{kind}.tif", side=256 * (1 + kind), seed=kind) for kind in range(KINDS)]
    for number in range(count):
        shutil.copyfile(kinds[number % KINDS], rasters / f"sheet-{number:04d}.tif")
    return folder


def shown(server: Server, count: int) -> int:
    """Return the exit code, all programs having run."""
    server.command("ingest", "rasters", "--visibility", "private", "--owner", "ana", "--json")
    links = asked(server)
    sources = {path.stem: digest(path) for path in (server.folder / "rasters").glob("*.tif")}
    programs: dict[str, Callable[[Path], int]] = {
        "metalink, aria2c": lambda into: run(into, "aria2c", "-q", "-j8", f"-M{saved(server, links, 'metalink')}"),
        "ndjson, fetch cut off and resumed": lambda into: fetched(server, links["ndjson"], into, count),
        "curl -K": lambda into: run(
            into, "curl", "--no-progress-meter", "--parallel", "-K", str(saved(server, links, "curl"))
        ),
    }
    print(f"{count} files, {sum(p.stat().st_size for p in (server.folder / 'rasters').iterdir()) / 1e6:.0f} MB\n")
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}", flush=True)
    good = True
    for number, (name, program) in enumerate(programs.items()):
        into, since, began = server.folder / f"taken-{number}", last_row(server), time.monotonic()
        into.mkdir()
        code, seconds = program(into), time.monotonic() - began
        whole = sum(sources.get(path.stem) == digest(path) for path in into.glob("*.tif"))
        grants, ranges, completed, aborted, sent = counted(server, since)
        good = good and code == 0 and whole == count and completed + aborted == grants
        cells = (name, code, f"{whole}/{count}", grants, ranges, completed, aborted, sent, f"{seconds:.1f}")
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        shutil.rmtree(into)
    return 0 if good else 1


def asked(server: Server) -> Mapping[str, str]:
    """Return the addresses of a list of all files, by format."""
    body, headers = json.dumps({"search": {}}), {**server.bearer("ana"), "Content-Type": "application/json"}
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=120)) as connection:
        connection.request("POST", "/api/downloads", body, headers)
        told = json.loads(connection.getresponse().read())
    print(f"list of {told['count']} files, {told['bytes']} bytes")
    return {link["rel"]: link["href"] for link in told["links"]}


def saved(server: Server, links: Mapping[str, str], form: str) -> Path:
    """Return a file with the list in a format."""
    path = server.folder / f"list.{form}"
    subprocess.run(["curl", "-sSf", "-o", str(path), links[form]], check=True)
    return path


def run(into: Path, *line: str) -> int:
    """Return the exit code of a program that works in a folder."""
    return subprocess.run(line, cwd=into, check=False).returncode


def fetched(server: Server, address: str, into: Path, count: int) -> int:
    """Return the exit code of `fetch` after another one was killed with half of the files there."""
    line = [sys.executable, "-m", "gateway", "fetch", address, "-o", str(into)]
    quiet = {
        "env": server.environment,
        "cwd": server.folder,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    first = subprocess.Popen(line, **quiet)  # type: ignore[call-overload]
    until_true(lambda: len(list(into.glob("*.tif"))) >= count // 2 or first.poll() is not None)
    first.send_signal(signal.SIGKILL)
    first.wait()
    there, parts = len(list(into.glob("*.tif"))), len(list(into.glob("*.part")))
    print(f"(killed with {there} files there and {parts} begun)", file=sys.stderr)
    return subprocess.run(line, check=False, **quiet).returncode  # type: ignore[call-overload]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def last_row(server: Server) -> int:
    """Return the number of the newest row."""
    with closing(sqlite3.connect(server.database, timeout=10)) as connection:
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM audit").fetchone()[0])


def counted(server: Server, since: int) -> tuple[int, ...]:
    """Return what the rows after a number say of downloads, once every grant has its end."""

    def now() -> tuple[int, ...]:
        with closing(sqlite3.connect(server.database, timeout=10)) as connection:
            return tuple(int(each or 0) for each in connection.execute(COUNTS, [since]).fetchone())

    # Ends are noted just behind their answers.
    until_true(lambda: (found := now())[2] + found[3] == found[0])
    return now()


if __name__ == "__main__":
    sys.exit(main())
