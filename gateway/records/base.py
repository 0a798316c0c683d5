"""What the rest of the gateway asks of its database: datasets, people and the audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.catalogue.search import Interval
from gateway.model import AuditRow, Dataset, Grant, Principal, Scale
from gateway.records.archive import ArchiveRecords
from gateway.records.changes import NO_CHANGE, Change, Verdict
from gateway.records.jobs import JobRecords
from gateway.records.lists import ListRecords
from gateway.records.overviews import OverviewRecords
from gateway.records.smallpictures import SmallPictureRecords
from gateway.records.standing import Holder, Remembering, Standing
from gateway.records.tokens import TokenRecords

# With fewer months of room for audit rows ahead than these somebody has to look.
LEAST_MONTHS_AHEAD = 2
# By these a listing is sorted; a minus turns the order around.
SORTINGS = ("created_at", "-created_at", "title", "-title", "size_bytes", "-size_bytes")


@dataclass(frozen=True, slots=True)
class DatasetQuery:
    """Which datasets a listing shows; `principal` None is the operator, who sees all.

    `bbox` is west, south, east, north in degrees; west > east means across the antimeridian (RFC 7946
    section 5.2). `q` is looked for in titles, in any case, and for the operator in keys as well. `sortby` is one of
    SORTINGS. `root`, `visibility`, `valid`, `owner` and `collection` are what the record says, None is any; the
    owner "" is none. `when` meets the interval of a dataset.
    """

    principal: Principal | None
    bbox: tuple[float, float, float, float] | None = None
    q: str | None = None
    limit: int = 20
    offset: int = 0
    sortby: str = "created_at"
    root: str | None = None
    visibility: Scale | None = None
    valid: bool | None = None
    owner: str | None = None
    collection: str | None = None
    when: Interval | None = None


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """One page of a listing; `total` counts all pages."""

    datasets: tuple[Dataset, ...]
    total: int


@dataclass(frozen=True, slots=True)
class UserState:
    """A user whom an operator has disabled, or enabled again."""

    name: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which audit rows are wanted; None means any. `since` is inclusive, `until` is not.

    Ends of downloads (`action`) are found quickly by their `request_ids`.
    """

    dataset_id: str | None = None
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    action: str | None = None
    request_ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class StoredAuditRow:
    """An audit row with its number; numbers grow and are never used again."""

    id: int
    row: AuditRow


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive holds: how many rows, the first and last of their numbers, and the file's SHA-256 in hex."""

    rows: int = 0
    first_id: int = 0
    last_id: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class DownloadSummary:
    """All downloads of one version of one dataset by one client, its ranges folded into one line.

    A client is one `user_id`, `ip` and `user_agent`. `bytes_sent`, `completed` and `aborted` count the transfers
    whose end is on record: of a redirect those that the log of its store tells of, where it was read. Times are UTC.
    """

    dataset_id: str | None
    user_id: str | None
    ip: str | None
    user_agent: str | None
    version: str | None
    first_at: datetime
    last_at: datetime
    requests: int
    bytes_expected: int
    bytes_sent: int
    completed: int
    aborted: int


