"""Stored searches in SQL, and which roles see something of a layer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.catalogue.layers import StoredSearch
from gateway.model import AuditRow
from gateway.records.rows import search_row, stored_search_of
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.connection import Connections, rows_of
from gateway.records.sqlite.library import Database

TABLE = """CREATE TABLE searches (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    title TEXT,
    style TEXT NOT NULL,
    owner TEXT,
    created_at TEXT NOT NULL
)"""
# Of searches that are there already, whoever made them first is their maker.
MAKERS = (
    "ALTER TABLE searches ADD COLUMN makers TEXT NOT NULL DEFAULT '[]'",
    "UPDATE searches SET makers = json_array(owner) WHERE owner IS NOT NULL",
)
# Who has made how many is counted by them: kept true by triggers, whichever way a search comes and goes.
OF_MAKERS = "SELECT value FROM json_each({row}.makers)"
LEFT = f"""DELETE FROM search_makers
    WHERE search_id = OLD.id AND maker IN ({OF_MAKERS.format(row="OLD")}{{kept}})"""  # noqa: S608 - no text of others
CAME = f"""INSERT OR IGNORE INTO search_makers (maker, search_id)
    SELECT value, NEW.id FROM ({OF_MAKERS.format(row="NEW")}{{known}})"""  # noqa: S608 - no text of others
BY_MAKER = (
    """CREATE TABLE search_makers (
        maker TEXT NOT NULL,
        search_id TEXT NOT NULL,
        PRIMARY KEY (maker, search_id)
    ) WITHOUT ROWID""",
    """INSERT OR IGNORE INTO search_makers (maker, search_id)
        SELECT value, searches.id FROM searches, json_each(makers)""",
    f"CREATE TRIGGER searches_insert_made AFTER INSERT ON searches BEGIN {CAME.format(known='')}; END",
    f"""CREATE TRIGGER searches_update_made AFTER UPDATE OF makers ON searches BEGIN
        {LEFT.format(kept=" EXCEPT " + OF_MAKERS.format(row="NEW"))};
        {CAME.format(known=" EXCEPT " + OF_MAKERS.format(row="OLD"))};
    END""",
    f"CREATE TRIGGER searches_delete_made AFTER DELETE ON searches BEGIN {LEFT.format(kept='')}; END",
)
THEIRS = "SELECT 1 FROM search_makers WHERE maker = :maker AND search_id = :id"
COUNTED = "SELECT 1 FROM search_makers WHERE maker = :maker LIMIT :most"
INSERT = """INSERT INTO searches (id, body, title, style, owner, created_at, makers)
    VALUES (:id, :body, :title, :style, :owner, :created_at, :makers) ON CONFLICT DO NOTHING"""
IS_MAKER = "EXISTS (SELECT 1 FROM json_each(makers) WHERE value = :maker)"
ADD_MAKER = f"""UPDATE searches SET makers = json_insert(makers, '$[#]', :maker)
    WHERE id = :id AND NOT {IS_MAKER}"""  # noqa: S608 - no text of others
TAKE_MAKER = f"""UPDATE searches SET makers = (
        SELECT json_group_array(value ORDER BY key) FROM json_each(makers) WHERE value <> :maker)
    WHERE id = :id AND {IS_MAKER}"""  # noqa: S608 - no text of others
SEEING = """SELECT value AS role FROM json_each(:roles) WHERE EXISTS (
    SELECT 1 FROM dataset_audiences WHERE audience = 'role:' || value {which})"""


class SqliteSearches:
    """The stored searches in one file (a `StoredSearchRecords`)."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def store(self, search: StoredSearch, most: int, row: AuditRow) -> bool | None:
        """Return whether the search is on record now as a new one, None where its owner has made `most` others."""
        return self._connections.write(_store, search, most, row)

    def drop(self, search_id: str, maker: str | None, row: AuditRow) -> bool:
        """Return whether a maker was taken from a search; it is gone with the last one, and for None at once."""
        return self._connections.write(_drop, search_id, maker, row)

    def by_id(self, search_id: str) -> StoredSearch | None:
        """Return the search with this id, or None."""
        return self._connections.run(_by_id, search_id)

    def after(self, search_id: str, limit: int = 100) -> tuple[StoredSearch, ...]:
        """Return the searches that come after an id, by id."""
        return self._connections.run(_after, search_id, limit)

    def copy_in(self, found: Sequence[StoredSearch]) -> None:
        """Store searches of another database, as they are there."""
        self._connections.write(_copy_in, found)

    def clear(self) -> None:
        """Forget all."""
        self._connections.write(_clear)


def _store(database: Database, search: StoredSearch, most: int, row: AuditRow) -> bool | None:
    """Return whether the search is new, None where its owner has made `most` others. In a transaction."""
    maker = search.owner
    if maker is not None:
        values = {"id": search.id, "maker": maker, "most": most}
        if rows_of(database, THEIRS, values):
            return False
        if len(rows_of(database, COUNTED, values)) >= most:
            return None
    makers = () if maker is None else (maker,)
    new = database.execute(INSERT, search_row(replace(search, makers=makers))).rowcount > 0
    joined = maker is not None and not new and _changed(database, ADD_MAKER, search.id, maker)
    if new or joined:
        audit_rows.append(database, [row])
    return new


def _drop(database: Database, search_id: str, maker: str | None, row: AuditRow) -> bool:
    """Return whether a maker was taken from a search, and with the last one it. In a transaction."""
    if maker is not None and not _changed(database, TAKE_MAKER, search_id, maker):
        return False
    left = "" if maker is None else "AND makers = '[]'"
    gone = database.execute(f"DELETE FROM searches WHERE id = ? {left}", [search_id]).rowcount > 0  # noqa: S608
    if gone or maker is not None:
        audit_rows.append(database, [row])
    return gone or maker is not None


def _clear(database: Database) -> None:
    """Forget all. In a transaction."""
    database.execute("DELETE FROM searches")


def _changed(database: Database, statement: str, search_id: str, maker: str) -> bool:
    return bool(database.execute(statement, {"id": search_id, "maker": maker}).rowcount > 0)


def _by_id(database: Database, search_id: str) -> StoredSearch | None:
    """Return the search with this id, or None."""
    found = rows_of(database, "SELECT * FROM searches WHERE id = :id", {"id": search_id})
    return stored_search_of(found[0]) if found else None


def _after(database: Database, search_id: str, limit: int) -> tuple[StoredSearch, ...]:
    """Return the searches that come after an id; a database of an older release has none."""
    if "searches" not in database.table_names():
        return ()
    wanted = {"after": search_id, "limit": limit}
    found = rows_of(database, "SELECT * FROM searches WHERE id > :after ORDER BY id LIMIT :limit", wanted)
    return tuple(map(stored_search_of, found))


def _copy_in(database: Database, searches: Sequence[StoredSearch]) -> None:
    """Store searches; one that is there is the same. In a transaction."""
    for search in searches:
        database.execute(INSERT, search_row(search))


def roles_that_see(database: Database, roles: Iterable[str], collection: str | None) -> frozenset[str]:
    """Return those roles to which a dataset of a collection, or of any, was granted."""
    sql = SEEING.format(which="" if collection is None else "AND collection = :collection")
    found = rows_of(database, sql, {"roles": json.dumps(sorted(roles)), "collection": collection})
    return frozenset(row["role"] for row in found)
