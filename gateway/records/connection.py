"""Connections to one SQLite file: one for each thread, patient with locks, replaced when broken."""

from __future__ import annotations

import os
import random
import threading
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlite_utils import Database

# The driver that sqlite-utils chose: two SQLite libraries in one process would break each other's locks.
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]

from gateway.errors import BadParameter, RecordsUnavailable

P = ParamSpec("P")
T = TypeVar("T")

LOCK_WAIT_SECONDS = 2.0
# SQLite's own busy handler sleeps ever longer and starves a process among busy ones; even odds do not.
LOCK_PAUSE_SECONDS = (0.0003, 0.0015)
WAL_SIZE_LIMIT_BYTES = 64 << 20
SQLITE_BUSY = 5


def fold(text: str) -> str:
    """Return `text` for comparison in any case (Unicode 3.13, canonical caseless matching)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection holds the lock (SQLITE_BUSY and its extended codes)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == SQLITE_BUSY


def connect(path: Path, mode: str) -> Database:
    """Return a new connection; `mode` rw wants an existing file, rwc makes one. Raises sqlite3.Error."""
    # Threads never share a connection, but `close` comes from another one.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    database = Database(connection, execute_plugins=False)
    database.execute("pragma synchronous=full")
    database.execute("pragma foreign_keys=on")
    database.execute(f"pragma journal_size_limit={WAL_SIZE_LIMIT_BYTES}")
    connection.create_function("fold", 1, fold, deterministic=True)
    return database


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


class Connections:
    """The connections of one process to one database file. Make it after a fork, never before."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
                    raise RecordsUnavailable("The database cannot serve just now.") from error
                if time.monotonic() >= deadline:
                    raise RecordsUnavailable("The database is locked.") from error
            except UnicodeEncodeError as error:
                raise BadParameter("A text that is no valid Unicode cannot be stored or looked for.") from error
            time.sleep(random.uniform(*LOCK_PAUSE_SECONDS))  # noqa: S311 - no secret, only jitter

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
            raise RecordsUnavailable("The database is missing.") from error
        return facts.st_dev, facts.st_ino

    def _open(self) -> _Link:
        with self._lock:
            if self._closed:
                raise RecordsUnavailable("The database is closed.")
            link = _Link(connect(self._path, "rw"), self._file())
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


Row = dict[str, Any]


def rows_of(database: Database, sql: str, values: dict[str, Any]) -> list[Row]:
    """Return the rows of a query by column name, all read, so that no read transaction stays open."""
    cursor = database.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
