"""Records in PostgreSQL, for any number of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import psycopg

from gateway.catalogue.collections import Collection, CollectionChange, SeenCollection
from gateway.catalogue.layers import Outline
from gateway.catalogue.search import Page, Search
from gateway.errors import SettingsError
from gateway.model import AuditRow, Dataset, Grant, Principal
from gateway.records.base import (
    Archived,
    AuditQuery,
    DatasetPage,
    DatasetQuery,
    DownloadSummary,
    StoredAuditRow,
    UserState,
)
from gateway.records.changes import NO_CHANGE, Change, Verdict
from gateway.records.postgres import (
    audit_rows,
    collections,
    copying,
    datasets,
    health,
    listing,
    people,
    pruning,
    searches,
    searching,
)
from gateway.records.postgres.appending import Appender
from gateway.records.postgres.beacon import Beacon
from gateway.records.postgres.connection import Bounded, connect
from gateway.records.postgres.jobs import PostgresJobs
from gateway.records.postgres.lists import PostgresLists
from gateway.records.postgres.migrations import prepare, require_catalogue
from gateway.records.postgres.overviews import PostgresOverviews
from gateway.records.postgres.partitions import make, month_of, months
from gateway.records.postgres.pool import Pool
from gateway.records.postgres.smallpictures import PostgresSmallPictures
from gateway.records.postgres.standing import FollowedStandings
from gateway.records.postgres.tokens import PostgresTokens
from gateway.records.postgres.troubles import unserved
from gateway.records.postgres.upkeep import Upkeep
from gateway.records.standing import Holder, Standing


class PostgresRecords:
    """The catalogue and the audit in one database (a `Records`), its tables made or brought up to date.

    `owner_url` is that of the role that owns the tables; the role of `url` may own them as well. With `read_only`
    nothing is made or changed, and every method that writes raises RecordsUnavailable.
    """

    def __init__(self, url: str, owner_url: str | None = None, *, read_only: bool = False) -> None:
        there = require_catalogue(url) if read_only else prepare(url, owner_url)
        self._url, self._owner_url, self._read_only = url, owner_url or url, read_only
        self._pool, self._roomy = Pool(url, read_only=read_only), set(there)
        self.tokens, self.lists = PostgresTokens(self._pool), PostgresLists(self._pool)
        self.small_pictures, self.jobs = PostgresSmallPictures(self._pool), PostgresJobs(self._pool)
        self.overviews, self.searches = PostgresOverviews(self._pool), searches.PostgresSearches(self._pool)
        self._appender, self._beacon = Appender(url, read_only=read_only), Beacon(url, read_only=read_only)
        self.remembering = FollowedStandings(self._beacon, self._read_standing)
        self._upkeep = Upkeep(self._owner_url, there)

    def dataset(self, dataset_id: str) -> Dataset | None:
        """Return the dataset with this id, or None."""
        return self._pool.run(datasets.by_id, dataset_id)

    def standing(self, dataset_id: str, holder: Holder) -> Standing:
        """Return the dataset, its grants, and whether the holder is refused, as they are now."""
        return self.remembering.standing(dataset_id, holder)

    def _read_standing(self, dataset_id: str, holder: Holder) -> Standing:
        return self._pool.run(people.standing, dataset_id, holder)

    def dataset_ids(self, prefix: str, *, removed: bool = False) -> tuple[str, ...]:
        """Return the first few ids of datasets that begin like this."""
        return self._pool.run(datasets.ids, prefix, removed)

    def dataset_at(self, root: str, key: str) -> Dataset | None:
        """Return the dataset whose object lies at `key` in `root`, or None."""
        return self.datasets_at(root, [key]).get(key)

    def datasets_at(self, root: str, keys: Sequence[str]) -> dict[str, Dataset]:
        """Return those datasets whose objects lie at these keys in `root`, by key."""
        return self._pool.run(datasets.at, root, keys)

    def has_title(self, title: str) -> bool:
        """Return whether a dataset has exactly this title."""
        return self._pool.run(datasets.has_title, title)

    def register_dataset(self, dataset: Dataset, row: AuditRow) -> bool:
        """Return whether the dataset is on record now as a new one."""
        return dataset.id in self.register_datasets([(dataset, row)])

    def register_datasets(self, new: Sequence[tuple[Dataset, AuditRow]]) -> set[str]:
        """Return the ids of those datasets that are on record now as new ones."""
        return self._pool.write([row for _, row in new], datasets.register, new) if new else set()

    def change_dataset(self, dataset_id: str, change: Change, row: AuditRow) -> Dataset | None:
        """Return the dataset after the change, or None where there is none."""
        return self._pool.write([row], datasets.change, dataset_id, change, row)

    def judge_dataset(
        self, known: Dataset, verdict: Verdict, row: AuditRow, change: Change = NO_CHANGE
    ) -> Dataset | None:
        """Return the dataset with the verdict and the change; None where it was judged or removed meanwhile."""
        return self._pool.write([row], datasets.judge, known, verdict, row, change)

    def remove_dataset(self, dataset_id: str, row: AuditRow) -> bool:
        """Return whether there was such a dataset; it and its grants are gone."""
        return self._pool.write([row], datasets.remove, dataset_id, row)

    def find_datasets(self, query: DatasetQuery) -> DatasetPage:
        """Return the datasets that the query's principal may see."""
        return self._pool.run(listing.find, query)

    def every_dataset(self, query: DatasetQuery) -> Iterator[Dataset]:
        """Yield all datasets of the query, each page behind the last dataset of the one before."""
        page = self._pool.run(listing.behind, query, None)
        while page:
            yield from page
            page = self._pool.run(listing.behind, query, page[-1])

    def search(self, search: Search, reader: Principal | None) -> Page:
        """Return one page of the datasets that are looked for and that the reader may see."""
        return self._pool.run(searching.search, search, reader)

    def outline(self, search: Search, reader: Principal | None) -> Outline:
        """Return what the datasets that are looked for and that the reader may see come to."""
        return self._pool.run(searching.outline, search, reader)

    def roles_that_see(self, roles: Iterable[str], collection: str | None) -> frozenset[str]:
        """Return those roles to which a dataset of a collection, or of any, was granted."""
        return self._pool.run(searches.roles_that_see, roles, collection)

    def queryables(self, reader: Principal | None, collection: str | None = None) -> Mapping[str, frozenset[str]]:
        """Return the datasets' own properties that a reader may filter by, and the JSON types of each."""
        return self._pool.run(searching.queryables, reader, collection)

    def collections(
        self, reader: Principal | None, *, after: str = "", limit: int = 1000
    ) -> tuple[SeenCollection, ...]:
        """Return the collections as a reader sees them, by id."""
        return self._pool.run(collections.seen, reader, after, limit)

    def collection(self, collection_id: str, reader: Principal | None) -> SeenCollection | None:
        """Return a collection as the reader sees it."""
        return self._pool.run(collections.seen_one, collection_id, reader)

    def create_collection(self, collection: Collection, row: AuditRow) -> bool:
        """Return whether the collection is on record now as a new one."""
        return self._pool.write([row], collections.create, collection, row)

    def change_collection(self, collection_id: str, change: CollectionChange, row: AuditRow) -> Collection | None:
        """Return the collection after the change, or None where there is none."""
        return self._pool.write([row], collections.change, collection_id, change, row)

    def remove_collection(self, collection_id: str, row: AuditRow) -> bool:
        """Return whether there was such a collection. Raises BadParameter for one that is not empty."""
        return self._pool.write([row], collections.remove, collection_id, row)

    def grants(self, *dataset_ids: str) -> tuple[Grant, ...]:
        """Return the grants on datasets, by id, users first, by name."""
        return self._pool.run(people.grants, dataset_ids) if dataset_ids else ()

    def add_grant(self, grant: Grant, row: AuditRow) -> None:
        """Store the grant. Raises NotFound for an unknown dataset, BadParameter for a wrong grantee."""
        self._pool.write([row], people.add_grant, grant, row)

    def remove_grant(
        self, dataset_id: str, row: AuditRow, *, user: str | None = None, role: str | None = None
    ) -> Grant | None:
        """Return the grant that is gone now, None where there was none."""
        return self._pool.write([row], people.remove_grant, dataset_id, row, user, role)

    def is_refused(self, holder: Holder) -> bool:
        """Return whether the user's tokens are refused, or the token on record is there no longer."""
        return self._pool.run(people.is_refused, holder)

    def set_disabled(self, user: str, disabled: bool, row: AuditRow) -> None:
        """Store whether the user's tokens are refused."""
        self._pool.write([row], people.set_disabled, user, disabled, row)

    def users(self) -> tuple[UserState, ...]:
        """Return the users who were ever disabled, by name."""
        return self._pool.run(people.users)

    def append_audit(self, rows: Sequence[AuditRow]) -> int:
        """Return how many rows are new, when all are durable, in one transaction; without rows, when one could be."""
        return self._appender.append(rows)

    def holds(self, row: AuditRow) -> bool:
        """Return whether this row is stored."""
        return self._pool.run(audit_rows.holds, row)

    def audit_rows(self, query: AuditQuery) -> Iterator[StoredAuditRow]:
        """Yield the rows as of one moment, by time and then by number."""
        with self._long(self._url, read_only=True) as connection:
            yield from audit_rows.read(connection, query)

    def prunable_until(self, before: datetime) -> datetime:
        """Return the beginning of the month of `before`: only whole months can be deleted."""
        return month_of(before)

    def require_pruner(self) -> None:
        """Return when the role of the owner's URL owns the audit. Raises RecordsUnavailable."""
        with self._long(self._owner_url) as connection:
            pruning.require_owner(connection)

    def prune_audit(self, until: datetime, archived: Archived, row: AuditRow) -> int:
        """Return how many rows were deleted: the months before that of `until`, if they are what was archived."""
        with self._long(self._owner_url) as connection:
            return pruning.prune(connection, until, archived, row)

    def months_ahead(self) -> int:
        """Return for how many months to come there is room for audit rows, as far as is known."""
        return self._upkeep.months_ahead()

    def downloads(self, query: AuditQuery) -> Iterator[DownloadSummary]:
        """Yield the downloads folded by client and version."""
        with self._long(self._url, read_only=True) as connection:
            yield from audit_rows.downloads(connection, query)

    def copy_collections_in(self, collections: Sequence[Collection]) -> None:
        """Store collections of another database, as they are there."""
        self._pool.run(copying.copy_collections_in, collections)

    def copy_in(self, datasets: Sequence[Dataset], grants: Sequence[Grant], users: Sequence[UserState]) -> None:
        """Store what another database holds, as it is there; all of it may be done again."""
        self._pool.run(copying.copy_in, datasets, grants, users)

    def make_room(self, first: datetime, last: datetime) -> None:
        """Return when the months from the one moment to the other take rows."""
        wanted = set(months(first, last))
        if not wanted <= self._roomy:
            with self._long(self._owner_url) as connection:
                make(connection, first, last)
            self._roomy |= wanted

    def is_whole(self, seconds: float) -> bool:
        """Return True: the server watches over its files, and pg_amcheck looks through them."""
        return True

    def copy_to(self, path: Path) -> None:
        """Raise SettingsError: copies of a server's databases are made by its own means."""
        raise SettingsError("records in PostgreSQL are copied by pg_dump, or by archiving the WAL")

    def ping(self) -> None:
        """Return when every table can be read and a row of now would be taken."""
        self._upkeep.months = self._pool.run(health.ping)

    def close(self) -> None:
        """Close every connection; further calls do nothing."""
        self._beacon.close()
        self._appender.close()
        self._upkeep.close()
        self._pool.close()

    @contextmanager
    def _long(self, url: str, *, read_only: bool = False) -> Iterator[Bounded]:
        """Yield a connection of its own, for what may take long. Raises RecordsUnavailable."""
        self._pool.require_open()
        try:
            with closing(connect(url, long=True, read_only=read_only)) as connection:
                yield connection
        except psycopg.Error as error:
            raise unserved(self._pool.name, error) from error


def open_postgres(url: str, owner_url: str | None = None, *, read_only: bool = False) -> PostgresRecords:
    """Return the records at a URL; raises RecordsUnavailable, and SettingsError for a server that may lose a row."""
    return PostgresRecords(url, owner_url, read_only=read_only)
