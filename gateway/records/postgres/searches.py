"""Stored searches in SQL, and which roles see something of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.catalogue.layers import StoredSearch
from gateway.model import AuditRow, utc_text
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded
from gateway.records.rows import Row, search_row, stored_search_of

COLUMNS = "id, body::text AS body, title, style::text AS style, owner, created_at"
INSERT = """INSERT INTO searches (id, body, title, style, owner, created_at)
    VALUES (%(id)s, %(body)s, %(title)s, %(style)s, %(owner)s, %(created_at)s) ON CONFLICT DO NOTHING"""
SEEING = """SELECT role FROM unnest(%(roles)s::text[]) AS role WHERE EXISTS (
    SELECT 1 FROM dataset_audiences WHERE audience = 'role:' || role {which})"""


def _of_row(row: Row) -> StoredSearch:
    return stored_search_of({**row, "created_at": utc_text(row["created_at"])})


def store(connection: Bounded, search: StoredSearch, row: AuditRow) -> bool:
    """Return whether the search is new. In a transaction."""
    if connection.execute(INSERT, search_row(search)).rowcount == 0:
        return False
    audit_rows.append(connection, [row])
    return True


def by_id(connection: Bounded, search_id: str) -> StoredSearch | None:
    """Return the search with this id, or None."""
    found = connection.execute(f"SELECT {COLUMNS} FROM searches WHERE id = %s", [search_id]).fetchone()  # noqa: S608
    return _of_row(found) if found else None


def after(connection: Bounded, search_id: str, limit: int) -> tuple[StoredSearch, ...]:
    """Return the searches that come after an id."""
    sql = f"SELECT {COLUMNS} FROM searches WHERE id > %s ORDER BY id LIMIT %s"  # noqa: S608 - no text of others
    return tuple(map(_of_row, connection.execute(sql, [search_id, limit])))


def copy_in(connection: Bounded, searches: Sequence[StoredSearch]) -> None:
    """Store searches, in one transaction; one that is there is the same."""
    with connection.transaction():
        for search in searches:
            connection.execute(INSERT, search_row(search))


def roles_that_see(connection: Bounded, roles: Iterable[str], collection: str | None) -> frozenset[str]:
    """Return those roles to which a dataset of a collection, or of any, was granted."""
    sql = SEEING.format(which="" if collection is None else "AND collection = %(collection)s")
    found = connection.execute(sql, {"roles": sorted(roles), "collection": collection})
    return frozenset(row["role"] for row in found)
