"""The tables, as steps that each database takes once and in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.errors import RecordsUnavailable
from gateway.records.sqlite import jobs, lists, overviews, searches, smallpictures
from gateway.records.sqlite.audiences import AUDIENCES
from gateway.records.sqlite.cells import CELLS
from gateway.records.sqlite.connection import Connections, connect, connect_to_read, transaction
from gateway.records.sqlite.library import Database, Migrations
from gateway.records.sqlite.searchable import COLLECTIONS

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
VERBS = ("insert", "update", "delete")
RAISE_REVISION = "UPDATE revision SET number = number + 1"
# One number that every change of the catalogue raises: what was read at one number is good while it stands.
REVISION = (
    "CREATE TABLE revision (number INTEGER NOT NULL)",
    "INSERT INTO revision VALUES (0)",
    *(
        f"CREATE TRIGGER {table}_{verb}_revised AFTER {verb} ON {table} BEGIN {RAISE_REVISION}; END"
        for table in ("datasets", "grants", "users")
        for verb in VERBS
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


# A number for each dataset, which a change of it or of its grants raises, and one for all users. Each number is used
# once in a file; `number` goes on counting every change, for workers of an older release.
def _revising(table: str, verb: str, *statements: str) -> str:
    """Return the trigger that follows a change of a table."""
    return f"CREATE TRIGGER {table}_{verb}_revised AFTER {verb} ON {table} BEGIN {'; '.join(statements)}; END"


RAISE_OWN = "UPDATE dataset_revisions SET number = (SELECT number FROM revision) WHERE dataset_id = "
RAISE_USERS = "UPDATE revision SET users = users + 1"
DATASET_REVISIONS = (
    "ALTER TABLE revision ADD COLUMN users INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE dataset_revisions (dataset_id TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO dataset_revisions SELECT id, (SELECT number FROM revision) FROM datasets",
    *(f"DROP TRIGGER {table}_{verb}_revised" for table in ("datasets", "grants", "users") for verb in VERBS),
    _revising(
        *("datasets", "insert", RAISE_REVISION),
        "INSERT INTO dataset_revisions SELECT NEW.id, number FROM revision",
    ),
    _revising("datasets", "update", RAISE_REVISION, RAISE_OWN + "NEW.id"),
    _revising("datasets", "delete", RAISE_REVISION, "DELETE FROM dataset_revisions WHERE dataset_id = OLD.id"),
    _revising("grants", "insert", RAISE_REVISION, RAISE_OWN + "NEW.dataset_id"),
    _revising("grants", "update", RAISE_REVISION, RAISE_OWN + "NEW.dataset_id"),
    _revising("grants", "delete", RAISE_REVISION, RAISE_OWN + "OLD.dataset_id"),
    *(_revising("users", verb, RAISE_REVISION, RAISE_USERS) for verb in VERBS),
)


# Ingest asks for each new file whether its name is a title already.
TITLES = ("CREATE INDEX datasets_by_title ON datasets (title)",)

# Titles as they are looked for and sorted, in any case; by triggers, so that it holds whoever writes. Listings go
# through these indexes alone, and read the rows of one page. The first of them holds what is looked for, too.
FOLD_TITLE = "UPDATE datasets SET title_folded = fold(NEW.title) WHERE id = NEW.id"
LISTING = (
    "ALTER TABLE datasets ADD COLUMN title_folded TEXT",
    "UPDATE datasets SET title_folded = fold(title)",
    f"CREATE TRIGGER datasets_insert_folded AFTER INSERT ON datasets BEGIN {FOLD_TITLE}; END",
    f"CREATE TRIGGER datasets_update_folded AFTER UPDATE OF title ON datasets BEGIN {FOLD_TITLE}; END",
    "CREATE INDEX datasets_listed ON datasets (visibility, created_at, id, title_folded)",
    "CREATE INDEX datasets_listed_by_title ON datasets (visibility, title_folded, id)",
    "CREATE INDEX datasets_listed_by_size ON datasets (visibility, size_bytes, id)",
    "CREATE INDEX datasets_by_owner ON datasets (owner, created_at, id) WHERE owner IS NOT NULL",
    "CREATE INDEX grants_by_name ON grants (kind, name, dataset_id)",
    "DROP INDEX datasets_in_order",
)

# Tokens on record, and who uses a link just now. One that goes is like a user who is disabled: what is remembered of
# standings is read anew. That it was used is no such change.
TOKENS = (
    """CREATE TABLE stored_tokens (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('own', 'link')),
        hash TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        roles TEXT NOT NULL,
        name TEXT NOT NULL,
        download INTEGER NOT NULL CHECK (download IN (0, 1)),
        dataset_id TEXT,
        collection TEXT,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        uses INTEGER,
        used INTEGER NOT NULL,
        last_used_at TEXT
    ) WITHOUT ROWID""",
    "CREATE INDEX stored_tokens_by_owner ON stored_tokens (owner, kind)",
    """CREATE TABLE link_uses (
        token_id TEXT NOT NULL REFERENCES stored_tokens (id) ON DELETE CASCADE,
        client TEXT NOT NULL,
        began_at TEXT NOT NULL,
        PRIMARY KEY (token_id, client)
    ) WITHOUT ROWID""",
    _revising("stored_tokens", "delete", RAISE_REVISION, RAISE_USERS),
)

# Lists of files, which end by themselves or with the token by which they were made.
LISTS = (
    lists.TABLE,
    *lists.INDEXES,
    _revising("download_lists", "delete", RAISE_REVISION, RAISE_USERS),
)

# A new step is added below the last, and none is changed once it was released.
STEPS = {
    "1-catalogue": CATALOGUE,
    "2-audit": AUDIT,
    "3-revision": REVISION,
    "4-audit-row-ids": ROW_IDS,
    "5-dataset-revisions": DATASET_REVISIONS,
    "6-titles": TITLES,
    "7-listing": LISTING,
    "8-collections": COLLECTIONS,
    "9-searches": (searches.TABLE,),
    "10-audiences": AUDIENCES,
    "11-cells": CELLS,
    "12-tokens": TOKENS,
    "13-lists": LISTS,
    "14-small-pictures": (smallpictures.TABLE,),
    "15-small-pictures-anew": (smallpictures.CLEARED,),
    "16-jobs": (jobs.TABLE, *jobs.INDEXES),
    "17-overviews": overviews.OVERVIEWS,
    "18-search-makers": searches.MAKERS,
    "19-searches-by-maker": searches.BY_MAKER,
}


def steps() -> Migrations:
    """Return all steps, in order."""
    migrations = Migrations("gateway")
    for name, statements in STEPS.items():
        migrations(name=name)(_taking(statements))
    return migrations


def _taking(statements: tuple[str, ...]) -> Callable[[Database], None]:
    def take(database: Database) -> None:
        for statement in statements:
            database.execute(statement)

    return take


def require_known(path: Path, database: Database) -> None:
    """Return when a database has taken no step that is unknown here; raises RecordsUnavailable.

    What a newer release has changed this one might write in a wrong way, or read.
    """
    unknown = [step.name for step in steps().applied(database) if step.name not in STEPS]
    if unknown:
        reason = f"{path} is of a newer release, which has taken the step {unknown[-1]}"
        raise RecordsUnavailable("The database cannot serve just now.").because(reason)


def require_catalogue(path: Path) -> None:
    """Return when the database at `path` can be read as one of the gateway's, also one of an older release.

    Raises RecordsUnavailable.
    """

    def attempt() -> None:
        database = connect_to_read(path)
        try:
            require_known(path, database)
            if not {"datasets", "audit"} <= set(database.table_names()):
                reason = f"{path} is no catalogue of the gateway"
                raise RecordsUnavailable("The database cannot serve just now.").because(reason)
        finally:
            database.close()

    Connections(path, read_only=True).patiently(attempt)


def prepare(path: Path) -> None:
    """Return when the database at `path` exists and has all tables; processes may start together.

    Raises RecordsUnavailable when it cannot be made, read or brought up to date.
    """
    migrations = steps()

    def attempt() -> None:
        database = connect(path, "rwc")
        try:
            require_known(path, database)
            database.enable_wal()
            # WAL is what lets readers and the writer work at once; some network disks cannot.
            if database.journal_mode != "wal":
                raise RecordsUnavailable("The database's disk has no write-ahead log.").because(str(path))
            # `apply` looks for steps before it locks: the lock must stand round the whole of it.
            if migrations.pending(database):
                transaction(database, migrations.apply)
        finally:
            database.close()

    Connections(path).patiently(attempt)
