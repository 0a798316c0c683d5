"""Datasets in SQL: rows to values and back, found by what names them, and the acts that change them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from gateway.model import AuditRow, Dataset
from gateway.records.changes import Change, Verdict, same_verdict
from gateway.records.rows import dataset_of, dataset_row
from gateway.records.sqlite import audit_rows, collections, smallpictures
from gateway.records.sqlite.connection import rows_of
from gateway.records.sqlite.library import Database

# Two would tell that a prefix is not unique; more are named in the complaint.
MOST_IDS = 5
IDS = "SELECT id FROM datasets WHERE id BETWEEN :first AND :last ORDER BY id LIMIT :most"
RECORDED_IDS = """SELECT DISTINCT dataset_id AS id FROM audit
    WHERE dataset_id BETWEEN :first AND :last ORDER BY dataset_id LIMIT :most"""
AT = 'SELECT * FROM datasets WHERE root = :root AND "key" IN (SELECT value FROM json_each(:keys))'


def by_id(database: Database, dataset_id: str) -> Dataset | None:
    """Return the dataset with this id, or None."""
    found = rows_of(database, "SELECT * FROM datasets WHERE id = :id", {"id": dataset_id})
    return dataset_of(found[0]) if found else None


def ids(database: Database, prefix: str, removed: bool) -> tuple[str, ...]:
    """Return the first ids that begin like this, also those of audit rows where `removed` ones count."""
    # Ids are of hyphens, digits and small letters: "~" comes behind all of them.
    values = {"first": prefix, "last": prefix + "~", "most": MOST_IDS}
    found = [row["id"] for row in rows_of(database, IDS, values)]
    if removed:
        found += [row["id"] for row in rows_of(database, RECORDED_IDS, values)]
    return tuple(sorted(set(found))[:MOST_IDS])


def at(database: Database, root: str, keys: Sequence[str]) -> dict[str, Dataset]:
    """Return the datasets whose objects lie at these keys, by key."""
    # Not as ASCII: what is no Unicode must be refused where it is bound, and not be looked for as something else.
    values = {"root": root, "keys": json.dumps(list(keys), ensure_ascii=False)}
    return {row["key"]: dataset_of(row) for row in rows_of(database, AT, values)}


def has_title(database: Database, title: str) -> bool:
    """Return whether a dataset has exactly this title."""
    return bool(rows_of(database, "SELECT 1 AS found FROM datasets WHERE title = :title LIMIT 1", {"title": title}))


def register(database: Database, dataset: Dataset, row: AuditRow) -> bool:
    """Return whether the dataset is new; nothing is stored where its id or its object is on record already."""
    known = 'SELECT 1 AS found FROM datasets WHERE id = :id OR (root = :root AND "key" = :key)'
    columns = dataset_row(dataset)
    if rows_of(database, known, columns):
        return False
    collections.make(database, dataset.collection, row.at)
    names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join(f":{name}" for name in columns)
    sql = f"INSERT INTO datasets ({names}) VALUES ({marks})"  # noqa: S608
    database.execute(sql, columns)
    smallpictures.keep(database, None, dataset)
    audit_rows.append(database, [row])
    return True


def register_all(database: Database, new: Sequence[tuple[Dataset, AuditRow]]) -> set[str]:
    """Return the ids of the datasets that are new. In a transaction."""
    return {dataset.id for dataset, row in new if register(database, dataset, row)}


def change(database: Database, dataset_id: str, wanted: Change, row: AuditRow) -> Dataset | None:
    """Return the dataset after the change, or None where there is none. In a transaction."""
    known = by_id(database, dataset_id)
    return None if known is None else _store(database, known, replace(wanted.of(known), updated_at=row.at), row)


def judge(database: Database, known: Dataset, verdict: Verdict, row: AuditRow, wanted: Change) -> Dataset | None:
    """Return the dataset with verdict and change, None where its verdict is not that of `known`. In a transaction."""
    now = by_id(database, known.id)
    if now is None or not same_verdict(now, known):
        return None
    then = verdict.of(wanted.of(now))
    # The same verdict at another moment is no change of what the dataset is.
    return _store(database, now, replace(then, updated_at=now.updated_at if then == now else row.at), row)


def _store(database: Database, known: Dataset, now: Dataset, row: AuditRow) -> Dataset:
    """Return the dataset as it is stored: the columns in which it differs from what this transaction has read."""
    before, after = dataset_row(known), dataset_row(now)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if "collection" in changed:
        collections.make(database, now.collection, row.at)
    changes = ", ".join(f'"{name}" = :{name}' for name in changed)
    if changed:
        database.execute(f"UPDATE datasets SET {changes} WHERE id = :id", {**changed, "id": known.id})  # noqa: S608
    smallpictures.keep(database, known, now)
    audit_rows.append(database, [row])
    return dataset_of(after)


def remove(database: Database, dataset_id: str, row: AuditRow) -> bool:
    """Return whether the dataset was there; its grants go with it."""
    if database.execute("DELETE FROM datasets WHERE id = ?", [dataset_id]).rowcount == 0:
        return False
    audit_rows.append(database, [row])
    return True
