"""What the rest of the gateway asks of its database about datasets taken together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from gateway.catalogue.collections import Collection, CollectionChange, SeenCollection
from gateway.catalogue.layers import Outline, StoredSearch
from gateway.catalogue.search import Page, Search
from gateway.model import AuditRow, Principal


class StoredSearchRecords(Protocol):
    """Searches that are layers; what holds for `Records` holds for these methods."""

    def store(self, search: StoredSearch, most: int, row: AuditRow) -> bool | None:
        """Return whether the search is on record now as a new one: the same may be there already.

        Its owner is one of its makers from then on; the row is stored where they were not. None where they are one
        of the makers of `most` others: nothing is stored then.
        """

    def drop(self, search_id: str, maker: str | None, row: AuditRow) -> bool:
        """Return whether a maker was taken from a search; it is gone with the last one, and for None at once."""

    def by_id(self, search_id: str) -> StoredSearch | None:
        """Return the search with this id, or None."""

    def after(self, search_id: str, limit: int = 100) -> tuple[StoredSearch, ...]:
        """Return the searches that come after an id, by id."""

    def copy_in(self, found: Sequence[StoredSearch]) -> None:
        """Store searches of another database, as they are there."""

    def clear(self) -> None:
        """Forget all, before those of another database are stored."""


class ArchiveRecords(Protocol):
    """Collections, and searches over all datasets; what holds for `Records` holds for these methods."""

    def search(self, search: Search, reader: Principal | None) -> Page:
        """Return one page of the datasets that are looked for and that the reader may see; None is the operator.

        A pure read. Raises BadParameter for a filter that cannot be compared, or over a property of which the reader
        sees no dataset, and for an `after` of another search.
        """

    def outline(self, search: Search, reader: Principal | None) -> Outline:
        """Return what the datasets that are looked for and that the reader may see come to.

        A pure read; raises what `search` raises.
        """

    def roles_that_see(self, roles: Iterable[str], collection: str | None) -> frozenset[str]:
        """Return those roles to which a dataset of a collection, or of any, was granted."""

    @property
    def searches(self) -> StoredSearchRecords:
        """Return the stored searches."""

    def queryables(self, reader: Principal | None, collection: str | None = None) -> Mapping[str, frozenset[str]]:
        """Return the names of the datasets' own properties, of a collection or of all, and the JSON types of each.

        Only of datasets that the reader may see; None is the operator.
        """

    def collections(
        self, reader: Principal | None, *, after: str = "", limit: int = 1000
    ) -> tuple[SeenCollection, ...]:
        """Return those collections by id, after `after`, of which the reader may see a dataset, as they see them.

        Empty ones are there for administrators and for None, the operator.
        """

    def collection(self, collection_id: str, reader: Principal | None) -> SeenCollection | None:
        """Return a collection as the reader sees it, None where `collections` would not show it."""

    def create_collection(self, collection: Collection, row: AuditRow) -> bool:
        """Return whether the collection is on record now as a new one."""

    def change_collection(self, collection_id: str, change: CollectionChange, row: AuditRow) -> Collection | None:
        """Return the collection after the change, or None where there is none; `updated_at` is the row's moment."""

    def remove_collection(self, collection_id: str, row: AuditRow) -> bool:
        """Return whether there was such a collection. Raises BadParameter for one that is not empty."""

    def copy_collections_in(self, collections: Sequence[Collection]) -> None:
        """Store collections of another database, as they are there, in place of those that are here."""
