"""What another database holds, stored as it is there."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from gateway.catalogue.collections import Collection
from gateway.model import Dataset, Grant
from gateway.records.base import UserState
from gateway.records.postgres.collections import store
from gateway.records.postgres.connection import Bounded
from gateway.records.postgres.datasets import columns_of
from gateway.records.postgres.people import ADD_GRANT, SET_DISABLED
from gateway.records.rows import grantee


def copy_collections_in(connection: Bounded, collections: Sequence[Collection]) -> None:
    """Store collections in place of those that are there, in one transaction."""
    with connection.transaction():
        for collection in collections:
            store(connection, collection)


def copy_in(
    connection: Bounded, datasets: Sequence[Dataset], grants: Sequence[Grant], users: Sequence[UserState]
) -> None:
    """Store datasets, all their grants, and users, in place of those that are there, in one transaction."""
    with connection.transaction():
        for dataset in datasets:
            columns = columns_of(dataset)
            names = [sql.Identifier(name) for name in columns]
            changes = [sql.SQL("{name} = excluded.{name}").format(name=name) for name in names]
            statement = sql.SQL("INSERT INTO datasets ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}").format(
                *(sql.SQL(", ").join(parts) for parts in (names, map(sql.Placeholder, columns), changes))
            )
            connection.execute(statement, columns)
        connection.execute("DELETE FROM grants WHERE dataset_id = ANY(%s)", [[dataset.id for dataset in datasets]])
        for grant in grants:
            kind, name = grantee(grant.user, grant.role)
            connection.execute(ADD_GRANT, [grant.dataset_id, kind, name, grant.level.value])
        for user in users:
            connection.execute(SET_DISABLED, [user.name, user.disabled])