class Records(ArchiveRecords, Protocol):
    """A database of datasets, people and audit rows; every method may be called from any thread.

    Every method raises RecordsUnavailable when the database cannot serve, also after `close`, and
    BadParameter for text that is no valid Unicode and so names nothing that could be stored. A method that takes an
    audit row stores it together with the act or, where nothing comes of the act, not at all.
    """

    def dataset(self, dataset_id: str) -> Dataset | None:
        """Return the dataset with this id, or None."""

    def standing(self, dataset_id: str, holder: Holder) -> Standing:
        """Return the dataset, its grants, and whether the holder is refused, as they are now; quick."""

    @property
    def remembering(self) -> Remembering | None:
        """Return how `standing` can answer without waiting for a network, None where it never waits for one."""

    def dataset_ids(self, prefix: str, *, removed: bool = False) -> tuple[str, ...]:
        """Return the first few ids of datasets that begin like this, of lower case; quick.

        `removed` looks for those as well that only the audit knows any more.
        """

    def dataset_at(self, root: str, key: str) -> Dataset | None:
        """Return the dataset whose object lies at `key` in `root`, or None."""

    def datasets_at(self, root: str, keys: Sequence[str]) -> dict[str, Dataset]:
        """Return those datasets whose objects lie at these keys in `root`, by key; one query for a thousand."""

    def has_title(self, title: str) -> bool:
        """Return whether a dataset has exactly this title; quick."""

    def register_dataset(self, dataset: Dataset, row: AuditRow) -> bool:
        """Return whether the dataset is on record now as a new one: False where its id or its object was already."""

    def register_datasets(self, new: Sequence[tuple[Dataset, AuditRow]]) -> set[str]:
        """Return the ids of those datasets that are on record now as new ones, each with its row; in one transaction.

        Those whose id or object was on record are passed over.
        """

    def change_dataset(self, dataset_id: str, change: Change, row: AuditRow) -> Dataset | None:
        """Return the dataset after the change, or None where there is none; `updated_at` is the row's moment.

        What the change does not name stays as it is at that moment. Raises BadParameter when the download would be
        the wider scale.
        """

    def judge_dataset(
        self, known: Dataset, verdict: Verdict, row: AuditRow, change: Change = NO_CHANGE
    ) -> Dataset | None:
        """Return the dataset with the verdict and the change; what neither names stays as it is at that moment.

        None, and nothing is stored, where it was removed or judged by somebody else since `known` was read: the
        verdict may rest on what is no longer there. Raises BadParameter as `change_dataset` does.
        """

    def remove_dataset(self, dataset_id: str, row: AuditRow) -> bool:
        """Return whether there was such a dataset; it and its grants are gone, its audit rows stay."""

    def find_datasets(self, query: DatasetQuery) -> DatasetPage:
        """Return the datasets that the query's principal may see, in its order, and of equals by id.

        What is passed over by `offset` is read from an index: a page takes longer the further on it is.
        """

    def every_dataset(self, query: DatasetQuery) -> Iterator[Dataset]:
        """Return all datasets of the query in its order, read as they are taken, `limit` at once; no `offset`.

        What is written meanwhile is among them where its place is still to come.
        """

    def grants(self, *dataset_ids: str) -> tuple[Grant, ...]:
        """Return the grants on datasets, by id, users first, by name; one query for all of them, none for none."""

    def add_grant(self, grant: Grant, row: AuditRow) -> None:
        """Store the grant; one for the same user or role gets the new level.

        Raises NotFound for an unknown dataset, BadParameter unless exactly one of user and role is set.
        """

    def remove_grant(
        self, dataset_id: str, row: AuditRow, *, user: str | None = None, role: str | None = None
    ) -> Grant | None:
        """Return the grant that is gone now, None where there was none. Raises BadParameter as `add_grant` does."""

    @property
    def tokens(self) -> TokenRecords:
        """Return the tokens on record."""

    @property
    def lists(self) -> ListRecords:
        """Return the lists of files on record."""

    @property
    def jobs(self) -> JobRecords:
        """Return the jobs on record."""

    @property
    def small_pictures(self) -> SmallPictureRecords:
        """Return the small pictures on record."""

    @property
    def overviews(self) -> OverviewRecords:
        """Return the overviews of collections on record."""

    def is_refused(self, holder: Holder) -> bool:
        """Return whether the user's tokens are refused, or the token on record is there no longer."""

    def set_disabled(self, user: str, disabled: bool, row: AuditRow) -> None:
        """Store whether the user's tokens are refused."""

    def users(self) -> tuple[UserState, ...]:
        """Return the users who were ever disabled, by name."""

    def append_audit(self, rows: Sequence[AuditRow]) -> int:
        """Return how many rows are new, when all are durable; none is stored on an error.

        Of rows whose commit was cut off and repeated it may count none. No rows: only tries if one could be.
        """

    def holds(self, row: AuditRow) -> bool:
        """Return whether a row with this one's `at` and `row_id` is stored."""

    def audit_rows(self, query: AuditQuery) -> Iterator[StoredAuditRow]:
        """Return the rows, oldest first, read as they are taken; rows written meanwhile are not among them."""

    def prunable_until(self, before: datetime) -> datetime:
        """Return the moment before which rows can be deleted when those before `before` are to be."""

    def require_pruner(self) -> None:
        """Return when rows of the audit may be deleted. Raises RecordsUnavailable where another role may."""

    def prune_audit(self, until: datetime, archived: Archived, row: AuditRow) -> int:
        """Return how many rows were deleted for good: those that were archived and are older than `until`.

        So that nobody who writes has to wait long; interrupted, it leaves the newest of them, or all. `row` is stored
        together with the first deletion. `until` is one of `prunable_until`.
        """

    def months_ahead(self) -> int | None:
        """Return for how many months to come there is room for audit rows, None where that is no question.

        It waits for nothing, and may know what was so a day ago.
        """

    def downloads(self, query: AuditQuery) -> Iterator[DownloadSummary]:
        """Return the downloads folded by client and version, by their first request."""

    def copy_in(self, datasets: Sequence[Dataset], grants: Sequence[Grant], users: Sequence[UserState]) -> None:
        """Store what another database holds, as it is there, in one transaction, in place of what is here.

        `grants` are all that those datasets have, whose collections are here already. No audit row tells of it:
        those are copied as well.
        """

    def make_room(self, first: datetime, last: datetime) -> None:
        """Return when audit rows from the one moment to the other can be stored."""

    def is_whole(self, seconds: float) -> bool:
        """Return whether nothing is found broken in the database within that time."""

    def copy_to(self, path: Path) -> None:
        """Write a whole copy, as of one moment, into the empty file at `path`."""

    def ping(self) -> None:
        """Return when the database can be read, its tables included."""

    def close(self) -> None:
        """Close every connection; further calls do nothing."""
