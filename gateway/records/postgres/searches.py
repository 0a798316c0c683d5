"""Stored searches in SQL, and which roles see something of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.catalogue.layers import StoredSearch
from gateway.model import AuditRow, utc_text
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded
from gateway.records.postgres.pool import Pool
from gateway.records.rows import Row, search_row, stored_search_of

COLUMNS = "id, body::text AS body, title, style::text AS style, owner, created_at, makers::text AS makers"
# Of searches that are there already, whoever made them first is their maker.
MAKERS = (
    "ALTER TABLE searches ADD COLUMN makers jsonb NOT NULL DEFAULT '[]'",
    "UPDATE searches SET makers = jsonb_build_array(owner) WHERE owner IS NOT NULL",
)
BY_MAKER = {"searches_by_maker": "ON searches USING gin (makers) WITH (fastupdate = off)"}
# One maker's searches are counted and stored one after the other.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('search ' || %(maker)s::text, 0))"
THEIRS = "SELECT 1 FROM searches WHERE id = %(id)s AND makers ? %(maker)s"
COUNTED = "SELECT 1 FROM searches WHERE makers ? %(maker)s LIMIT %(most)s"
INSERT = """INSERT INTO searches (id, body, title, style, owner, created_at, makers)
    VALUES (%(id)s, %(body)s, %(title)s, %(style)s, %(owner)s, %(created_at)s, %(makers)s) ON CONFLICT DO NOTHING"""
ADD_MAKER = """UPDATE searches SET makers = makers || to_jsonb(%(maker)s::text)
    WHERE id = %(id)s AND NOT makers ? %(maker)s"""
TAKE_MAKER = "UPDATE searches SET makers = makers - %(maker)s::text WHERE id = %(id)s AND makers ? %(maker)s"
SEEING = """SELECT role FROM unnest(%(roles)s::text[]) AS role WHERE EXISTS (
    SELECT 1 FROM dataset_audiences WHERE audience = 'role:' || role {which})"""


def _of_row(row: Row) -> StoredSearch:
    return stored_search_of({**row, "created_at": utc_text(row["created_at"])})


class PostgresSearches:
    """The stored searches in one database (a `StoredSearchRecords`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def store(self, search: StoredSearch, most: int, row: AuditRow) -> bool | None:
        """Return whether the search is on record now as a new one, None where its owner has made `most` others."""
        return self._pool.write([row], _store, search, most, row)

    def drop(self, search_id: str, maker: str | None, row: AuditRow) -> bool:
        """Return whether a maker was taken from a search; it is gone with the last one, and for None at once."""
        return self._pool.write([row], _drop, search_id, maker, row)

    def by_id(self, search_id: str) -> StoredSearch | None:
        """Return the search with this id, or None."""
        return self._pool.run(_by_id, search_id)

    def after(self, search_id: str, limit: int = 100) -> tuple[StoredSearch, ...]:
        """Return the searches that come after an id, by id."""
        return self._pool.run(_after, search_id, limit)

    def copy_in(self, found: Sequence[StoredSearch]) -> None:
        """Store searches of another database, as they are there."""
        self._pool.run(_copy_in, found)

    def clear(self) -> None:
        """Forget all."""
        self._pool.run(_clear)


def _store(connection: Bounded, search: StoredSearch, most: int, row: AuditRow) -> bool | None:
    """Return whether the search is new, None where its owner has made `most` others. In a transaction."""
    maker = search.owner
    if maker is not None:
        values = {"id": search.id, "maker": maker, "most": most}
        connection.execute(ALONE, values)
        if connection.execute(THEIRS, values).fetchone():
            return False
        if len(connection.execute(COUNTED, values).fetchall()) >= most:
            return None
    makers = () if maker is None else (maker,)
    new = connection.execute(INSERT, search_row(replace(search, makers=makers))).rowcount > 0
    joined = maker is not None and not new and _changed(connection, ADD_MAKER, search.id, maker)
    if new or joined:
        audit_rows.append(connection, [row])
    return new


def _drop(connection: Bounded, search_id: str, maker: str | None, row: AuditRow) -> bool:
    """Return whether a maker was taken from a search, and with the last one it. In a transaction."""
    if maker is not None and not _changed(connection, TAKE_MAKER, search_id, maker):
        return False
    left = "" if maker is None else "AND makers = '[]'"
    gone = connection.execute(f"DELETE FROM searches WHERE id = %s {left}", [search_id]).rowcount > 0  # noqa: S608
    if gone or maker is not None:
        audit_rows.append(connection, [row])
    return gone or maker is not None


def _clear(connection: Bounded) -> None:
    """Forget all."""
    connection.execute("DELETE FROM searches")


def _changed(connection: Bounded, statement: str, search_id: str, maker: str) -> bool:
    return connection.execute(statement, {"id": search_id, "maker": maker}).rowcount > 0


def _by_id(connection: Bounded, search_id: str) -> StoredSearch | None:
    """Return the search with this id, or None."""
    found = connection.execute(f"SELECT {COLUMNS} FROM searches WHERE id = %s", [search_id]).fetchone()  # noqa: S608
    return _of_row(found) if found else None


def _after(connection: Bounded, search_id: str, limit: int) -> tuple[StoredSearch, ...]:
    """Return the searches that come after an id."""
    sql = f"SELECT {COLUMNS} FROM searches WHERE id > %s ORDER BY id LIMIT %s"  # noqa: S608 - no text of others
    return tuple(map(_of_row, connection.execute(sql, [search_id, limit])))


def _copy_in(connection: Bounded, searches: Sequence[StoredSearch]) -> None:
    """Store searches, in one transaction; one that is there is the same."""
    with connection.transaction():
        for search in searches:
            connection.execute(INSERT, search_row(search))


def roles_that_see(connection: Bounded, roles: Iterable[str], collection: str | None) -> frozenset[str]:
    """Return those roles to which a dataset of a collection, or of any, was granted."""
    sql = SEEING.format(which="" if collection is None else "AND collection = %(collection)s")
    found = connection.execute(sql, {"roles": sorted(roles), "collection": collection})
    return frozenset(row["role"] for row in found)
