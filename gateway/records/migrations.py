"""The tables, as steps that each database takes once and in order."""

from __future__ import annotations

from pathlib import Path

from sqlite_utils import Database, Migrations

from gateway.errors import RecordsUnavailable
from gateway.records.connection import Connections, connect, transaction

CATALOGUE = (
    """CREATE TABLE datasets (
        id TEXT PRIMARY KEY,
        root TEXT NOT NULL,
        "key" TEXT NOT NULL,
        title TEXT NOT NULL,
        owner TEXT,
        visibility TEXT NOT NULL CHECK (visibility IN ('public', 'internal', 'private')),
        download TEXT NOT NULL CHECK (download IN ('public', 'internal', 'private')),
        version TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        sha256 TEXT,
        origin TEXT,
        report TEXT NOT NULL,
        raster TEXT,
        west REAL, south REAL, east REAL, north REAL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        UNIQUE (root, "key")
    )""",
    "CREATE INDEX datasets_in_order ON datasets (created_at, id)",
    "CREATE INDEX datasets_by_bounds ON datasets (south, north, west, east)",
    """CREATE TABLE grants (
        dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('user', 'role')),
        name TEXT NOT NULL,
        level TEXT NOT NULL CHECK (level IN ('view', 'download')),
        PRIMARY KEY (dataset_id, kind, name)
    ) WITHOUT ROWID""",
    "CREATE TABLE users (name TEXT PRIMARY KEY, disabled INTEGER NOT NULL CHECK (disabled IN (0, 1))) WITHOUT ROWID",
)
NO_DELETE = """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"""
NO_UPDATE = """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"""
AUDIT = (
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        dataset_id TEXT,
        user_id TEXT,
        request_id TEXT,
        version TEXT,
        backend TEXT,
        "range" TEXT,
        status INTEGER,
        bytes_expected INTEGER,
        ip TEXT,
        user_agent TEXT,
        token_id TEXT,
        detail TEXT
    )""",
    "CREATE INDEX audit_by_time ON audit (at)",
    "CREATE INDEX audit_by_dataset ON audit (dataset_id)",
    "CREATE INDEX audit_by_user ON audit (user_id) WHERE user_id IS NOT NULL",
    "CREATE INDEX audit_ends ON audit (request_id) WHERE action = 'download.finished'",
    NO_UPDATE,
    NO_DELETE,
    # REPLACE deletes without the trigger above on connections that left recursive_triggers off.
    """CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
)
RAISE_REVISION = "UPDATE revision SET number = number + 1"
# One number that every change of the catalogue raises: what was read at one number is good while it stands.
REVISION = (
    "CREATE TABLE revision (number INTEGER NOT NULL)",
    "INSERT INTO revision VALUES (0)",
    *(
        f"CREATE TRIGGER {table}_{verb}_revised AFTER {verb} ON {table} BEGIN {RAISE_REVISION}; END"
        for table in ("datasets", "grants", "users")
        for verb in ("insert", "update", "delete")
    ),
)
# The row's own key. Older rows get one that follows from their number (a UUID of version 8, RFC 9562 section 5.8), so
# that two copies of one database agree. The index by time becomes the key: a tree more would cost each row more.
ROW_IDS = (
    "ALTER TABLE audit ADD COLUMN row_id TEXT",
    "DROP TRIGGER audit_no_update",
    "UPDATE audit SET row_id = printf('00000000-0000-8000-8000-%012x', id)",
    NO_UPDATE,
    "DROP INDEX audit_by_time",
    "CREATE UNIQUE INDEX audit_by_time ON audit (at, row_id)",
    # A repeat is no error, and REPLACE must not delete by this key either.
    """CREATE TRIGGER audit_no_repeat BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE at = NEW.at AND row_id = NEW.row_id)
        BEGIN SELECT RAISE(IGNORE); END""",
)


def steps() -> Migrations:
    """Return all steps; a new one is added below the last, and none is changed once it was released."""
    migrations = Migrations("gateway")

    @migrations(name="1-catalogue")
    def catalogue(database: Database) -> None:
        for statement in CATALOGUE:
            database.execute(statement)

    @migrations(name="2-audit")
    def audit(database: Database) -> None:
        for statement in AUDIT:
            database.execute(statement)

    @migrations(name="3-revision")
    def revision(database: Database) -> None:
        for statement in REVISION:
            database.execute(statement)

    @migrations(name="4-audit-row-ids")
    def row_ids(database: Database) -> None:
        for statement in ROW_IDS:
            database.execute(statement)

    return migrations


def prepare(path: Path) -> None:
    """Return when the database at `path` exists and has all tables; processes may start together.

    Raises RecordsUnavailable when it cannot be made, read or brought up to date.
    """
    migrations = steps()

    def attempt() -> None:
        database = connect(path, "rwc")
        try:
            database.enable_wal()
            # WAL is what lets readers and the writer work at once; some network disks cannot.
            if database.journal_mode != "wal":
                raise RecordsUnavailable("The database's disk has no write-ahead log.")
            # `apply` looks for steps before it locks: the lock must stand round the whole of it.
            if migrations.pending(database):
                transaction(database, migrations.apply)
        finally:
            database.close()

    Connections(path).patiently(attempt)
