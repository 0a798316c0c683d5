"""Datasets in SQL: rows to values and back, found by what names them, and the acts that change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from psycopg import sql

from gateway.model import AuditRow, Dataset, utc_text
from gateway.records.changes import Change, Verdict, same_verdict
from gateway.records.postgres import audit_rows, collections, smallpictures
from gateway.records.postgres.connection import Bounded, one
from gateway.records.rows import Row, dataset_of, dataset_row, fold

COLUMNS = """id, root, key, title, owner, visibility, download, version, size_bytes, sha256, origin,
    report::text AS report, raster, collection, start_at, end_at, dated_by, footprint, properties::text AS properties,
    created_at, updated_at"""
# Two would tell that a prefix is not unique; more are named in the complaint.
MOST_IDS = 5
IDS = "SELECT id FROM datasets WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id LIMIT %(most)s"


def columns_of(dataset: Dataset) -> Row:
    """Return the columns of a dataset, those that are looked for in any case among them."""
    return {**dataset_row(dataset), "title_folded": fold(dataset.title), "key_folded": fold(dataset.key)}


def of_row(row: Row) -> Dataset:
    """Return the dataset of a row of COLUMNS."""
    times = {name: utc_text(row[name]) for name in ("start_at", "end_at", "created_at", "updated_at")}
    return dataset_of({**row, **times})


def select(where: str) -> sql.SQL:
    """Return the query for datasets under a condition, in which no text of others stands."""
    return sql.SQL(f"SELECT {COLUMNS} FROM datasets WHERE {where}")  # noqa: S608


def by_id(connection: Bounded, dataset_id: str, lock: str = "") -> Dataset | None:
    """Return the dataset with this id, or None; `lock` is the clause that keeps others from changing it."""
    found = connection.execute(select(f"id = %s {lock}"), [dataset_id]).fetchone()
    return of_row(found) if found else None


def ids(connection: Bounded, prefix: str, removed: bool) -> tuple[str, ...]:
    """Return the first ids that begin like this, also those of audit rows where `removed` ones count."""
    # Ids are of hyphens, digits and small letters: "~" comes behind all of them.
    values = {"first": prefix, "last": prefix + "~", "most": MOST_IDS}
    found = {row["id"] for row in connection.execute(IDS, values)}
    if removed:
        found |= audit_rows.dataset_ids(connection, prefix, MOST_IDS)
    return tuple(sorted(found)[:MOST_IDS])


def at(connection: Bounded, root: str, keys: Sequence[str]) -> dict[str, Dataset]:
    """Return the datasets whose objects lie at these keys, by key."""
    found = connection.execute(select("root = %s AND key = ANY(%s)"), [root, list(keys)])
    return {row["key"]: of_row(row) for row in found}


def has_title(connection: Bounded, title: str) -> bool:
    """Return whether a dataset has exactly this title."""
    return bool(one(connection, "SELECT EXISTS (SELECT 1 FROM datasets WHERE title = %s)", [title]))


def register(connection: Bounded, new: Sequence[tuple[Dataset, AuditRow]]) -> set[str]:
    """Return the ids of the new datasets; those whose id or object is on record are passed over. In a transaction."""
    for collection, at in sorted({dataset.collection: row.at for dataset, row in new}.items()):
        collections.make(connection, collection, at)
    # In one order everywhere, so that two who register the same ones do not wait for each other.
    ids = {one.id for one, _ in sorted(new, key=lambda pair: pair[0].id) if _insert(connection, one)}
    audit_rows.append(connection, [row for dataset, row in new if dataset.id in ids])
    return ids


def _insert(connection: Bounded, dataset: Dataset) -> bool:
    columns = columns_of(dataset)
    statement = sql.SQL("INSERT INTO datasets ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(map(sql.Placeholder, columns))
    )
    if not connection.execute(statement, columns).rowcount:
        return False
    smallpictures.keep(connection, None, dataset)
    return True


def change(connection: Bounded, dataset_id: str, wanted: Change, row: AuditRow) -> Dataset | None:
    """Return the dataset after the change, or None where there is none. In a transaction."""
    known = by_id(connection, dataset_id, "FOR UPDATE")
    return None if known is None else _store(connection, known, replace(wanted.of(known), updated_at=row.at), row)


def judge(connection: Bounded, known: Dataset, verdict: Verdict, row: AuditRow, wanted: Change) -> Dataset | None:
    """Return the dataset with verdict and change, None where its verdict is not that of `known`. In a transaction."""
    now = by_id(connection, known.id, "FOR UPDATE")
    if now is None or not same_verdict(now, known):
        return None
    then = verdict.of(wanted.of(now))
    # The same verdict at another moment is no change of what the dataset is.
    return _store(connection, now, replace(then, updated_at=now.updated_at if then == now else row.at), row)


def _store(connection: Bounded, known: Dataset, now: Dataset, row: AuditRow) -> Dataset:
    """Return the dataset as it is stored: the columns in which it differs from what this transaction has read."""
    before, after = columns_of(known), columns_of(now)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if "collection" in changed:
        collections.make(connection, now.collection, row.at)
    if changed:
        parts = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changed]
        statement = sql.SQL("UPDATE datasets SET {} WHERE id = {}").format(
            sql.SQL(", ").join(parts), sql.Literal(known.id)
        )
        connection.execute(statement, changed)
    smallpictures.keep(connection, known, now)
    audit_rows.append(connection, [row])
    return dataset_of(after)


def remove(connection: Bounded, dataset_id: str, row: AuditRow) -> bool:
    """Return whether the dataset was there; its grants go with it."""
    if connection.execute("DELETE FROM datasets WHERE id = %s", [dataset_id]).rowcount == 0:
        return False
    audit_rows.append(connection, [row])
    return True
