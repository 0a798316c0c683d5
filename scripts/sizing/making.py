"""A large archive written into an empty database by its own quickest way, through the gateway's own values."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from gateway.catalogue.collections import Collection
from gateway.records import migrate_records, sqlite_url
from gateway.records.postgres import cells as server_cells
from gateway.records.postgres import searchable as server_searchable
from gateway.records.postgres.connection import connect as connect_server
from gateway.records.postgres.datasets import columns_of
from gateway.records.postgres.partitions import make
from gateway.records.rows import AUDIT_COLUMNS, collection_row, dataset_row, values_of
from gateway.records.sqlite import searchable
from gateway.records.sqlite.connection import connect as connect_file
from scripts.sizing import values

T = TypeVar("T")
BATCH = 20_000
SHOWING = (
    *(f"datasets_{verb}_shown" for verb in ("insert", "update", "delete")),
    *(f"grants_{verb}_shown" for verb in ("insert", "update", "delete")),
)


def told(things: Iterable[T], what: str, count: int) -> Iterator[T]:
    """Yield the things, and say now and then on stderr how many there were."""
    began = time.monotonic()
    for number, thing in enumerate(things, 1):
        if number % 500_000 == 0 or number == count:
            print(f"{number} {what}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        yield thing


def make_sqlite(path: Path, archive: values.Archive) -> None:
    """Write the archive into a new file; without a flush for each batch, as nobody relies on it yet."""
    migrate_records(sqlite_url(path))
    begin, end = values.span()
    with closing(connect_file(path, "rw")) as database:
        for pragma in ("synchronous=off", "cache_size=-2000000", "wal_autocheckpoint=100000"):
            database.execute(f"pragma {pragma}")
        created = begin - timedelta(minutes=archive.datasets / 2)
        # Looked at all at once afterwards, which is quicker than one by one.
        database.execute("pragma foreign_keys=off")
        for trigger in SHOWING:
            database.execute(f"DROP TRIGGER {trigger}")
        _add(database, "collections", (collection_row(each) for each in collections(archive, created)))
        rows = (dataset_row(each) for each in values.datasets(archive, created))
        _add(database, "datasets", told(rows, "datasets", archive.datasets))
        names = ("dataset_id", "kind", "name", "level")
        _add(database, "grants", (dict(zip(names, each, strict=True)) for each in values.grants(archive)))
        for statement in (searchable.SHOW.replace("{which}", "true"), *searchable.TRIGGERS):
            database.execute(statement)
        audit = told(values.audit_rows(archive, begin, end), "audit rows", archive.rows)
        _add(database, "audit", (dict(zip(AUDIT_COLUMNS, values_of(row), strict=True)) for row in audit))
        database.execute("pragma wal_checkpoint(truncate)")


def _add(database: Any, table: str, rows: Iterator[dict[str, Any]]) -> None:
    while batch := list(itertools.islice(rows, BATCH)):
        names = ", ".join(f'"{name}"' for name in batch[0])
        statement = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(batch[0]))})"  # noqa: S608
        with database.conn:
            database.conn.execute("begin")
            database.conn.executemany(statement, [tuple(row.values()) for row in batch])


def make_postgres(url: str, archive: values.Archive) -> None:
    """Write the archive into an empty database by COPY, all indexes in place."""
    migrate_records(url)
    begin, end = values.span()
    with closing(connect_server(url, long=True)) as connection:
        make(connection, begin, end)
        created = begin - timedelta(minutes=archive.datasets / 2)
        # Each dataset would be shown, and each grant would write its dataset anew.
        connection.execute("SET session_replication_role = replica")
        _copy(connection, "collections", (collection_row(each) for each in collections(archive, created)))
        rows = (columns_of(each) for each in values.datasets(archive, created))
        _copy(connection, "datasets", told(rows, "datasets", archive.datasets))
        names = ("dataset_id", "kind", "name", "level")
        _copy(connection, "grants", (dict(zip(names, each, strict=True)) for each in values.grants(archive)))
        connection.execute(server_searchable.SHOW)
        connection.execute(server_cells.FILL)
        connection.execute("RESET session_replication_role")
        audit = told(values.audit_rows(archive, begin, end), "audit rows", archive.rows)
        _copy(connection, "audit", (dict(zip(AUDIT_COLUMNS, values_of(row), strict=True)) for row in audit))
        connection.execute("VACUUM ANALYZE")


def collections(archive: values.Archive, at: datetime) -> Iterator[Collection]:
    """Yield the collections of the archive."""
    for name in sorted({values.collection_of(number) for number in range(min(archive.datasets, 1000))}):
        yield Collection(name, name, at, at)


def _copy(connection: psycopg.Connection[Any], table: str, rows: Iterator[dict[str, Any]]) -> None:
    if (first := next(rows, None)) is None:
        return
    revised = {"revision": 0} if table == "datasets" else {}
    names = ", ".join(f'"{name}"' for name in {**first, **revised})
    with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in itertools.chain([first], rows):
            copy.write_row((*row.values(), *revised.values()))
