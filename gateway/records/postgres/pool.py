"""The connections of one process to PostgreSQL: a few, shared by its threads, replaced when broken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

import psycopg

from gateway.errors import BadParameter, RecordsUnavailable
from gateway.model import AuditRow
from gateway.records.postgres.connection import Bounded, connect, name_of
from gateway.records.postgres.settling import begun, settled
from gateway.records.postgres.troubles import is_broken, may_repeat, unserved

P = ParamSpec("P")
T = TypeVar("T")

MOST_CONNECTIONS = 4
# How long a broken connection is replaced and the work tried again, as it is while a server restarts.
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.03
# What the server undoes for the sake of another transaction is tried so often.
REPEATS = 3


class Pool:
    """At most `MOST_CONNECTIONS` connections, opened as they are needed. Make it after a fork, never before."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self.name = name_of(url)
        self._idle: list[Bounded] = []
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._lock = threading.Lock()
        self._closed = False

    def run(self, work: Callable[Concatenate[Bounded, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns; each statement is a transaction of its own, and all of it may be repeated.

        Raises RecordsUnavailable.
        """
        return self._patiently(lambda connection, _: work(connection, *args, **kwargs))

    def write(
        self, rows: Sequence[AuditRow], work: Callable[Concatenate[Bounded, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `work` returns, done in one durable transaction that stores of `rows` what comes of it.

        It is done once: where the connection breaks in the middle of the commit, the rows tell whether it is. Raises
        RecordsUnavailable.
        """
        results: list[T] = []

        def attempt(connection: Bounded, again: bool) -> T:
            with connection.transaction():
                begun(connection, rows)
                if again and results and settled(connection, rows):
                    return results[-1]
                results.append(work(connection, *args, **kwargs))
            return results[-1]

        return self._patiently(attempt)

    @contextmanager
    def lent(self) -> Iterator[Bounded]:
        """Yield a connection that others do not use meanwhile; a broken one is not used again."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._give(connection)

    def _patiently(self, attempt: Callable[[Bounded, bool], T]) -> T:
        deadline, tried, repeats = time.monotonic() + PATIENCE_SECONDS, False, 0
        while True:
            connection: Bounded | None = None
            try:
                with self.lent() as connection:
                    return attempt(connection, tried)
            except psycopg.DataError as error:
                if error.sqlstate is not None:
                    raise unserved(self.name, error) from error
                raise BadParameter("A text with NUL cannot be stored or looked for.") from error
            except psycopg.Error as error:
                tried = tried or connection is not None
                gone = connection is None or is_broken(connection, error)
                if gone:
                    # After one was found broken the others mostly are.
                    self.forget()
                repeats += may_repeat(error)
                if (gone and time.monotonic() >= deadline) or (not gone and not 0 < repeats <= REPEATS):
                    raise unserved(self.name, error) from error
            except UnicodeEncodeError as error:
                raise BadParameter("A text that is no valid Unicode cannot be stored or looked for.") from error
            time.sleep(PAUSE_SECONDS)

    def _take(self) -> Bounded:
        if not self._room.acquire(timeout=PATIENCE_SECONDS):
            raise RecordsUnavailable("The database is busy.").because("all connections of this process are in use")
        connection: Bounded | None = None
        try:
            with self._lock:
                self.require_open()
                connection = self._idle.pop() if self._idle else None
            connection = connection or connect(self._url, read_only=self._read_only)
            return connection
        finally:
            if connection is None:
                self._room.release()

    def _give(self, connection: Bounded) -> None:
        if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            # Left in the middle of something by an error.
            connection.close()
        with self._lock:
            if not connection.closed and not self._closed:
                self._idle.append(connection)
            else:
                connection.close()
        self._room.release()

    def require_open(self) -> None:
        """Raise RecordsUnavailable when this is closed."""
        if self._closed:
            raise RecordsUnavailable("The database is closed.")

    def forget(self) -> None:
        """Close the idle connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def close(self) -> None:
        """Close every connection, those in use when they are given back; further calls do nothing."""
        with self._lock:
            self._closed = True
        self.forget()
