"""What another database holds, stored as it is there."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalogue.collections import Collection
from gateway.model import Dataset, Grant
from gateway.records.base import UserState
from gateway.records.rows import collection_row, dataset_row, grantee
from gateway.records.sqlite.library import Database


def copy_collections_in(database: Database, collections: Sequence[Collection]) -> None:
    """Store collections in place of those that are there. In a transaction."""
    for collection in collections:
        database.table("collections").upsert(collection_row(collection), pk="id")


def copy_in(
    database: Database, datasets: Sequence[Dataset], grants: Sequence[Grant], users: Sequence[UserState]
) -> None:
    """Store datasets, all their grants, and users, in place of those that are there. In a transaction."""
    for dataset in datasets:
        columns = dataset_row(dataset)
        names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join(f":{name}" for name in columns)
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in columns)
        sql = f"INSERT INTO datasets ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {changes}"  # noqa: S608
        database.execute(sql, columns)
        database.execute("DELETE FROM grants WHERE dataset_id = ?", [dataset.id])
    for grant in grants:
        values = [grant.dataset_id, *grantee(grant.user, grant.role), grant.level.value]
        database.execute("INSERT INTO grants (dataset_id, kind, name, level) VALUES (?, ?, ?, ?)", values)
    for user in users:
        database.table("users").upsert({"name": user.name, "disabled": int(user.disabled)}, pk="name")
