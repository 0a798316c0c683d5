"""The audit's partitions, one for each month in UTC, made ahead of the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from psycopg import sql

from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.schema import NO_TRUNCATE

AHEAD_MONTHS = 3
ATTACHED = """SELECT c.relname AS name, i.inhdetachpending AS pending FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit'::regclass ORDER BY c.relname"""

EXISTING = """SELECT relname AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'audit'::regclass)"""


def month_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's month, in UTC."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def after(month: datetime, count: int = 1) -> datetime:
    """Return the beginning of the month that is `count` later."""
    number = month.year * 12 + month.month - 1 + count
    return month.replace(year=number // 12, month=number % 12 + 1)


def months(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the months of two moments and all between."""
    month, end = month_of(first), month_of(last)
    while month <= end:
        yield month
        month = after(month)


def partition_of(month: datetime) -> str:
    """Return the name of a month's partition."""
    return f"audit_{month:%Y_%m}"


def month_in(name: str) -> datetime | None:
    """Return the month of a partition, None for what is none."""
    found = re.fullmatch(r"audit_(\d{4})_(\d\d)", name)
    return datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC) if found else None


def attached(connection: Bounded) -> list[datetime]:
    """Return the months that take rows, in order."""
    rows = connection.execute(ATTACHED).fetchall()
    found = [month_in(row["name"]) for row in rows if not row["pending"]]
    return sorted(month for month in found if month is not None)


def existing(connection: Bounded) -> list[datetime]:
    """Return the months for which there is a table, whether it takes rows or is detached."""
    rows = connection.execute(EXISTING).fetchall()
    found = [month_in(row["name"]) for row in rows]
    return sorted(month for month in found if month is not None)


def make(connection: Bounded, first: datetime, last: datetime) -> None:
    """Return when each month from that of `first` to that of `last` takes rows. Raises psycopg.Error.

    A partition that was detached, and not dropped then, is attached again: its rows count until they are pruned.
    """
    there = set(attached(connection))
    for month in months(first, last):
        if month not in there:
            _make(connection, month)


def make_ahead(connection: Bounded) -> None:
    """Return when this month and the next ones take rows, as many as there should always be."""
    now = one(connection, "SELECT now() AS now")
    make(connection, now, after(month_of(now), AHEAD_MONTHS))


def _make(connection: Bounded, month: datetime) -> None:
    name = sql.Identifier(partition_of(month))
    with connection.transaction():
        # Several nodes may find the same month missing.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('gateway partitions'))")
        if month in attached(connection):
            return
        there = one(connection, "SELECT to_regclass(%s) AS there", [partition_of(month)])
        if there is None:
            # PARTITION OF would lock the whole audit against its readers and writers.
            connection.execute(
                sql.SQL("CREATE TABLE {} (LIKE audit INCLUDING DEFAULTS INCLUDING INDEXES)").format(name)
            )
            connection.execute(sql.SQL(NO_TRUNCATE).format(partition=name))
        bounds = {"first": sql.Literal(month.isoformat()), "next": sql.Literal(after(month).isoformat())}
        attach = sql.SQL("ALTER TABLE audit ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({next})")
        connection.execute(attach.format(name=name, **bounds))


def months_ahead(there: list[datetime], now: datetime) -> int:
    """Return how many months after that of `now` take rows without a gap; -1 where this one does not."""
    count, month = -1, month_of(now)
    while month in there:
        count, month = count + 1, after(month)
    return count
