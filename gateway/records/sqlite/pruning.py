"""Old audit rows taken out of the table: the one way past its triggers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from gateway.model import AuditRow, utc_text
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.library import Database
from gateway.records.sqlite.migrations import NO_DELETE

# So few at once that a server which is writing waits for some milliseconds only.
SLICE_ROWS = 500
# Between two slices, so that those who wait for the lock find it free: they look every millisecond or so.
PAUSE_SECONDS = 0.005


def old_numbers(database: Database, before: datetime, first: int, last: int) -> list[int]:
    """Return the first numbers from `first` to `last` of rows older than `before`, a slice at most.

    A read of its own: after a clock went wrong it may pass many rows that are not old, and nobody must wait for that.
    """
    sql = "SELECT id FROM audit WHERE id BETWEEN :first AND :last AND +at < :before ORDER BY id LIMIT :rows"
    values = {"first": first, "last": last, "before": utc_text(before), "rows": SLICE_ROWS}
    return [number for (number,) in database.execute(sql, values)]


def delete(database: Database, numbers: Sequence[int], rows: Sequence[AuditRow]) -> int:
    """Return how many of the rows with these numbers were there, and are deleted now; `rows` are added with that.

    In a transaction. The trigger that refuses deletes is gone within it alone: nobody else can write meanwhile, and
    where the transaction fails, it was never gone.
    """
    database.execute("DROP TRIGGER audit_no_delete")
    sql = "DELETE FROM audit WHERE id IN (SELECT value FROM json_each(?))"
    deleted = database.execute(sql, [json.dumps(numbers)]).rowcount
    database.execute(NO_DELETE)
    audit_rows.append(database, rows)
    return int(deleted)
