"""Columns of datasets filled while nodes read and write them: some rows at a time, each for itself durable."""

from __future__ import annotations

from gateway.records.postgres.connection import Bounded
from gateway.records.postgres.schema import Step

# Whoever changes one of so many rows just then waits for some tenths of a second.
ROWS = 500
NEXT = "SELECT id FROM datasets WHERE id > %s ORDER BY id LIMIT %s"


def fill(connection: Bounded, step: Step) -> None:
    """Return when all datasets had their turn; what was cut off goes on from where it finds rows to be filled.

    The connection is in no transaction, so that each batch is one. Raises psycopg.Error.
    """
    last: str | None = ""
    while last is not None:
        ids = [row["id"] for row in connection.execute(NEXT, [last, ROWS])]
        connection.execute(step.fill, [ids])
        # What is registered meanwhile is whole: no reason to go on behind the last.
        last = ids[-1] if len(ids) == ROWS else None
    connection.execute(step.filled)
