"""Whether the database is whole, whether the library that writes it is one to trust, and a copy of it."""

from __future__ import annotations

import logging
import time
from pathlib import Path

# The driver that sqlite-utils chose, and so that of every connection.
from gateway.records.sqlite.library import Database, sqlite3

LOG = logging.getLogger("gateway.records")
# https://www.sqlite.org/wal.html, "The WAL-Reset Bug": mended in this release.
SOUND_WAL = (3, 51, 3)
CALLS_BETWEEN_LOOKS = 10_000


def old_library() -> str | None:
    """Return the version of SQLite when it is one in which processes that write together may break a WAL database."""
    return sqlite3.sqlite_version if sqlite3.sqlite_version_info < SOUND_WAL else None


def quick_check(database: Database, seconds: float) -> bool:
    """Return whether SQLite finds the database whole; a look that takes longer than `seconds` is given up as such.

    The log says so then.

    https://www.sqlite.org/pragma.html#pragma_quick_check
    """
    until = time.monotonic() + seconds
    database.conn.set_progress_handler(lambda: time.monotonic() > until, CALLS_BETWEEN_LOOKS)
    try:
        return [tuple(row) for row in database.execute("pragma quick_check(1)")] == [("ok",)]
    except sqlite3.OperationalError:
        if time.monotonic() > until:
            LOG.warning("the check of the database was not finished within %g seconds", seconds)
            return True
        raise
    finally:
        database.conn.set_progress_handler(None, 0)


def copy_to(database: Database, path: Path) -> None:
    """Write the database into the empty file at `path`, compact and as of one moment."""
    database.execute("VACUUM INTO ?", [str(path)])
