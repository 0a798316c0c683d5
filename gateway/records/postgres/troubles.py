"""What is wrong with a database in PostgreSQL, in words for the operator."""

from __future__ import annotations

import re

import psycopg

from gateway.errors import RecordsUnavailable
from gateway.records.postgres.connection import Slow

# https://www.postgresql.org/docs/current/errcodes-appendix.html
NO_PARTITION, NO_RIGHT, NO_TABLE = "23514", "42501", "42P01"
SERIALIZATION, DEADLOCK = "40001", "40P01"
WORDS = {
    "28P01": "the password is not accepted",
    "28000": "the user may not connect",
    "3D000": "there is no such database",
    "53100": "a disk of the server is full",
    "53300": "the server has no connection left",
    "55P03": "another program holds a lock",
    "57014": "a statement took too long",
    "57P03": "the server is starting or stopping",
    "25006": "the server is in recovery or read-only: name the primary",
    NO_PARTITION: "there is no part of the audit for the month of a row: is a clock wrong, or has nobody run "
    "`cog-gateway migrate` for months",
    NO_RIGHT: "the user lacks a right: `cog-gateway migrate` grants what is needed, by DATABASE_OWNER_URL",
    NO_TABLE: "a table is missing: `cog-gateway migrate` makes it",
}
# What libpq says of a server that it found and may not use (target_session_attrs).
READ_ONLY = re.compile("session is read-only|server is in hot standby")


def unserved(name: str, error: psycopg.Error) -> RecordsUnavailable:
    """Return the error that callers get; its `reason` says what the operator can do. `name` is the database's."""
    words = WORDS.get(error.sqlstate or "")
    if words is None and READ_ONLY.search(str(error)):
        words = WORDS["25006"]
    if words is None:
        lines = str(error).splitlines()
        # Of several hosts the first line sums up.
        words = str(error) if isinstance(error, Slow) else (lines[0] if lines else type(error).__name__)
    return RecordsUnavailable("The database cannot serve just now.").because(f"{name}: {words}")


def is_broken(connection: psycopg.Connection[dict[str, object]], error: psycopg.Error) -> bool:
    """Return whether the connection is gone, and with it the knowledge of what became of the last statement."""
    return connection.closed or connection.broken or isinstance(error, Slow)


def may_repeat(error: psycopg.Error) -> bool:
    """Return whether the server has undone a transaction that may succeed when it is tried again."""
    return error.sqlstate in (SERIALIZATION, DEADLOCK)
