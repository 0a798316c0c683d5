"""Overviews of collections on record: which file there is, and whether it still tells the truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.catalogue.overviews import Overview
from gateway.model import AuditRow, Principal
from gateway.records.audiences import ALL, audiences_of, target_of

COLUMNS = (
    "id", "collection", "root", "key", "zoom", "members", "begun_at", "state", "holds", "version", "size_bytes",
    "sha256", "report", "raster", "made_at",
)  # fmt: skip
# What a member is drawn by and who sees it, in SQL: of a dataset before and after. That it was looked at again with
# the same verdict is no change, nor is a digest that was not taken before.
CHANGED = (
    "version", "collection", "visibility", "owner", "start_at", "end_at", "(raster IS NULL)", "(report ->> 'valid')",
)  # fmt: skip


class OverviewRecords(Protocol):
    """The overviews on record; what holds for `Records` holds for these methods.

    One that `holds` stops to in the transaction that adds, removes, replaces or judges a member otherwise, dates it
    anew, or changes who may see it; also while it is being written.
    """

    def begin(self, overview: Overview) -> bool:
        """Return whether its collection is there, and it is on record as being written.

        What is read of the collection from now on is what the overview has to be true of.
        """

    def by_id(self, overview_id: str) -> Overview | None:
        """Return one in any state."""

    def finish(self, overview: Overview, row: AuditRow) -> bool:
        """Return whether it is the one of its collection from now on: not where a member has changed since `begin`.

        The one before is to be removed from then on.
        """

    def drop(self, ids: Sequence[str], rows: Sequence[AuditRow]) -> None:
        """Store that these are to be removed."""

    def of_collection(self, collection: str) -> Overview | None:
        """Return the one of a collection, whether it holds or not."""

    def holding(self, collection: str) -> str | None:
        """Return the id of the one of a collection, None where there is none that holds; quick."""

    def left(self, collection: str, before: datetime) -> tuple[Overview, ...]:
        """Return those of a collection that are to be removed, and that were begun before a moment and not ended."""

    def forget(self, overview_id: str) -> None:
        """Remove what is on record of one whose file is gone."""

    def for_reader(self, collection: str, reader: Principal | None) -> Overview | None:
        """Return the one of a collection, where it holds and the reader may see every member; None is the operator.

        A pure read. For a reader it is the same as long as the overview holds.
        """

    def every(self) -> tuple[Overview, ...]:
        """Return all of them by id."""

    def copy_in(self, overviews: Sequence[Overview]) -> None:
        """Store those of another database, in place of those that are here: after its datasets."""


def changes(before: str, after: str, distinct: str) -> str:
    """Return the condition in SQL that a member has changed; `before` and `after` are the rows' names."""
    told = [f"{_of(column, before)} {distinct} {_of(column, after)}" for column in CHANGED]
    return " OR ".join([*told, f"{before}.sha256 <> {after}.sha256"])


def _of(column: str, row: str) -> str:
    return column.replace("(", f"({row}.") if "(" in column else f"{row}.{column}"


def seen_by(collection: str, reader: Principal | None) -> tuple[list[str], list[str]] | None:
    """Return the audiences that a reader is part of, and those of all datasets that the reader is no part of.

    None where the reader's token is for something else.
    """
    target = target_of(reader)
    if target.dataset_id is not None or target.collection not in (None, collection):
        return None
    own = audiences_of(reader)
    return list(own), [name for name in ALL if name not in own]
