"""Overviews of collections in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from gateway.catalogue.overviews import Overview, OverviewState
from gateway.model import AuditRow, Principal, utc_text
from gateway.records.overviews import COLUMNS, changes, seen_by
from gateway.records.rows import overview_of, overview_row
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.connection import Connections, rows_of
from gateway.records.sqlite.library import Database

TABLE = """CREATE TABLE overviews (
    id TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    root TEXT NOT NULL,
    "key" TEXT NOT NULL,
    zoom INTEGER NOT NULL,
    members INTEGER NOT NULL,
    begun_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begun', 'kept', 'dropped')),
    holds INTEGER NOT NULL CHECK (holds IN (0, 1)),
    version TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT,
    report TEXT,
    raster TEXT,
    made_at TEXT,
    UNIQUE (root, "key")
)"""
INDEXES = (
    "CREATE INDEX overviews_by_collection ON overviews (collection)",
    "CREATE UNIQUE INDEX overviews_kept ON overviews (collection) WHERE state = 'kept'",
)


def _outdating(name: str, when: str, *collections: str) -> str:
    """Return the trigger that follows a change of members of these collections."""
    update = "UPDATE overviews SET holds = 0 WHERE collection = {each} AND holds"
    outdated = "; ".join(update.format(each=each) for each in collections)
    return f"CREATE TRIGGER {name} AFTER {when} BEGIN {outdated}; END"


GRANTED = "(SELECT collection FROM datasets WHERE id = {row}.dataset_id)"
OVERVIEWS = (
    TABLE,
    *INDEXES,
    _outdating("datasets_insert_outdating", "INSERT ON datasets", "NEW.collection"),
    _outdating("datasets_delete_outdating", "DELETE ON datasets", "OLD.collection"),
    _outdating(
        "datasets_update_outdating",
        f"UPDATE ON datasets WHEN {changes('OLD', 'NEW', 'IS NOT')}",
        *("OLD.collection", "NEW.collection"),
    ),
    *(
        _outdating(f"grants_{verb}_outdating", f"{verb} ON grants", GRANTED.format(row=row))
        for verb, row in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD"))
    ),
    """CREATE TRIGGER collections_delete_dropping AFTER DELETE ON collections BEGIN
        UPDATE overviews SET state = 'dropped', holds = 0 WHERE collection = OLD.id; END""",
)
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
INSERT = f"INSERT OR REPLACE INTO overviews ({NAMES}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"  # noqa: S608 - no text of others
DROP = "UPDATE overviews SET state = 'dropped', holds = 0 WHERE "
HOLDING = "SELECT id FROM overviews WHERE collection = :collection AND state = 'kept' AND holds"
LEFT = """SELECT * FROM overviews WHERE collection = :collection
    AND (state = 'dropped' OR (state = 'begun' AND begun_at < :before)) ORDER BY id"""
# Who does not see some dataset does not see one with a row of these audiences, unless by a row of their own.
FOR_READER = """SELECT * FROM overviews AS o WHERE o.collection = :collection AND o.state = 'kept' AND o.holds
    AND NOT EXISTS (SELECT 1 FROM dataset_audiences AS a
        WHERE a.audience IN (SELECT value FROM json_each(:others)) AND a.collection = :collection
            AND NOT EXISTS (SELECT 1 FROM dataset_audiences AS own WHERE own.dataset_id = a.dataset_id
                AND own.audience IN (SELECT value FROM json_each(:own))))"""


class SqliteOverviews:
    """The overviews in one file (an `OverviewRecords`)."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def begin(self, overview: Overview) -> bool:
        """Return whether its collection is there, and it is on record as being written."""
        return self._connections.write(_begin, overview)

    def by_id(self, overview_id: str) -> Overview | None:
        """Return one in any state."""
        return self._connections.run(_one, "SELECT * FROM overviews WHERE id = :id", {"id": overview_id})

    def finish(self, overview: Overview, row: AuditRow) -> bool:
        """Return whether it is the one of its collection from now on."""
        return self._connections.write(_finish, overview, row)

    def drop(self, ids: Sequence[str], rows: Sequence[AuditRow]) -> None:
        """Store that these are to be removed."""
        self._connections.write(_drop, ids, rows)

    def of_collection(self, collection: str) -> Overview | None:
        """Return the one of a collection, whether it holds or not; a database of an older release has none."""
        return self._connections.run(_of_collection, collection)

    def holding(self, collection: str) -> str | None:
        """Return the id of the one of a collection, None where there is none that holds."""
        found = self._connections.run(rows_of, HOLDING, {"collection": collection})
        return str(found[0]["id"]) if found else None

    def left(self, collection: str, before: datetime) -> tuple[Overview, ...]:
        """Return those that are to be removed, and that were begun before a moment and not ended."""
        values = {"collection": collection, "before": utc_text(before)}
        return tuple(map(overview_of, self._connections.run(rows_of, LEFT, values)))

    def forget(self, overview_id: str) -> None:
        """Remove what is on record of one whose file is gone."""
        self._connections.write(_forget, overview_id)

    def for_reader(self, collection: str, reader: Principal | None) -> Overview | None:
        """Return the one of a collection, where it holds and the reader may see every member."""
        seen = seen_by(collection, reader)
        if seen is None:
            return None
        values = {"collection": collection, "own": json.dumps(seen[0]), "others": json.dumps(seen[1])}
        return self._connections.run(_one, FOR_READER, values)

    def every(self) -> tuple[Overview, ...]:
        """Return all of them by id; a database of an older release has none."""
        return self._connections.run(_every)

    def copy_in(self, overviews: Sequence[Overview]) -> None:
        """Store those of another database."""
        self._connections.write(_copy_in, overviews)


def _one(database: Database, sql: str, values: dict[str, str]) -> Overview | None:
    found = rows_of(database, sql, values)
    return overview_of(found[0]) if found else None


def _of_collection(database: Database, collection: str) -> Overview | None:
    if "overviews" not in database.table_names():
        return None
    sql = "SELECT * FROM overviews WHERE collection = :collection AND state = 'kept'"
    return _one(database, sql, {"collection": collection})


def _begin(database: Database, overview: Overview) -> bool:
    known = "SELECT 1 AS found FROM collections WHERE id = :id"
    if not rows_of(database, known, {"id": overview.collection}):
        return False
    database.execute(INSERT, overview_row(overview))
    return True


def _finish(database: Database, overview: Overview, row: AuditRow) -> bool:
    known = _one(database, "SELECT * FROM overviews WHERE id = :id", {"id": overview.id})
    if known is None or not known.holds or known.state is not OverviewState.BEGUN:
        return False
    database.execute(DROP + "collection = ? AND state = 'kept'", [overview.collection])
    database.execute(INSERT, overview_row(overview))
    audit_rows.append(database, [row])
    return True


def _drop(database: Database, ids: Sequence[str], rows: Sequence[AuditRow]) -> None:
    for each in ids:
        database.execute(DROP + "id = ?", [each])
    audit_rows.append(database, rows)


def _forget(database: Database, overview_id: str) -> None:
    database.execute("DELETE FROM overviews WHERE id = ?", [overview_id])


def _every(database: Database) -> tuple[Overview, ...]:
    if "overviews" not in database.table_names():
        return ()
    return tuple(map(overview_of, rows_of(database, "SELECT * FROM overviews ORDER BY id", {})))


def _copy_in(database: Database, overviews: Sequence[Overview]) -> None:
    database.execute("DELETE FROM overviews")
    for overview in overviews:
        database.execute(INSERT, overview_row(overview))
