"""Files of overviews that are not needed any more, removed from their roots."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.catalogue.overviews import Overview, OverviewState
from gateway.errors import GatewayError
from gateway.model import AuditRow
from gateway.records import Records
from gateway.storage import Storage

# A run that was begun so long ago and has not ended was killed.
KILLED_AFTER = timedelta(days=1)


class Removal:
    """Removes what is on record as not needed; `left` are the names of those files that could not be removed."""

    def __init__(self, records: Records, storages: Mapping[str, Storage]) -> None:
        self._records, self._storages = records, storages
        self.left: list[str] = []

    def remove(self, collection: str) -> Overview | None:
        """Return the overview that a collection had, None where it had none; its file is gone."""
        known = self._records.overviews.of_collection(collection)
        if known is not None:
            row = AuditRow("overview.removed", version=known.version, detail=detail_of(known))
            self._records.overviews.drop([known.id], [row])
        self.sweep(collection)
        return known

    def sweep(self, collection: str) -> None:
        """Remove the files of a collection that are not needed; what cannot be is tried again by the next run."""
        self.left.clear()
        for dropped in self._records.overviews.left(collection, datetime.now(UTC) - KILLED_AFTER):
            try:
                # What lies there in another version is not ours to remove.
                self._storages[dropped.root].remove(dropped.key, dropped.version or None)
                self._records.overviews.forget(dropped.id)
            except (GatewayError, KeyError):
                self.left.append(f"{dropped.root}:{dropped.key}")

    def undo(self, begun: Overview) -> None:
        """Remove what there is of an overview that came to nothing; one that is on record stays.

        What cannot be removed now is removed by a later run.
        """
        with suppress(GatewayError):
            known = self._records.overviews.by_id(begun.id)
            if known is None or known.state is OverviewState.BEGUN:
                self._storages[begun.root].remove(begun.key)
                self._records.overviews.forget(begun.id)


def detail_of(overview: Overview) -> dict[str, Any]:
    """Return what the audit tells of an overview."""
    return {
        "collection": overview.collection, "overview": overview.id, "root": overview.root, "key": overview.key,
        "zoom": overview.zoom, "members": overview.members,
    }  # fmt: skip
