"""Old audit rows taken out of the table: the one way past its triggers."""

from __future__ import annotations

from datetime import datetime

from sqlite_utils import Database

from gateway.model import utc_text
from gateway.records.migrations import NO_DELETE

# So few at once that a server which is writing waits for some milliseconds only.
SLICE_ROWS = 500


def delete_slice(database: Database, before: datetime, first: int, last: int) -> int:
    """Return how many rows were deleted: the oldest of those numbered `first` to `last` and older than `before`.

    In a transaction. The trigger that refuses deletes is gone within it alone: nobody else can write meanwhile, and
    where the transaction fails, it was never gone.
    """
    values = {"first": first, "last": last, "before": utc_text(before), "rows": SLICE_ROWS}
    database.execute("DROP TRIGGER audit_no_delete")
    deleted = database.execute(
        "DELETE FROM audit WHERE id IN "
        "(SELECT id FROM audit WHERE id BETWEEN :first AND :last AND +at < :before ORDER BY id LIMIT :rows)",
        values,
    ).rowcount
    database.execute(NO_DELETE)
    return int(deleted)
