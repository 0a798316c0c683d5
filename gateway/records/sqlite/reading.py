"""Questions that may read much of the file, each as of one moment and for a while only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import TooBroad
from gateway.model import Principal
from gateway.records.deadlines import Deadline

# The driver that sqlite-utils chose, and so that of every connection.
from gateway.records.sqlite.library import Database, sqlite3
from gateway.records.sqlite.troubles import is_interrupted

# Steps of SQLite's machine from one look at the clock to the next: below a millisecond for most.
STEPS_BETWEEN_LOOKS = 10_000
# The nodes of the indexes that a search goes through, of a million datasets; SQLite's usual two do not hold them.
CACHE_KIBIBYTES = 16_384
# Operators wait for as long as they like.
DAY_SECONDS = 86_400.0


@contextmanager
def as_of_one_moment(database: Database, reader: Principal | None, seconds: float) -> Iterator[Deadline]:
    """Let the statements within read one state of the file; raises TooBroad where they take longer together.

    None, the operator, may take a day. https://www.sqlite.org/c3ref/progress_handler.html
    """
    deadline = Deadline(DAY_SECONDS if reader is None else seconds)
    database.execute(f"pragma cache_size=-{CACHE_KIBIBYTES}")
    database.conn.set_progress_handler(lambda: deadline.passed, STEPS_BETWEEN_LOOKS)
    try:
        with ended_in_time(), database.atomic():
            yield deadline
    finally:
        database.conn.set_progress_handler(None, 0)


@contextmanager
def ended_in_time() -> Iterator[None]:
    """Raise TooBroad for a statement within that was ended before its time."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if is_interrupted(error):
            raise TooBroad from error
        raise
