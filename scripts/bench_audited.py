#!/usr/bin/env python3
"""Audited small ranges of this checkout beside another one and StaticFileHandler, two workers each, in one run.

    python scripts/bench_audited.py --other FOLDER [--rounds 3] [--seconds 5] [--mib 64] [--postgres]

All serve the same file to 16 connections that ask for random ranges. Both checkouts want a bearer token, and each of
their answers waits for its audit row; Tornado's StaticFileHandler does neither. Rounds are interleaved, medians are
printed with ratios. With --postgres both checkouts keep their records there, each in a database of one server, whose
processor time is not counted. CPU is user + system time of all processes of a server, the recorder included. Needs
wrk (Debian: wrk).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench_downloads import SMALL_RANGES, download, make_cog, ranges
from bench_servers import ROOT, Server, gateway, static


def main() -> None:
    """Run all rounds and print a table for each size of a range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, help="folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="length of a run")
    parser.add_argument("--mib", type=float, default=64.0, help="size of the file")
    parser.add_argument("--postgres", action="store_true", help="records in PostgreSQL, from the extra `test`")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        (folder / "rasters").mkdir()
        file = folder / "rasters" / "large.tif"
        make_cog(file, options.mib / 1024)
        started, urls = {}, databases(stack) if options.postgres else {}
        for name, root in (("other", options.other.resolve()), ("this", ROOT)):
            (folder / name).mkdir()
            started[name] = gateway(stack, folder / name, file, root, urls.get(name))
        started["StaticFileHandler"] = static(stack, file)
        for server in started.values():
            download(server)
        for length in SMALL_RANGES:
            compare(started, length, file.stat().st_size, options.rounds, options.seconds, folder)


def databases(stack: ExitStack) -> dict[str, dict[str, str]]:
    """Return the settings by which each checkout finds a database of its own, in a server that `stack` ends."""
    sys.path.insert(0, str(ROOT))
    from scripts.clustering.postgres import Postgres  # noqa: PLC0415 - the checkout is on the path only now

    server = Postgres(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cgpb-", dir="/tmp"))))
    server.make()
    server.start()
    stack.callback(server.stop)
    server.execute(*(f"CREATE DATABASE {name}" for name in ("other", "this")))
    return {name: {"GATEWAY_DATABASE_URL": server.url(name)} for name in ("other", "this")}


def compare(servers: dict[str, Server], length: int, size: int, rounds: int, seconds: int, folder: Path) -> None:
    """Print the medians of all servers over ranges of `length` bytes, and what this one has of the others."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            runs[name].append(ranges(server, length, size, seconds, folder))
    middle = {
        name: {measure: statistics.median(run[measure] for run in found) for measure in found[0]}
        for name, found in runs.items()
    }
    measures = list(middle["this"])
    print(f"| {length // 1024} KiB, 16 connections, {rounds} rounds | " + " | ".join(measures) + " |")
    print("|---" * (1 + len(measures)) + "|")
    for name, values in middle.items():
        cells = [f"{values[m]:.3g}" if values[m] < 1000 else f"{values[m]:.0f}" for m in measures]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name in [name for name in middle if name != "this"]:
        ratios = [f"{middle['this'][m] / middle[name][m]:.2f}" for m in measures]
        print(f"| this ÷ {name} | " + " | ".join(ratios) + " |")
    print(flush=True)


if __name__ == "__main__":
    main()
