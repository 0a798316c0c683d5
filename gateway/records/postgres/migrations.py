"""Tables made and brought up to date, by one of all nodes that start together."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime

import psycopg
from psycopg import sql

from gateway.errors import RecordsUnavailable
from gateway.records.postgres import filling, indexes, partitions
from gateway.records.postgres.connection import Bounded, connect, name_of, one
from gateway.records.postgres.health import require_durable
from gateway.records.postgres.schema import RIGHTS, STEPS
from gateway.records.postgres.troubles import NO_RIGHT, unserved

# A number of our own among the advisory locks of the database.
LOCK = 0x636F672D67617465
STEPS_TABLE = """CREATE TABLE IF NOT EXISTS steps (
    name text COLLATE "C" PRIMARY KEY, adds boolean NOT NULL, taken_at timestamptz NOT NULL DEFAULT now()
)"""
# A table that somebody reads cannot be changed, and whoever asks for it after us waits for us: so shortly only, again
# and again, with pauses in which they get their turn.
SHORT_LOCK = "SET LOCAL lock_timeout = '300ms'"
LOCK_TRIES, LOCK_PAUSE_SECONDS = 100, 1.0
# Another node may have come first.
TAKE = "INSERT INTO steps (name, adds) VALUES (%s, %s) ON CONFLICT DO NOTHING"


def pending(connection: Bounded) -> list[str]:
    """Return the steps that a database has not taken, in order. Raises RecordsUnavailable for a newer one.

    Steps of a newer release that only add leave what this one knows as it is.
    """
    there = one(connection, "SELECT to_regclass('steps') AS there")
    taken = {} if there is None else _taken(connection)
    unknown = [name for name, adds in taken.items() if name not in STEPS and not adds]
    if unknown:
        reason = f"the database is of a newer release, which has taken the step {unknown[-1]}"
        raise RecordsUnavailable("The database cannot serve just now.").because(reason)
    return [name for name in STEPS if name not in taken]


def _taken(connection: Bounded) -> dict[str, bool]:
    return {row["name"]: row["adds"] for row in connection.execute("SELECT name, adds FROM steps ORDER BY name")}


def require_catalogue(url: str) -> list[datetime]:
    """Return the months that take audit rows, when a database can be read as one of the gateway's.

    Raises RecordsUnavailable.
    """
    try:
        with closing(connect(url, read_only=True)) as connection:
            pending(connection)
            if one(connection, "SELECT to_regclass('audit')") is None:
                reason = f"{name_of(url)} holds no catalogue of the gateway"
                raise RecordsUnavailable("The database cannot serve just now.").because(reason)
            return partitions.attached(connection)
    except psycopg.Error as error:
        raise unserved(name_of(url), error) from error


def prepare(url: str, owner_url: str | None = None) -> list[datetime]:
    """Return the months that take audit rows, when a database has all tables and partitions for some months ahead.

    Nodes may start together. Raises RecordsUnavailable when it cannot be reached, or when it is to be brought up to
    date and neither role may, SettingsError for a server on which a commit may be lost.
    """
    try:
        with closing(connect(url)) as connection:
            require_durable(connection, name_of(url))
            waiting = pending(connection)
            role = one(connection, "SELECT current_user AS role")
            months = [] if waiting else partitions.attached(connection)
            now = one(connection, "SELECT now() AS now")
            ahead = partitions.months_ahead(months, now)
        if waiting or ahead < partitions.AHEAD_MONTHS:
            _bring_up(url, owner_url or url, role, ahead)
            with closing(connect(url)) as connection:
                months = partitions.attached(connection)
    except psycopg.Error as error:
        raise unserved(name_of(url), error) from error
    return months


def bring_up(url: str, owner_url: str) -> None:
    """Return when the tables are those of this release, months are made ahead, and the role of `url` has its rights.

    Raises RecordsUnavailable.
    """
    try:
        with closing(connect(url)) as connection:
            require_durable(connection, name_of(url))
            role = one(connection, "SELECT current_user")
        migrate(owner_url, role)
    except psycopg.Error as error:
        raise unserved(name_of(owner_url), error) from error


def _bring_up(url: str, owner_url: str, role: str, ahead: int) -> None:
    try:
        migrate(owner_url, role)
    except psycopg.Error as error:
        if error.sqlstate != NO_RIGHT:
            raise
        # Months may be made by somebody else's timer; without this one no row can be written.
        if ahead < 0:
            told = f"{name_of(url)}: its tables are to be brought up to date: `cog-gateway migrate`, with a "
            reason = f"{told}DATABASE_OWNER_URL whose role owns them"
            raise RecordsUnavailable("The database cannot serve just now.").because(reason) from error


def migrate(owner_url: str, role: str) -> list[str]:
    """Return the steps that were taken now; `role` is that of the server, and gets its rights.

    Raises psycopg.Error.
    """
    with closing(connect(owner_url, long=True)) as connection:
        taken = _changed(connection, role)
        partitions.make_ahead(connection)
        _follow(connection, taken)
    return taken


def _changed(connection: Bounded, role: str) -> list[str]:
    """Return the pending steps after their statements are done; nobody who reads or writes waits for long."""
    tries = 0
    while True:
        try:
            return _change(connection, role)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            tries += 1
            if tries == LOCK_TRIES:
                raise
        time.sleep(LOCK_PAUSE_SECONDS)


def _change(connection: Bounded, role: str) -> list[str]:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        taken = pending(connection)
        connection.execute(SHORT_LOCK)
        if taken:
            connection.execute(STEPS_TABLE)
        for name in taken:
            step = STEPS[name]
            for statement in step.statements:
                connection.execute(statement)
            if not step.follows:
                connection.execute(TAKE, [name, step.adds])
        owner = one(connection, "SELECT current_user AS role")
        if role != owner:
            for right in RIGHTS:
                connection.execute(sql.SQL(right).format(role=sql.Identifier(role)))
    return taken


def _follow(connection: Bounded, taken: list[str]) -> None:
    """Return when what follows the steps is done, or the log says why not: then the step is not taken."""
    for name in taken:
        step = STEPS[name]
        if step.fill:
            with indexes.alone(connection):
                filling.fill(connection, step)
        if step.follows and indexes.build(connection, step.indexes):
            connection.execute(TAKE, [name, step.adds])
    indexes.build_words(connection)
