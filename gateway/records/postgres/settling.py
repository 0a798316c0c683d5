"""What became of a transaction whose commit was cut off: its audit row, written with it, tells."""

from __future__ import annotations

from uuid import UUID

from gateway.model import AuditRow, utc_text
from gateway.records.postgres.connection import Bounded

# Its own commit waits for a synchronous standby, and so for everything before it: what can be seen here may not be
# there yet. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
FLUSH = "SELECT pg_logical_emit_message(true, 'gateway', 'settled')"
FIND = "SELECT 1 FROM audit WHERE at = %s::timestamptz AND row_id = %s::uuid"


def begun(connection: Bounded, row: AuditRow) -> None:
    """Return when no other attempt to store the row is under way, until the end of this transaction."""
    key = UUID(row.row_id).int & (2**63 - 1)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def settled(connection: Bounded, row: AuditRow) -> bool:
    """Return whether the row is stored; with the end of this transaction it is durable wherever it has to be."""
    if connection.execute(FIND, [utc_text(row.at), row.row_id]).fetchone() is None:
        return False
    connection.execute(FLUSH)
    return True
