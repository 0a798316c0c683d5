"""The one connection by which a process appends audit rows, and what is done when it breaks in a commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import psycopg

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records.postgres.audit_rows import INSERT, batch_of
from gateway.records.postgres.connection import Bounded, connect, name_of
from gateway.records.postgres.settling import FLUSH
from gateway.records.postgres.troubles import is_broken, may_repeat, unserved

# Shorter than an answer waits for its row.
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.02
REPEATS = 3


class Appender:
    """Appends batches, one after another. Make it after a fork, never before."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self._name = name_of(url)
        self._lock = threading.Lock()
        self._connection: Bounded | None = None
        self._closed = False

    def append(self, rows: Sequence[AuditRow]) -> int:
        """Return how many rows are new, when all are durable, once each; without rows, when one could be written.

        A batch whose commit was cut off is sent again: the keys of its rows keep them from being stored twice. Raises
        RecordsUnavailable when the database does not take them in time, TypeError or ValueError for rows that can
        never be stored.
        """
        batch = batch_of(rows or [AuditRow("tried")])
        with self._lock:
            deadline, again, repeats = time.monotonic() + PATIENCE_SECONDS, False, 0
            while True:
                connection: Bounded | None = None
                try:
                    connection = self._current()
                    return self._send(connection, batch, stay=bool(rows), again=again)
                except psycopg.DataError as error:
                    raise ValueError("a row of the batch can never be stored") from error
                except psycopg.Error as error:
                    gone = connection is None or is_broken(connection, error)
                    if gone:
                        self._drop()
                    again, repeats = again or connection is not None, repeats + may_repeat(error)
                    # Anything else that the server says of a connection that is good would be said again.
                    if time.monotonic() >= deadline or (not gone and not 0 < repeats <= REPEATS):
                        raise unserved(self._name, error) from error
                time.sleep(PAUSE_SECONDS)

    def _send(self, connection: Bounded, batch: str, *, stay: bool, again: bool) -> int:
        """Insert the batch, commit it and return how many rows were new; without `stay` they are only tried."""
        if stay and not again:
            return connection.execute(INSERT, [batch], prepare=True).rowcount
        with connection.transaction():
            with connection.transaction() as tried:
                added = connection.execute(INSERT, [batch], prepare=True).rowcount
                if not stay:
                    raise psycopg.Rollback(tried)
            # What was found there may be under way to the standby still, and a transaction without a row writes
            # nothing: this commit waits for both.
            connection.execute(FLUSH)
        return added if stay else 0

    def _current(self) -> Bounded:
        if self._closed:
            raise RecordsUnavailable("The database is closed.")
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, read_only=self._read_only)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection when no batch is under way; further calls do nothing."""
        with self._lock:
            self._closed = True
            self._drop()
