"""Stored searches in SQL, and which roles see something of a layer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from gateway.catalogue.layers import StoredSearch
from gateway.model import AuditRow
from gateway.records.rows import search_row, stored_search_of
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.connection import rows_of
from gateway.records.sqlite.library import Database

TABLE = """CREATE TABLE searches (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    title TEXT,
    style TEXT NOT NULL,
    owner TEXT,
    created_at TEXT NOT NULL
)"""
INSERT = """INSERT INTO searches (id, body, title, style, owner, created_at)
    VALUES (:id, :body, :title, :style, :owner, :created_at) ON CONFLICT DO NOTHING"""
SEEING = """SELECT value AS role FROM json_each(:roles) WHERE EXISTS (
    SELECT 1 FROM dataset_audiences WHERE audience = 'role:' || value {which})"""


def store(database: Database, search: StoredSearch, row: AuditRow) -> bool:
    """Return whether the search is new. In a transaction."""
    if database.execute(INSERT, search_row(search)).rowcount == 0:
        return False
    audit_rows.append(database, [row])
    return True


def by_id(database: Database, search_id: str) -> StoredSearch | None:
    """Return the search with this id, or None."""
    found = rows_of(database, "SELECT * FROM searches WHERE id = :id", {"id": search_id})
    return stored_search_of(found[0]) if found else None


def after(database: Database, search_id: str, limit: int) -> tuple[StoredSearch, ...]:
    """Return the searches that come after an id; a database of an older release has none."""
    if "searches" not in database.table_names():
        return ()
    wanted = {"after": search_id, "limit": limit}
    found = rows_of(database, "SELECT * FROM searches WHERE id > :after ORDER BY id LIMIT :limit", wanted)
    return tuple(map(stored_search_of, found))


def copy_in(database: Database, searches: Sequence[StoredSearch]) -> None:
    """Store searches; one that is there is the same. In a transaction."""
    for search in searches:
        database.execute(INSERT, search_row(search))


def roles_that_see(database: Database, roles: Iterable[str], collection: str | None) -> frozenset[str]:
    """Return those roles to which a dataset of a collection, or of any, was granted."""
    sql = SEEING.format(which="" if collection is None else "AND collection = :collection")
    found = rows_of(database, sql, {"roles": json.dumps(sorted(roles)), "collection": collection})
    return frozenset(row["role"] for row in found)
