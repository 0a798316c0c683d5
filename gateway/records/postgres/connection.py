"""One connection to PostgreSQL that cannot hang, and how the gateway wants it set."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from gateway.errors import SettingsError, TooBroad
from gateway.records.deadlines import Deadline

T = TypeVar("T")

# What an answer may wait for; a little less is what the server itself allows a statement.
LIMIT_SECONDS = 2.2
STATEMENT_SECONDS = 2.0
LOCK_SECONDS = 1.0
# For what an operator asks for and waits for: exports, migrations, retention.
LONG_SECONDS = 6 * 3600.0
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
USUAL = {
    "application_name": "cog-gateway",
    "connect_timeout": "2",
    "tcp_user_timeout": "2000",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "target_session_attrs": "read-write",
}


class Slow(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class Bounded(psycopg.Connection[dict[str, Any]]):
    """A connection of which no statement waits longer than `limit_seconds`, also where the server's host is silent.

    psycopg itself has no such limit, and that of the server does not help where the server cannot be heard, nor while
    a commit waits for a standby.
    """

    limit_seconds = LIMIT_SECONDS

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """Return what `gen` returns; raises Slow."""
        try:
            return super().wait(_until(gen, time.monotonic() + self.limit_seconds), *args, **options)
        except Slow:
            self.pgconn.finish()
            raise

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Let the statements within take longer; in a transaction, with which the server's own limit ends."""
        self.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}"])
        self.limit_seconds = seconds + 1
        try:
            yield
        finally:
            self.limit_seconds = LIMIT_SECONDS

    @contextmanager
    def as_of_one_moment(self, seconds: float) -> Iterator[Deadline]:
        """Let the statements within read one state of the database and change nothing; raises TooBroad.

        Each of them may take so long, and none begins after that time.
        """
        deadline = Deadline(seconds)
        try:
            with self.transaction():
                self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                with self.patient(seconds):
                    yield deadline
        except psycopg.errors.QueryCanceled as error:
            raise TooBroad from error


def _until(gen: Generator[Any, Any, T], end: float) -> Generator[Any, Any, T]:
    """Pass on what `gen` waits for and what has become ready; raises Slow when `end` has come."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if time.monotonic() > end:
                gen.close()
                raise Slow("the server does not answer")
            wanted = gen.send(ready)
    except StopIteration as stop:
        result: T = stop.value
        return result


def connect(url: str, *, long: bool = False, read_only: bool = False) -> Bounded:
    """Return a new connection, each statement of which is a transaction of its own. Raises psycopg.Error.

    `long` is for work that takes its time. With `read_only` nothing can be changed, and a standby will do.
    """
    statement, lock = (0, 30_000) if long else (int(STATEMENT_SECONDS * 1000), int(LOCK_SECONDS * 1000))
    given = parameters(url)
    own = f"-c statement_timeout={statement} -c lock_timeout={lock} -c TimeZone=UTC -c datestyle=ISO"
    # As what is done again after a lost answer takes for granted, whatever a database or a role is set to.
    own += r" -c default_transaction_isolation=read\ committed"
    if read_only:
        own += " -c default_transaction_read_only=on"
        given.setdefault("target_session_attrs", "any")
    options = f"{given.pop('options', '')} {own}".strip()
    conninfo = make_conninfo(**{**USUAL, **given, "client_encoding": "UTF8"}, options=options)
    connection: Bounded = Bounded.connect(conninfo, autocommit=True, row_factory=dict_row)
    if long:
        connection.limit_seconds = LONG_SECONDS
    return connection


def one(connection: Bounded, statement: str | sql.Composed, values: Any = None) -> Any:
    """Return the one column of the one row of a query."""
    row = connection.execute(statement, values).fetchone()
    assert row is not None  # noqa: S101 - for queries that always have a row
    return next(iter(row.values()))


def parameters(url: str) -> dict[str, Any]:
    """Return the parameters of a URL; raises SettingsError, without the URL, because a password may stand in it."""
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        raise SettingsError("the URL of the database is no URL of PostgreSQL: postgresql://USER@HOST/NAME") from None


def name_of(url: str) -> str:
    """Return how a database is named to operators: without user and password."""
    given = parameters(url)
    host, port = given.get("host") or "the local socket", given.get("port")
    return f"PostgreSQL {given.get('dbname') or ''} at {host}{f' port {port}' if port else ''}"
