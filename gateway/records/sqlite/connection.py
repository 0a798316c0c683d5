"""Connections to one SQLite file: one for each thread, patient with locks, replaced when broken."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from gateway.errors import BadParameter, RecordsUnavailable
from gateway.records.rows import Row, fold, modified_in

# The driver that sqlite-utils chose: two SQLite libraries in one process would break each other's locks.
from gateway.records.sqlite.library import Database, sqlite3
from gateway.records.sqlite.troubles import is_busy, unserved

P = ParamSpec("P")
T = TypeVar("T")

LOCK_WAIT_SECONDS = 2.0
# SQLite's own busy handler sleeps ever longer and starves a process among busy ones; even odds do not.
LOCK_PAUSE_SECONDS = (0.0003, 0.0015)
WAL_SIZE_LIMIT_BYTES = 64 << 20


def connect(path: Path, mode: str) -> Database:
    """Return a new connection; `mode` rw wants an existing file, rwc makes one, ro only reads. Raises sqlite3.Error.

    https://www.sqlite.org/uri.html
    """
    # Threads never share a connection, but `close` comes from another one.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    database = Database(connection, execute_plugins=False)
    database.execute("pragma synchronous=full")
    database.execute("pragma foreign_keys=on")
    database.execute(f"pragma journal_size_limit={WAL_SIZE_LIMIT_BYTES}")
    connection.create_function("fold", 1, fold, deterministic=True)
    connection.create_function("modified_in", 1, modified_in, deterministic=True)
    return database


def connect_to_read(path: Path) -> Database:
    """Return a new connection that writes nothing, also to a file that may not be written. Raises sqlite3.Error.

    Where it may be written it is opened so, or what a reader of a WAL database lays beside it would stay there.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        database = connect(path, "rw")
        database.execute("pragma query_only=on")
        return database
    # Without a log nobody writes: then SQLite needs no file beside it (https://www.sqlite.org/wal.html#readonly).
    return connect(path, "ro" if Path(f"{path}-wal").exists() else "ro&immutable=1")


def transaction(database: Database, work: Callable[[Database], T]) -> T:
    """Return what `work` returns, its writes committed; nothing is written when it raises."""
    database.conn.execute("begin immediate")
    try:
        result = work(database)
        database.conn.execute("commit")
    finally:
        # After a commit this does nothing.
        database.rollback()
    return result


@dataclass(frozen=True, slots=True)
class _Link:
    database: Database
    file: tuple[int, int]
    generation: int


class Connections:
    """The connections of one process to one database file. Make it after a fork, never before."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._file_seen: tuple[int, int] | None = None
        self._generation = 0
        self._local = threading.local()
        self._lock = threading.Lock()
        self._links: dict[threading.Thread, _Link] = {}
        self._closed = False

    def run(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns; each statement is a transaction of its own. Raises RecordsUnavailable."""
        return self.patiently(lambda: work(self._current(), *args, **kwargs))

    def write(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, in one durable transaction. Raises RecordsUnavailable."""
        return self.patiently(lambda: transaction(self._current(), lambda db: work(db, *args, **kwargs)))

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Return what `attempt` returns; while others hold the lock it is tried again, up to 2 s.

        Any other database error drops this thread's connection, so that the next call finds a fresh one.
        """
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                return attempt()
            except sqlite3.Error as error:
                if not is_busy(error):
                    self._drop()
                    raise unserved(self._path, error) from error
                if time.monotonic() >= deadline:
                    raise RecordsUnavailable("The database is locked.").because(
                        f"another program holds the lock of {self._path}"
                    ) from error
            except UnicodeEncodeError as error:
                raise BadParameter("A text that is no valid Unicode cannot be stored or looked for.") from error
            time.sleep(random.uniform(*LOCK_PAUSE_SECONDS))  # noqa: S311 - no secret, only jitter

    def of_generation(self, work: Callable[Concatenate[Database, int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, which also gets the generation of the file, that of another is another."""
        return self.patiently(lambda: work(self._current(), self._local.link.generation, *args, **kwargs))

    def _current(self) -> Database:
        """Return this thread's connection, opened anew when the file was replaced under its name."""
        link: _Link | None = getattr(self._local, "link", None)
        # SQLite goes on writing into a deleted file without a word, and such a row is lost.
        if link is not None and link.file != self._file():
            self._drop()
            link = None
        return (link or self._open()).database

    def _file(self) -> tuple[int, int]:
        try:
            # Asked for every statement: os.stat costs half of what Path.stat does.
            facts = os.stat(self._path)  # noqa: PTH116
        except OSError as error:
            reason = f"{self._path} cannot be found: {(error.strerror or '').lower()}"
            raise RecordsUnavailable("The database is missing.").because(reason) from error
        return facts.st_dev, facts.st_ino

    def _open(self) -> _Link:
        with self._lock:
            if self._closed:
                raise RecordsUnavailable("The database is closed.")
            database = connect_to_read(self._path) if self._read_only else connect(self._path, "rw")
            file = self._file()
            if file != self._file_seen:
                self._file_seen, self._generation = file, self._generation + 1
            link = _Link(database, file, self._generation)
            for thread in [t for t in self._links if not t.is_alive()]:
                _close(self._links.pop(thread))
            self._links[threading.current_thread()] = link
        self._local.link = link
        return link

    def _drop(self) -> None:
        self._local.link = None
        with self._lock:
            link = self._links.pop(threading.current_thread(), None)
        if link is not None:
            _close(link)

    def close(self) -> None:
        """Close the connections of all threads; further calls do nothing."""
        with self._lock:
            self._closed = True
            while self._links:
                _close(self._links.popitem()[1])


def _close(link: _Link) -> None:
    # A broken connection may fail to close, too; there is nothing left to save in it.
    with suppress(sqlite3.Error):
        link.database.close()


def rows_of(database: Database, sql: str, values: dict[str, Any]) -> list[Row]:
    """Return the rows of a query by column name, all read, so that no read transaction stays open."""
    cursor = database.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
