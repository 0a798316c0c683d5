#!/usr/bin/env python3
"""A large catalogue and its audit in either database: size, and how long everything takes that asks them.

    python scripts/bench_records.py --datasets 1000000 --rows 10000000 --database postgresql --folder FOLDER

It makes the archive in FOLDER, where another run finds it again, and prints a table for docs/operating/postgresql.md.
`--tables` chooses what is asked, for runs of a few minutes each; prune takes the oldest month out of the archive.
PostgreSQL is started in FOLDER, by the programs of the extra `test`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.records import file_of, migrate_records, open_records, sqlite_url
from scripts.clustering.postgres import Postgres
from scripts.sizing import asking, making, serving, sizes, values

TABLES = ("migrate", "size", "catalogue", "audit", "server", "prune", "backup")
SETTINGS = ("shared_buffers=2GB", "max_wal_size=8GB", "maintenance_work_mem=512MB", "checkpoint_timeout=30min")


def main() -> int:
    """Make what is not there yet, and print the tables."""
    options = arguments()
    archive = values.Archive(options.datasets, options.rows, options.public)
    options.folder.mkdir(exist_ok=True)
    file = options.folder / "gateway.db"
    with ExitStack() as stack:
        url, new = opened(stack, options.database, options.folder)
        if new:
            began = time.monotonic()
            making.make_sqlite(file, archive) if options.database == "sqlite" else making.make_postgres(url, archive)
            (options.folder / "made").touch()
            print(f"made in {time.monotonic() - began:.0f} s")
        for name in options.tables:
            print(f"\n{name}, {options.database}", flush=True)
            for line in table(name, url, archive, options.folder):
                print(line, flush=True)
    return 0


def table(name: str, url: str, archive: values.Archive, folder: Path) -> Iterator[str]:
    """Yield the lines of a table."""
    file = file_of(url)
    if name == "size":
        yield from sizes.of_server(url) if file is None else sizes.of_file(file)
    elif name == "server":
        yield from serving.served(url, folder)
    elif name == "migrate":
        yield "| question | time | memory | answer |\n|---|---|---|---|"
        yield asking.once("tables brought up to date", lambda: migrate_records(url))
    elif name != "backup" or file is not None:
        records = open_records(url)
        try:
            if name in ("catalogue", "audit"):
                yield from asking.catalogue(records, archive) if name == "catalogue" else asking.audit(records)
            else:
                yield from asking.pruned(records, folder) if name == "prune" else asking.copied(records, folder)
        finally:
            records.close()


def opened(stack: ExitStack, database: str, folder: Path) -> tuple[str, bool]:
    """Return the URL of the database in `folder`, and whether it is to be filled; a server ends with `stack`."""
    new = not (folder / "made").exists()
    if database == "sqlite":
        return sqlite_url(folder / "gateway.db"), new
    server = Postgres(folder)
    if not server.data.exists():
        server.make()
    server.start(*SETTINGS)
    stack.callback(server.stop, "fast")
    if new:
        server.execute("DROP DATABASE IF EXISTS gateway", "CREATE DATABASE gateway")
    return server.url("gateway"), new


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--folder", type=Path, required=True, help="short path, or there is no room for a socket's")
    parser.add_argument("--tables", nargs="*", choices=TABLES, default=[], help="what is asked; nothing: only made")
    parser.add_argument("--public", type=float, default=0.0005, help="share of the datasets that all see")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
