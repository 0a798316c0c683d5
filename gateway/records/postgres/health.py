"""Whether a server is one on which the audit's promise holds, and whether it can be read just now."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.errors import RecordsUnavailable, SettingsError
from gateway.records.postgres import partitions
from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.schema import TABLES

UNSAFE = """SELECT name FROM pg_settings
    WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'"""
# A node whose clock is further from the server's writes its rows into the wrong month, or into none.
CLOCK_SECONDS = 300.0


def require_durable(connection: Bounded, name: str) -> None:
    """Return when a commit on this server outlives a loss of power, and the database can hold every text.

    Raises SettingsError, with what is to be set, where it does not, and for a server in recovery.
    """
    unsafe = [row["name"] for row in connection.execute(UNSAFE)]
    if unsafe:
        raise SettingsError(f"{name} has {' and '.join(sorted(unsafe))} off: a row of the audit could be lost")
    encoding = one(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        raise SettingsError(f"{name} has the encoding {encoding}, which does not hold every text: it must be UTF8")
    if one(connection, "SELECT pg_is_in_recovery()"):
        raise SettingsError(f"{name} is in recovery: it takes no rows; name the primary")


def ping(connection: Bounded, now: datetime | None = None) -> list[datetime]:
    """Return the months that take rows, when every table can be read and the clocks agree.

    Raises RecordsUnavailable where no row of now can be stored.
    """
    for table in TABLES:
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
    months, theirs = partitions.attached(connection), one(connection, "SELECT now()")
    behind = abs(((now or datetime.now(UTC)) - theirs).total_seconds())
    if behind > CLOCK_SECONDS:
        reason = f"the clocks of this machine and of the database are {behind:.0f} s apart"
        raise RecordsUnavailable("The database cannot serve just now.").because(reason)
    if partitions.months_ahead(months, theirs) < 0:
        reason = "the audit takes no rows of this month"
        raise RecordsUnavailable("The database cannot serve just now.").because(reason)
    return months
