"""How much of a disk an archive takes: tables, and their indexes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gateway.records.postgres.connection import connect as connect_server
from gateway.records.sqlite.connection import connect as connect_file

# A partition and its indexes count as those of the audit.
RELATIONS = r"""SELECT regexp_replace(t.relname, '^audit_\d{4}_\d\d$', 'audit') AS "table",
        CASE WHEN i.indexrelid IS NULL THEN '' ELSE regexp_replace(c.relname, '_\d{4}_\d\d', '') END AS name,
        sum(pg_table_size(c.oid))::bigint AS size_bytes, sum(greatest(c.reltuples, 0))::bigint AS rows
    FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
        JOIN pg_class AS t ON t.oid = coalesce(i.indrelid, c.oid)
    WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace
    GROUP BY 1, 2 ORDER BY 1, 2"""
LEAST_BYTES = 1 << 20


def of_server(url: str) -> Iterator[str]:
    """Yield a table of the sizes in PostgreSQL, in MiB and bytes a row."""
    with closing(connect_server(url, long=True)) as connection:
        found = [tuple(row.values()) for row in connection.execute(RELATIONS)]
    yield from _lines(found)


def of_file(path: Path) -> Iterator[str]:
    """Yield the size of an SQLite file, in MiB, and how many rows are in it."""
    with closing(connect_file(path, "rw")) as database:
        database.execute("pragma wal_checkpoint(truncate)")
        for table in ("datasets", "audit"):
            rows = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            yield f"{rows} {table}"
    yield f"{path.stat().st_size >> 20} MiB"


def _lines(found: list[tuple[str, str, int, int]]) -> Iterator[str]:
    yield "| table | index | MiB | bytes a row |\n|---|---|---|---|"
    for table, name, size_bytes, rows in found:
        if size_bytes >= LEAST_BYTES:
            yield f"| {table} | {name} | {size_bytes / 2**20:.0f} | {size_bytes / max(rows, 1):.0f} |"
