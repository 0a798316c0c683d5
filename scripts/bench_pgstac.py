#!/usr/bin/env python3
"""The same searches over the same items in one PostgreSQL: of the gateway, and of pgstac by its function `search`.

    python3 -m venv PGSTAC && PGSTAC/bin/pip install 'pypgstac[psycopg]'
    python scripts/bench_pgstac.py --datasets 100000 --folder FOLDER --pgstac PGSTAC

The server is Debian's, with its package of PostGIS, which pgstac needs. Both sides begin with a search as a value
and end with the JSON of a page of 100 items: the gateway by its records, under the rights of somebody who has not
signed in, and with its own documents; pgstac by one statement, and it knows no rights. Both are as their makers set
them: the gateway counts matches up to 10,000, pgstac does not count. They are asked in turn.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.catalogue.search import Search
from gateway.model import Principal, utc_text
from gateway.records import Records, open_records
from gateway.stac.items import item_of
from gateway.stac.results import results
from gateway.stac.site import Site
from scripts.bench_records import SETTINGS
from scripts.clustering.postgres import Postgres
from scripts.sizing import making, values
from scripts.sizing.searches import LIMIT, percentiles, searches

DEBIAN = Path("/usr/lib/postgresql")
ROUNDS = 60
NOBODY = Principal()
SITE = Site("http://127.0.0.1/api", False, None)
WORLD = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}


def main() -> int:
    """Make what is not there yet, and print the table."""
    options = arguments()
    archive = values.Archive(options.datasets, 0, public=1.0, internal=0.0)
    options.folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        server = started(stack, options.folder)
        if not (options.folder / "made").exists():
            fill(server, archive, options.folder, options.pgstac)
        records = open_records(server.url("gateway"))
        stack.callback(records.close)
        connection = stack.enter_context(psycopg.connect(server.url("pgstac"), autocommit=True))
        connection.execute("SET search_path TO pgstac, public")
        version = connection.execute("SELECT get_version()").fetchone()
        print(f"\n{options.datasets} items, pgstac {version[0] if version else ''}\n")
        print(
            "| search | ours p50, p99 ms | pgstac p50, p99 ms | p50 of ours / pgstac |\n|---|---|---|---|", flush=True
        )
        for name, make in asked(records, connection, min(1000, options.datasets // LIMIT // 2)).items():
            print(line(name, make, records, connection), flush=True)
    return 0


def started(stack: ExitStack, folder: Path) -> Postgres:
    """Return Debian's server in the folder, started."""
    server = Postgres(folder)
    server.bin = max(DEBIAN.glob("*/bin"))
    if not server.data.exists():
        server.make()
    server.start(*SETTINGS)
    stack.callback(server.stop, "fast")
    return server


def fill(server: Postgres, archive: values.Archive, folder: Path, pgstac: Path) -> None:
    """Store the same items on both sides."""
    server.execute("DROP DATABASE IF EXISTS gateway", "DROP DATABASE IF EXISTS pgstac")
    server.execute("CREATE DATABASE gateway", "CREATE DATABASE pgstac")
    making.make_postgres(server.url("gateway"), archive)
    began, _ = values.span()
    with (folder / "collections.ndjson").open("w") as file:
        for each in making.collections(archive, began):
            told = {"type": "Collection", "stac_version": "1.1.0", "license": "other", "links": [], "extent": WORLD}
            file.write(json.dumps({**told, "id": each.id, "description": each.id}) + "\n")
    with (folder / "items.ndjson").open("w") as file:
        for dataset in values.datasets(archive, began):
            file.write(json.dumps(item_of(dataset, SITE)) + "\n")
    run(pgstac, server, "migrate")
    run(pgstac, server, "load", "collections", folder / "collections.ndjson", "--method", "upsert")
    run(pgstac, server, "load", "items", folder / "items.ndjson", "--method", "insert")
    server.execute("VACUUM ANALYZE", name="pgstac")
    (folder / "made").touch()


def run(pgstac: Path, server: Postgres, *words: object) -> None:
    """Return when a command of pypgstac has succeeded, and say how long it took."""
    began = time.monotonic()
    command = [pgstac / "bin" / "pypgstac", *words, "--dsn", server.url("pgstac")]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    print(f"pypgstac {' '.join(map(str, words[:2]))}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


Make = Callable[[], tuple[Search, dict[str, Any]]]


def asked(records: Records, connection: psycopg.Connection[Any], page: int) -> dict[str, Make]:
    """Return by name what makes a search, for the gateway and for pgstac."""
    found: dict[str, Make] = {
        name: lambda make=make: both(make())  # type: ignore[misc]
        for name, make in searches(random.Random(values.SEED)).items()  # noqa: S311 - no secret
    }
    after, token = None, None
    for _ in range(page - 1):
        after = records.search(Search(limit=LIMIT, after=after), NOBODY).after
        links = theirs(connection, body_of(Search(limit=LIMIT)) | ({"token": token} if token else {}))["links"]
        token = next(token_of(link) for link in links if link["rel"] == "next")
    deep = Search(limit=LIMIT, after=after), {**body_of(Search(limit=LIMIT)), "token": token}
    return {**found, f"page {page} of the newest": lambda: deep}


def both(search: Search) -> tuple[Search, dict[str, Any]]:
    """Return a search as a value and as the body of a request."""
    return search, body_of(search)


def body_of(search: Search) -> dict[str, Any]:
    """Return the body of a request for a search."""
    body: dict[str, Any] = {"limit": search.limit, "sortby": [{"field": "datetime", "direction": "desc"}]}
    if search.bbox is not None:
        body["bbox"] = list(search.bbox)
    if search.datetime is not None:
        ends = (search.datetime.start_at, search.datetime.end_at)
        body["datetime"] = "/".join(".." if each is None else utc_text(each) for each in ends)
    if search.collections is not None:
        body["collections"] = list(search.collections)
    return body


def token_of(link: dict[str, Any]) -> str:
    """Return the token of a `next` link of pgstac."""
    body: dict[str, str] = link.get("body") or {}
    return body.get("token") or str(link["href"]).partition("token=")[2]


def theirs(connection: psycopg.Connection[Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return a page of pgstac."""
    row = connection.execute("SELECT search(%s::text::jsonb)::text", [json.dumps(body)]).fetchone()
    assert row is not None  # noqa: S101 - a function has one row
    found: dict[str, Any] = json.loads(row[0])
    return found


def line(name: str, make: Make, records: Records, connection: psycopg.Connection[Any]) -> str:
    """Return a line of the table."""
    took: tuple[list[float], list[float]] = ([], [])
    numbers = set()
    for _ in range(ROUNDS):
        search, body = make()
        began = time.perf_counter()
        ours = json.dumps(results(records.search(search, NOBODY), None, SITE, []))
        middle = time.perf_counter()
        row = connection.execute("SELECT search(%s::text::jsonb)::text", [json.dumps(body)]).fetchone()
        took[0].append(middle - began)
        took[1].append(time.perf_counter() - middle)
        numbers.add(len(json.loads(ours)["features"]) - len(json.loads(row[0])["features"]) if row else None)
    (p50, p99), (other, other99) = (percentiles(each) for each in took)
    differing = "" if numbers == {0} else f" (numbers of items differ by {sorted(map(str, numbers))})"
    return f"| {name}{differing} | {p50:.1f}, {p99:.1f} | {other:.1f}, {other99:.1f} | {p50 / other:.2f} |"


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, required=True, help="short path, or there is no room for a socket's")
    parser.add_argument("--pgstac", type=Path, required=True, help="a virtual environment with pypgstac")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
