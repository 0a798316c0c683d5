#!/usr/bin/env python3
"""Searches in a catalogue of a million datasets, in either database: how long each takes in process.

    python scripts/bench_search.py --datasets 1000000 --database sqlite --folder FOLDER

It makes the catalogue in FOLDER, where another run finds it again, and prints a table: p50 and p99 of each question
with its page and its count, and what the registration of one more dataset takes. Rights stand in every query: nearly
all datasets are public; with `--private` a caller sees one in a thousand. PostgreSQL is started in FOLDER, by the
programs of the extra `test`.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.catalogue.search import Search
from gateway.model import AuditRow, Principal
from gateway.records import Records, open_records
from scripts.bench_records import opened
from scripts.sizing import making, values
from scripts.sizing.searches import LIMIT, percentiles, searches, timed

TIMES, SECONDS = 200, 8.0
NOBODY, SURVEYOR = Principal(), Principal(values.USER, frozenset({values.ROLE}))


def main() -> int:
    """Make what is not there yet, and print the table."""
    options = arguments()
    archive = values.Archive(options.datasets, 0, 0.0005 if options.private else 0.999, 0.0002)
    options.folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        url, new = opened(stack, options.database, options.folder)
        if new:
            file = options.folder / "gateway.db"
            making.make_sqlite(file, archive) if options.database == "sqlite" else making.make_postgres(url, archive)
            (options.folder / "made").touch()
        records = open_records(url)
        stack.callback(records.close)
        if options.database == "postgresql":
            records.make_room(AuditRow("now").at, AuditRow("now").at)
        print(f"\n{options.datasets} datasets, {options.database}\n\n| search | times | p50 ms | p99 ms | answer |")
        print("|---|---|---|---|---|", flush=True)
        for told_line in table(records, archive):
            print(told_line, flush=True)
    return 0


def table(records: Records, archive: values.Archive) -> Iterator[str]:
    """Yield the lines of the table."""
    asked = searches(random.Random(values.SEED))  # noqa: S311 - no secret
    for name, wanted in asked.items():
        yield line(f"{name}, anonymous", lambda wanted=wanted: told(records, wanted(), NOBODY))
    for name in ("box of 20 degrees", "newest of the world"):
        yield line(f"{name}, surveyor", lambda wanted=asked[name]: told(records, wanted(), SURVEYOR))
    after = None
    for _ in range(min(1000, archive.datasets // LIMIT // 2)):
        after = records.search(Search(limit=LIMIT, after=after), NOBODY).after
    yield line("the 1,000th page, anonymous", lambda: told(records, Search(limit=LIMIT, after=after), NOBODY))
    for name, reader in (("anonymous", NOBODY), ("surveyor", SURVEYOR)):
        yield line(f"all collections, {name}", lambda reader=reader: str(len(records.collections(reader))))
    new = itertools.chain.from_iterable(
        itertools.repeat(list(values.datasets(replace(archive, datasets=200), values.FIRST_DAY)))
    )

    def register() -> str:
        dataset = replace(next(new), id=str(uuid4()), key=str(uuid4()))
        return str(records.register_dataset(dataset, AuditRow("bench.registered")))

    yield line("ingest of one more", register)


def told(records: Records, search: Search, reader: Principal) -> str:
    """Return what a search has found."""
    page = records.search(search, reader)
    return f"{len(page.datasets)} of {'many' if page.matched is None else page.matched}"


def line(name: str, ask: Callable[[], str]) -> str:
    """Return a line of the table: what was asked, how often, p50 and p99 in ms, and what the last answer was."""
    took, answer = timed(ask, TIMES, SECONDS)
    p50, p99 = percentiles(took)
    return f"| {name} | {len(took)} | {p50:.1f} | {p99:.1f} | {answer} |"


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--folder", type=Path, required=True, help="short path, or there is no room for a socket's")
    parser.add_argument("--private", action="store_true", help="nearly all datasets are hidden")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
