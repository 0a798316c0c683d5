"""Collections in SQL: their records, and what each reader sees of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gateway.catalogue.collections import Collection, CollectionChange, SeenCollection, collection_of_root
from gateway.errors import BadParameter
from gateway.model import AuditRow, Principal, utc_moment
from gateway.records.audiences import audiences_of, own_audiences_of, sees_empty, target_of
from gateway.records.deadlines import COLLECTIONS_SECONDS
from gateway.records.extents import seen_of
from gateway.records.rows import Row, collection_of, collection_row
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.cells import EXTENTS
from gateway.records.sqlite.connection import rows_of
from gateway.records.sqlite.library import Database
from gateway.records.sqlite.reading import as_of_one_moment

NEXT = """SELECT * FROM collections WHERE id > :after AND (:collection IS NULL OR id = :collection)
    AND (:all OR EXISTS (SELECT 1 FROM dataset_audiences
        WHERE audience IN (SELECT value FROM json_each(:audiences)) AND collection = collections.id
            AND (:dataset IS NULL OR dataset_id = :dataset)))
    ORDER BY id LIMIT :limit"""
# What the one dataset of a reader's token comes to, in the columns of EXTENTS.
OF_ONE = """SELECT collection, 1 AS number, west, east, south, north, start_at AS first, end_at AS last
    FROM dataset_audiences WHERE dataset_id = :dataset AND audience IN (SELECT value FROM json_each(:audiences))
        AND collection IN (SELECT value FROM json_each(:collections)) LIMIT 1"""

# Datasets that a reader sees by several grants, in collections where that may be: how many rows too many they have.
DOUBLED = """SELECT collection, count(*) - count(DISTINCT dataset_id) AS number FROM dataset_audiences
    WHERE audience IN (SELECT value FROM json_each(:own)) AND collection IN (
        SELECT collection FROM collection_cells WHERE audience IN (SELECT value FROM json_each(:own))
            AND collection IN (SELECT value FROM json_each(:collections))
        GROUP BY collection HAVING count(DISTINCT audience) > 1)
    GROUP BY collection"""


def by_id(database: Database, collection_id: str) -> Collection | None:
    """Return the collection with this id, or None."""
    found = rows_of(database, "SELECT * FROM collections WHERE id = :id", {"id": collection_id})
    return collection_of(found[0]) if found else None


def seen(database: Database, reader: Principal | None, after: str, limit: int) -> tuple[SeenCollection, ...]:
    """Return the collections of which a reader sees a dataset, by id."""
    target, audiences = target_of(reader), json.dumps(audiences_of(reader))
    values = {"after": after, "limit": limit, "all": sees_empty(reader), "audiences": audiences}
    values |= {"collection": target.collection, "dataset": target.dataset_id}
    with as_of_one_moment(database, reader, COLLECTIONS_SECONDS):
        if "collections" not in database.table_names():
            return _of_roots(database, values)
        found = [collection_of(row) for row in rows_of(database, NEXT, values)]
        return seen_of(found, *_extents(database, [each.id for each in found], reader))


def _of_roots(database: Database, values: Row) -> tuple[SeenCollection, ...]:
    """Return the collections that a database of an older release will have; it is read as it is."""
    roots: dict[str, datetime] = {}
    for row in rows_of(database, "SELECT root, min(created_at) AS at FROM datasets GROUP BY root", {}):
        roots[collection_of_root(row["root"])] = utc_moment(row["at"])
    found = sorted(name for name in roots if name > values["after"])[: values["limit"]]
    return seen_of((Collection(name, name, roots[name], roots[name]) for name in found), ())


def seen_one(database: Database, collection_id: str, reader: Principal | None) -> SeenCollection | None:
    """Return a collection as a reader sees it, None where they see no dataset of it."""
    with as_of_one_moment(database, reader, COLLECTIONS_SECONDS):
        # First: what there is and is hidden takes as long as what is missing.
        told = _extents(database, [collection_id], reader)
        if not told[0] and not sees_empty(reader):
            return None
        found = by_id(database, collection_id)
        if found is None or target_of(reader).collection not in (None, found.id):
            return None
        (one,) = seen_of([found], *told)
    return one if one.extent.count or sees_empty(reader) else None


def _extents(database: Database, ids: Sequence[str], reader: Principal | None) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return what tells of the extents of collections, and by how much too many it counts."""
    own = own_audiences_of(reader)
    texts = {"collections": list(ids), "audiences": audiences_of(reader), "own": own}
    values = {name: json.dumps(value) for name, value in texts.items()}
    if (only := target_of(reader).dataset_id) is not None:
        return rows_of(database, OF_ONE, values | {"dataset": only}), ()
    doubled = rows_of(database, DOUBLED, values) if len(own) > 1 else ()
    return rows_of(database, EXTENTS, values), doubled


def create(database: Database, collection: Collection, row: AuditRow) -> bool:
    """Return whether the collection is new. In a transaction."""
    if database.execute(*_insert(collection)).rowcount == 0:
        return False
    audit_rows.append(database, [row])
    return True


def _insert(collection: Collection) -> tuple[str, Row]:
    columns = collection_row(collection)
    names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    return f"INSERT INTO collections ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING", columns  # noqa: S608


def make(database: Database, collection_id: str, at: datetime) -> None:
    """Return when there is such a collection, made where it was missing: the act's own row names it."""
    database.execute(*_insert(Collection(collection_id, collection_id, at, at)))


def change(database: Database, collection_id: str, wanted: CollectionChange, row: AuditRow) -> Collection | None:
    """Return the collection after the change, or None where there is none. In a transaction."""
    known = by_id(database, collection_id)
    if known is None:
        return None
    columns = collection_row(replace(wanted.of(known), updated_at=row.at))
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    database.execute(f"UPDATE collections SET {changes} WHERE id = :id", columns)  # noqa: S608
    audit_rows.append(database, [row])
    return collection_of(columns)


def remove(database: Database, collection_id: str, row: AuditRow) -> bool:
    """Return whether the collection was there; raises BadParameter where it has datasets. In a transaction."""
    held = "SELECT 1 AS found FROM datasets WHERE collection = :id LIMIT 1"
    if rows_of(database, held, {"id": collection_id}):
        raise BadParameter(f"The collection {collection_id} is not empty.")
    if database.execute("DELETE FROM collections WHERE id = ?", [collection_id]).rowcount == 0:
        return False
    audit_rows.append(database, [row])
    return True
