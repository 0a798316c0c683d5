"""Records in one SQLite file, for any number of threads and processes on one machine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from gateway.catalogue.collections import Collection, CollectionChange, SeenCollection
from gateway.catalogue.layers import Outline
from gateway.catalogue.search import Page, Search
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
from gateway.records.sqlite import (
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
    standing,
)
from gateway.records.sqlite.connection import Connections
from gateway.records.sqlite.jobs import SqliteJobs
from gateway.records.sqlite.library import Database
from gateway.records.sqlite.lists import SqliteLists
from gateway.records.sqlite.migrations import prepare, require_catalogue
from gateway.records.sqlite.overviews import SqliteOverviews
from gateway.records.sqlite.smallpictures import SqliteSmallPictures
from gateway.records.sqlite.tokens import SqliteTokens
from gateway.records.standing import Holder, Standing, Standings

TABLES = (
    "datasets", "collections", "dataset_audiences", "dataset_boxes", "grants", "users", "audit", "searches",
    "stored_tokens", "link_uses", "download_lists", "small_pictures", "jobs", "overviews",
    "search_makers",
)  # fmt: skip


class SqliteRecords:
    """The catalogue and the audit in one file (a `Records`), its tables made or brought up to date.

    With `read_only` nothing is made, changed or left behind, and every method that writes raises RecordsUnavailable.
    """

    # A file of this machine, asked within `standing`.
    remembering = None

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        (require_catalogue if read_only else prepare)(path)
        self._connections = Connections(path, read_only=read_only)
        self._standings = Standings()
        self.tokens = SqliteTokens(self._connections)
        self.lists = SqliteLists(self._connections)
        self.small_pictures = SqliteSmallPictures(self._connections)
        self.jobs = SqliteJobs(self._connections)
        self.overviews = SqliteOverviews(self._connections)
        self.searches = searches.SqliteSearches(self._connections)

    def dataset(self, dataset_id: str) -> Dataset | None:
        """Return the dataset with this id, or None."""
        return self._connections.run(datasets.by_id, dataset_id)

    def standing(self, dataset_id: str, holder: Holder) -> Standing:
        """Return the dataset, its grants, and whether the holder is refused, as they are now."""
        return self._connections.of_generation(standing.read, self._standings, dataset_id, holder)

    def dataset_ids(self, prefix: str, *, removed: bool = False) -> tuple[str, ...]:
        """Return the first few ids of datasets that begin like this."""
        return self._connections.run(datasets.ids, prefix, removed)

    def dataset_at(self, root: str, key: str) -> Dataset | None:
        """Return the dataset whose object lies at `key` in `root`, or None."""
        return self.datasets_at(root, [key]).get(key)

    def datasets_at(self, root: str, keys: Sequence[str]) -> dict[str, Dataset]:
        """Return those datasets whose objects lie at these keys in `root`, by key."""
        return self._connections.run(datasets.at, root, keys)

    def has_title(self, title: str) -> bool:
        """Return whether a dataset has exactly this title."""
        return self._connections.run(datasets.has_title, title)

    def register_dataset(self, dataset: Dataset, row: AuditRow) -> bool:
        """Return whether the dataset is on record now as a new one."""
        return self._connections.write(datasets.register, dataset, row)

    def register_datasets(self, new: Sequence[tuple[Dataset, AuditRow]]) -> set[str]:
        """Return the ids of those datasets that are on record now as new ones."""
        return self._connections.write(datasets.register_all, new)

    def change_dataset(self, dataset_id: str, change: Change, row: AuditRow) -> Dataset | None:
        """Return the dataset after the change, or None where there is none."""
        return self._connections.write(datasets.change, dataset_id, change, row)

    def judge_dataset(
        self, known: Dataset, verdict: Verdict, row: AuditRow, change: Change = NO_CHANGE
    ) -> Dataset | None:
        """Return the dataset with the verdict and the change; None where it was judged or removed meanwhile."""
        return self._connections.write(datasets.judge, known, verdict, row, change)

    def remove_dataset(self, dataset_id: str, row: AuditRow) -> bool:
        """Return whether there was such a dataset; it and its grants are gone."""
        return self._connections.write(datasets.remove, dataset_id, row)

    def find_datasets(self, query: DatasetQuery) -> DatasetPage:
        """Return the datasets that the query's principal may see."""
        return self._connections.run(listing.find, query)

    def every_dataset(self, query: DatasetQuery) -> Iterator[Dataset]:
        """Yield all datasets of the query, each page behind the last dataset of the one before."""
        page = self._connections.run(listing.behind, query, None)
        while page:
            yield from page
            page = self._connections.run(listing.behind, query, page[-1])

    def search(self, search: Search, reader: Principal | None) -> Page:
        """Return one page of the datasets that are looked for and that the reader may see."""
        return self._connections.run(searching.search, search, reader)

    def outline(self, search: Search, reader: Principal | None) -> Outline:
        """Return what the datasets that are looked for and that the reader may see come to."""
        return self._connections.run(searching.outline, search, reader)

    def roles_that_see(self, roles: Iterable[str], collection: str | None) -> frozenset[str]:
        """Return those roles to which a dataset of a collection, or of any, was granted."""
        return self._connections.run(searches.roles_that_see, roles, collection)

    def queryables(self, reader: Principal | None, collection: str | None = None) -> Mapping[str, frozenset[str]]:
        """Return the datasets' own properties that a reader may filter by, and the JSON types of each."""
        return self._connections.run(searching.queryables, reader, collection)

    def collections(
        self, reader: Principal | None, *, after: str = "", limit: int = 1000
    ) -> tuple[SeenCollection, ...]:
        """Return the collections as a reader sees them, by id."""
        return self._connections.run(collections.seen, reader, after, limit)

    def collection(self, collection_id: str, reader: Principal | None) -> SeenCollection | None:
        """Return a collection as the reader sees it."""
        return self._connections.run(collections.seen_one, collection_id, reader)

    def create_collection(self, collection: Collection, row: AuditRow) -> bool:
        """Return whether the collection is on record now as a new one."""
        return self._connections.write(collections.create, collection, row)

    def change_collection(self, collection_id: str, change: CollectionChange, row: AuditRow) -> Collection | None:
        """Return the collection after the change, or None where there is none."""
        return self._connections.write(collections.change, collection_id, change, row)

    def remove_collection(self, collection_id: str, row: AuditRow) -> bool:
        """Return whether there was such a collection. Raises BadParameter for one that is not empty."""
        return self._connections.write(collections.remove, collection_id, row)

    def grants(self, *dataset_ids: str) -> tuple[Grant, ...]:
        """Return the grants on datasets, by id, users first, by name."""
        return self._connections.run(people.grants, dataset_ids) if dataset_ids else ()

    def add_grant(self, grant: Grant, row: AuditRow) -> None:
        """Store the grant. Raises NotFound for an unknown dataset, BadParameter for a wrong grantee."""
        self._connections.write(people.add_grant, grant, row)

    def remove_grant(
        self, dataset_id: str, row: AuditRow, *, user: str | None = None, role: str | None = None
    ) -> Grant | None:
        """Return the grant that is gone now, None where there was none."""
        return self._connections.write(people.remove_grant, dataset_id, row, user, role)

    def is_refused(self, holder: Holder) -> bool:
        """Return whether the user's tokens are refused, or the token on record is there no longer."""
        return self._connections.run(people.is_refused, holder)

    def set_disabled(self, user: str, disabled: bool, row: AuditRow) -> None:
        """Store whether the user's tokens are refused."""
        self._connections.write(people.set_disabled, user, disabled, row)

    def users(self) -> tuple[UserState, ...]:
        """Return the users who were ever disabled, by name."""
        return self._connections.run(people.users)

    def append_audit(self, rows: Sequence[AuditRow]) -> int:
        """Return how many rows are new, all durable in one transaction; without rows, when a page could be."""
        if not rows:
            self._connections.write(audit_rows.try_to_write)
            return 0
        # One statement is a transaction of its own, and commits when it ends.
        whole = len(rows) <= audit_rows.STATEMENT_ROWS
        return (self._connections.run if whole else self._connections.write)(audit_rows.append, rows)

    def holds(self, row: AuditRow) -> bool:
        """Return whether this row is stored."""
        return self._connections.run(audit_rows.holds, row)

    def audit_rows(self, query: AuditQuery) -> Iterator[StoredAuditRow]:
        """Yield the rows, oldest first; each page is a read of its own, so that the WAL can be emptied."""
        first, last = self._connections.run(audit_rows.span, query)
        while first <= last:
            page = self._connections.run(audit_rows.page, query, first, last)
            yield from page
            first = page[-1].id + 1 if page else last + 1

    def prunable_until(self, before: datetime) -> datetime:
        """Return `before`: any rows can be deleted."""
        return before

    def require_pruner(self) -> None:
        """Return at once: who may write into the file may prune."""

    def prune_audit(self, until: datetime, archived: Archived, row: AuditRow) -> int:
        """Return how many rows were deleted: those with the archive's numbers that are older than `until`."""
        pruned, rows, first = 0, [row], archived.first_id
        while numbers := self._connections.run(pruning.old_numbers, until, first, archived.last_id):
            pruned += self._connections.write(pruning.delete, numbers, rows)
            first, rows = numbers[-1] + 1, []
            time.sleep(pruning.PAUSE_SECONDS)
        return pruned

    def months_ahead(self) -> None:
        """Return None: one table takes the rows of all times."""

    def downloads(self, query: AuditQuery) -> Iterator[DownloadSummary]:
        """Return the downloads folded by client and version."""
        return map(audit_rows.summary, self._connections.run(audit_rows.downloads, query))

    def copy_collections_in(self, collections: Sequence[Collection]) -> None:
        """Store collections of another database, as they are there."""
        self._connections.write(copying.copy_collections_in, collections)

    def copy_in(self, datasets: Sequence[Dataset], grants: Sequence[Grant], users: Sequence[UserState]) -> None:
        """Store what another database holds, as it is there."""
        self._connections.write(copying.copy_in, datasets, grants, users)

    def make_room(self, first: datetime, last: datetime) -> None:
        """Return at once: one table takes the rows of all times."""

    def is_whole(self, seconds: float) -> bool:
        """Return whether a quick check finds nothing broken, as far as it comes in that time."""
        return self._connections.run(health.quick_check, seconds)

    def copy_to(self, path: Path) -> None:
        """Write a whole copy, as of one moment, into the empty file at `path`; others may write meanwhile.

        https://www.sqlite.org/lang_vacuum.html#vacuuminto
        """
        self._connections.run(health.copy_to, path)

    def ping(self) -> None:
        """Return when every table can be read."""
        self._connections.run(_touch)

    def close(self) -> None:
        """Close every connection; further calls do nothing."""
        self._connections.close()


def _touch(database: Database) -> None:
    for table in TABLES:
        database.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608


def open_sqlite(path: Path, *, read_only: bool = False) -> SqliteRecords:
    """Return the records in the file at `path`, made when it is missing. Raises RecordsUnavailable."""
    return SqliteRecords(path, read_only=read_only)
