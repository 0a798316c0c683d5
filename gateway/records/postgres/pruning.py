"""Old months of the audit taken out of the table: archived before, counted again, and then dropped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg import sql

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records.base import Archived
from gateway.records.postgres import audit_rows, partitions
from gateway.records.postgres.connection import Bounded, one

OWNS = "SELECT pg_has_role(relowner, 'USAGE') AS owns FROM pg_class WHERE oid = 'audit'::regclass"


def prune(connection: Bounded, until: datetime, archived: Archived, row: AuditRow) -> int:
    """Return how many rows were deleted for good, those before the month of `until`; `row` is stored with that.

    `connection` is of the owner of the tables, and in no transaction. Raises RecordsUnavailable, and nothing is
    deleted, when the months hold other rows than were archived.
    """
    finish(connection)
    old = [month for month in partitions.attached(connection) if month < partitions.month_of(until)]
    for month in old:
        # Nobody who reads or writes waits for that.
        _alter(connection, "DETACH PARTITION {} CONCURRENTLY", month)
    counted = sum(_count(connection, month) for month in old)
    if counted != archived.rows:
        _attach(connection, old)
        reason = f"{archived.rows} rows were archived, and there are {counted} by now: archive them again"
        raise RecordsUnavailable("The audit cannot be pruned just now.").because(reason)
    with connection.transaction():
        audit_rows.append(connection, [row])
        for month in old:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(partitions.partition_of(month))))
    return counted


def require_owner(connection: Bounded) -> None:
    """Return when the connection's role owns the audit. Raises RecordsUnavailable."""
    if not one(connection, OWNS):
        reason = "its tables belong to another role: DATABASE_OWNER_URL must name it"
        raise RecordsUnavailable("The audit cannot be pruned.").because(reason)


def finish(connection: Bounded) -> None:
    """Return when no partition is left half detached, and none detached, by a prune that was cut off."""
    for row in connection.execute(partitions.ATTACHED).fetchall():
        month = partitions.month_in(row["name"])
        if row["pending"] and month is not None:
            _alter(connection, "DETACH PARTITION {} FINALIZE", month)
    there = set(partitions.attached(connection))
    loose = [month for month in partitions.existing(connection) if month not in there]
    _attach(connection, loose)


def _attach(connection: Bounded, months: Sequence[datetime]) -> None:
    for month in months:
        partitions.make(connection, month, month)


def _alter(connection: Bounded, change: str, month: datetime) -> None:
    name = sql.Identifier(partitions.partition_of(month))
    connection.execute(sql.SQL("ALTER TABLE audit {}").format(sql.SQL(change).format(name)))


def _count(connection: Bounded, month: datetime) -> int:
    table = sql.Identifier(partitions.partition_of(month))
    return int(one(connection, sql.SQL("SELECT count(*) FROM {}").format(table)))
