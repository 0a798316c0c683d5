"""What became of a transaction whose commit was cut off: its audit rows, written with it, tell."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from gateway.model import AuditRow, utc_text
from gateway.records.postgres.connection import Bounded

# Its own commit waits for a synchronous standby, and so for everything before it: what can be seen here may not be
# there yet. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
FLUSH = "SELECT pg_logical_emit_message(true, 'gateway', 'settled')"
FIND = """SELECT 1 FROM unnest(%s::timestamptz[], %s::uuid[]) AS wanted (at, row_id)
    JOIN audit USING (at, row_id) LIMIT 1"""


def begun(connection: Bounded, rows: Sequence[AuditRow]) -> None:
    """Return when no other attempt to store these rows is under way, until the end of this transaction."""
    key = UUID(rows[0].row_id).int & (2**63 - 1)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def settled(connection: Bounded, rows: Sequence[AuditRow]) -> bool:
    """Return whether any of the rows is stored; with the end of this transaction it is durable where it has to be."""
    keys = [[utc_text(row.at) for row in rows], [row.row_id for row in rows]]
    if connection.execute(FIND, keys).fetchone() is None:
        return False
    connection.execute(FLUSH)
    return True
