"""What is wrong with a database file, in words for the operator."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import RecordsUnavailable

# The driver that sqlite-utils chose, and so that of every connection.
from gateway.records.sqlite.library import sqlite3

# Primary result codes (https://www.sqlite.org/rescode.html).
BUSY, READONLY, INTERRUPT, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 8, 9, 11, 13, 14, 26
WORDS = {
    READONLY: "{path} may not be written by this user, or lies in a folder or on a disk that may not",
    CORRUPT: "{path} is damaged: restore it from a backup",
    FULL: "the disk of {path} is full",
    CANTOPEN: "{path} cannot be opened by this user: it or its folder may not be read or written",
    NOTADB: "{path} is no database of SQLite: restore it from a backup, or move it away",
}


def code_of(error: sqlite3.Error) -> int:
    """Return the primary result code of an error, 0 where it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def unserved(path: Path, error: sqlite3.Error) -> RecordsUnavailable:
    """Return the error that callers get; its `reason` says what the operator can do."""
    words = WORDS.get(code_of(error), "{path}: {error}")
    return RecordsUnavailable("The database cannot serve just now.").because(words.format(path=path, error=error))


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection holds the lock (SQLITE_BUSY and its extended codes)."""
    return code_of(error) == BUSY


def is_interrupted(error: sqlite3.Error) -> bool:
    """Return whether a statement was ended before its time (SQLITE_INTERRUPT)."""
    return code_of(error) == INTERRUPT
