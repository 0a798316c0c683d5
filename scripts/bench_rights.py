#!/usr/bin/env python3
"""Whether the time of an answer tells of datasets that the caller may not see, in either database.

    python scripts/bench_search.py --datasets 1000000 --database sqlite --folder FOLDER --private
    python scripts/bench_rights.py --datasets 1000000 --database sqlite --folder FOLDER

The first makes a catalogue of which a caller sees one dataset in a thousand; the second makes another beside it of
those alone, and asks both the same, in turn. The table has p50 of each side and their ratio: 1 tells nothing. The
answers are compared as well: a difference ends the run.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.catalogue.search import Condition, Property, Search
from gateway.errors import BadParameter
from gateway.model import AuditRow, Dataset, Principal
from gateway.records import DatasetQuery, Records, open_records, sqlite_url
from scripts.bench_records import opened
from scripts.bench_search import NOBODY, SURVEYOR
from scripts.sizing import values
from scripts.sizing.searches import LIMIT, box, percentiles, searches

ROUNDS = 60
READERS = {"anonymous": NOBODY, "surveyor": SURVEYOR}
Question = Callable[[Records], object]


def main() -> int:
    """Make the catalogue of what is seen, and print the table."""
    options = arguments()
    with ExitStack() as stack:
        url, new = opened(stack, options.database, options.folder)
        if new:
            raise SystemExit("There is no such catalogue yet: scripts/bench_search.py --private makes it.")
        whole = open_records(url)
        stack.callback(whole.close)
        seen = list(whole.every_dataset(DatasetQuery(SURVEYOR, limit=1000)))
        small = open_records(beside(stack, options.database, options.folder))
        stack.callback(small.close)
        fill(whole, small, seen)
        print(f"\n{options.datasets} datasets of which {len(seen)} are seen, {options.database}\n")
        print("| question | p50 ms among hidden | p50 ms alone | ratio |\n|---|---|---|---|", flush=True)
        for name, make in questions(seen).items():
            print(line(name, make, (whole, small)), flush=True)
    return 0


def beside(stack: ExitStack, database: str, folder: Path) -> str:
    """Return the URL of an empty database of the same kind."""
    other = folder / "seen"
    if database == "sqlite":
        other.mkdir(exist_ok=True)
        file = other / "gateway.db"
        for path in other.glob("gateway.db*"):
            path.unlink()
        return sqlite_url(file)
    from scripts.clustering.postgres import Postgres  # noqa: PLC0415 - of an extra

    server = Postgres(folder)
    server.execute("DROP DATABASE IF EXISTS seen", "CREATE DATABASE seen")
    return server.url("seen")


def fill(whole: Records, small: Records, seen: list[Dataset]) -> None:
    """Store what is seen, with its grants; collections of which nothing is seen are left out."""
    for dataset in seen:
        small.register_dataset(dataset, AuditRow("bench.copied"))
        for grant in whole.grants(dataset.id):
            small.add_grant(grant, AuditRow("bench.copied"))


def questions(seen: list[Dataset]) -> dict[str, Callable[[], Question]]:
    """Return by name what makes a question, each time the next one of its kind."""
    asked: dict[str, Callable[[], Question]] = {}
    for who, reader in READERS.items():
        for name, wanted in searches(random.Random(values.SEED)).items():  # noqa: S311 - no secret
            asked[f"{name}, {who}"] = partial(searching, wanted, reader)
        asked |= {f"{name}, {who}": partial(always, question) for name, question in others(seen, reader).items()}
    return asked


def searching(wanted: Callable[[], Search], reader: Principal) -> Question:
    """Return the question for the next search."""
    search = wanted()
    return lambda records: told(records, search, reader)


def always(question: Question) -> Question:
    """Return the question itself."""
    return question


def others(seen: list[Dataset], reader: Principal) -> dict[str, Question]:
    """Return what is asked beside plain searches."""
    chance = random.Random(values.SEED)  # noqa: S311 - no secret
    area = box(chance, 5)
    corners = [(0, 1), (2, 1), (2, 3), (0, 3), (0, 1)]
    ring = [[area[x], area[y]] for x, y in corners]
    nothing = Condition("=", (Property("title"), "no such title"))
    ids = tuple(dataset.id for dataset in seen[:10])
    return {
        "a filter that nothing passes": lambda records: told(records, Search(filter=nothing), reader),
        "intersects": lambda records: told(
            records, Search(intersects={"type": "Polygon", "coordinates": [ring]}), reader
        ),
        "ten ids": lambda records: told(records, Search(ids=ids), reader),
        "an unknown property": lambda records: told(
            records, Search(filter=Condition("=", (Property("none"), 1))), reader
        ),
        "queryables": lambda records: records.queryables(reader),
        "collections": lambda records: [
            (found.collection.id, found.extent) for found in records.collections(reader) if found.extent.count
        ],
        "a listing": lambda records: listed(records, DatasetQuery(reader, limit=LIMIT)),
        "a listing by a word": lambda records: listed(records, DatasetQuery(reader, q="Oslo", limit=LIMIT)),
        "a listing by a box": lambda records: listed(records, DatasetQuery(reader, bbox=area, limit=LIMIT)),
        "the best of a listing": lambda records: listed(records, DatasetQuery(reader, sortby="-size_bytes")),
    }


def told(records: Records, search: Search, reader: Principal) -> object:
    """Return what tells one answer of a search from another."""
    with suppress(BadParameter):
        page = records.search(search, reader)
        return [dataset.id for dataset in page.datasets], page.matched, page.after
    return None


def listed(records: Records, query: DatasetQuery) -> object:
    """Return what tells one answer of a listing from another."""
    page = records.find_datasets(query)
    return [dataset.id for dataset in page.datasets], page.total


def line(name: str, make: Callable[[], Question], both: tuple[Records, Records]) -> str:
    """Return a line of the table; raises SystemExit where the answers differ."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        question, answers = make(), []
        for times, records in zip(took, both, strict=True):
            began = time.perf_counter()
            answers.append(question(records))
            times.append(time.perf_counter() - began)
        if answers[0] != answers[1]:
            raise SystemExit(f"{name}: the answers differ: {answers}")
    hidden, alone = (percentiles(each)[0] for each in took)
    return f"| {name} | {hidden:.2f} | {alone:.2f} | {hidden / alone:.2f} |"


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
