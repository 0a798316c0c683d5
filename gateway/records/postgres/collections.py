"""Collections in SQL: their records, and what each reader sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from psycopg import sql
from psycopg.errors import ForeignKeyViolation

from gateway.catalogue.collections import Collection, CollectionChange, SeenCollection
from gateway.errors import BadParameter
from gateway.model import AuditRow, Principal, utc_text
from gateway.records.audiences import audiences_of, own_audiences_of, sees_empty, target_of
from gateway.records.deadlines import COLLECTIONS_SECONDS
from gateway.records.extents import seen_of
from gateway.records.postgres import audit_rows
from gateway.records.postgres.cells import EXTENTS
from gateway.records.postgres.connection import Bounded
from gateway.records.rows import Row, collection_of, collection_row

COLUMNS = """id, title, description, license, keywords::text AS keywords, providers::text AS providers,
    created_at, updated_at"""
BY_ID = f"SELECT {COLUMNS} FROM collections WHERE id = %s"  # noqa: S608 - no text of others
NEXT = f"""SELECT {COLUMNS} FROM collections WHERE id > %(after)s
    AND (%(collection)s::text IS NULL OR id = %(collection)s)
    AND (%(all)s OR EXISTS (SELECT 1 FROM dataset_audiences
        WHERE audience = ANY(%(audiences)s) AND collection = collections.id
            AND (%(dataset)s::text IS NULL OR dataset_id = %(dataset)s)))
    ORDER BY id LIMIT %(limit)s"""  # noqa: S608 - no text of others
# What the one dataset of a reader's token comes to, in the columns of EXTENTS.
OF_ONE = """SELECT collection, 1 AS number, (place[1])[0] AS west, (place[0])[0] AS east, (place[1])[1] AS south,
        (place[0])[1] AS north, start_at AS first, end_at AS last
    FROM dataset_audiences WHERE dataset_id = %(dataset)s AND audience = ANY(%(audiences)s)
        AND collection = ANY(%(collections)s) LIMIT 1"""
# Datasets that a reader sees by several grants, in collections where that may be: how many rows too many they have.
DOUBLED = """SELECT collection, count(*) - count(DISTINCT dataset_id) AS number FROM dataset_audiences
    WHERE audience = ANY(%(own)s) AND collection IN (
        SELECT collection FROM collection_cells WHERE audience = ANY(%(own)s) AND collection = ANY(%(collections)s)
        GROUP BY collection HAVING count(DISTINCT audience) > 1)
    GROUP BY collection"""
INSERT = """INSERT INTO collections (id, title, description, license, keywords, providers, created_at, updated_at)
    VALUES (%(id)s, %(title)s, %(description)s, %(license)s, %(keywords)s, %(providers)s, %(created_at)s,
        %(updated_at)s) ON CONFLICT """
UPDATED = ", ".join(
    f"{name} = excluded.{name}"
    for name in ("title", "description", "license", "keywords", "providers", "created_at", "updated_at")
)


def _of_row(row: Row) -> Collection:
    times = {name: utc_text(row[name]) for name in ("created_at", "updated_at")}
    return collection_of({**row, **times})


def by_id(connection: Bounded, collection_id: str, lock: str = "") -> Collection | None:
    """Return the collection with this id, or None; `lock` is the clause that keeps others from changing it."""
    found = connection.execute(sql.SQL(f"{BY_ID} {lock}"), [collection_id]).fetchone()
    return _of_row(found) if found else None


def seen(connection: Bounded, reader: Principal | None, after: str, limit: int) -> tuple[SeenCollection, ...]:
    """Return the collections of which a reader sees a dataset, by id."""
    target = target_of(reader)
    values = {"after": after, "limit": limit, "all": sees_empty(reader), "audiences": list(audiences_of(reader))}
    values |= {"collection": target.collection, "dataset": target.dataset_id}
    with connection.as_of_one_moment(COLLECTIONS_SECONDS):
        found = [_of_row(row) for row in connection.execute(NEXT, values)]
        return seen_of(found, *_extents(connection, [each.id for each in found], reader))


def seen_one(connection: Bounded, collection_id: str, reader: Principal | None) -> SeenCollection | None:
    """Return a collection as a reader sees it, None where they see no dataset of it."""
    with connection.as_of_one_moment(COLLECTIONS_SECONDS):
        # First: what there is and is hidden takes as long as what is missing.
        told = _extents(connection, [collection_id], reader)
        if not told[0] and not sees_empty(reader):
            return None
        found = by_id(connection, collection_id)
        if found is None or target_of(reader).collection not in (None, found.id):
            return None
        (one,) = seen_of([found], *told)
    return one if one.extent.count or sees_empty(reader) else None


def _extents(
    connection: Bounded, ids: Sequence[str], reader: Principal | None
) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return what tells of the extents of collections, and by how much too many it counts."""
    own = list(own_audiences_of(reader))
    values: Row = {"collections": list(ids), "audiences": list(audiences_of(reader)), "own": own}
    if (only := target_of(reader).dataset_id) is not None:
        return connection.execute(OF_ONE, values | {"dataset": only}).fetchall(), ()
    doubled = connection.execute(DOUBLED, values).fetchall() if len(own) > 1 else ()
    return connection.execute(EXTENTS, values).fetchall(), doubled


def create(connection: Bounded, collection: Collection, row: AuditRow) -> bool:
    """Return whether the collection is new. In a transaction."""
    if connection.execute(INSERT + "DO NOTHING", collection_row(collection)).rowcount == 0:
        return False
    audit_rows.append(connection, [row])
    return True


def store(connection: Bounded, collection: Collection) -> None:
    """Store a collection in place of one that is there."""
    connection.execute(f"{INSERT}(id) DO UPDATE SET {UPDATED}", collection_row(collection))


def make(connection: Bounded, collection_id: str, at: datetime) -> None:
    """Return when there is such a collection, made where it was missing: the act's own row names it."""
    # Asked first: who inserts waits for everybody else that makes the same one.
    if by_id(connection, collection_id) is None:
        connection.execute(INSERT + "DO NOTHING", collection_row(Collection(collection_id, collection_id, at, at)))


def change(connection: Bounded, collection_id: str, wanted: CollectionChange, row: AuditRow) -> Collection | None:
    """Return the collection after the change, or None where there is none. In a transaction."""
    known = by_id(connection, collection_id, "FOR UPDATE")
    if known is None:
        return None
    now = replace(wanted.of(known), updated_at=row.at)
    store(connection, now)
    audit_rows.append(connection, [row])
    return collection_of(collection_row(now))


def remove(connection: Bounded, collection_id: str, row: AuditRow) -> bool:
    """Return whether the collection was there; raises BadParameter where it has datasets. In a transaction."""
    try:
        if connection.execute("DELETE FROM collections WHERE id = %s", [collection_id]).rowcount == 0:
            return False
    except ForeignKeyViolation:
        raise BadParameter(f"The collection {collection_id} is not empty.") from None
    audit_rows.append(connection, [row])
    return True
